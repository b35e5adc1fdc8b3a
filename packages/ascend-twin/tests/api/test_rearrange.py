# SPDX-License-Identifier: BSD-3-Clause
"""Fills and rearrangements inside UB: pure index arithmetic, compared bit by bit.

Not documented, pinned here: CreateVecIndex in its masked forms numbers lanes through all repeats (lane l of repeat r
gets firstValue + r * lanes + l), whether they are enabled or not.
"""

from __future__ import annotations

import numpy as np
import pytest

from .elements import STORAGE, size_of
from .vector_case import (
    BITS,
    COUNT,
    FORM_NAMES,
    KEPT_COUNTER,
    MASK,
    MASKED_FORMS,
    REGION,
    Case,
    compare,
    draw,
    launch,
    read,
    write,
)

FILE = "rearrange.cpp"
IMAGE = 3 * REGION
MOVED = ["half", "bfloat16_t", "int16_t", "uint16_t", "float", "int32_t", "uint32_t"]


def form_ids(forms):
    return [pytest.param(f, id=FORM_NAMES[f]) for f in forms]


def noise(rng) -> np.ndarray:
    return rng.integers(0, 256, IMAGE, dtype=np.uint8)


def bits_type(dtype: str) -> str:
    return f"u{size_of(dtype)}"


@pytest.mark.parametrize("form", form_ids(range(5)))
@pytest.mark.parametrize("dtype", MOVED)
def test_duplicate(api_kernel, rng, dtype, form):
    cases = []
    for _ in range(6):
        case = draw(rng, form, size_of(dtype), 0, image=noise(rng))
        case.scalar = int(rng.integers(0, 1 << 8 * size_of(dtype)))
        cases.append(case)
    for case, got in zip(cases, launch(api_kernel(FILE, f"Duplicate_{dtype}"), cases)):
        expected = case.image.copy()
        where = case.addresses(case.dst)
        write(expected, where, np.full(len(where), case.scalar, bits_type(dtype)))
        compare(case, got, expected, bits_type(dtype), f"Duplicate<{dtype}>")


@pytest.mark.parametrize("form", form_ids([f for f in MASKED_FORMS if f != KEPT_COUNTER]))
@pytest.mark.parametrize("dtype", MOVED)
def test_copy(api_kernel, rng, dtype, form):
    cases = [draw(rng, form, size_of(dtype), size_of(dtype), image=noise(rng)) for _ in range(6)]
    for case, got in zip(cases, launch(api_kernel(FILE, f"Copy_{dtype}"), cases)):
        expected = case.image.copy()
        write(expected, case.addresses(case.dst), read(case.image, case.addresses(case.src0), bits_type(dtype)))
        compare(case, got, expected, bits_type(dtype), f"Copy<{dtype}>")


@pytest.mark.parametrize("dtype", MOVED)
def test_copy_in_counter_mode(api_kernel, rng, dtype):
    """Copy alone (Copy, constraints): the counter is the elements of each repeat, all a block stride apart."""
    size, cases = size_of(dtype), []
    for _ in range(6):
        blocks, repeat = int(rng.integers(1, 20)), int(rng.integers(1, 6))
        case = Case(KEPT_COUNTER, noise(rng), repeat=repeat)
        case.count = blocks * 32 // size - int(rng.integers(0, 32 // size))
        case.dst.at, case.src0.at = 0, REGION + 32 * int(rng.integers(0, 9))
        case.dst.blk, case.src0.blk = int(rng.integers(1, 4)), int(rng.integers(0, 5))
        case.dst.rep, case.src0.rep = blocks * case.dst.blk + int(rng.integers(0, 3)), int(rng.integers(0, 60))
        cases.append(case)
    for case, got in zip(cases, launch(api_kernel(FILE, f"Copy_{dtype}"), cases)):
        r, element = np.divmod(np.arange(case.repeat * case.count), case.count)
        block, inside = np.divmod(element * size, 32)
        expected = case.image.copy()
        moved = read(case.image, case.src0.at + (r * case.src0.rep + block * case.src0.blk) * 32 + inside, f"u{size}")
        write(expected, case.dst.at + (r * case.dst.rep + block * case.dst.blk) * 32 + inside, moved)
        compare(case, got, expected, f"u{size}", f"Copy<{dtype}>, counter mode")


@pytest.mark.parametrize("form", form_ids([COUNT, MASK, BITS]))
@pytest.mark.parametrize("dtype", ["half", "float", "int16_t", "int32_t"])
def test_create_vec_index(api_kernel, rng, dtype, form):
    cases = []
    for _ in range(6):
        case = draw(rng, form, size_of(dtype), 0, image=noise(rng))
        first = np.array([int(rng.integers(0, 1000))], STORAGE[dtype])
        case.scalar = int(first.view(bits_type(dtype))[0])
        cases.append((case, int(first[0])))
    run = [c for c, _ in cases]
    for (case, first), got in zip(cases, launch(api_kernel(FILE, f"CreateVecIndex_{dtype}"), run)):
        expected = case.image.copy()
        write(expected, case.addresses(case.dst), (first + case.lanes()[2]).astype(STORAGE[dtype]))
        compare(case, got, expected, STORAGE[dtype], f"CreateVecIndex<{dtype}>")


@pytest.mark.parametrize("form", form_ids([MASK, KEPT_COUNTER]))
@pytest.mark.parametrize("dtype", MOVED)
def test_brcb(api_kernel, rng, dtype, form):
    """Element j of repeat i fills block i * dstRepStride + j * dstBlkStride (Brcb.md); block stride 0 means 1.

    A mask register in counter mode, whatever it counts, changes nothing.
    """
    size, cases = size_of(dtype), []
    for blk, rep in [(1, 8), (2, 16), (2, 17), (0, 8), (8, 1), (1, 11)]:
        case = Case(form, noise(rng), repeat=int(rng.integers(1, 9)), mask=1)
        case.count = int(rng.choice([0, 1, 3, 2**64 - 1]))
        case.dst.blk, case.dst.rep, case.src0.at = blk, rep, REGION + 32 * int(rng.integers(0, 5))
        cases.append(case)
    for case, got in zip(cases, launch(api_kernel(FILE, f"Brcb_{dtype}"), cases)):
        expected = case.image.copy()
        values = case.image[case.src0.at :].view(bits_type(dtype))
        for i in range(case.repeat):
            for j in range(8):
                at = (i * case.dst.rep + j * (case.dst.blk or 1)) * 32
                expected[at : at + 32] = np.full(32 // size, values[8 * i + j]).view(np.uint8)
        compare(case, got, expected, bits_type(dtype), f"Brcb<{dtype}>")


@pytest.mark.parametrize("form", form_ids([COUNT, MASK, BITS]))
@pytest.mark.parametrize("dtype", MOVED)
def test_gather(api_kernel, rng, dtype, form):
    """Element i is at byte srcBaseAddr + srcOffset[i] of the source (Gather.md)."""
    size, cases = size_of(dtype), []
    for _ in range(6):
        image = noise(rng)
        base = int(rng.integers(0, 100)) * size
        offsets = rng.integers(0, (REGION - 2048) // size, REGION // 4).astype(np.uint32) * size
        image[2 * REGION :] = offsets.view(np.uint8)
        case = draw(rng, form, size, 0, image=image)
        case.src0.at, case.src1.at, case.dst.blk, case.extra = REGION, 2 * REGION, 1, (base,)
        case.dst.rep = 8 + int(rng.integers(0, 4))
        cases.append((case, offsets))
    run = [c for c, _ in cases]
    for (case, offsets), got in zip(cases, launch(api_kernel(FILE, f"Gather_{dtype}"), run)):
        expected = case.image.copy()
        source = REGION + case.extra[0] + offsets[case.lanes()[2]].astype(np.int64)
        write(expected, case.addresses(case.dst), read(case.image, source, bits_type(dtype)))
        compare(case, got, expected, bits_type(dtype), f"Gather<{dtype}>")


@pytest.mark.parametrize("form", form_ids([MASK, KEPT_COUNTER]))
@pytest.mark.parametrize("dtype", ["uint16_t", "uint32_t"])
def test_gatherb(api_kernel, rng, dtype, form):
    """Eight 32-byte blocks per repeat, by byte offset (Gatherb.md)."""
    cases = []
    for blk, rep in [(1, 8), (2, 16), (3, 25), (8, 1)]:
        image = noise(rng)
        offsets = (rng.integers(0, REGION // 32, REGION // 4) * 32).astype(np.uint32)
        image[2 * REGION :] = offsets.view(np.uint8)
        case = Case(form, image, repeat=int(rng.integers(1, 9)), mask=1)
        case.count = int(rng.choice([0, 1, 3, 2**64 - 1]))
        case.dst.blk, case.dst.rep, case.src0.at, case.src1.at = blk, rep, REGION, 2 * REGION
        cases.append((case, offsets))
    run = [c for c, _ in cases]
    for (case, offsets), got in zip(cases, launch(api_kernel(FILE, f"Gatherb_{dtype}"), run)):
        expected = case.image.copy()
        for i in range(case.repeat * 8):
            at, source = (i // 8 * case.dst.rep + i % 8 * case.dst.blk) * 32, REGION + int(offsets[i])
            expected[at : at + 32] = case.image[source : source + 32]
        compare(case, got, expected, np.uint8, f"Gatherb<{dtype}>")


@pytest.mark.parametrize("counter", [False, True], ids=["normal", "counter"])
@pytest.mark.parametrize("pattern", range(8))
@pytest.mark.parametrize("dtype", ["half", "float"])
def test_gather_mask(api_kernel, rng, dtype, pattern, counter):
    """Compaction by a built-in pattern (1..7) or by bits of a tensor (0); counter mode: `mask` elements per repeat."""
    size, cases = size_of(dtype), []
    per = 256 // size
    fixed = {1: [1, 0], 2: [0, 1], 3: [1, 0, 0, 0], 4: [0, 1, 0, 0], 5: [0, 0, 1, 0], 6: [0, 0, 0, 1], 7: [1]}
    for _ in range(4):
        case = Case(MASK, noise(rng), repeat=int(rng.integers(1, 7)), mask=1)
        each = int(rng.integers(1, per + 1)) if counter else per
        case.src0.at, case.src1.at, case.src0.blk = REGION, 2 * REGION, int(rng.integers(1, 3))
        case.src0.rep, case.src1.rep = 8 * case.src0.blk + int(rng.integers(0, 3)), int(rng.integers(0, 2))
        case.extra = (pattern, int(counter), each if counter else 0, REGION - 32)
        cases.append((case, each))
    run = [c for c, _ in cases]
    for (case, each), got in zip(cases, launch(api_kernel(FILE, f"GatherMask_{dtype}"), run)):
        expected, kept = case.image.copy(), []
        for r in range(case.repeat):
            if pattern:
                chosen = np.resize(fixed[pattern], each)
            else:
                bits = case.image[2 * REGION + r * case.src1.rep * 32 :][: per // 8]
                chosen = np.unpackbits(bits, bitorder="little")[:each]
            lane = np.flatnonzero(chosen)
            kept.append(
                REGION + (r * case.src0.rep + lane // (32 // size) * case.src0.blk) * 32 + lane % (32 // size) * size
            )
        source = np.concatenate(kept)
        write(expected, np.arange(len(source)) * size, read(case.image, source, bits_type(dtype)))
        expected[REGION - 32 : REGION - 28] = np.array([len(source)], np.uint32).view(np.uint8)
        compare(case, got, expected, bits_type(dtype), f"GatherMask<{dtype}> pattern {pattern}, {each} of a repeat")


@pytest.mark.parametrize("dtype", ["half", "int16_t", "uint16_t"])
def test_transpose(api_kernel, rng, dtype):
    case = Case(MASK, noise(rng), mask=1)
    case.src0.at = REGION
    expected = case.image.copy()
    expected[:512] = (
        np.ascontiguousarray(case.image[REGION : REGION + 512].view(np.uint16).reshape(16, 16).T).view(np.uint8).ravel()
    )
    compare(case, launch(api_kernel(FILE, f"Transpose_{dtype}"), [case])[0], expected, np.uint16, "Transpose")


@pytest.mark.parametrize("given", [0, 4, 8], ids=["tensors", "addresses", "address_tensors"])
@pytest.mark.parametrize("dtype", ["int8_t", "uint8_t", "int16_t", "uint16_t", "half", "int32_t", "uint32_t", "float"])
def test_trans_data_to_5hd(api_kernel, rng, dtype, given):
    """TransDataTo5HD.md, figures 1-3.

    2-byte: 16 x 16. 4-byte: 16 rows of 8, column c goes to results 2c (rows 0-7) and 2c + 1 (rows 8-15). 1-byte: a half
    (16 columns) of each row, into one half of each result; the other half stays. One repeat starts at its stride.
    """
    size, cases = size_of(dtype), []
    for repeat in (1, 1, 2, 5):
        case = Case(MASK, noise(rng), repeat=repeat, mask=1)
        case.src0.at = REGION
        case.src0.blk, case.dst.blk = (int(x) for x in rng.integers(1, 4, 2))
        if repeat == 1:
            case.src0.rep, case.dst.rep = (int(x) for x in rng.integers(0, 3, 2))
        else:
            case.src0.rep, case.dst.rep = 16 * case.src0.blk, 16 * case.dst.blk
        case.src1.at = 2 * REGION
        case.extra = ((int(rng.integers(0, 4)) if size == 1 else 0) + given,)
        cases.append(case)
    for case, got in zip(cases, launch(api_kernel(FILE, f"TransDataTo5HD_{dtype}"), cases)):
        expected = case.image.copy()
        expected[2 * REGION :][:256] = got[2 * REGION :][:256]  # where the kernel writes its addresses
        high_dst, high_src = case.extra[0] & 1, case.extra[0] >> 1 & 1
        for r in range(case.repeat):
            step = 1 if case.repeat == 1 else r
            for row in range(16):
                source = (
                    REGION + (step * case.src0.rep + row * case.src0.blk) * 32 + (16 * high_src if size == 1 else 0)
                )
                for col in range(8 if size == 4 else 16):
                    result, place = (2 * col + row // 8, row % 8) if size == 4 else (col, row)
                    at = (
                        (step * case.dst.rep + result * case.dst.blk) * 32
                        + place * size
                        + (16 * high_dst if size == 1 else 0)
                    )
                    expected[at : at + size] = case.image[source + col * size : source + col * size + size]
        compare(case, got, expected, bits_type(dtype), f"TransDataTo5HD<{dtype}>")


@pytest.mark.parametrize("dtype", ["half", "float", "int8_t", "int64_t"])
def test_scalar_access(api_kernel, rng, dtype):
    size = size_of(dtype)
    case = Case(MASK, noise(rng) & 0x3F, repeat=100, mask=1)  # no NaN patterns: a scalar half may pass through a float
    case.src0.at = REGION
    expected = case.image.copy()
    expected[: 100 * size] = case.image[REGION : REGION + 100 * size].view(bits_type(dtype))[::-1].copy().view(np.uint8)
    compare(
        case, launch(api_kernel(FILE, f"Scalars_{dtype}"), [case])[0], expected, bits_type(dtype), "GetValue, SetValue"
    )
