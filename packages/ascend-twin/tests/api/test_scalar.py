# SPDX-License-Identifier: BSD-3-Clause
"""Functions of the scalar unit (CountLeadingZero.md, GetSFFValue.md, ...), and InitOutput."""

from __future__ import annotations

import numpy as np
import pytest
from ascend_twin.machine import Out

FILE = "scalar.cpp"


def sff(bits: str, wanted: str) -> int:
    return bits[::-1].find(wanted)


def test_bits(api_kernel, rng):
    fixed = [0, -1, 1, -2, 0x0100000000000020, 0x1000000000000100, 2**63 - 1, -(2**63)]
    numbers = np.array([*fixed, *rng.integers(-(2**63), 2**63, 40), *rng.integers(-9, 9, 10)], np.int64)
    got = np.zeros((len(numbers), 7), np.int64)
    api_kernel(FILE, "Bits")(1, numbers, Out(got), len(numbers), mode="check")
    for number, row in zip(numbers.tolist(), got.tolist()):
        bits = format(number & (2**64 - 1), "064b")
        leading = 64 - len(bits.lstrip("0"))
        same = len(bits) - len(bits.lstrip(bits[0])) - 1 if number not in (0, -1) else -1
        assert row == [bits.count("1"), bits.count("0"), leading, leading, same, sff(bits, "1"), sff(bits, "0")], bits
    assert got[4, 4] == 6 and got[5, 5] == 8  # the documents' examples


def odd_half(x: np.float32) -> int:
    """Bits of x rounded to odd: exact values stay, others become the neighbour with an odd last bit."""
    with np.errstate(over="ignore"):
        near = np.float16(x)
    if np.isnan(near) or np.float32(near) == x:
        return int(near.view(np.uint16))
    other = np.nextafter(near, np.float16(np.inf if np.float32(near) < x else -np.inf))
    return next(int(h.view(np.uint16)) for h in (near, other) if h.view(np.uint16) & 1)


def test_casts(api_kernel, rng):
    special = [0.0, -0.0, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.49999997, 3e9, -3e9, 2147483520.0, np.inf, -np.inf, np.nan]
    small = rng.standard_normal(60) * 10.0 ** rng.integers(-9, 5, 60)
    numbers = np.array([*special, *small], np.float32)
    got = np.zeros((len(numbers), 5), np.int32)
    api_kernel(FILE, "Casts")(1, numbers, Out(got), len(numbers), mode="check")
    for x, row in zip(numbers, got.tolist()):
        if np.isnan(x):
            assert row[:4] == [0] * 4
        else:
            away = np.sign(np.float64(x)) * np.floor(np.abs(np.float64(x)) + 0.5)
            exact = [away, np.ceil(x), np.floor(x), np.rint(x)]
            assert row[:4] == [int(np.clip(e, -(2**31), 2**31 - 1)) for e in np.float64(exact)], x
        assert np.isnan(np.uint16(row[4]).view(np.float16)) if np.isnan(x) else row[4] == odd_half(x), x


@pytest.mark.parametrize("dtype", ["float", "half", "int32_t", "int8_t"])
@pytest.mark.parametrize("start,count", [(0, 1), (3, 5), (16, 256), (8, 9000)])
def test_init_output(api_kernel, rng, dtype, start, count):
    kind = {"float": np.float32, "half": np.float16, "int32_t": np.int32, "int8_t": np.int8}[dtype]
    out = rng.integers(-50, 50, 10000).astype(kind)
    expected = out.copy()
    expected[start : start + count] = 7
    api_kernel(FILE, f"Fill_{dtype}")(1, Out(out), start, count, 7, mode="check")
    assert np.array_equal(out, expected)
