# SPDX-License-Identifier: BSD-3-Clause
"""Mmad and Fixpipe (Mmad.md, GEMV.md, UnitFlag.md, Fixpipe to GM and to L1, quantisation tables of 2201).

Operands are whole numbers, so products are exact in any order of accumulation (the order is not documented); one test
with real numbers bounds the error by the documents' fp32 accumulation. The scale word of a quantisation: bits 13..31
are a float with 10 bits of mantissa, bits 37..45 an offset, bit 46 set for a signed result; the scaled value is
clamped to [-256, 255] and rounded to nearest even before the offset is added (scripts gen_data_s322s8.py,
gen_data_f322s8.py).
"""

from __future__ import annotations

import numpy as np
import pytest
from ascend_twin.machine import Out

from .elements import STORAGE, from_values, round_to_float, round_to_integer, size_of, to_float64

FILE = "matmul.cpp"
B_AT, BIAS_AT, SCALES_AT, BYTES = 64 * 1024, 128 * 1024, 132 * 1024, 140 * 1024
OUT = 64 * 1024
NAMES = [
    "m",
    "n",
    "k",
    "steps",
    "unit",
    "bias",
    "align_k",
    "a_bytes",
    "b_bytes",
    "n_size",
    "m_size",
    "src_stride",
    "dst_stride",
    "quant",
    "scale",
    "nd_num",
    "src_nd",
    "dst_nd",
    "relu",
    "split",
    "vector",
    "to_l1",
    "ctrl48",
    "start",
    "hf32",
    "atomic",
    "by_copy",
]
NO_QUANT, F16, VREQ8, REQ8, VDEQF16, DEQF16, BF16, VB8, B8 = 0, 1, 2, 3, 4, 5, 16, 23, 24


def up(x: int, step: int) -> int:
    return -(-x // step) * step


def tiled(x: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """Row-major blocks of `rows` x `cols`, row-major inside: zZ. Padding is a number that would be seen in a result."""
    padded = np.full((up(x.shape[0], rows), up(x.shape[1], cols)), 77.0)
    padded[: x.shape[0], : x.shape[1]] = x
    return padded.reshape(padded.shape[0] // rows, rows, -1, cols).transpose(0, 2, 1, 3).ravel()


def multiply(
    api_kernel, kernel: str, dtype: str, a: list, b: list, out: np.ndarray, *, row=None, scales=None, **numbers: int
):
    """C = sum of a[s] @ b[s] (+ row), then Fixpipe by `numbers` into `out` in GM. Returns it and the L1 image."""
    c0 = 32 // size_of(dtype)
    m, k = a[0].shape
    n = b[0].shape[1]
    memory = np.zeros(BYTES, np.uint8)

    def place(at, parts):
        stored = np.concatenate([from_values(p, dtype) for p in parts]).view(np.uint8)
        memory[at : at + stored.size] = stored
        return stored.size // len(parts)

    k_tile = up(k, 16) if numbers.get("align_k") else k
    if m == 1:  # GEMV: a plain vector, filled up to whole fractals
        lay_a = [np.concatenate([x[0], np.full(up(k, 16 * c0) - k, 77.0)]) for x in a]
    else:
        lay_a = [tiled(np.pad(x, ((0, 0), (0, k_tile - k)), constant_values=77.0), 16, c0) for x in a]
    # nZ: 16 columns by C0 rows per block, blocks row-major: the transposed blocks of B^T's column order.
    lay_b = [tiled(x, c0, 16).reshape(-1, c0, 16).transpose(0, 2, 1).ravel() for x in b]
    a_bytes, b_bytes = place(0, lay_a), place(B_AT, lay_b)
    if row is not None:
        stored = row.astype(np.int32 if dtype == "int8_t" else np.float32).view(np.uint8)
        memory[BIAS_AT : BIAS_AT + stored.size] = stored
    if scales is not None:
        memory[SCALES_AT : SCALES_AT + scales.nbytes] = scales.view(np.uint8)
    m16 = up(m, 16)
    defaults = {
        "m": m,
        "n": n,
        "k": k,
        "steps": len(a),
        "a_bytes": a_bytes,
        "b_bytes": b_bytes,
        "n_size": n,
        "m_size": m,
        "src_stride": m16,
        "dst_stride": n,
        "nd_num": 1,
        "ctrl48": 1,
    }
    values = {**defaults, **numbers}
    words = np.array([values.get(x, 0) for x in NAMES], np.uint64).view(np.int64)
    api_kernel(FILE, kernel)(1, memory, Out(out), words, mode="check")
    return out, memory


def whole(rng, dtype: str, *shape: int) -> np.ndarray:
    return rng.integers(-11, 12, shape).astype(np.float64)


SHAPES = [(16, 16, 16), (48, 32, 64), (37, 21, 50), (100, 48, 24), (17, 100, 33), (2, 5, 7)]
RESULT = {"half": "float", "bfloat16_t": "float", "float": "float", "int8_t": "int32_t"}


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", RESULT)
def test_product(api_kernel, rng, dtype, shape):
    """m, n and k need not be whole fractals: what fills them up does not take part."""
    m, n, k = shape
    a, b = whole(rng, dtype, m, k), whole(rng, dtype, k, n)
    got, _ = multiply(
        api_kernel, f"{dtype}_{RESULT[dtype]}_ND", dtype, [a], [b], np.zeros((m, n), STORAGE[RESULT[dtype]])
    )
    assert np.array_equal(got, a @ b)


@pytest.mark.parametrize("unit", [0, 1], ids=["flags", "unit_flag"])
@pytest.mark.parametrize("bias", [0, 1, 2, 3], ids=["zero", "bias", "bias_by_source", "bias_not_named"])
@pytest.mark.parametrize("dtype", RESULT)
def test_accumulation(api_kernel, rng, dtype, bias, unit):
    """Three steps of k onto one tile: cmatrixInitVal, the bias table, unit flags 2, 2, 3 and 3 of the Fixpipe."""
    m, n, k = 48, 32, 32
    a, b = ([whole(rng, dtype, *s) for _ in range(3)] for s in ((m, k), (k, n)))
    row = rng.integers(-1000, 1000, n).astype(np.float64)
    kind = STORAGE[RESULT[dtype]]
    got, _ = multiply(
        api_kernel, f"{dtype}_{RESULT[dtype]}_ND", dtype, a, b, np.zeros((m, n), kind), row=row, bias=bias, unit=unit
    )
    assert np.array_equal(got, sum(x @ y for x, y in zip(a, b)) + (row if bias else 0))


@pytest.mark.parametrize("dtype", ["half", "bfloat16_t", "float", "int8_t"])
def test_gemv(api_kernel, rng, dtype):
    """m = 1: A is a plain vector; each 16 columns of the result start a 1024-byte fractal."""
    k, n = 96, 80
    a, b = whole(rng, dtype, 1, k), whole(rng, dtype, k, n)
    got, _ = multiply(
        api_kernel, f"{dtype}_{RESULT[dtype]}_ND", dtype, [a], [b], np.zeros((1, n), STORAGE[RESULT[dtype]])
    )
    assert np.array_equal(got, a @ b)


def to_hf32(x: np.ndarray, ties: str) -> np.ndarray:
    """Nearest number with 11 bits of fraction; ties to even, or towards zero (SetHF32TransMode.md)."""
    mantissa, exponent = np.frexp(x.astype(np.float64))
    scaled = mantissa * 2.0**12
    down = np.trunc(scaled)
    rest = np.abs(scaled - down)
    away = (rest > 0.5) | ((rest == 0.5) & (ties == "even") & (np.abs(down) % 2 == 1))
    return np.ldexp(down + np.where(away, np.sign(scaled), 0), exponent - 12)


@pytest.mark.parametrize(("mode", "ties"), [(1, "even"), (2, "zero")])
def test_hf32(api_kernel, rng, mode, ties):
    """float operands are rounded before they are multiplied; 13-bit numbers make ties common, the sums stay exact."""
    m, n, k = 32, 48, 16
    a = rng.integers(-(2**13), 2**13, (m, k)).astype(np.float64)
    b = 2.0 ** rng.integers(-3, 1, (k, n)) * rng.integers(-1, 2, (k, n))
    got, _ = multiply(
        api_kernel,
        "float_float_ND",
        "float",
        [a],
        [b],
        np.zeros((m, n), np.float32),
        hf32=mode,
    )
    assert np.array_equal(got, to_hf32(a, ties) @ b)
    assert not np.array_equal(to_hf32(a, "even"), to_hf32(a, "zero"))
    full, _ = multiply(api_kernel, "float_float_ND", "float", [a], [b], np.zeros((m, n), np.float32))
    assert np.array_equal(full, a @ b)


def test_int4(api_kernel, rng):
    """int4b_t pairs, two to the byte with the first in the low half; C0 is 64 (Mmad.md)."""
    m, n, k = 48, 32, 128

    def packed(x: np.ndarray) -> np.ndarray:
        nibbles = x.astype(np.int64) & 15
        return (nibbles[0::2] | nibbles[1::2] << 4).astype(np.uint8)

    a, b = (
        rng.integers(-8, 8, (m, k)).astype(np.float64),
        rng.integers(-8, 8, (k, n)).astype(np.float64),
    )
    memory = np.zeros(BYTES, np.uint8)
    lay_a = packed(tiled(a, 16, 64))
    lay_b = packed(tiled(b, 64, 16).reshape(-1, 64, 16).transpose(0, 2, 1).ravel())
    memory[: lay_a.size], memory[B_AT : B_AT + lay_b.size] = lay_a, lay_b
    numbers = {
        "m": m,
        "n": n,
        "k": k,
        "steps": 1,
        "a_bytes": lay_a.size,
        "b_bytes": lay_b.size,
        "ctrl48": 1,
    }
    numbers |= {"n_size": n, "m_size": m, "src_stride": m, "dst_stride": n, "nd_num": 1}
    out = np.zeros((m, n), np.int32)
    words = np.array([numbers.get(x, 0) for x in NAMES], np.int64)
    api_kernel(FILE, "int4b_t_int32_t_ND")(1, memory, Out(out), words, mode="check")
    assert np.array_equal(out, a @ b)


@pytest.mark.parametrize("dtype", ["float", "half", "int32_t"])
@pytest.mark.parametrize("operation", [1, 2], ids=["add", "max"])
def test_fixpipe_with_atomics(api_kernel, rng, dtype, operation):
    """SetAtomicAdd and SetAtomicMax combine what Fixpipe stores with what is there; other elements stay."""
    source = "int8_t" if dtype == "int32_t" else "float"
    a, b = [whole(rng, source, 37, 16)], [whole(rng, source, 16, 32)]
    x = a[0] @ b[0]
    before = rng.integers(-40, 41, (37, 48)).astype(STORAGE[dtype])
    got, _ = multiply(
        api_kernel,
        f"{source}_{dtype}_ND",
        source,
        a,
        b,
        np.zeros_like(before),
        scales=before.ravel(),
        dst_stride=48,
        atomic=operation,
        quant=F16 if dtype == "half" else 0,
    )
    expected = before.astype(np.float64)
    expected[:, :32] = expected[:, :32] + x if operation == 1 else np.maximum(expected[:, :32], x)
    assert np.array_equal(got, expected)


@pytest.mark.parametrize("relu", [0, 1], ids=["", "relu"])
@pytest.mark.parametrize(
    ("source", "dtype", "quant", "scaled"),
    [
        ("float", "float", NO_QUANT, False),
        ("float", "half", F16, False),
        ("float", "bfloat16_t", BF16, False),
        ("int8_t", "half", DEQF16, True),
        ("int8_t", "int8_t", REQ8, True),
    ],
)
def test_data_copy_out_of_l0c(api_kernel, rng, source, dtype, quant, scaled, relu):
    """DataCopy with DataCopyCO12DstParams moves and converts as Fixpipe with the same numbers."""
    m, n = 37, 32
    a, b, _ = tile(rng, source, m, n)
    numbers = {"quant": quant, "relu": relu, "dst_stride": n + 16, "scale": 0}
    if scaled:
        numbers["scale"] = int(np.array([0.125], np.float32).view(np.uint32)[0]) | 1 << 46
    run = [
        multiply(
            api_kernel,
            f"{source}_{dtype}_ND",
            source,
            a,
            b,
            np.zeros((m, n + 16), STORAGE[dtype]),
            **numbers,
            by_copy=way,
        )[0]
        for way in (0, 1)
    ]
    assert np.array_equal(run[0].view(np.uint8), run[1].view(np.uint8)) and np.any(run[0])


@pytest.mark.parametrize("way", [2, 3], ids=["one tensor", "two tensors"])
@pytest.mark.parametrize(
    ("source", "dtype", "quant"), [("float", "int8_t", VB8), ("int8_t", "half", VDEQF16), ("int8_t", "uint8_t", VREQ8)]
)
def test_fixpipe_config(api_kernel, rng, source, dtype, quant, way):
    """SetFixPipeConfig: the older call takes the scale of column c from the fixpipe buffer (SetFixPipeConfig.md)."""
    m, n = 37, 48
    a, b, x = tile(rng, source, m, n)
    extra, scale = scaling(rng, True, 1, dtype, n)
    out = np.zeros((m, n), STORAGE[dtype])
    got, _ = multiply(
        api_kernel, f"{source}_{dtype}_ND", source, a, b, out, quant=quant, scales=extra["scales"], by_copy=way
    )
    assert np.array_equal(got, converted(x, dtype, scale, False, False)) and len(np.unique(scale)) > 8


def test_k_direction_align(api_kernel, rng):
    """float with kDirectionAlign: A's strips are 16 * ceil(k / 16) wide, only k columns count."""
    m, n, k = 48, 32, 40
    a, b = whole(rng, "float", m, k), whole(rng, "float", k, n)
    got, _ = multiply(api_kernel, "float_float_ND", "float", [a], [b], np.zeros((m, n), np.float32), align_k=1)
    assert np.array_equal(got, a @ b)


@pytest.mark.parametrize("dtype", ["half", "bfloat16_t", "float"])
def test_accuracy_of_the_accumulation(api_kernel, rng, dtype):
    """fp32 accumulation: at most k roundings of a partial sum."""
    m, n, k = 32, 32, 128
    a, b = (to_float64(from_values(rng.standard_normal(s), dtype), dtype) for s in ((m, k), (k, n)))
    got, _ = multiply(api_kernel, f"{dtype}_float_ND", dtype, [a], [b], np.zeros((m, n), np.float32))
    assert (np.abs(got - a @ b) <= k * 2.0**-24 * (np.abs(a) @ np.abs(b))).all()


def scale_word(scale: np.ndarray, offset: int = 0, signed: bool = True) -> np.ndarray:
    bits = np.asarray(scale, np.float32).view(np.uint32).astype(np.uint64)
    return bits | np.uint64((offset & 0x1FF) << 37 | int(signed) << 46)


def kept(scale: np.ndarray) -> np.ndarray:
    """The scale as the hardware keeps it: 10 bits of mantissa."""
    return (np.asarray(scale, np.float32).view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32).astype(np.float64)


def converted(x: np.ndarray, dtype: str, scale, relu: bool, saturate: bool, offset: int = 0) -> np.ndarray:
    """Storage of one result: relu, scale, round, clamp, offset."""
    x = np.where(x < 0, 0, x) if relu else x
    if dtype in ("int8_t", "uint8_t"):
        return round_to_integer(np.rint(np.clip(x * scale, -256, 255)) + offset, dtype, "CAST_RINT")
    if dtype in ("half", "bfloat16_t"):
        return from_values(
            round_to_float((x * scale).astype(np.float32).astype(np.float64), dtype, saturate=saturate), dtype
        )
    return x.astype(STORAGE[dtype])


CONVERSIONS = [
    # from L0C (through which operands), to, quantisation, needs a scale, vector
    ("float", "float", NO_QUANT, False, 0),
    ("float", "half", F16, False, 0),
    ("float", "bfloat16_t", BF16, False, 0),
    ("float", "int8_t", B8, True, 0),
    ("float", "uint8_t", B8, True, 0),
    ("float", "int8_t", VB8, True, 1),
    ("float", "uint8_t", VB8, True, 1),
    ("int8_t", "int32_t", NO_QUANT, False, 0),
    ("int8_t", "half", DEQF16, True, 0),
    ("int8_t", "half", VDEQF16, True, 1),
    ("int8_t", "int8_t", REQ8, True, 0),
    ("int8_t", "uint8_t", REQ8, True, 0),
    ("int8_t", "int8_t", VREQ8, True, 1),
    ("int8_t", "uint8_t", VREQ8, True, 1),
]
IDS = [f"{s}-{d}-{q}{'v' if v else ''}" for s, d, q, _, v in CONVERSIONS]


def tile(rng, source: str, m: int, n: int) -> tuple[list, list, np.ndarray]:
    """Operands that leave interesting numbers in L0C: any floats (times a unit matrix), wide-ranging int32."""
    if source == "float":
        x = rng.standard_normal((m, n)) * 10.0 ** rng.integers(-3, 5, (m, n))
        x = np.where(rng.random((m, n)) < 0.3, np.rint(x) + 0.5, x).astype(np.float32).astype(np.float64)
        return [np.eye(m)], [x], x
    a, b = rng.integers(-128, 128, (m, 32)).astype(np.float64), rng.integers(-128, 128, (32, n)).astype(np.float64)
    return [a], [b], a @ b


def scaling(rng, scaled: bool, vector: int, dtype: str, n: int) -> tuple[dict, np.ndarray | float]:
    """Parameters and the effective scale of each column."""
    if not scaled:
        return {}, 1.0
    s = (rng.uniform(0.5, 2, n) * (1e-3 if dtype != "half" else 0.1)).astype(np.float32)
    words = scale_word(s, signed=dtype != "uint8_t")
    if vector:
        return {"scales": words, "vector": 1}, kept(s)
    return {"scale": int(words[0])}, kept(s[:1])[0]


@pytest.mark.parametrize("relu", [0, 1], ids=["", "relu"])
@pytest.mark.parametrize("ctrl48", [0, 1], ids=["saturating", "ieee"])
@pytest.mark.parametrize(("source", "dtype", "quant", "scaled", "vector"), CONVERSIONS, ids=IDS)
def test_fixpipe_to_rows(api_kernel, rng, source, dtype, quant, scaled, vector, relu, ctrl48):
    """NZ2ND into wider rows: dst[r * dstStride + c]; bytes between the rows stay."""
    m, n, wide = 41, 48, 60
    a, b, x = tile(rng, source, m, n)
    extra, scale = scaling(rng, scaled, vector, dtype, n)
    kind = STORAGE[dtype]
    got, _ = multiply(
        api_kernel,
        f"{source}_{dtype}_ND",
        source,
        a,
        b,
        np.full((m, wide), 5, kind),
        quant=quant,
        relu=relu,
        ctrl48=ctrl48,
        dst_stride=wide,
        **extra,
    )
    expected = np.full((m, wide), 5, kind)
    expected[:, :n] = converted(x, dtype, scale, bool(relu), ctrl48 == 0)
    assert np.array_equal(got, expected), np.argwhere(got != expected)[:4]


def panels(background: np.ndarray, values: np.ndarray, pitch: int) -> np.ndarray:
    """NZ: panels pitch * 32 bytes apart, 16 columns wide; 8-bit results in pairs of panels, an odd last one alone."""
    out = background.copy()
    m, n = values.shape
    width = 32 if out.itemsize == 1 else 16
    for p, first in enumerate(range(0, n, width)):
        at = p * pitch * 32 // out.itemsize
        part = values[:, first : first + width]
        out[at : at + part.size] = part.ravel()
    return out


@pytest.mark.parametrize("n", [64, 48])
@pytest.mark.parametrize(("source", "dtype", "quant", "scaled", "vector"), CONVERSIONS, ids=IDS)
def test_fixpipe_to_nz(api_kernel, rng, source, dtype, quant, scaled, vector, n):
    """NZ2NZ to GM; for 8-bit results two panels merge into one of 32 columns (Int8-Channel-Merge.md)."""
    m = 41
    a, b, x = tile(rng, source, m, n)
    extra, scale = scaling(rng, scaled, vector, dtype, n)
    size = size_of(dtype)
    pitch = m * (32 if size == 1 else 16) * size // 32 + 3
    before = np.full(OUT // size, 5, STORAGE[dtype])
    got, _ = multiply(
        api_kernel, f"{source}_{dtype}_NZ", source, a, b, before.copy(), quant=quant, dst_stride=pitch, **extra
    )
    expected = panels(before, converted(x, dtype, scale, False, False), pitch)
    assert np.array_equal(got, expected), np.argwhere(got != expected)[:4]


@pytest.mark.parametrize(
    ("source", "dtype", "quant", "scaled", "vector"),
    [c for c in CONVERSIONS if c[2] != NO_QUANT],
    ids=[i for i, c in zip(IDS, CONVERSIONS) if c[2] != NO_QUANT],
)
def test_fixpipe_to_l1(api_kernel, rng, source, dtype, quant, scaled, vector):
    """The same into L1, where only converted results go."""
    m, n = 48, 64
    a, b, x = tile(rng, source, m, n)
    extra, scale = scaling(rng, scaled, vector, dtype, n)
    size = size_of(dtype)
    pitch = m * (32 if size == 1 else 16) * size // 32 + 2
    got, memory = multiply(
        api_kernel,
        f"{source}_{dtype}_NZ",
        source,
        a,
        b,
        np.zeros(OUT // size, STORAGE[dtype]),
        quant=quant,
        dst_stride=pitch,
        to_l1=1,
        **extra,
    )
    expected = panels(memory[:OUT].view(STORAGE[dtype]), converted(x, dtype, scale, False, False), pitch)
    assert np.array_equal(got.view(np.uint8), expected.view(np.uint8))


def test_channel_split(api_kernel, rng):
    """float NZ in panels of 8 columns (F32-Channel-Split.md)."""
    m, n, pitch = 41, 40, 45
    a, b, x = tile(rng, "float", m, n)
    got, _ = multiply(
        api_kernel, "float_float_NZ", "float", a, b, np.full(OUT // 4, 5, np.float32), dst_stride=pitch, split=1
    )
    expected = np.full(OUT // 4, 5, np.float32)
    for p in range(n // 8):
        expected[p * pitch * 8 :][: m * 8] = x[:, p * 8 : p * 8 + 8].ravel()
    assert np.array_equal(got, expected)


@pytest.mark.parametrize("dtype", ["float", "half"])
def test_several_matrices(api_kernel, rng, dtype):
    """ndNum matrices: srcNdStride 1024-byte fractals apart in L0C, dstNdStride elements in GM."""
    m, n = 32, 96
    a, b, x = tile(rng, "float", m, n)
    wide, apart = 40, 40 * 32 + 7
    kind = STORAGE[dtype]
    got, _ = multiply(
        api_kernel,
        f"float_{dtype}_ND",
        "float",
        a,
        b,
        np.full(6000, 5, kind),
        quant=F16 if dtype == "half" else 0,
        n_size=32,
        nd_num=3,
        src_nd=2 * 32 // 16,
        dst_nd=apart,
        dst_stride=wide,
    )
    expected = np.full(6000, 5, kind)
    for i in range(3):
        for r in range(m):
            expected[i * apart + r * wide :][:32] = converted(x[r, i * 32 : i * 32 + 32], dtype, 1.0, False, False)
    assert np.array_equal(got, expected)


@pytest.mark.parametrize("offset", [3, 100])
@pytest.mark.parametrize("dtype", ["int8_t", "uint8_t"])
@pytest.mark.parametrize("source", ["float", "int8_t"])
def test_offset_of_the_quantisation(api_kernel, rng, source, dtype, offset):
    m, n = 32, 32
    a, b, x = tile(rng, source, m, n)
    word = scale_word(np.float32(1 / 128), offset, dtype == "int8_t")
    got, _ = multiply(
        api_kernel,
        f"{source}_{dtype}_ND",
        source,
        a,
        b,
        np.zeros((m, n), STORAGE[dtype]),
        scale=int(word),
        quant=B8 if source == "float" else REQ8,
    )
    assert np.array_equal(got, converted(x, dtype, 1 / 128, False, False, offset))


def test_sign_bit_decides(api_kernel, rng):
    """Bit 46 says whether the result is signed, not the destination's type: without it negative results become 0."""
    m, n = 32, 32
    a, b, x = tile(rng, "float", m, n)
    word = scale_word(np.float32(1 / 128), signed=False)
    got, _ = multiply(
        api_kernel, "float_int8_t_ND", "float", a, b, np.zeros((m, n), np.int8), scale=int(word), quant=B8
    )
    assert np.array_equal(got.view(np.uint8), converted(x, "uint8_t", 1 / 128, False, False))
