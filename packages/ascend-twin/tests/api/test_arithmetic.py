# SPDX-License-Identifier: BSD-3-Clause
"""Arithmetic on UB: two sources, one source, tensor and scalar, fused; all forms, all element types of dav-2201.

Formulas: basic API documents, Memory vector compute (Add.md ... MulAddDst.md). Where they are silent:
* integer Add, Sub, Mul, Adds, Muls saturate (general rule of the documents: integers saturate);
* half results are the exact result rounded once; with CTRL[48] = 0 they saturate, with 1 they overflow to infinity;
* the fused forms round once (MulAddDst, Axpy, FusedMulAdd: fused multiply-add);
* Max and Min propagate NaN; Rsqrt and Reciprocal are pinned within the documents' accuracy only.
"""

from __future__ import annotations

import numpy as np
import pytest

from .elements import STORAGE, from_values, size_of
from .vector_case import COUNT, FORM_NAMES, Case, compare, draw, launch, read, write

FILE = "arithmetic.cpp"
IMAGE = 3 * 24 * 1024
FORMS = range(len(FORM_NAMES))
CASES = 6
WIDE = np.longdouble  # 64 significant bits: a product of floats plus a float keeps its rounding


def relu(x):
    return np.where(x > 0, x, 0 * x)


BINARY = {
    "Add": (lambda d, a, b: a + b, ["half", "float", "int16_t", "int32_t"]),
    "Sub": (lambda d, a, b: a - b, ["half", "float", "int16_t", "int32_t"]),
    "Mul": (lambda d, a, b: a * b, ["half", "float", "int16_t", "int32_t"]),
    "Max": (lambda d, a, b: np.maximum(a, b), ["half", "float", "int16_t", "int32_t"]),
    "Min": (lambda d, a, b: np.minimum(a, b), ["half", "float", "int16_t", "int32_t"]),
    "Div": (lambda d, a, b: a / b, ["half", "float"]),
    "AddRelu": (lambda d, a, b: relu(a + b), ["half", "float", "int16_t"]),
    "SubRelu": (lambda d, a, b: relu(a - b), ["half", "float", "int16_t"]),
    "FusedMulAdd": (lambda d, a, b: a * d + b, ["half", "float"]),
    "FusedMulAddRelu": (lambda d, a, b: relu(a * d + b), ["half", "float"]),
}
BITWISE = {"And": np.bitwise_and, "Or": np.bitwise_or}
SCALAR = {
    "Adds": (lambda a, s: a + s, ["half", "float", "int16_t", "int32_t"]),
    "Muls": (lambda a, s: a * s, ["half", "float", "int16_t", "int32_t"]),
    "Maxs": (lambda a, s: np.maximum(a, s), ["half", "float", "int16_t", "int32_t"]),
    "Mins": (lambda a, s: np.minimum(a, s), ["half", "float", "int16_t", "int32_t"]),
    "LeakyRelu": (lambda a, s: np.where(a >= 0, a, a * s), ["half", "float"]),
}
# Exact in the documents' sense or rounded once; the approximations are tested for accuracy below.
UNARY = {
    "Abs": (np.abs, ["half", "float"]),
    "Relu": (relu, ["half", "float", "int32_t"]),
}


def numbers(rng, dtype: str, count: int, scale: float = 1.0) -> np.ndarray:
    """Ordinary operands: floats around `scale`, integers of all magnitudes (so that some sums saturate)."""
    if np.issubdtype(STORAGE[dtype], np.integer):
        info = np.iinfo(STORAGE[dtype])
        shift = rng.integers(0, info.bits, count)
        return rng.integers(info.min, info.max, count, dtype=STORAGE[dtype], endpoint=True) >> shift.astype(
            STORAGE[dtype]
        )
    return (rng.standard_normal(count) * scale).astype(STORAGE[dtype])


def filled(rng, dtypes: list[str], scale: float = 1.0) -> np.ndarray:
    """A UB image whose three regions hold numbers of the given types."""
    return np.concatenate([numbers(rng, t, IMAGE // 3 // size_of(t), scale).view(np.uint8) for t in dtypes])


def store(values: np.ndarray, dtype: str, case: Case) -> np.ndarray:
    if dtype == "float":
        with np.errstate(over="ignore"):
            return values.astype(np.float32)  # one rounding, from the 64-bit significand
    return from_values(values, dtype, saturate=case.ctrl48 == 0)


def check(kernel, cases, dtypes, formula, what):
    """Run and compare with dst = formula(dst, src0, src1) on the enabled lanes. dtypes: of dst, src0, src1."""
    for case, got in zip(cases, launch(kernel, cases)):
        expected = case.image.copy()
        where = [case.addresses(o) for o in (case.dst, case.src0, case.src1)]
        values = [read(case.image, w, STORAGE[t]).astype(WIDE) for w, t in zip(where, dtypes)]
        write(expected, where[0], store(formula(*values), dtypes[0], case))
        compare(case, got, expected, STORAGE[dtypes[0]], what)


@pytest.mark.parametrize("form", FORMS, ids=FORM_NAMES)
@pytest.mark.parametrize(("op", "dtype"), [(o, t) for o, (_, types) in BINARY.items() for t in types])
def test_binary(api_kernel, rng, op, dtype, form):
    size, types = size_of(dtype), [dtype] * 3
    cases = [draw(rng, form, size, size, size, image=filled(rng, types)) for _ in range(CASES)]
    check(api_kernel(FILE, f"{op}_{dtype}"), cases, types, BINARY[op][0], f"{op}<{dtype}>")


@pytest.mark.parametrize("form", FORMS, ids=FORM_NAMES)
@pytest.mark.parametrize("dtype", ["int16_t", "uint16_t"])
@pytest.mark.parametrize("op", BITWISE)
def test_bitwise(api_kernel, rng, op, dtype, form):
    cases = [draw(rng, form, 2, 2, 2, image=rng.integers(0, 256, IMAGE, dtype=np.uint8)) for _ in range(CASES)]
    for case, got in zip(cases, launch(api_kernel(FILE, f"{op}_{dtype}"), cases)):
        expected = case.image.copy()
        a, b = (read(case.image, case.addresses(o), STORAGE[dtype]) for o in (case.src0, case.src1))
        write(expected, case.addresses(case.dst), BITWISE[op](a, b))
        compare(case, got, expected, STORAGE[dtype], op)


@pytest.mark.parametrize("form", FORMS, ids=FORM_NAMES)
@pytest.mark.parametrize("dtype", ["int16_t", "uint16_t"])
def test_not(api_kernel, rng, dtype, form):
    cases = [draw(rng, form, 2, 2, image=rng.integers(0, 256, IMAGE, dtype=np.uint8)) for _ in range(CASES)]
    for case, got in zip(cases, launch(api_kernel(FILE, f"Not_{dtype}"), cases)):
        expected = case.image.copy()
        write(expected, case.addresses(case.dst), ~read(case.image, case.addresses(case.src0), STORAGE[dtype]))
        compare(case, got, expected, STORAGE[dtype], "Not")


@pytest.mark.parametrize("form", FORMS, ids=FORM_NAMES)
@pytest.mark.parametrize(("op", "dtype"), [(o, t) for o, (_, types) in SCALAR.items() for t in types])
def test_scalar(api_kernel, rng, op, dtype, form):
    formula = SCALAR[op][0]
    for _ in range(2):
        cases = [draw(rng, form, size_of(dtype), size_of(dtype), image=filled(rng, [dtype] * 3)) for _ in range(3)]
        s = numbers(rng, dtype, 1)
        for case in cases:
            case.scalar = int(s.view(f"u{s.itemsize}")[0])
        kernel = api_kernel(FILE, f"{op}_{dtype}")
        check(kernel, cases, [dtype] * 2, lambda d, a, s=s: formula(a, s[0].astype(WIDE)), f"{op}<{dtype}>")


@pytest.mark.parametrize("form", FORMS, ids=FORM_NAMES)
@pytest.mark.parametrize(("op", "dtype"), [(o, t) for o, (_, types) in UNARY.items() for t in types])
def test_unary(api_kernel, rng, op, dtype, form):
    size = size_of(dtype)
    cases = [draw(rng, form, size, size, image=filled(rng, [dtype] * 3)) for _ in range(CASES)]
    check(api_kernel(FILE, f"{op}_{dtype}"), cases, [dtype] * 2, lambda d, a: UNARY[op][0](a), f"{op}<{dtype}>")


@pytest.mark.parametrize("form", FORMS, ids=FORM_NAMES)
@pytest.mark.parametrize(("dst", "src"), [("half", "half"), ("float", "float"), ("float", "half")])
def test_mul_add_dst(api_kernel, rng, dst, src, form):
    types = [dst, src, src]
    cases = [draw(rng, form, *map(size_of, types), image=filled(rng, types)) for _ in range(CASES)]
    check(api_kernel(FILE, f"MulAddDst_{dst}_{src}"), cases, types, lambda d, a, b: a * b + d, "MulAddDst")


@pytest.mark.parametrize("form", FORMS, ids=FORM_NAMES)
@pytest.mark.parametrize(("dst", "src"), [("half", "half"), ("float", "float"), ("float", "half")])
def test_axpy(api_kernel, rng, dst, src, form):
    s = numbers(rng, src, 1)
    types = [dst, src]
    cases = [draw(rng, form, *map(size_of, types), image=filled(rng, [dst, src, src])) for _ in range(CASES)]
    for case in cases:
        case.scalar = int(s.view(f"u{s.itemsize}")[0])
    check(api_kernel(FILE, f"Axpy_{dst}_{src}"), cases, types, lambda d, a: a * s[0].astype(WIDE) + d, "Axpy")


@pytest.mark.parametrize("form", FORMS, ids=FORM_NAMES)
@pytest.mark.parametrize("dst", ["int8_t", "uint8_t"])
def test_mul_cast(api_kernel, rng, dst, form):
    """MulCast.md: the product of halves, cast rounded to half and then to the nearest integer, saturating."""
    types = [dst, "half", "half"]
    cases = [draw(rng, form, *map(size_of, types), image=filled(rng, types, 12.0)) for _ in range(CASES)]
    formula = lambda d, a, b: np.rint((a * b).astype(np.float16).astype(WIDE))  # noqa: E731
    check(api_kernel(FILE, f"MulCast_{dst}_half"), cases, types, formula, "MulCast")


@pytest.mark.parametrize("dtype", ["int16_t", "uint16_t", "int32_t", "uint32_t"])
@pytest.mark.parametrize("op", ["ShiftLeft", "ShiftRight"])
def test_shift(api_kernel, rng, op, dtype):
    """Every distance, 0 to the width (ShiftRight.md): arithmetic if signed, roundEn adds the last bit lost."""
    size, kind = size_of(dtype), STORAGE[dtype]
    width = size * 8
    cases = []
    for distance in range(width + 1):
        form = int(rng.integers(0, 3 if op == "ShiftRight" else 5))
        case = draw(rng, form, size, size, image=rng.integers(0, 256, IMAGE, dtype=np.uint8))
        case.scalar = distance
        # Rounding is for signed types and has no effect in the count form, which has no such argument.
        case.extra = (int(op == "ShiftRight" and np.issubdtype(kind, np.signedinteger) and rng.random() < 0.5),)
        cases.append(case)
    for case, got in zip(cases, launch(api_kernel(FILE, f"{op}_{dtype}"), cases)):
        expected = case.image.copy()
        a = read(case.image, case.addresses(case.src0), kind).astype(object)
        if op == "ShiftLeft":
            values = [(int(x) << case.scalar) & (2**width - 1) for x in a]
        else:
            rounding = case.extra[0] and case.form != COUNT and case.scalar > 0
            values = [
                ((int(x) >> case.scalar) + (int(x) >> (case.scalar - 1) & 1 if rounding else 0)) & (2**width - 1)
                for x in a
            ]
        stored = np.array(values, np.uint64).astype(f"u{size}").view(kind)
        write(expected, case.addresses(case.dst), stored)
        compare(case, got, expected, kind, f"{op}<{dtype}> by {case.scalar}, roundEn {case.extra[0]}")


def elementwise(
    kernel, dtype: str, a: np.ndarray, b: np.ndarray | None = None, ctrl48: int = 1, scalar: int = 0
) -> np.ndarray:
    """Results of the count form on given elements."""
    image = np.zeros(IMAGE, np.uint8)
    size = size_of(dtype)
    case = Case(COUNT, image, count=len(a), ctrl48=ctrl48, scalar=scalar, wide=size)
    for i, (operand, values) in enumerate([(case.dst, a), (case.src0, a), (case.src1, b)]):
        operand.at, operand.size = i * IMAGE // 3, size
        if values is not None:
            image[operand.at : operand.at + values.nbytes] = values.view(np.uint8)
    got = launch(kernel, [case])[0]
    return got[: a.nbytes].view(STORAGE[dtype])


SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 65504.0, -65504.0, 6e-8, np.inf, -np.inf, np.nan]


@pytest.mark.parametrize("dtype", ["half", "float"])
@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div", "Max", "Min"])
def test_special_values_in_ieee_mode(api_kernel, op, dtype):
    """CTRL[48] = 1: infinities and NaN as IEEE 754 has them; the largest number is doubled into infinity."""
    values = np.array([*SPECIAL, np.finfo(STORAGE[dtype]).max, -np.finfo(STORAGE[dtype]).max], STORAGE[dtype])
    a, b = (x.ravel() for x in np.meshgrid(values, values))
    with np.errstate(all="ignore"):
        expected = BINARY[op][0](None, a.astype(np.float64), b.astype(np.float64)).astype(STORAGE[dtype])
    got = elementwise(api_kernel(FILE, f"{op}_{dtype}"), dtype, a, b)
    same = (got == expected) | (np.isnan(got) & np.isnan(expected))
    assert same.all(), (op, a[~same], b[~same], got[~same], expected[~same])


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div"])
def test_half_saturates(api_kernel, op):
    """CTRL[48] = 0 (SetCtrlSpr.md): overflow and infinity become +-65504, NaN becomes 0."""
    values = np.array(SPECIAL, np.float16)
    a, b = (x.ravel() for x in np.meshgrid(values, values))
    with np.errstate(all="ignore"):
        exact = BINARY[op][0](None, a.astype(np.float64), b.astype(np.float64))
    expected = np.where(np.isnan(exact), 0, np.clip(exact, -65504, 65504)).astype(np.float16)
    got = elementwise(api_kernel(FILE, f"{op}_half"), "half", a, b, ctrl48=0)
    assert np.array_equal(got, expected), (op, a[got != expected], b[got != expected], got[got != expected])


# Formula, range of the operand, relative bound or one unit of the last place. Exp, Ln, Sqrt: the class of 1 ulp.
# Rsqrt and Reciprocal are low-precision approximations on the device, without a promised bound: pinned to 1e-3 (half)
# and 1e-4 (float), which the twin keeps and the device may not.
ACCURACY = {
    "Exp": (np.exp, -16, 10, False),
    "Ln": (np.log, 1e-4, 6e4, False),
    "Sqrt": (np.sqrt, 0, 6e4, False),
    "Rsqrt": (lambda x: 1 / np.sqrt(x), 1e-3, 6e4, True),
    "Reciprocal": (lambda x: 1 / x, 1e-3, 1e4, True),
}


@pytest.mark.parametrize("dtype", ["half", "float"])
@pytest.mark.parametrize("op", ACCURACY)
def test_accuracy(api_kernel, rng, op, dtype):
    formula, low, high, relative = ACCURACY[op]
    kind = STORAGE[dtype]
    x = (
        rng.uniform(low, high, 4000).astype(kind)
        if low <= 0
        else np.exp(rng.uniform(np.log(low), np.log(high), 4000)).astype(kind)
    )
    x = x[x > 0] if low > 0 else x
    exact = formula(x.astype(np.float64))
    got = elementwise(api_kernel(FILE, f"{op}_{dtype}"), dtype, x).astype(np.float64)
    error = np.abs(got - exact)
    bound = (
        np.abs(exact) * (1e-3 if dtype == "half" else 1e-4)
        if relative
        else np.spacing(np.abs(exact).astype(kind)).astype(np.float64)
    )
    worst = np.argmax(error / bound)
    assert (error <= bound).all(), (op, x[worst], got[worst], exact[worst])


@pytest.mark.parametrize("form", FORMS, ids=FORM_NAMES)
@pytest.mark.parametrize("op", ["Exp", "Ln", "Sqrt", "Rsqrt", "Reciprocal"])
def test_forms_of_the_approximations(api_kernel, rng, op, form):
    """The lanes addressed are right: the values themselves are the count form's."""
    kernel = api_kernel(FILE, f"{op}_float")
    image = np.abs(filled(rng, ["float"] * 3).view(np.float32)).view(np.uint8)
    cases = [draw(rng, form, 4, 4, image=image) for _ in range(CASES)]
    for case, got in zip(cases, launch(kernel, cases)):
        expected = case.image.copy()
        source = read(case.image, case.addresses(case.src0), np.float32)
        write(expected, case.addresses(case.dst), elementwise(kernel, "float", source))
        compare(case, got, expected, np.float32, op)


@pytest.mark.parametrize("dtype", ["half", "float"])
def test_exp_of_the_extremes(api_kernel, dtype):
    x = np.array([0, -0.0, -3e4, -np.inf, np.inf, np.nan], STORAGE[dtype])
    got = elementwise(api_kernel(FILE, f"Exp_{dtype}"), dtype, x)
    assert np.array_equal(got[:5], [1, 1, 0, 0, np.inf]) and np.isnan(got[5])


def test_accumulation_idiom(api_kernel, rng):
    """Repeats that add onto one destination block: dst == src1, both with repeat stride 0 (overlap rule 7)."""
    image = rng.integers(-100, 100, IMAGE // 4).astype(np.float32).view(np.uint8)
    case = Case(1, image, mask=2**64 - 1, repeat=8)
    case.dst.rep = case.src1.rep = 0
    case.src0.at = IMAGE // 3
    got = launch(api_kernel(FILE, "Add_float"), [case])[0].view(np.float32)
    floats = image.view(np.float32)
    rows = floats[IMAGE // 12 : IMAGE // 12 + 512].reshape(8, 64)
    assert np.array_equal(got[:64], floats[:64] + rows.sum(0))
    assert np.array_equal(got[64:], floats[64:])


@pytest.mark.parametrize("form", [0, 1], ids=["count", "repeat"])
def test_nothing_to_do(api_kernel, rng, form):
    """count = 0 and repeatTime = 0 are no operation (constraints of every vector call)."""
    image = filled(rng, ["float"] * 3)
    case = Case(form, image, count=0, mask=2**64 - 1, repeat=0)
    case.src0.at, case.src1.at = IMAGE // 3, 2 * IMAGE // 3
    assert np.array_equal(launch(api_kernel(FILE, "Add_float"), [case])[0], image)
