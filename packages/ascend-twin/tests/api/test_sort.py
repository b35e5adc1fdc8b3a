# SPDX-License-Identifier: BSD-3-Clause
"""Sort32, MrgSort, Sort, Concat, Extract: descending, of equal scores the first one first (documents: sorting)."""

from __future__ import annotations

import numpy as np
import pytest

from .elements import STORAGE, size_of
from .vector_case import MASK, REGION, Case, launch

FILE = "sort.cpp"
DTYPES = ["half", "float"]
IMAGE = 3 * REGION


def pairs(scores: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """(score, index) structures of 8 bytes: the score at 0, the index at 4."""
    out = np.zeros((scores.size, 8), np.uint8)
    size = scores.dtype.itemsize
    out[:, :size] = scores.view(np.uint8).reshape(-1, size)
    out[:, 4:] = indices.astype(np.uint32).view(np.uint8).reshape(-1, 4)
    return out.ravel()


def draw(rng: np.random.Generator, count: int, dtype: str) -> np.ndarray:
    """Scores with many ties, infinities and both zeros."""
    scores = rng.integers(-9, 10, count).astype(STORAGE[dtype]) / 2
    scores[rng.random(count) < 0.05] = -np.inf
    scores[rng.random(count) < 0.05] = np.inf
    return scores


def descending(scores: np.ndarray) -> np.ndarray:
    return np.argsort(-scores.astype(np.float64), kind="stable")


def put(image: np.ndarray, at: int, values: np.ndarray) -> None:
    data = np.ascontiguousarray(values).view(np.uint8)
    image[at : at + data.size] = data


@pytest.mark.parametrize("dtype", DTYPES)
def test_sort32(api_kernel, rng, dtype):
    cases, wanted = [], []
    for repeat in (1, 2, 5, 0, 30):
        image = rng.integers(0, 255, IMAGE).astype(np.uint8)
        scores = draw(rng, 32 * repeat, dtype)
        indices = rng.permutation(32 * repeat).astype(np.uint32)
        put(image, REGION, scores)
        put(image, 2 * REGION, indices)
        case = Case(MASK, image, repeat=repeat, mask=1)
        case.src0.at, case.src1.at = REGION, 2 * REGION
        expected = image.copy()
        for r in range(repeat):
            group = slice(32 * r, 32 * r + 32)
            order = descending(scores[group])
            put(expected, 256 * r, pairs(scores[group][order], indices[group][order]))
        cases.append(case)
        wanted.append(expected)
    got = launch(api_kernel(FILE, f"Sort32_{dtype}"), cases)
    for g, e, case in zip(got, wanted, cases):
        assert np.array_equal(g, e), (
            f"Sort32<{dtype}>, repeat {case.repeat}: first difference at byte {np.flatnonzero(g != e)[0]}"
        )


def merge(queues: list[tuple[np.ndarray, np.ndarray]], stop: bool) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """The largest head next, of equal ones that of the lowest queue; optionally until one queue is used up."""
    taken = [0] * 4
    scores, indices = [], []
    while True:
        heads = [(q[0][taken[i]], -i) for i, q in enumerate(queues) if taken[i] < q[0].size]
        if not heads:
            break
        queue = -max(heads)[1]
        scores.append(queues[queue][0][taken[queue]])
        indices.append(queues[queue][1][taken[queue]])
        taken[queue] += 1
        if stop and taken[queue] == queues[queue][0].size:
            break
    return np.array(scores, queues[0][0].dtype), np.array(indices, np.uint32), taken


@pytest.mark.parametrize("library", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_mrg_sort(api_kernel, rng, dtype, library):
    cases, wanted = [], []
    for valid, stop, repeat in [
        (15, False, 1),
        (15, False, 3),
        (7, False, 1),
        (3, False, 1),
        (15, True, 1),
        (3, True, 1),
    ]:
        count = {15: 4, 7: 3, 3: 2}[valid]
        lengths = [24] * 4 if repeat > 1 else [int(n) for n in rng.integers(1, 70, 4)]
        step = 24 * 8 if repeat > 1 else 80 * 8 + 8 * int(rng.integers(0, 4))
        image = rng.integers(0, 255, IMAGE).astype(np.uint8)
        expected = image.copy()
        taken = [0] * 4
        for r in range(repeat):
            queues = []
            for q in range(4):
                scores = draw(rng, lengths[q], dtype)
                scores = scores[descending(scores)]
                indices = rng.integers(0, 2**32, lengths[q], dtype=np.uint64).astype(np.uint32)
                put(image, REGION + r * 4 * step + q * step, pairs(scores, indices))
                if q < count:
                    queues.append((scores, indices))
            scores, indices, taken = merge(queues, stop)
            put(expected, r * 4 * 24 * 8, pairs(scores, indices))
        expected[REGION : 2 * REGION] = image[REGION : 2 * REGION]
        put(expected, 2 * REGION, np.array(taken if stop else [0] * 4, np.uint32))
        case = Case(MASK, image, repeat=repeat, mask=1)
        case.src0.at = REGION
        case.extra = (*lengths, valid, int(stop) + 2 * library, step, 2 * REGION)
        cases.append(case)
        wanted.append(expected)
    for g, e, case in zip(launch(api_kernel(FILE, f"MrgSort_{dtype}"), cases), wanted, cases):
        assert np.array_equal(g, e), (
            f"MrgSort<{dtype}> {case.extra}: first difference at byte {np.flatnonzero(g != e)[0]}"
        )


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_sort(api_kernel, rng, dtype, full):
    size, tmp, scores_at, indices_at, note = size_of(dtype), 3 * REGION, 4 * REGION, 5 * REGION, 6 * REGION
    cases, wanted = [], []
    for repeat in (1, 2, 3, 4, 5, 8, 17, 23, 64):
        count = 32 * repeat
        image = rng.integers(0, 255, 7 * REGION).astype(np.uint8)
        scores, indices = draw(rng, count, dtype), rng.permutation(count).astype(np.uint32)
        put(image, REGION, scores)
        put(image, 2 * REGION, indices)
        case = Case(MASK, image, repeat=repeat, mask=1)
        case.src0.at, case.src1.at = REGION, 2 * REGION
        case.extra = (tmp, scores_at, indices_at, note)
        step = count if full else 32
        order = np.concatenate([i + descending(scores[i : i + step]) for i in range(0, count, step)])
        cases.append(case)
        wanted.append((scores[order], indices[order], count))
    name = "Sort" if full else "SortGroups"
    for got, (scores, indices, count) in zip(launch(api_kernel(FILE, f"{name}_{dtype}"), cases), wanted):
        assert np.array_equal(got[: 8 * count], pairs(scores, indices)), f"{name}<{dtype}> of {count}: pairs"
        values = got[scores_at : scores_at + count * size].view(STORAGE[dtype])
        assert np.array_equal(values, scores), f"Extract<{dtype}> of {count}: scores"
        assert np.array_equal(got[indices_at : indices_at + 4 * count].view(np.uint32), indices)
        words = 8 // size
        assert got[note : note + 4].view(np.uint32)[0] == 5 * words * 1000 + 7 * words
