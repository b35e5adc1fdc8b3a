# SPDX-License-Identifier: BSD-3-Clause
"""MmadWithSparse and LoadDataWithSparse; int4 in LoadData3D and LoadDataWithTranspose (documents of these names)."""

from __future__ import annotations

import numpy as np
import pytest
from ascend_twin.machine import Out

FILE = "sparse.cpp"


def padded(x: np.ndarray, rows: int, cols: int) -> np.ndarray:
    return np.pad(x, [(0, -x.shape[0] % rows), (0, -x.shape[1] % cols)])


def zn(x: np.ndarray, cols: int) -> np.ndarray:
    """Panels of `cols` columns one after the other, rows padded to 16."""
    x = padded(x, 16, cols)
    return np.ascontiguousarray(x.reshape(x.shape[0], -1, cols).transpose(1, 0, 2)).ravel()


def run(api_kernel, name: str, m: int, n: int, k: int, *arrays: np.ndarray, flag: int = 0, expect_clean: bool = True):
    out = np.zeros((m, n), np.int32)
    arrays = [np.pad(a.view(np.uint8), (0, -a.nbytes % 32)) for a in arrays]
    params = np.array([m, n, k, *(a.size // 32 for a in arrays), flag, 0, 0, 0], np.int64)
    found = api_kernel(FILE, name)(1, *arrays, Out(out), params, mode="check", expect_clean=expect_clean)
    return out, found


def dense(b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each 4 rows of B two, and which: the first index names one of rows 0 to 2, the second one of rows 1 to 3."""
    k, n = b.shape
    values, index = np.zeros((k // 2, n), np.int8), np.zeros((k // 2, n), np.uint8)
    for g in range(k // 4):
        for j in range(n):
            rows = np.flatnonzero(b[4 * g : 4 * g + 4, j])
            first, second = {0: (0, 1), 1: (rows[0], 0) if rows.size and rows[0] < 3 else (0, 3)}.get(
                rows.size, tuple(rows) if rows.size == 2 else (0, 0)
            )
            if rows.size == 1 and rows[0] < 3:
                second = first + 1  # its value is 0
            index[2 * g : 2 * g + 2, j] = first, second - 1
            values[2 * g : 2 * g + 2, j] = b[4 * g + first, j], b[4 * g + second, j]
    return values, index


@pytest.mark.parametrize(("m", "n", "k"), [(16, 16, 64), (40, 48, 128), (128, 128, 64), (33, 20, 192)])
def test_sparse(api_kernel, rng, m, n, k):
    a = rng.integers(-128, 128, (m, k)).astype(np.int8)
    b = np.zeros((k, n), np.int8)
    for g in range(k // 4):
        for j in range(n):
            rows = rng.choice(4, int(rng.integers(0, 3)), replace=False)
            b[4 * g + rows, j] = rng.integers(-128, 128, rows.size)
    values, index = dense(b)
    # B in zN of its transpose: per fractal 16 columns of 32 rows. Indices likewise, 4 in a byte, first in the low bits.
    deep = padded(values, 32, 16)
    packed = padded(index, 32, 16).reshape(deep.shape[0] // 4, 4, -1)
    packed = packed[:, 0] | packed[:, 1] << 2 | packed[:, 2] << 4 | packed[:, 3] << 6
    tiles = deep.reshape(-1, 32, deep.shape[1] // 16, 16).transpose(0, 2, 3, 1)
    codes = packed.reshape(-1, 8, deep.shape[1] // 16, 16).transpose(0, 2, 3, 1)
    out, _ = run(
        api_kernel,
        "sparse",
        m,
        n,
        k,
        zn(a, 32),
        np.ascontiguousarray(tiles).ravel(),
        np.ascontiguousarray(codes).ravel(),
    )
    assert np.array_equal(out, 2 * (a.astype(np.int64) @ b.astype(np.int64)))


def test_sparse_without_indices(api_kernel, rng):
    a, b = (rng.integers(-8, 8, n).astype(np.int8) for n in (16 * 64, 32 * 16))
    _, found = run(api_kernel, "sparse", 16, 16, 64, a, b, np.zeros(128, np.uint8), flag=1, expect_clean=False)
    assert "uninitialised_read" in [f.kind for f in found]


def packed4(x: np.ndarray) -> np.ndarray:
    flat = x.ravel().astype(np.uint8) & 15
    return flat[0::2] | flat[1::2] << 4


@pytest.mark.parametrize(("m", "n", "k"), [(16, 64, 64), (48, 128, 128)])
def test_int4(api_kernel, rng, m, n, k):
    a, b = rng.integers(-8, 8, (m, k)), rng.integers(-8, 8, (k, n))
    out, _ = run(api_kernel, "int4", m, n, k, packed4(zn(a, 64)), packed4(zn(b, 64)), np.zeros(32, np.uint8))
    assert np.array_equal(out, a @ b)
