# SPDX-License-Identifier: BSD-3-Clause
"""Cast: every pair of types and every rounding mode of dav-2201 (Cast.md, table for Atlas A2; precision_conversion.md).

Overflow saturates for integer targets always, for float targets by CTRL[48]; NaN becomes 0 in an integer. CAST_NONE
rounds to nearest even where the result is inexact.
"""

from __future__ import annotations

import numpy as np
import pytest
from ascend_twin.machine import Out

from .elements import (
    FLOAT_GRID,
    STORAGE,
    from_exact,
    round_to_float,
    round_to_integer,
    round_whole,
    size_of,
    to_float64,
)
from .vector_case import COUNT, FORM_NAMES, Case, compare, draw, launch, read, write

FILE = "cast.cpp"
IMAGE = 3 * 24 * 1024
MODES = ["CAST_NONE", "CAST_RINT", "CAST_FLOOR", "CAST_CEIL", "CAST_ROUND", "CAST_TRUNC", "CAST_ODD"]
FIVE = MODES[1:6]
NONE = MODES[:1]
#: source, destination: modes
PAIRS = {
    ("half", "float"): NONE,
    ("half", "int8_t"): FIVE + NONE,
    ("half", "uint8_t"): FIVE + NONE,
    ("half", "int16_t"): FIVE,
    ("half", "int32_t"): FIVE,
    ("bfloat16_t", "float"): NONE,
    ("bfloat16_t", "int32_t"): FIVE,
    ("float", "half"): [*FIVE, "CAST_ODD", *NONE],
    ("float", "bfloat16_t"): FIVE,
    ("float", "float"): FIVE,
    ("float", "int16_t"): FIVE,
    ("float", "int32_t"): FIVE,
    ("float", "int64_t"): FIVE,
    ("int8_t", "half"): NONE,
    ("uint8_t", "half"): NONE,
    ("int16_t", "half"): FIVE + NONE,
    ("int16_t", "float"): NONE,
    ("int32_t", "float"): FIVE + NONE,
    ("int32_t", "int16_t"): NONE,
    ("int32_t", "int64_t"): NONE,
    ("int64_t", "int32_t"): NONE,
    ("int64_t", "float"): FIVE,
}
ALL = [(s, d, m) for (s, d), modes in PAIRS.items() for m in modes]


def int64_to_float(x: np.ndarray, mode: str) -> np.ndarray:
    """Rounding of integers beyond float64's reach, in Python's own integers."""
    out = []
    for v in map(int, x):
        shift = max(abs(v).bit_length() - 24, 0)
        whole, rest = divmod(v, 1 << shift)  # floor, remainder >= 0
        half = 1 << shift >> 1
        if mode == "CAST_CEIL":
            whole += rest > 0
        elif mode == "CAST_TRUNC":
            whole += v < 0 and rest > 0
        elif mode in ("CAST_RINT", "CAST_NONE"):
            whole += rest > half or (rest == half and shift > 0 and whole % 2 == 1)
        elif mode == "CAST_ROUND" and shift:
            whole += rest > half or (rest == half and v > 0)
        out.append(float(whole << shift))
    return np.array(out, np.float64).astype(np.float32)


def cast(stored: np.ndarray, src: str, dst: str, mode: str, saturate: bool) -> np.ndarray:
    if src in ("int32_t", "int64_t"):
        if dst == "float":
            return int64_to_float(stored, mode)
        info = np.iinfo(STORAGE[dst])
        return np.clip(stored.astype(np.int64), info.min, info.max).astype(STORAGE[dst])
    x = to_float64(stored, src)
    if (src, dst) == ("float", "float"):
        return round_whole(x, mode).astype(np.float32)  # to an integral value
    if src in FLOAT_GRID and dst == "float":
        return x.astype(np.float32)
    if dst in FLOAT_GRID:
        return from_exact(round_to_float(x, dst, mode, saturate), dst)
    return round_to_integer(x, dst, mode)


def interesting(rng, src: str, dst: str, count: int) -> np.ndarray:
    """Sources around the destination's grid: ties and their neighbours, limits, overflow, subnormals, specials."""
    kind = STORAGE[src]
    if np.issubdtype(kind, np.integer) and src != "bfloat16_t":
        info = np.iinfo(kind)
        x = rng.integers(info.min, info.max, count, dtype=kind, endpoint=True) >> rng.integers(
            0, info.bits, count
        ).astype(kind)
        # Odd multiples of half a unit of a float's 24 or 11 bits are ties.
        for i, bits in enumerate([11, 24]):
            if info.bits > bits + 1:
                room = info.bits - 2 - bits
                shift = rng.integers(1, room + 1, count // 4)
                base = rng.integers(1 << (bits - 1), 1 << bits, count // 4)
                x[i::4][: count // 4] = ((2 * base + 1) << (shift - 1)).astype(kind)
        x[:8] = [0, 1, info.max, info.min, info.max - 1, info.min + 1, info.max // 2, info.min // 2]
        return rng.permutation(x)
    if dst in FLOAT_GRID and dst != src and FLOAT_GRID[dst][0] < FLOAT_GRID[src][0]:
        precision, least, limit = FLOAT_GRID[dst]
        exponent = rng.integers(least - 2, int(np.log2(limit)) + 2, count)
        significand = rng.integers(1 << (precision - 1), 1 << precision, count)
        unit = np.ldexp(1.0, np.maximum(exponent - precision + 1, least).astype(int))
        exact = np.rint(significand * np.ldexp(1.0, exponent - precision + 1) / unit) * unit
        offset = rng.choice([0, 0.5, -0.5, 0.25, 0.75, 0.5 + 2**-10, 0.5 - 2**-10], count)
        x = (exact + offset * unit) * rng.choice([-1, 1], count)
        edges = [
            limit,
            limit * (1 + 2.0**-13),
            limit * (1 + 2.0 ** -(precision + 1)),
            limit * 1.5,
            2.0**least,
            2.0 ** (least - 1),
        ]
    else:
        bits = 24 if dst in FLOAT_GRID else np.iinfo(STORAGE[dst]).bits
        scale = np.ldexp(1.0, rng.integers(0, bits + 2, count))
        x = rng.standard_normal(count) * scale
        half_way = rng.random(count) < 0.5
        x = np.where(half_way, np.floor(x) + 0.5, x)
        limits = [] if dst in FLOAT_GRID else [float(np.iinfo(STORAGE[dst]).max), float(np.iinfo(STORAGE[dst]).min)]
        edges = [0.5, 1.5, 2.5, *limits, *(l + d for l in limits for d in (0.5, -0.5, 1, -1, 0.499))]
    edges = [*edges, *(-e for e in edges), 0.0, -0.0, np.inf, -np.inf, np.nan]
    x[: len(edges)] = edges
    with np.errstate(over="ignore"):
        stored = x.astype(np.float32) if src == "bfloat16_t" else x.astype(kind)
    return from_exact(stored, src) if src == "bfloat16_t" else stored


@pytest.mark.parametrize("ctrl48", [0, 1], ids=["saturating", "ieee"])
@pytest.mark.parametrize(("src", "dst", "mode"), ALL)
def test_values(api_kernel, rng, src, dst, mode, ctrl48):
    count = 2048
    source = interesting(rng, src, dst, count)
    image = np.zeros(IMAGE, np.uint8)
    wide = max(size_of(src), size_of(dst))
    case = Case(COUNT, image, count=count, ctrl48=ctrl48, extra=(MODES.index(mode),), wide=wide)
    case.dst.size, case.src0.size, case.src0.at = size_of(dst), size_of(src), 24 * 1024
    image[case.src0.at : case.src0.at + source.nbytes] = source.view(np.uint8)
    got = launch(api_kernel(FILE, f"Cast_{src}_{dst}"), [case])[0][: count * size_of(dst)].view(STORAGE[dst])
    expected = cast(source, src, dst, mode, saturate=ctrl48 == 0)
    same = got == expected
    if dst in FLOAT_GRID:
        same |= np.isnan(to_float64(got, dst)) & np.isnan(to_float64(expected, dst))
    bad = np.flatnonzero(~same)
    assert not bad.size, (
        f"{bad.size} of {count} differ; source {to_float64(source, src)[bad[:4]]}, "
        f"got {to_float64(got, dst)[bad[:4]]}, "
        f"expected {to_float64(expected, dst)[bad[:4]]}"
    )


@pytest.mark.parametrize("form", range(len(FORM_NAMES)), ids=FORM_NAMES)
@pytest.mark.parametrize(("src", "dst"), PAIRS)
def test_lanes(api_kernel, rng, src, dst, form):
    """Lanes and strides: the wider type counts the lanes, each side steps in its own blocks."""
    mode = PAIRS[src, dst][0]
    cases = []
    for _ in range(6):
        image = np.zeros(IMAGE, np.uint8)
        values = interesting(rng, src, dst, 24 * 1024 // size_of(src))
        image[24 * 1024 : 48 * 1024] = values.view(np.uint8)
        image[: 24 * 1024] = rng.integers(0, 256, 24 * 1024)
        case = draw(rng, form, size_of(dst), size_of(src), image=image)
        case.extra = (MODES.index(mode),)
        cases.append(case)
    for case, got in zip(cases, launch(api_kernel(FILE, f"Cast_{src}_{dst}"), cases)):
        expected = case.image.copy()
        source = read(case.image, case.addresses(case.src0), STORAGE[src])
        write(expected, case.addresses(case.dst), cast(source, src, dst, mode, saturate=False))
        compare(case, got, expected, STORAGE[dst], f"Cast {src} -> {dst}")


@pytest.mark.parametrize("ctrl48", [0, 1], ids=["saturating", "ieee"])
def test_int32_to_half_is_scaled(api_kernel, rng, ctrl48):
    """SetDeqScale.md: half(src * scale); the rounding mode has no effect."""
    source = rng.integers(-(2**20), 2**20, 1024).astype(np.int32)
    image = np.zeros(IMAGE, np.uint8)
    image[24 * 1024 : 24 * 1024 + 4096] = source.view(np.uint8)
    for scale in (np.float16(1.0), np.float16(0.00390625), np.float16(-2.0)):
        case = Case(COUNT, image, count=1024, ctrl48=ctrl48, scalar=int(scale.view(np.uint16)), extra=(0,))
        case.dst.size, case.src0.at = 2, 24 * 1024
        got = launch(api_kernel(FILE, "Cast_int32_t_half"), [case])[0][:2048].view(np.float16)
        expected = from_exact(round_to_float(source * float(scale), "half", saturate=ctrl48 == 0), "half")
        assert np.array_equal(got, expected)


@pytest.mark.parametrize("mode", FIVE + NONE)
def test_half_to_int4(api_kernel, rng, mode):
    """Two numbers per byte, the first in the low half; [-8, 7] saturates (Cast.md, constraints on int4b_t)."""
    source = np.concatenate([rng.uniform(-10, 10, 508), [7.5, -8.5, 100, -100]]).astype(np.float16)
    source[:64] = np.arange(-8, 8, 0.25)
    image = np.zeros(IMAGE, np.uint8)
    image[24 * 1024 : 24 * 1024 + 1024] = source.view(np.uint8)
    case = Case(COUNT, image, count=512, extra=(MODES.index(mode),), wide=2)
    case.src0.at = 24 * 1024
    got = launch(api_kernel(FILE, "Cast_half_int4b_t"), [case])[0]
    q = np.clip(round_whole(source.astype(np.float64), mode), -8, 7).astype(np.int64) & 15
    assert np.array_equal(got[:256], q[0::2] | q[1::2] << 4)
    assert not got[256 : 24 * 1024].any()


def test_int4_to_half(api_kernel, rng):
    image = np.zeros(IMAGE, np.uint8)
    image[24 * 1024 : 24 * 1024 + 256] = packed = rng.integers(0, 256, 256, dtype=np.uint8)
    case = Case(COUNT, image, count=512, extra=(0,), wide=2)
    case.src0.at = 24 * 1024
    got = launch(api_kernel(FILE, "Cast_int4b_t_half"), [case])[0][:1024].view(np.float16)
    nibbles = np.stack([packed & 15, packed >> 4], 1).ravel().astype(np.int64)
    assert np.array_equal(got, np.where(nibbles >= 8, nibbles - 16, nibbles))


@pytest.mark.parametrize("count", [64, 128, 200, 1000])
def test_int4_keeps_what_is_defined(api_kernel, rng, count):
    """What a Cast from or to int4 writes is defined where its source is."""
    packed = rng.integers(-128, 128, count // 2).astype(np.int8)
    out = np.zeros_like(packed)
    found = api_kernel("cast.cpp", "FreshInt4")(1, packed, Out(out), np.array([count]), mode="check")
    assert np.array_equal(out, packed) and not found
