# SPDX-License-Identifier: BSD-3-Clause
"""DataCopy and DataCopyPad between GM and UB and inside UB; atomics to GM (the documents' chapter on data movement).

Run i starts i * (length + gap) after the first. DataCopy: lengths and gaps in 32-byte blocks. DataCopyPad: lengths and
gaps on the GM side in bytes, gaps on the UB side in blocks after the run rounded up to whole blocks.
Not documented, pinned: integer atomic sums wrap.
"""

from __future__ import annotations

import numpy as np
import pytest
from ascend_twin.machine import Out

from .elements import STORAGE, from_values, size_of, to_float64

FILE = "movement.cpp"
UB = 64 * 1024
DATA = 128 * 1024
TYPES = ["int8_t", "half", "bfloat16_t", "float", "int64_t"]
BLOCK = 32
NAMES = ["ub", "gm", "runs", "length", "src_gap", "dst_gap", "pad", "left", "right", "value", "source", "count", "op"]


def run(kernel, out: np.ndarray | None = None, data: np.ndarray | None = None, **numbers: int) -> np.ndarray:
    """Launch with the given numbers; the result is the GM output."""
    out = np.zeros(DATA, np.uint8) if out is None else out.copy()
    kernel(1, data, Out(out), np.array([numbers.get(n, 0) for n in NAMES], np.int64), mode="check")
    return out


def runs(rng, budget: int) -> dict[str, int]:
    """Runs in blocks that stay inside `budget` blocks on both sides."""
    length = int(rng.integers(1, 40))
    gaps = [int(g) for g in rng.integers(0, 30, 2)]
    most = budget // (length + max(gaps))
    return {"runs": int(rng.integers(1, most + 1)), "length": length, "src_gap": gaps[0], "dst_gap": gaps[1]}


def copied(dst, src, to: int, start: int, p: dict[str, int], unit: int = BLOCK, src_pitch=None, dst_pitch=None):
    length = p["length"] * unit
    src_pitch = length + p["src_gap"] * unit if src_pitch is None else src_pitch
    dst_pitch = length + p["dst_gap"] * unit if dst_pitch is None else dst_pitch
    for i in range(p["runs"]):
        dst[to + i * dst_pitch :][:length] = src[start + i * src_pitch :][:length]


@pytest.fixture
def data(rng):
    return rng.integers(0, 256, DATA, dtype=np.uint8)


@pytest.mark.parametrize("dtype", TYPES)
def test_gm_to_ub(api_kernel, rng, data, dtype):
    for _ in range(6):
        p = {"ub": BLOCK * int(rng.integers(0, 30)), "gm": 32 * int(rng.integers(0, 99)), **runs(rng, 1900)}
        expected = np.zeros(DATA, np.uint8)
        expected[:UB] = data[:UB]
        copied(expected, data, p["ub"], p["gm"], p)
        assert np.array_equal(run(api_kernel(FILE, f"In_{dtype}"), data=data, **p), expected), p


@pytest.mark.parametrize("dtype", TYPES)
def test_ub_to_gm(api_kernel, rng, data, dtype):
    for _ in range(6):
        p = {"ub": BLOCK * int(rng.integers(0, 30)), "gm": 32 * int(rng.integers(0, 99)), **runs(rng, 1900)}
        before = rng.integers(0, 256, DATA, dtype=np.uint8)
        expected = before.copy()
        copied(expected, data, p["gm"], p["ub"], p)
        assert np.array_equal(run(api_kernel(FILE, f"Out_{dtype}"), before, data, **p), expected), p


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("way", ["In", "Out"])
def test_count(api_kernel, rng, data, dtype, way):
    for _ in range(3):
        count = 32 // size_of(dtype) * int(rng.integers(1, 1500))
        p = {"ub": BLOCK * int(rng.integers(0, 500)), "gm": 64, "count": count}
        expected = np.zeros(DATA, np.uint8)
        n = count * size_of(dtype)
        if way == "In":
            expected[:UB] = data[:UB]
            expected[p["ub"] : p["ub"] + n] = data[64 : 64 + n]
        else:
            expected[64 : 64 + n] = data[p["ub"] : p["ub"] + n]
        assert np.array_equal(run(api_kernel(FILE, f"{way}_{dtype}"), data=data, **p), expected), p


@pytest.mark.parametrize("dtype", ["half", "float"])
def test_ub_to_ub(api_kernel, rng, data, dtype):
    """On the vector pipe, with DataCopy's own runs."""
    for i in range(6):
        p = {"ub": 0, "source": UB // 2, **runs(rng, 900)}
        if i == 0:
            p = {
                "ub": 96,
                "source": UB // 2,
                "count": 320,
                "runs": 1,
                "length": 320 * size_of(dtype) // 32,
                "src_gap": 0,
                "dst_gap": 0,
            }
        expected = np.zeros(DATA, np.uint8)
        expected[:UB] = data[:UB]
        copied(expected, data, p["ub"], p["source"], p)
        assert np.array_equal(run(api_kernel(FILE, f"Inside_{dtype}"), data=data, **p), expected), p


@pytest.mark.parametrize("dtype", TYPES)
def test_pad_to_ub(api_kernel, rng, data, dtype):
    """left + run + right elements per run, filled up to whole blocks.

    DataCopyPad (GM to UB), table of DataCopyPadExtParams: what is filled is paddingValue (isPad), else the value of
    SetPadValue; without left and right elements the run's first element. 8-byte types pad with 0 only.
    """
    size = size_of(dtype)
    for case in range(8):
        most = 32 // size
        pad = case % 3  # 0: filler only; 1: isPad; 2: SetPadValue
        left, right = (int(x) for x in rng.integers(0, most + 1, 2)) if pad else (0, 0)
        if pad and left + right == 0:
            right = 1
        elements = int(rng.integers(1, 300 // size))
        value = int(rng.integers(0, 1 << 8 * size, dtype=np.uint64)) if size < 8 else 0
        p = {
            "ub": 32 * int(rng.integers(0, 20)),
            "gm": size * int(rng.integers(0, 20)),
            "runs": int(rng.integers(1, 60)),
            "length": elements * size,
            "src_gap": size * int(rng.integers(0, 200 // size)),
            "dst_gap": int(rng.integers(0, 4)),
            "pad": pad,
            "left": left,
            "right": right,
            "value": np.uint64(value).astype(np.int64),
        }
        p["count"] = -(-(left + elements + right) * size // 32) * 32
        expected = np.zeros(DATA, np.uint8)
        for i in range(p["runs"]):
            start = p["gm"] + i * (p["length"] + p["src_gap"])
            moved = data[start : start + p["length"]].view(f"u{size}")
            row = np.full(p["count"] // size, value if pad else moved[0], np.uint64).astype(f"u{size}")
            row[left : left + elements] = moved
            row = row.view(np.uint8)
            expected[i * p["count"] :][: p["count"]] = row
        assert np.array_equal(run(api_kernel(FILE, f"PadIn_{dtype}"), data=data, **p), expected), p


@pytest.mark.parametrize("dtype", TYPES)
def test_pad_to_gm(api_kernel, rng, data, dtype):
    """Exactly blockLen bytes are written per run; runs in UB are whole blocks plus srcStride blocks apart."""
    size = size_of(dtype)
    for _ in range(6):
        length = size * int(rng.integers(1, 300))
        p = {
            "ub": 32 * int(rng.integers(0, 20)),
            "gm": size * int(rng.integers(0, 20)),
            "length": length,
            "src_gap": int(rng.integers(0, 4)),
            "dst_gap": int(rng.integers(0, 200)),
        }
        pitch = -(-length // 32) * 32 + p["src_gap"] * 32
        p["runs"] = int(rng.integers(1, min(60, (UB - 640) // pitch) + 1))
        before = rng.integers(0, 256, DATA, dtype=np.uint8)
        expected = before.copy()
        copied(expected, data, p["gm"], p["ub"], p, 1, src_pitch=pitch)
        assert np.array_equal(run(api_kernel(FILE, f"PadOut_{dtype}"), before, data, **p), expected), p


@pytest.mark.parametrize("dtype", ["half", "float"])
def test_older_pad_forms(api_kernel, rng, data, dtype):
    """DataCopyParams with byte lengths: the same moves; a run that fills its blocks has no undefined bytes."""
    size = size_of(dtype)
    left, right = 1, 32 // size - 1
    for op in (0, 1):
        p = {
            "runs": 7,
            "length": 96,
            "src_gap": 2 * size if op == 0 else 1,
            "dst_gap": 1 if op == 0 else 3 * size,
            "op": op,
        }
        if op == 0:
            p.update(pad=1, left=left, right=right, value=5)
        expected = np.zeros(DATA, np.uint8)
        if op == 0:
            expected[:UB] = data[:UB]
            for i in range(7):
                five = np.array([5], f"u{size}")
                row = [
                    np.repeat(five, left).view(np.uint8),
                    data[i * (96 + 2 * size) :][:96],
                    np.repeat(five, right).view(np.uint8),
                ]
                expected[i * 160 :][:128] = np.concatenate(row)
        else:
            copied(expected, data, 0, 0, p, 1, src_pitch=128, dst_pitch=96 + 3 * size)
        assert np.array_equal(run(api_kernel(FILE, f"PadOld_{dtype}"), data=data, **p), expected), p


@pytest.mark.parametrize("op", range(3), ids=["add", "max", "min"])
@pytest.mark.parametrize("dtype", ["half", "bfloat16_t", "float", "int8_t", "int16_t", "int32_t"])
def test_atomics(api_kernel, rng, dtype, op):
    """Two stores accumulate onto a plain one; the one after SetAtomicNone is plain again."""
    size, count = size_of(dtype), 1024 // size_of(dtype)
    kind = STORAGE[dtype]
    floating = dtype in ("half", "bfloat16_t", "float")

    def draw(n):
        return (
            from_values(rng.standard_normal(n), dtype)
            if floating
            else rng.integers(np.iinfo(kind).min, np.iinfo(kind).max, n, dtype=kind, endpoint=True)
        )

    data, before = draw(DATA // size), draw(DATA // size)
    numbers = {"ub": 0, "source": 2048, "src_gap": 4096, "gm": 96, "count": count, "op": op}
    got = run(api_kernel(FILE, f"Atomic_{dtype}"), before.view(np.uint8), data.view(np.uint8), **numbers)
    at = 96 // size
    value = data[4096 // size :][:count]
    for start in (0, 2048 // size):
        other = data[start : start + count]
        if op == 0 and not floating:
            value = (value.astype(np.int64) + other).astype(kind)
        else:
            merge = [np.add, np.maximum, np.minimum][op]
            value = (
                from_values(merge(to_float64(value, dtype), to_float64(other, dtype)), dtype)
                if floating
                else merge(value, other)
            )
    expected = before.copy()
    expected[at : at + count] = value
    expected[at + count : at + 2 * count] = data[:count]
    assert np.array_equal(got.view(kind), expected)
