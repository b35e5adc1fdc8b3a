# SPDX-License-Identifier: BSD-3-Clause
"""AddReluCast, SubReluCast, AddDeqRelu, CastDequant, Transpose with parameters, BilinearInterpolation, tensors in
expressions and of trait types. Formulas: the documents of the same names. Where they are silent:

* AddReluCast and SubReluCast round the sum to the source's type before they cast, to nearest even, saturating;
* CastDequant rounds the scaled value to nearest even and then adds the offset.
"""

from __future__ import annotations

import numpy as np
import pytest

from .elements import STORAGE, from_values, round_to_float, size_of
from .test_arithmetic import CASES, IMAGE, check, filled, relu
from .vector_case import BITS, COUNT, FORM_NAMES, MASK, REGION, Case, compare, draw, launch, read, write

FILE = "compound.cpp"
FORMS = range(len(FORM_NAMES))
PAIRS = [("int8_t", "half", 30.0), ("int8_t", "int16_t", 1.0), ("half", "float", 100.0)]


@pytest.mark.parametrize("form", FORMS, ids=FORM_NAMES)
@pytest.mark.parametrize(("dst", "src", "scale"), PAIRS)
@pytest.mark.parametrize("op", ["AddReluCast", "SubReluCast"])
def test_relu_cast(api_kernel, rng, op, dst, src, scale, form):
    types = [dst, src, src]
    cases = [draw(rng, form, *map(size_of, types), image=filled(rng, types, scale)) for _ in range(CASES)]

    def formula(d, a, b):
        total = relu(a + b if op == "AddReluCast" else a - b)
        if src == "int16_t":
            return np.clip(total, -32768, 32767)
        return np.rint(total.astype(np.float16).astype(np.float64)) if src == "half" else total.astype(np.float32)

    check(api_kernel(FILE, f"{op}_{dst}_{src}"), cases, types, formula, op)


@pytest.mark.parametrize("form", FORMS, ids=FORM_NAMES)
def test_add_deq_relu(api_kernel, rng, form):
    types = ["half", "int32_t", "int32_t"]
    cases = []
    for _ in range(CASES):
        image = filled(rng, types)
        image[REGION:].view(np.int32)[:] %= 5000
        case = draw(rng, form, 2, 4, 4, image=image)
        case.scalar = int(np.float16(0.1).view(np.uint16))
        cases.append(case)
    scale = float(np.float16(0.1))
    check(api_kernel(FILE, "AddDeqRelu"), cases, types, lambda d, a, b: relu((a + b) * scale), "AddDeqRelu")


@pytest.mark.parametrize("form", [COUNT, MASK, BITS, 3], ids=FORM_NAMES[:4])
@pytest.mark.parametrize(
    ("name", "dtype", "table", "upper"),
    [
        ("CastDequant_int8_t", "int8_t", False, False),
        ("CastDequant_uint8_t", "uint8_t", False, True),
        ("CastVdequant_int8_t", "int8_t", True, True),
        ("CastVdequant_uint8_t", "uint8_t", True, False),
    ],
)
def test_cast_dequant(api_kernel, rng, name, dtype, table, upper, form):
    """A block of 16 int16 becomes 16 bytes in the lower or upper half of a block; a table has a set per place in it."""
    cases = []
    for _ in range(CASES):
        image = rng.integers(0, 256, IMAGE, dtype=np.uint8)
        image[REGION : 2 * REGION].view(np.int16)[:] //= 64
        case = draw(rng, form, 2, 2, image=image)
        if form == COUNT:
            case.count = min(case.count, 512)
        case.scalar = int(np.float32(rng.uniform(0.01, 0.3)).view(np.uint32))
        case.extra = (int(rng.integers(-200, 200)), 2 * REGION)
        cases.append(case)
    for case, got in zip(cases, launch(api_kernel(FILE, name), cases)):
        expected = case.image.copy()
        expected[2 * REGION :][:128] = got[2 * REGION :][:128]  # the table the kernel writes
        src = read(case.image, case.addresses(case.src0), np.int16).astype(np.float64)
        _, lane, index = case.lanes()
        lane, repeat = index % 128, index // 128
        scale = np.float64(np.uint32(case.scalar).view(np.float32))
        scales = np.array([np.float32(scale) * np.float32(i + 1) for i in range(16)], np.float64)
        place = lane % 16
        factor = scales[place] if table else scale
        offset = case.extra[0] + place if table else case.extra[0]
        values = from_values(np.rint(src * factor) + offset, dtype)
        blk, rep = (1, 8) if form == COUNT else (case.dst.blk, case.dst.rep)
        at = case.dst.at + (repeat * rep + lane // 16 * blk) * 32 + 16 * upper + place
        write(expected, at, values)
        compare(case, got, expected, STORAGE[dtype], name)


def test_dequant_half(api_kernel, rng):
    image = filled(rng, ["half", "int32_t", "int32_t"])
    image[REGION:].view(np.int32)[:] %= 100000
    case = Case(COUNT, image, count=300, scalar=int(np.float16(0.25).view(np.uint16)))
    case.src0.at = REGION
    source = image[REGION : REGION + 1200].view(np.int32)
    expected = image.copy()
    write(expected, np.arange(300) * 2, from_values(round_to_float(source * 0.25, "half"), "half"))
    compare(case, launch(api_kernel(FILE, "DequantHalf"), [case])[0], expected, np.float16, "CastDequant<half>")


@pytest.mark.parametrize("dtype", ["int8_t", "half", "float", "uint16_t"])
def test_transpose_ext(api_kernel, rng, dtype):
    size, nchw2nhwc, nhwc2nchw, square = size_of(dtype), 11, 12, 10
    shapes = [(1, 16, 4, 8), (2, 3, 8, 4), (3, 5, 1, 32), (1, 40, 2, 16), (0, 4, 4, 8)]
    cases, wanted = [], []
    for n, c, h, w in shapes:
        for kind in (nchw2nhwc, nhwc2nchw):
            image = rng.integers(0, 256, 6 * REGION, dtype=np.uint8)
            count = n * c * h * w
            source = image[REGION : REGION + count * size].view(f"u{size}")
            if kind == nchw2nhwc:
                turned = source.reshape(n, c, h, w).transpose(0, 2, 3, 1)
            else:
                turned = source.reshape(n, h, w, c).transpose(0, 3, 1, 2)
            expected = image.copy()
            expected[: count * size] = np.ascontiguousarray(turned).view(np.uint8).ravel()
            case = Case(MASK, image, mask=1)
            case.src0.at = REGION
            case.extra = (n, c, h, w, kind, 2 * REGION)
            cases.append(case)
            wanted.append(expected[: 2 * REGION])
    if dtype == "uint16_t":
        case = Case(MASK, rng.integers(0, 256, 6 * REGION, dtype=np.uint8), mask=1)
        case.src0.at = REGION
        case.extra = (0, 0, 16, 16, square, 2 * REGION)
        expected = case.image.copy()
        expected[:512] = (
            case.image[REGION : REGION + 512].view(np.uint16).reshape(16, 16).T.copy().view(np.uint8).ravel()
        )
        cases.append(case)
        wanted.append(expected[: 2 * REGION])
    for got, expected, case in zip(launch(api_kernel(FILE, f"TransposeExt_{dtype}"), cases, "fast"), wanted, cases):
        assert np.array_equal(got[: 2 * REGION], expected), f"Transpose<{dtype}> {case.extra}"


@pytest.mark.parametrize("form", [MASK, BITS], ids=["mask", "bits"])
@pytest.mark.parametrize("mode", [0, 1])
def test_bilinear_interpolation(api_kernel, rng, mode, form):
    """The document's four steps: gather blocks, spread weights, multiply, add up the horizontal repeats."""
    weights_at, scratch = 3 * REGION, 4 * REGION
    cases, wanted = [], []
    for h, v in [(2, 2), (1, 3), (3, 1), (4, 2)]:
        image = np.zeros(7 * REGION, np.uint8)
        image[:] = rng.integers(0, 60, image.size)  # small, so that no half is infinite
        image[REGION : 2 * REGION].view(np.float16)[:] = rng.integers(-8, 9, REGION // 2)
        image[weights_at : weights_at + 2048].view(np.float16)[:] = rng.integers(-8, 9, 1024) / 4
        offsets = rng.integers(0, 300, 8 * h * v).astype(np.uint32) * 32
        image[2 * REGION : 2 * REGION + offsets.nbytes] = offsets.view(np.uint8)
        case = Case(form, image)
        case.mask = (1 << 128) - 1 if form == MASK else int.from_bytes(rng.bytes(16), "little")
        case.src0.at, case.src1.at = REGION, 2 * REGION
        case.dst.blk = int(rng.integers(1, 3))
        step = 128 * case.dst.blk + 16
        case.extra = (h, mode, step, v, scratch, weights_at)
        source = image[REGION:].view(np.float16)
        weights = image[weights_at:].view(np.float16)
        expected = image.copy()
        for row in range(v):
            total = np.zeros(128, np.float16)
            for col in range(h):
                r = row * h + col
                lane = np.arange(128)
                x = source[offsets[8 * r + lane // 16] // 2 + lane % 16]
                w = weights[8 * r + lane // 16] if mode else weights[r]
                product = (x.astype(np.float32) * np.float32(w)).astype(np.float16)
                total = (total.astype(np.float32) + product.astype(np.float32)).astype(np.float16)
            on = np.array([i for i in range(128) if case.mask >> i & 1])
            write(expected, (row * step + on // 16 * 16 * case.dst.blk + on % 16) * 2, total[on] + np.float16(0))
        cases.append(case)
        wanted.append(expected[:scratch])
    for got, expected, case in zip(launch(api_kernel(FILE, "Bilinear"), cases), wanted, cases):
        same = (got[:scratch].view(np.float16) == expected.view(np.float16)) | (
            got[:scratch].view(np.uint16) == expected.view(np.uint16)
        )
        assert same.all(), f"BilinearInterpolation {case.extra}: element {np.flatnonzero(~same)[0]}"


@pytest.mark.parametrize("dtype", ["half", "float"])
def test_expressions(api_kernel, rng, dtype):
    arithmetic = [np.add, np.subtract, np.multiply, np.divide]
    comparisons = [np.less, np.greater, np.equal, np.less_equal, np.greater_equal, np.not_equal]
    count, kind, size = 256, STORAGE[dtype], size_of(dtype)
    cases, wanted = [], []
    for number, op in enumerate(arithmetic + comparisons):
        image = filled(rng, [dtype] * 3)
        a, b = image[REGION:].view(kind), image[2 * REGION :].view(kind)
        b[:count:3] = a[:count:3]
        case = Case(COUNT, image, count=count, extra=(number,))
        case.src0.at, case.src1.at = REGION, 2 * REGION
        expected = image.copy()
        result = op(a[:count], b[:count])
        data = result.view(np.uint8) if number < 4 else np.packbits(result, bitorder="little")
        expected[: data.size] = data
        assert data.size == (count * size if number < 4 else count // 8)
        cases.append(case)
        wanted.append(expected)
    for got, expected, case in zip(launch(api_kernel(FILE, f"Expression_{dtype}"), cases), wanted, cases):
        compare(case, got, expected, kind, f"expression {case.extra[0]}")


def test_bit_expressions(api_kernel, rng):
    cases = [Case(COUNT, rng.integers(0, 256, IMAGE, dtype=np.uint8), count=256, extra=(op,)) for op in (0, 1)]
    for case in cases:
        case.src0.at, case.src1.at = REGION, 2 * REGION
    for got, case, op in zip(launch(api_kernel(FILE, "BitExpression"), cases), cases, (np.bitwise_or, np.bitwise_and)):
        expected = case.image.copy()
        expected[:512] = op(case.image[REGION:][:512], case.image[2 * REGION :][:512])
        compare(case, got, expected, np.uint16, "bits")


def test_trait_types(api_kernel, rng):
    case = Case(COUNT, filled(rng, ["float"] * 3), extra=(100,))
    case.src0.at, case.src1.at = REGION, 2 * REGION
    a, b = case.image[REGION:].view(np.float32), case.image[2 * REGION :].view(np.float32)
    expected = case.image.copy()
    result = (a[:256] + b[:256]) * np.float32(3)
    result[:100] += np.float32(7)
    result[100] = a[1]
    expected[:1024] = result.view(np.uint8)
    compare(case, launch(api_kernel(FILE, "Traits"), [case])[0], expected, np.float32, "trait types")
