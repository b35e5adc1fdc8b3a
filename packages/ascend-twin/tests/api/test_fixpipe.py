# SPDX-License-Identifier: BSD-3-Clause
"""Fixpipe to GM and to L1 (Fixpipe.md, quantisation tables of 2201).

The scale word of a quantisation: bits 13..31 are a float with 10 bits of mantissa, bits 37..45 an offset, bit 46 set
for a signed result; the scaled value is clamped to [-256, 255] and rounded to nearest even before the offset is added
(scripts gen_data_s322s8.py, gen_data_f322s8.py).
"""

from __future__ import annotations

import numpy as np
import pytest

from .elements import STORAGE, size_of
from .matmul_case import (
    B8,
    BF16,
    CONVERSIONS,
    DEQF16,
    F16,
    IDS,
    NO_QUANT,
    OUT,
    REQ8,
    VB8,
    VDEQF16,
    VREQ8,
    converted,
    multiply,
    scale_word,
    scaling,
    tile,
    whole,
)


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
