# SPDX-License-Identifier: BSD-3-Clause
"""The whole chain of a tile product, GM to GM; each call of it has tests of its own in api/."""

from __future__ import annotations

import numpy as np
import pytest
from ascend_twin.machine import Out

from .formulas import bf16_to_float, round_float


def call(kernel, name: str, data: np.ndarray, out: np.ndarray, *params: int) -> np.ndarray:
    words = np.zeros(16, np.int32)
    words[: len(params)] = params
    kernel("product_chain.cpp", name)(1, data, Out(out), words, mode="check")
    return out


def operands(rng, m: int, n: int, k: int, dtype: str, ta: bool, tb: bool):
    """A (m x k) and B (k x n) as float64, and the 512 KiB input image."""
    image = np.zeros(524288, np.uint8)
    parts = []
    for rows, cols, transposed, start in ((m, k, ta, 0), (k, n, tb, 262144)):
        if dtype == "int8_t":
            x = rng.integers(-128, 128, (rows, cols)).astype(np.int8)
            exact = x.astype(np.float64)
        else:
            f = rng.standard_normal((rows, cols)).astype(np.float32)
            x = f.astype(np.float16) if dtype == "half" else round_float(f, "bf16", 1)
            exact = x.astype(np.float64) if dtype == "half" else bf16_to_float(x).astype(np.float64)
        raw = np.ascontiguousarray(x.T if transposed else x).view(np.uint8).reshape(-1)
        image[start : start + raw.size] = raw
        parts.append(exact)
    return parts[0], parts[1], image


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("ta,tb", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("dtype", ["half", "bfloat16_t"])
def test_product_of_16_bit_floats(kernel, rng, dtype, ta, tb, twice):
    """Within the bound of float32 accumulation. The stored-transposed A is loaded in whole 16-wide strips of K."""
    m, n = int(rng.integers(2, 129)), int(rng.integers(1, 129))
    k = int(rng.integers(1, 9)) * 16 if ta or tb else int(rng.integers(1, 129))
    a, b, image = operands(rng, m, n, k, dtype, ta, tb)
    got = call(kernel, f"product_{dtype}_float", image, np.zeros((m, n), np.float32), m, n, k, ta, tb, twice)
    scale = 2.0 if twice else 1.0
    bound = (k + 2) * 2.0**-24 * (np.abs(a) @ np.abs(b)) * scale + 2.0**-24 * np.abs(a @ b * scale)
    worst = np.max(np.abs(got - a @ b * scale) / np.maximum(bound, 1e-30))
    assert worst <= 1, f"error is {worst:.2f} times the bound"


@pytest.mark.parametrize("tb", [False, True])
def test_product_of_int8(kernel, rng, tb):
    """Exact in int32; row-major B goes through LoadDataWithTranspose in squares of 32 x 32."""
    m, n, k = int(rng.integers(2, 100)), 64, 64
    a, b, image = operands(rng, m, n, k, "int8_t", False, tb)
    got = call(kernel, "product_int8_t_int32_t", image, np.zeros((m, n), np.int32), m, n, k, 0, tb)
    assert np.array_equal(got, (a @ b).astype(np.int32))
