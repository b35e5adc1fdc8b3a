# SPDX-License-Identifier: BSD-3-Clause
"""Compare, CompareScalar, the compare-mask register and Select (Compare.md, Compares.md, Select.md).

* Results are packed bits, lane i in bit i % 8 of byte i / 8, repeats one after another.
* The mask of the forms with a destination has no effect on Atlas A2; it counts when the register is the destination.
* Not documented, pinned: bits of masked-off lanes of the register form are 0.
"""

from __future__ import annotations

import numpy as np
import pytest

from .elements import STORAGE, size_of
from .vector_case import BITS, COUNT, FORM_NAMES, KEPT_NORM, MASK, Case, compare, draw, launch, read, write

FILE = "compare_select.cpp"
IMAGE = 4 * 24 * 1024
BITS_AT = 3 * 24 * 1024
MODES = {
    "LT": np.less,
    "GT": np.greater,
    "EQ": np.equal,
    "LE": np.less_equal,
    "GE": np.greater_equal,
    "NE": np.not_equal,
}
TYPES = [(t, m) for t in ("half", "float") for m in MODES] + [("int32_t", "EQ")]
FORMS = [pytest.param(f, id=FORM_NAMES[f]) for f in (COUNT, MASK, BITS)]


def image(rng, dtype: str) -> np.ndarray:
    """Small numbers (so that many are equal), infinities and NaN among the floats."""
    x = rng.integers(-3, 4, IMAGE // size_of(dtype)).astype(STORAGE[dtype])
    if dtype != "int32_t":
        x[rng.integers(0, len(x), len(x) // 20)] = np.inf
        x[rng.integers(0, len(x), len(x) // 20)] = np.nan
    return x.view(np.uint8)


def drawn(rng, form: int, dtype: str) -> Case:
    case = draw(rng, form, size_of(dtype), size_of(dtype), size_of(dtype), image=image(rng, dtype))
    if form == COUNT:  # whole repeats only
        case.count = -(-case.count // case.per_repeat) * case.per_repeat
    return case


def all_lanes(case: Case) -> Case:
    """The same case without its mask."""
    return Case(
        case.form,
        case.image,
        case.count,
        (1 << case.per_repeat) - 1,
        case.repeat,
        case.dst,
        case.src0,
        case.src1,
        wide=case.wide,
    )


def put_bits(expected: np.ndarray, at: int, bits: np.ndarray) -> None:
    packed = np.packbits(bits, bitorder="little")
    expected[at : at + packed.size] = packed


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("dtype", "mode"), TYPES)
def test_compare(api_kernel, rng, dtype, mode, form):
    cases = [drawn(rng, form, dtype) for _ in range(6)]
    for case in cases:
        case.extra = (list(MODES).index(mode),)
    for case, got in zip(cases, launch(api_kernel(FILE, f"Compare_{dtype}"), cases)):
        full = all_lanes(case)
        a, b = (read(case.image, full.addresses(o), STORAGE[dtype]) for o in (case.src0, case.src1))
        expected = case.image.copy()
        put_bits(expected, case.dst.at, MODES[mode](a, b))
        compare(case, got, expected, np.uint8, f"Compare<{dtype}> {mode}")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("dtype", "mode"), TYPES)
def test_compare_scalar(api_kernel, rng, dtype, mode, form):
    cases = [drawn(rng, form, dtype) for _ in range(6)]
    for i, case in enumerate(cases):
        scalar = np.array([i - 2], STORAGE[dtype])
        case.scalar = int(scalar.view(f"u{scalar.itemsize}")[0])
        case.extra = (list(MODES).index(mode), i % 2)
    for i, (case, got) in enumerate(zip(cases, launch(api_kernel(FILE, f"CompareScalar_{dtype}"), cases))):
        full = all_lanes(case)
        expected = case.image.copy()
        put_bits(expected, case.dst.at, MODES[mode](read(case.image, full.addresses(case.src0), STORAGE[dtype]), i - 2))
        compare(case, got, expected, np.uint8, f"{'CompareScalar' if i % 2 else 'Compares'}<{dtype}> {mode}")


@pytest.mark.parametrize("form", FORMS[1:])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["half", "float"])
def test_compare_into_the_register(api_kernel, rng, dtype, mode, form):
    cases = [drawn(rng, form, dtype) for _ in range(4)]
    for case in cases:
        case.repeat, case.extra = 1, (list(MODES).index(mode),)
    for case, got in zip(cases, launch(api_kernel(FILE, f"CompareToRegister_{dtype}"), cases)):
        bits = np.zeros(128, bool)
        a, b = (read(case.image, case.addresses(o), STORAGE[dtype]) for o in (case.src0, case.src1))
        bits[case.lanes()[1]] = MODES[mode](a, b)
        lanes = case.per_repeat  # the register's other bits are not defined for 4-byte types
        seen = np.unpackbits(got[case.dst.at : case.dst.at + 16], bitorder="little")[:lanes]
        assert np.array_equal(seen, bits[:lanes])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("mode", [0, 1, 2], ids=["register", "scalar", "tensor"])
@pytest.mark.parametrize(
    ("dtype", "bits"), [("half", "uint8_t"), ("float", "uint8_t"), ("half", "uint64_t"), ("float", "uint32_t")]
)
def test_select(api_kernel, rng, dtype, bits, mode, form):
    """Bit 1 takes src0. Mode 0 uses the first repeat's bits for all repeats, modes 1 and 2 go on through the bits."""
    cases = []
    for _ in range(6):
        case = draw(rng, form, *[size_of(dtype)] * 3, image=image(rng, dtype))
        case.image[BITS_AT:] = rng.integers(0, 256, IMAGE - BITS_AT)
        case.extra = (mode, BITS_AT + 32 * int(rng.integers(0, 4)))
        scalar = np.array([7.5], STORAGE[dtype])
        case.scalar = int(scalar.view(f"u{scalar.itemsize}")[0])
        cases.append(case)
    kind = STORAGE[dtype]
    for case, got in zip(cases, launch(api_kernel(FILE, f"Select_{dtype}_{bits}"), cases)):
        _, lane, index = case.lanes()
        condition = np.unpackbits(case.image[case.extra[1] :], bitorder="little")[lane if mode == 0 else index]
        a = read(case.image, case.addresses(case.src0), kind)
        b = kind(7.5) if mode == 1 else read(case.image, case.addresses(case.src1), kind)
        expected = case.image.copy()
        write(expected, case.addresses(case.dst), np.where(condition, a, b).astype(kind))
        compare(case, got, expected, kind, f"Select<{dtype}> mode {mode}")


@pytest.mark.parametrize("mode", [0, 1, 2], ids=["register", "scalar", "tensor"])
@pytest.mark.parametrize("dtype", ["half", "float"])
def test_select_without_mask_arguments(api_kernel, rng, dtype, mode):
    """What SetCmpMask loads is the condition's bits (mode 0), the scalar (mode 1) or the bits' address (mode 2)."""
    cases = []
    for _ in range(6):
        case = draw(rng, KEPT_NORM, *[size_of(dtype)] * 3, image=image(rng, dtype))
        case.image[BITS_AT:] = rng.integers(0, 256, IMAGE - BITS_AT)
        case.extra = (mode, BITS_AT + 32 * int(rng.integers(0, 4)), IMAGE - 32)
        scalar = np.array([7.5], STORAGE[dtype])
        case.scalar = int(scalar.view(f"u{scalar.itemsize}")[0])
        cases.append(case)
    kind = STORAGE[dtype]
    for case, got in zip(cases, launch(api_kernel(FILE, f"SelectKept_{dtype}"), cases)):
        _, lane, index = case.lanes()
        condition = np.unpackbits(case.image[case.extra[1] :], bitorder="little")[lane if mode == 0 else index]
        a = read(case.image, case.addresses(case.src0), kind)
        b = kind(7.5) if mode == 1 else read(case.image, case.addresses(case.src1), kind)
        expected = case.image.copy()
        write(expected, case.addresses(case.dst), np.where(condition, a, b).astype(kind))
        expected[IMAGE - 32 :] = got[IMAGE - 32 :]  # the kernel's own scratch
        compare(case, got, expected, kind, f"Select<{dtype}> mode {mode}, kept mask")
