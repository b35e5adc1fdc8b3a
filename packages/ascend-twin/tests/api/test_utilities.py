# SPDX-License-Identifier: BSD-3-Clause
"""Scalar functions, limits, layouts, tensor lists, tiling data, workspace, fills, printing (documents: scalar
calculation, utilities, kernel tiling; Layout and Coordinate)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from ascend_twin.machine import Machine, Out

from .elements import from_exact, round_to_float, round_to_integer

FILE = "utilities.cpp"


def run(api_kernel, name: str, data: np.ndarray, count: int = 1024, work=None, mode: str = "check") -> list[int]:
    out = np.zeros(count, np.int64)
    work = np.zeros(8, np.uint8) if work is None else work
    api_kernel(FILE, name)(1, data, Out(out), work, mode=mode)
    return out.tolist()


def test_bits(api_kernel, rng):
    numbers = rng.integers(0, 2**64, 64, dtype=np.uint64, endpoint=False)
    numbers >>= rng.integers(0, 64, 64).astype(np.uint64)
    numbers[:6] = [0, 2**64 - 1, 1, 2**63, 2**63 - 1, 5]
    got = run(api_kernel, "bits", numbers)
    for i, x in enumerate(int(n) for n in numbers):
        text = f"{x:064b}"
        same = len(text) - len(text.lstrip(text[0])) - 1
        expected = [
            text.count("0"),
            text.count("1"),
            len(text) - len(text.lstrip("0")),
            -1 if x in (0, 2**64 - 1) else same,
            text[::-1].find("0"),
            text[::-1].find("1"),
        ]
        assert got[6 * i : 6 * i + 6] == expected, f"{x:#x}"


def test_casts(api_kernel, rng):
    x = (rng.standard_normal(64) * 10.0 ** rng.integers(-6, 6, 64)).astype(np.float32)
    x[:8] = [0.5, 1.5, -0.5, -2.5, 3e9, -3e9, 65520.0, 0.0]
    got = np.array(run(api_kernel, "casts", x)[: 64 * 8]).reshape(64, 8)
    wide = x.astype(np.float64)
    for column, mode in enumerate(["CAST_RINT", "CAST_FLOOR", "CAST_CEIL", "CAST_ROUND", "CAST_TRUNC"]):
        assert got[:, column].tolist() == round_to_integer(wide, "int32_t", mode).tolist(), mode
    assert got[:, 5].tolist() == x.astype(np.float16).view(np.uint16).tolist()
    finite = np.abs(wide) < 65504
    odd = from_exact(round_to_float(wide, "half", "CAST_ODD"), "half").view(np.uint16)
    assert got[finite, 6].tolist() == odd[finite].tolist()
    assert got[:, 7].tolist() == from_exact(round_to_float(wide, "bfloat16_t"), "bfloat16_t").tolist()


def test_limits(api_kernel):
    got = run(api_kernel, "limits", np.zeros(8, np.uint8))
    half = [0x7BFF, 0xFBFF, 0x0400, 0x7C00, 0xFC00, 0x0001]
    single = [0x7F7FFFFF, 0xFF7FFFFF, 0x00800000, 0x7F800000, 0xFF800000, 0x00000001]
    assert got[:18] == half + single + [127, -128, 65535, -(2**31), 2**32 - 1, 1]


def test_layouts(api_kernel):
    got = run(api_kernel, "layouts", np.zeros(8, np.uint8))
    # Row r is (r % 4) * 8 + (r // 4) * 64, column c is c % 8 + (c // 8) * 32: the first of nested modes counts fastest.
    expected = [r % 4 * 8 + r // 4 * 64 + c % 8 + c // 8 * 32 for r in range(12) for c in range(16)]
    expected += [1 * 8 + 2 * 64 + 3 + 32, 3 * 64, 4 * 9 + 6, 7, 9, 1]
    expected += [5, 1, 1, 305, 49, 3, 1, 12, 1, 1, 1, 1, 8]
    assert got[: len(expected)] == expected


@pytest.mark.parametrize("count_first", [True, False])
def test_lists(api_kernel, rng, count_first):
    """Offset of the pointers; rank (and count or index above) and sizes of each tensor; the pointers."""
    shapes = [(2, 3), (4, 5), (1, 7)]
    arrays = [rng.integers(0, 1000, math.prod(s)).astype(np.float32) for s in shapes]
    words = [8 + len(shapes) * 3 * 8]
    for i, shape in enumerate(shapes):
        upper = len(shapes) if count_first and i == 0 else 0 if count_first else i
        words += [2 | upper << 32, *shape]
    machine = Machine.get()
    words += [machine.register(a, f"list{i}", read_only=True) for i, a in enumerate(arrays)]
    try:
        got = run(api_kernel, "lists", np.array(words, np.uint64))
    finally:
        for a in arrays:
            machine.unregister(a.ctypes.data)
    expected = [len(shapes)]
    for i, (shape, a) in enumerate(zip(shapes, arrays)):
        expected += [2, i, *shape, int(a[1]), int(a[0])]
    assert got[: len(expected)] == expected


def test_memory(api_kernel):
    work = np.zeros(4 * 20008, np.uint8)
    got = run(api_kernel, "memory", np.zeros(8, np.uint8), work=Out(work))
    assert got[:6] == [0, 0, 192 << 10, 1, 0, 0]
    filled = work.view(np.float32)
    assert np.all(filled[:20003] == 2.5)
    assert np.all(filled[20003:] == 0)


def test_printing(api_kernel):
    Machine.get().output()
    run(api_kernel, "printing", np.array([11, -12, 13], np.int32))
    text = Machine.get().output()
    assert "desc=7" in text and "position=UB" in text and "[1.500000, 1.500000, 1.500000]" in text
    assert "desc=8" in text and "[11, -12]" in text
    assert "block 0 of 2: text 0.25\nff\n" in text
    assert "not printed" not in text
