# SPDX-License-Identifier: BSD-3-Clause
"""ReduceSum, ReduceMax, ReduceMin by pattern and Broadcast (high-level API documents of the reductions and of padding).

srcShape counts the elements that take part; rows lie whole 32-byte blocks apart (srcInnerPad). Scratch is not compared.
"""

from __future__ import annotations

import numpy as np
import pytest

from .elements import STORAGE, size_of
from .vector_case import MASK, REGION, Case, launch

FILE = "pattern.cpp"
SCRATCH = 2 * REGION


def matrix(rng, dtype: str, rows: int, pitch: int) -> Case:
    """A matrix of small whole numbers as first source, with noise around the destination."""
    image = rng.integers(-7, 8, 4 * REGION // size_of(dtype)).astype(STORAGE[dtype]).view(np.uint8)
    case = Case(MASK, image)
    case.src0.at, case.src1.at = REGION, SCRATCH
    assert rows * pitch * size_of(dtype) <= REGION
    return case


@pytest.mark.parametrize("pattern", ["AR", "RA"])
@pytest.mark.parametrize("dtype", ["half", "float"])
@pytest.mark.parametrize("op", [0, 1, 2], ids=["sum", "max", "min"])
def test_reduce(api_kernel, rng, op, dtype, pattern):
    if op == 0 and dtype == "half":
        return  # on dav-2201 sums are float only: refused.py
    kind, cases, shapes = STORAGE[dtype], [], []
    for _ in range(8):
        rows, cols = int(rng.integers(1, 40)), int(rng.integers(1, 140))
        per_block = 32 // size_of(dtype)
        pitch = -(-cols // per_block) * per_block
        case = matrix(rng, dtype, rows, pitch)
        case.extra = (op, rows, cols)
        cases.append(case)
        shapes.append((rows, cols, pitch))
    function = [np.sum, np.max, np.min][op]
    for case, (rows, cols, pitch), got in zip(cases, shapes, launch(api_kernel(FILE, f"{pattern}_{dtype}"), cases)):
        x = case.image[REGION:].view(kind)[: rows * pitch].reshape(rows, pitch)[:, :cols]
        expected = case.image[:SCRATCH].copy().view(kind)
        result = function(x, axis=1 if pattern == "AR" else 0)
        expected[: result.size] = result
        assert np.array_equal(got[:SCRATCH].view(kind), expected), (rows, cols)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dtype", ["half", "float"])
def test_broadcast(api_kernel, rng, dtype, axis):
    kind, cases = STORAGE[dtype], []
    for _ in range(6):
        rows, cols = int(rng.integers(1, 30)), 16 * int(rng.integers(1, 10))
        case = matrix(rng, dtype, rows, cols)
        case.extra = (rows, cols)
        cases.append(case)
    for case, got in zip(cases, launch(api_kernel(FILE, f"Broadcast{axis}_{dtype}"), cases)):
        rows, cols = case.extra
        source = case.image[REGION:].view(kind)
        source = source[:cols].reshape(1, cols) if axis == 0 else source[:rows].reshape(rows, 1)
        expected = case.image[:SCRATCH].copy().view(kind)
        expected[: rows * cols] = np.broadcast_to(source, (rows, cols)).ravel()
        assert np.array_equal(got[:SCRATCH].view(kind), expected), (rows, cols)
