# SPDX-License-Identifier: BSD-3-Clause
"""Reductions on UB by older and newer names (ReduceDataBlock.md, ReducePairElem.md, ReduceRepeat.md, ReduceSum.md).

* Sums are binary trees of neighbours with a rounding to the element type at each level; masked lanes add 0.
* Maxima report the lowest index; the index is an integer bit pattern of the element's width, uint32 for ONLY_INDEX.
* A 32-byte block without an enabled lane leaves its BlockReduce result alone.
* ReduceSum on Atlas A2: the count form adds the repeats' sums in order, the masked form by a tree of the repeats' sums.
* Not documented, pinned here: a pair without an enabled lane leaves its PairReduceSum result alone (as blocks do).
"""

from __future__ import annotations

import numpy as np
import pytest

from .elements import STORAGE, from_values, size_of
from .vector_case import BITS, COUNT, FORM_NAMES, KEPT_COUNTER, MASK, MASKED_FORMS, Case, compare, draw, launch, read

FILE = "reduce.cpp"
IMAGE = 3 * 24 * 1024
FORMS = [pytest.param(f, id=FORM_NAMES[f]) for f in MASKED_FORMS]
ORDERS = ["VALUE_INDEX", "INDEX_VALUE", "ONLY_VALUE", "ONLY_INDEX"]


def add(a, b, dtype, saturate=False):
    return from_values(a.astype(np.float64) + b.astype(np.float64), dtype, saturate)


def tree(values: np.ndarray, dtype: str, saturate: bool = False) -> np.ndarray:
    """Sum of the last axis, a power of two long, by neighbours."""
    while values.shape[-1] > 1:
        values = add(values[..., 0::2], values[..., 1::2], dtype, saturate)
    return values[..., 0]


def by_repeat(case: Case, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """(values, enabled), each repeats x lanes; disabled lanes hold 0."""
    repeat, lane, _ = case.lanes()
    shape = (int(repeat.max()) + 1, 256 // size_of(dtype))
    values, enabled = np.zeros(shape, STORAGE[dtype]), np.zeros(shape, bool)
    values[repeat, lane] = read(case.image, case.addresses(case.src0), STORAGE[dtype])
    enabled[repeat, lane] = True
    return values, enabled


def numbers(rng, dtype: str) -> np.ndarray:
    """An image of numbers with many ties (for the index) and rounding errors (for the sums)."""
    x = rng.standard_normal(IMAGE // size_of(dtype))
    coarse = rng.random(len(x)) < 0.5
    return np.where(coarse, np.rint(2 * x) / 2, x).astype(STORAGE[dtype]).view(np.uint8)


def cases(rng, form: int, dtype: str, count: int = 8) -> list[Case]:
    out = []
    for _ in range(count):
        case = draw(rng, form, size_of(dtype), size_of(dtype), image=numbers(rng, dtype))
        case.dst.at, case.dst.rep = int(rng.integers(0, 8)) * 32, int(rng.integers(1, 12))
        out.append(case)
    return out


def put(image: np.ndarray, at: int, values: np.ndarray) -> None:
    image[at : at + values.nbytes] = np.ascontiguousarray(values).view(np.uint8).ravel()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ["half", "float"])
@pytest.mark.parametrize("op", ["Sum", "Max", "Min"])
@pytest.mark.parametrize("name", ["BlockReduce", "ReduceDataBlock"])
def test_blocks(api_kernel, rng, name, op, dtype, form):
    """One result per 32-byte block; dstRepStride counts 8 results."""
    run = cases(rng, form, dtype)
    size = size_of(dtype)
    for case, got in zip(run, launch(api_kernel(FILE, f"{name}{op}_{dtype}"), run)):
        expected = case.image.copy()
        values, enabled = (x.reshape(-1, 8, 32 // size) for x in by_repeat(case, dtype))
        if op == "Sum":
            result = tree(values, dtype)
        else:
            worst = -np.inf if op == "Max" else np.inf
            result = (np.max if op == "Max" else np.min)(np.where(enabled, values, worst), axis=-1).astype(values.dtype)
        for r, b in zip(*np.nonzero(enabled.any(-1))):
            put(expected, case.dst.at + (r * case.dst.rep * 8 + b) * size, result[r, b : b + 1])
        compare(case, got, expected, STORAGE[dtype], f"{name}{op}<{dtype}>")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ["half", "float"])
@pytest.mark.parametrize("name", ["PairReduceSum", "ReducePairElemSum"])
def test_pairs(api_kernel, rng, name, dtype, form):
    """Sums of neighbours; dstRepStride counts 128 bytes."""
    run = cases(rng, form, dtype)
    for case, got in zip(run, launch(api_kernel(FILE, f"{name}_{dtype}"), run)):
        expected = case.image.copy()
        values, enabled = by_repeat(case, dtype)
        result = add(values[:, 0::2], values[:, 1::2], dtype)
        for r, p in zip(*np.nonzero(enabled[:, 0::2] | enabled[:, 1::2])):
            put(expected, case.dst.at + r * case.dst.rep * 128 + p * size_of(dtype), result[r, p : p + 1])
        compare(case, got, expected, STORAGE[dtype], f"{name}<{dtype}>")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ["half", "float"])
@pytest.mark.parametrize("name", ["WholeReduceSum", "ReduceRepeatSum", "RepeatReduceSum"])
def test_repeat_sum(api_kernel, rng, name, dtype, form):
    """One sum per repeat; dstRepStride counts elements."""
    if name == "RepeatReduceSum":
        form = MASK  # the only form it is built with
    run = cases(rng, form, dtype)
    for case, got in zip(run, launch(api_kernel(FILE, f"{name}_{dtype}"), run)):
        expected = case.image.copy()
        for r, value in enumerate(tree(by_repeat(case, dtype)[0], dtype)):
            put(expected, case.dst.at + r * case.dst.rep * size_of(dtype), np.array([value]))
        compare(case, got, expected, STORAGE[dtype], f"{name}<{dtype}>")


def best(values: np.ndarray, enabled: np.ndarray, op: str) -> tuple[np.ndarray, np.ndarray]:
    """(value, lowest index) of each row."""
    x = np.where(enabled, values.astype(np.float64), -np.inf if op == "Max" else np.inf)
    index = x.argmax(-1) if op == "Max" else x.argmin(-1)
    return np.take_along_axis(values, index[..., None], -1)[..., 0], index


@pytest.mark.parametrize("order", range(4), ids=ORDERS)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", ["half", "float"])
@pytest.mark.parametrize("op", ["Max", "Min"])
@pytest.mark.parametrize("name", ["WholeReduce", "ReduceRepeat"])
def test_repeat_best(api_kernel, rng, name, op, dtype, form, order):
    """Value and index per repeat in every order; the stride's unit depends on what is written (table 3)."""
    run = cases(rng, form, dtype, 3)
    for case in run:
        case.extra = (order,)
    kind, size = STORAGE[dtype], size_of(dtype)
    for case, got in zip(run, launch(api_kernel(FILE, f"{name}{op}_{dtype}"), run)):
        expected = case.image.copy()
        for r, (value, index) in enumerate(zip(*best(*by_repeat(case, dtype), op))):
            pair = [np.array([value], kind).view(np.uint8), np.array([index], f"u{size}").view(np.uint8)]
            if order == 3:
                put(expected, case.dst.at + r * case.dst.rep * 4, np.array([index], np.uint32))
            else:
                unit = size if order == 2 else 2 * size
                put(
                    expected, case.dst.at + r * case.dst.rep * unit, np.concatenate([pair, pair[::-1], pair[:1]][order])
                )
        compare(case, got, expected, kind, f"{name}{op}<{dtype}> {ORDERS[order]}")


def whole(rng, form: int, dtype: str, op: str, index: bool) -> Case:
    """A case of a whole-tensor reduction; sources are a region of 48 KiB, the scratch lies after them."""
    per = 256 // size_of(dtype)
    case = draw(rng, form, size_of(dtype), size_of(dtype), image=numbers(rng, dtype), broadcast=False)
    case.src0.at, case.src0.blk, case.src0.rep, case.src1.at = 8192, 1, 8, 8192 + 49152
    if form == COUNT:
        case.count = int(rng.integers(1, 48 * 1024 // size_of(dtype)))
    else:
        case.repeat = int(rng.integers(1, 100))
        case.src0.rep = int(rng.integers(8, 12))
    assert case.per_repeat == per
    case.extra = (int(index),)
    return case


@pytest.mark.parametrize("form", [COUNT, MASK, BITS], ids=["count", "mask", "bits"])
@pytest.mark.parametrize("dtype", ["half", "float"])
def test_tensor_sum(api_kernel, rng, dtype, form):
    run = [whole(rng, form, dtype, "Sum", False) for _ in range(8)]
    for case, got in zip(run, launch(api_kernel(FILE, f"ReduceSum_{dtype}"), run)):
        sums = tree(by_repeat(case, dtype)[0], dtype)
        if form == COUNT:
            total = sums[:1]
            for s in sums[1:]:
                total = add(total, np.array([s]), dtype)
        else:
            per = case.per_repeat
            while len(sums) > 1:
                sums = tree(np.pad(sums, (0, -len(sums) % per)).reshape(-1, per), dtype)
            total = sums[:1]
        value = got[case.dst.at : case.dst.at + size_of(dtype)].view(STORAGE[dtype])
        assert value[0] == total[0], (case.count, case.repeat, value[0], total[0])


@pytest.mark.parametrize("index", [False, True], ids=["value", "index"])
@pytest.mark.parametrize("form", [COUNT, MASK, BITS], ids=["count", "mask", "bits"])
@pytest.mark.parametrize("dtype", ["half", "float"])
@pytest.mark.parametrize("op", ["Max", "Min"])
def test_tensor_best(api_kernel, rng, op, dtype, form, index):
    """Value, then (calIndex) the lowest index of all; in the masked forms it counts lanes through all repeats."""
    run = [whole(rng, form, dtype, op, index) for _ in range(6)]
    size = size_of(dtype)
    for case, got in zip(run, launch(api_kernel(FILE, f"Reduce{op}_{dtype}"), run)):
        values, enabled = (x.reshape(1, -1) for x in by_repeat(case, dtype))
        value, at = best(values, enabled, op)
        there = got[case.dst.at : case.dst.at + 2 * size]
        assert there[:size].view(STORAGE[dtype])[0] == value[0]
        if index:
            assert there[size:].view(f"u{size}")[0] == at[0]
        # Sources are not touched.
        assert np.array_equal(got[8192 : 8192 + 49152], case.image[8192 : 8192 + 49152])


def test_more_than_255_repeats_of_a_tensor_reduction(api_kernel, rng):
    """ReduceMax.md: repeatTime of the masked form may be any int32, unlike other instructions'."""
    case = whole(rng, MASK, "half", "Max", True)
    case.mask, case.repeat, case.src0.rep = 1, 400, 3
    got = launch(api_kernel(FILE, "ReduceMax_half"), [case])[0]
    values, enabled = (x.reshape(1, -1) for x in by_repeat(case, "half"))
    assert got[case.dst.at : case.dst.at + 2].view(np.float16)[0] == best(values, enabled, "Max")[0][0]


def test_half_sum_saturates_level_by_level(api_kernel):
    """The documents' example (ReduceDataBlock.md, figure 2): 60000 + 60000 saturates before -30000 + 100 is added.

    They give 35604, the result without the rounding of halves: -29900 is stored as -29904, the sum as 35584.
    """
    image = np.zeros(IMAGE, np.uint8)
    image[24 * 1024 : 24 * 1024 + 8] = np.array([60000, 60000, -30000, 100], np.float16).view(np.uint8)
    case = Case(MASK, image, mask=2**128 - 1, wide=2, ctrl48=0)
    case.src0.at, case.src0.size, case.dst.size, case.dst.rep = 24 * 1024, 2, 2, 1
    got = launch(api_kernel(FILE, "BlockReduceSum_half"), [case])[0][:2].view(np.float16)
    assert got[0] == np.float16(35584)


def test_counter_mode_ends_inside_a_block(api_kernel):
    """The last repeat of the counter mode sums the lanes that are left, and only their blocks are written."""
    image = np.ones(IMAGE // 4, np.float32).view(np.uint8)
    case = Case(KEPT_COUNTER, image, count=64 + 11, repeat=2)
    case.src0.at, case.dst.rep = 24 * 1024, 1
    got = launch(api_kernel(FILE, "BlockReduceSum_float"), [case])[0].view(np.float32)
    assert np.array_equal(got[:12], [8] * 8 + [8, 3, 1, 1])


@pytest.mark.parametrize("dtype", ["half", "float"])
def test_sum_register(api_kernel, rng, dtype):
    """GetReduceRepeatSumSpr: the result of ReduceSum's count form; whole numbers, so every order gives the same."""
    kind = STORAGE[dtype]
    run = []
    for _ in range(4):
        case = Case(
            COUNT,
            rng.integers(-4, 5, IMAGE // size_of(dtype)).astype(kind).view(np.uint8),
        )
        case.count = int(rng.integers(1, 400))
        case.src0.at, case.src1.at = 24 * 1024, 48 * 1024
        run.append(case)
    for case, got in zip(run, launch(api_kernel(FILE, f"SumRegister_{dtype}"), run)):
        assert got.view(kind)[0] == case.image[24 * 1024 :].view(kind)[: case.count].astype(np.float64).sum()


@pytest.mark.parametrize("largest", [0, 1], ids=["Min", "Max"])
@pytest.mark.parametrize("dtype", ["half", "float"])
def test_best_register(api_kernel, rng, dtype, largest):
    """GetReduceRepeatMaxMinSpr: the best of all repeats of a contiguous ReduceRepeat, and its index as bits of T."""
    kind, size, run = STORAGE[dtype], size_of(dtype), []
    for _ in range(4):
        values = rng.permutation(IMAGE // size).astype(kind)  # all different (halves up to 2048 exactly)
        if dtype == "half":
            values[24 * 1024 // 2 :][:2048] = rng.permutation(2048)
        case = Case(MASK, values.view(np.uint8), repeat=int(rng.integers(1, 9)))
        case.mask, case.wide = (1 << 256 // size) - 1, size
        case.src0.at, case.src1.at, case.extra = 24 * 1024, 48 * 1024, (largest,)
        run.append(case)
    for case, got in zip(run, launch(api_kernel(FILE, f"BestRegister_{dtype}"), run)):
        values = case.image[24 * 1024 :].view(kind)[: case.repeat * 256 // size]
        at = int(values.argmax() if largest else values.argmin())
        assert got.view(kind)[0] == values[at]
        assert got[size:].view(f"u{size}")[0] == at
