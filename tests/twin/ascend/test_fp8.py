"""float8_e4m3fn on the vector cores: every code, and every rounding that can happen, bit for bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ascend_twin import load
from ascend_twin.machine import Out
from conftest import ASCEND

SOURCE = Path(__file__).resolve().parent / "fp8_tiles.cpp"
MODES = [("fast", 0), ("check", 0), ("check", 7)]


def e4m3fn(codes: np.ndarray) -> np.ndarray:
    """Values of float8_e4m3fn codes as float64 (sign, 4 exponent bits of bias 7, 3 mantissa bits; 0x7f is NaN)."""
    magnitude = codes.astype(np.int64) & 0x7F
    exponent, mantissa = magnitude >> 3, magnitude & 7
    value = np.where(exponent == 0, mantissa * 2.0**-9, (8 + mantissa) * 2.0 ** (exponent - 10.0))
    return np.where(magnitude == 0x7F, np.nan, value) * np.where(codes & 0x80, -1.0, 1.0)


@pytest.mark.parametrize("mode,seed", MODES)
@pytest.mark.parametrize("count", [256, 1, 15, 33, 5000])
def test_every_code_to_half(rng, count, mode, seed):
    codes = np.arange(256, dtype=np.uint8) if count == 256 else rng.integers(0, 256, count).astype(np.uint8)
    got = np.zeros(count, np.float16)
    assert load(SOURCE, "fp8_to_half", [f"-I{ASCEND}"])(1, codes, Out(got), count, mode=mode, seed=seed) == []
    want = e4m3fn(codes)
    nan = np.isnan(want)
    assert np.array_equal(np.isnan(got), nan)
    assert np.array_equal(got[~nan].view(np.uint16), want[~nan].astype(np.float16).view(np.uint16))  # -0 too
    assert np.array_equal(np.signbit(got), (codes & 0x80) != 0)
