# SPDX-License-Identifier: BSD-3-Clause
"""Conversions between number formats, independent of the twin: bfloat16 as uint16, float8_e4m3fn as uint8."""

from __future__ import annotations

import re

import numpy as np

from tests.support.paths import ROOT

_ARGUMENTS = (ROOT / "kernels-common/ascend/contract/arguments.h").read_text(encoding="utf-8")
#: K and V that were fp8 are halves of so many times their values.
STAGED_FACTOR = int(re.findall(r"kStagedFactor = (\d+)\.0f", _ARGUMENTS)[0])


def bf16_to_float(bits: np.ndarray) -> np.ndarray:
    """float32 values of bfloat16 bits."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def bf16(values: np.ndarray) -> np.ndarray:
    """Bits of the nearest bfloat16, ties to even. Numbers below 2^-126 keep eight bits too, which bfloat16 has not."""
    mantissa, exponent = np.frexp(np.asarray(values, np.float64))
    nearest = np.ldexp(np.rint(mantissa * 256) / 256, exponent)
    return (nearest.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)


def e4m3fn(codes: np.ndarray) -> np.ndarray:
    """Values of float8_e4m3fn codes as float64 (sign, 4 exponent bits of bias 7, 3 mantissa bits; 0x7f is NaN)."""
    magnitude = codes.astype(np.int64) & 0x7F
    exponent, mantissa = magnitude >> 3, magnitude & 7
    value = np.where(exponent == 0, mantissa * 2.0**-9, (8 + mantissa) * 2.0 ** (exponent - 10.0))
    return np.where(magnitude == 0x7F, np.nan, value) * np.where(codes & 0x80, -1.0, 1.0)


def nearest_code(values: np.ndarray) -> np.ndarray:
    """Nearest float8_e4m3fn code, ties to even; 480 stands for NaN, and what is nearest to it or beyond is NaN."""
    grid = np.append(e4m3fn(np.arange(127, dtype=np.uint8)), 480.0)
    magnitude = np.minimum(np.abs(values.astype(np.float64)), 480.0)
    magnitude = np.where(np.isnan(values), 480.0, magnitude)
    above = np.searchsorted(grid, magnitude)
    below = np.maximum(above - 1, 0)
    to_above, to_below = grid[above] - magnitude, magnitude - grid[below]
    up = (to_above < to_below) | ((to_above == to_below) & (above % 2 == 0))
    return (np.where(up, above, below) | np.where(np.signbit(values), 0x80, 0)).astype(np.uint8)


def storage(x: np.ndarray, dtype: str) -> np.ndarray:
    """`x` as stored in "f16", "bf16" or "f8", rounded to nearest."""
    return {"f16": lambda: x.astype(np.float16), "bf16": lambda: bf16(x), "f8": lambda: nearest_code(x)}[dtype]()


def exact(x: np.ndarray) -> np.ndarray:
    """Stored values as float64; the array's own type says which format it is."""
    if x.dtype == np.uint8:
        return e4m3fn(x)
    return (bf16_to_float(x) if x.dtype == np.uint16 else x).astype(np.float64)
