# SPDX-License-Identifier: BSD-3-Clause
"""Slices, ND -> NZ into UB, NZ -> ND to GM (documents: DataCopy of slices, with ND2NZ to UB, with NZ2ND from UB)."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from ascend_twin.machine import InOut

from .elements import STORAGE, size_of

FILE, BYTES = "reformat.cpp", 64 * 1024


def run(api_kernel, rng, name: str, numbers: list[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Input, output before and after, as bytes."""
    data, before = (rng.integers(0, 256, BYTES, dtype=np.uint8) for _ in range(2))
    after = before.copy()
    api_kernel(FILE, name)(1, data, InOut(after), np.array(numbers + [0] * 64, np.int64), mode="check")
    return data, before, after


def positions(slices: list[tuple[int, ...]], per_block: int) -> list[int]:
    """Element offsets, in order, that a list of (start, end, gap, length, size) selects."""
    axes = []
    for dim, (start, end, gap, length, _) in enumerate(slices):
        burst = length * per_block if dim == 0 else 1
        axes.append([i for i in range(start, end + 1) if (i - start) % (burst + gap) < burst])
    pitch = [1]
    for s in slices[:-1]:
        pitch.append(pitch[-1] * s[4])
    return [sum(i * p for i, p in zip(reversed(at), pitch)) for at in itertools.product(*reversed(axes))]


# Slices of floats (start, end, gap, blocks, size) in GM and in UB: the document's example, then others.
SLICES = [
    ([(16, 70, 7, 3, 87), (0, 2, 1, 1, 3)], [(0, 47, 0, 3, 48), (0, 1, 0, 1, 2)]),
    ([(0, 31, 0, 4, 40)], [(8, 39, 0, 4, 48)]),
    ([(3, 42, 8, 2, 60), (1, 5, 1, 1, 6), (0, 4, 3, 1, 5)], [(0, 47, 16, 2, 64), (0, 2, 0, 1, 4), (0, 1, 0, 1, 2)]),
]


def scaled(slices: list[tuple[int, ...]], per_block: int) -> list[tuple[int, ...]]:
    """The same for another element type: as many slices of as many blocks."""
    start, end, gap, length, size = slices[0]
    count = (end - start + 1 + gap) // (length * 8 + gap)
    start, gap, size = (v * per_block // 8 for v in (start, gap, size))
    end = start + count * (length * per_block + gap) - gap - 1
    return [(start, end, gap, length, max(size, end + 1)), *slices[1:]]


@pytest.mark.parametrize("case", range(len(SLICES)))
@pytest.mark.parametrize("name", ["SliceIn_float", "SliceIn_half", "SliceOut_float", "SliceOut_int8_t"])
def test_slices(api_kernel, rng, name, case):
    size = size_of(name.split("_", 1)[1])
    per_block = 32 // size
    gm, ub = (scaled(s, per_block) for s in SLICES[case])
    src, dst = (gm, ub) if name.startswith("SliceIn") else (ub, gm)
    flat = lambda s: [v for info in s for v in info] + [0] * (20 - 5 * len(s))  # noqa: E731
    data, before, after = run(api_kernel, rng, name, [len(src), *flat(src), *flat(dst)])
    expected = before.copy().view(f"u{size}")
    expected[positions(dst, per_block)] = data.view(f"u{size}")[positions(src, per_block)]
    assert np.array_equal(after.view(f"u{size}"), expected)


@pytest.mark.parametrize("dtype", ["half", "float", "int8_t"])
def test_nd2nz_in_ub(api_kernel, rng, dtype):
    size = size_of(dtype)
    c0 = 32 // size
    kind = f"u{size}"
    for matrices, n, d in [(1, 5, 3 * c0), (1, 7, 2 * c0 + 3), (2, 4, c0 - 1), (1, 16, c0)]:
        pitch = d + int(rng.integers(0, 9))
        row, panel = int(rng.integers(1, 3)), 40 + int(rng.integers(0, 4))
        numbers = [matrices, n, d, 700, pitch, panel, row, 5 * 40 * c0]
        data, before, after = run(api_kernel, rng, f"Nd2Nz_{dtype}", numbers)
        source, expected = data.view(kind), before.copy().view(kind)
        for m, i, j in itertools.product(range(matrices), range(n), range(-(-d // c0) * c0)):
            at = m * 5 * 40 * c0 + (j // c0 * panel + i * row) * c0 + j % c0
            expected[at] = source[m * 700 + i * pitch + j] if j < d else 0
        assert np.array_equal(after.view(kind), expected), numbers


@pytest.mark.parametrize("dtype", ["half", "float"])
def test_nz2nd(api_kernel, rng, dtype):
    kind = STORAGE[dtype]
    bits = f"u{np.dtype(kind).itemsize}"
    for matrices, n, d in [(1, 4, 32), (2, 16, 48), (1, 33, 16)]:
        panel, row = n + int(rng.integers(0, 5)), d + int(rng.integers(0, 7))
        numbers = [matrices, n, d, 16, panel, row, 3000]
        data, before, after = run(api_kernel, rng, f"Nz2Nd_{dtype}", numbers)
        source, expected = data.view(bits), before.copy().view(bits)
        for m, i, j in itertools.product(range(matrices), range(n), range(d)):
            expected[m * 3000 + i * row + j] = source[m * 16 * 256 + j // 16 * panel * 16 + i * 16 + j % 16]
        assert np.array_equal(after.view(bits), expected), numbers


def test_enhanced(api_kernel, rng):
    numbers = [6, 3, 2, 1]  # runs, blocks, gaps
    data, before, after = run(api_kernel, rng, "Enhanced_half", numbers)
    expected = before.copy()
    for i in range(6):
        expected[i * 160 : i * 160 + 96] = data[i * 160 : i * 160 + 96]
    assert np.array_equal(after, expected)
