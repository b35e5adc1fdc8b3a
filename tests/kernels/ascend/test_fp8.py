# SPDX-License-Identifier: BSD-3-Clause
"""float8_e4m3fn on the vector cores: every code, and every rounding that can happen, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
from ascend_twin import load
from ascend_twin.machine import Out

from .driver import FLAGS, HERE
from .formats import STAGED_FACTOR, e4m3fn, nearest_code

SOURCE = HERE / "fp8_tiles.cpp"
MODES = [("fast", 0), ("check", 0), ("check", 7)]


@pytest.mark.parametrize("mode,seed", MODES)
@pytest.mark.parametrize("count", [256, 1, 15, 33, 5000])
@pytest.mark.parametrize("factor", [1, STAGED_FACTOR])
def test_every_code_to_half(rng, count, factor, mode, seed):
    codes = np.arange(256, dtype=np.uint8) if count == 256 else rng.integers(0, 256, count).astype(np.uint8)
    got = np.zeros(count, np.float16)
    kernel = load(SOURCE, "fp8_to_half", FLAGS)
    assert kernel(1, codes, Out(got), count, int(factor != 1), mode=mode, seed=seed) == []
    want = e4m3fn(codes) * factor
    nan = np.isnan(want)
    assert np.array_equal(np.isnan(got), nan)
    assert np.array_equal(got[~nan].view(np.uint16), want[~nan].astype(np.float16).view(np.uint16))  # -0 too


@pytest.mark.parametrize("mode,seed", MODES)
def test_float_to_nearest_code(rng, mode, seed):
    grid = np.append(e4m3fn(np.arange(127, dtype=np.uint8)), 480.0)
    middles = (grid[1:] + grid[:-1]) / 2
    near = np.concatenate([grid, middles]).astype(np.float32)
    values = np.concatenate(
        [
            near,
            np.nextafter(near, np.float32(np.inf)),
            np.nextafter(near, np.float32(0)),
            rng.standard_normal(2000).astype(np.float32) * 2.0 ** rng.integers(-14, 10, 2000),
            [1e-30, 1e-45, 70000, 1e38, np.inf, np.nan, 465.0, 463.0],
        ]
    ).astype(np.float32)
    values = np.concatenate([values, -values])
    got = np.zeros(values.size, np.uint8)
    assert load(SOURCE, "float_to_fp8", FLAGS)(1, values, Out(got), values.size, mode=mode, seed=seed) == []
    wrong = np.flatnonzero(got != nearest_code(values))
    assert wrong.size == 0, (values[wrong[:5]], got[wrong[:5]], nearest_code(values)[wrong[:5]])
