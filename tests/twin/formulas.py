"""Expected results from the documentation's formulas: lane addresses, rounding, reductions. Independent of the twin."""

from __future__ import annotations

import numpy as np

PART = 32 * 1024
FORM = {"count": 0, "contiguous": 1, "bits": 2, "register": 3, "counter": 4}
PARAMS = (
    "FORM COUNT REPEAT MASK0 MASK1 MASK2 MASK3 DST_BLK DST_REP S0_BLK S0_REP S1_BLK S1_REP SCALAR MODE EXTRA".split()
)


def pack(**values: int) -> np.ndarray:
    """Parameter words of tests/twin/kernels/vector_api.cpp; mask: list of lanes that take part."""
    words = np.zeros(16, np.int64)
    words[PARAMS.index("DST_BLK")] = words[PARAMS.index("S0_BLK")] = words[PARAMS.index("S1_BLK")] = 1
    for name, value in values.items():
        if name == "mask":
            bits = sum(1 << int(lane) for lane in value)
            words[3:7] = [bits >> 32 * i & 0xFFFFFFFF for i in range(4)]
        elif name == "lanes":
            words[3] = value
        else:
            words[PARAMS.index(name)] = value
    return (words & 0xFFFFFFFF).astype(np.uint32).view(np.int32)


def addresses(size: int, wide: int, repeats: int, block: int, repeat: int) -> np.ndarray:
    """Byte offset of each lane of each repeat: base + (r*RepStride + (l/epb)*BlkStride)*32 + (l % epb)*size."""
    lanes, epb = 256 // wide, 32 // size
    lane, r = np.arange(lanes), np.arange(repeats)[:, None]
    return (r * repeat + (lane // epb) * block) * 32 + lane % epb * size


def read(image: np.ndarray, part: int, at: np.ndarray, dtype) -> np.ndarray:
    """Elements of `dtype` at byte offsets `at` of a part of the image."""
    size = np.dtype(dtype).itemsize
    index = part * PART + at[..., None] + np.arange(size)
    return np.ascontiguousarray(image[index]).view(dtype)[..., 0]


def write(image: np.ndarray, part: int, at: np.ndarray, values: np.ndarray) -> None:
    size = values.dtype.itemsize
    index = part * PART + at.reshape(-1)[:, None] + np.arange(size)
    image[index] = np.ascontiguousarray(values.reshape(-1, 1)).view(np.uint8).reshape(-1, size)


# ---------------------------------------------------------------------------------------------- 16-bit floats
def bf16_to_float(bits: np.ndarray) -> np.ndarray:
    return (bits.astype(np.uint32) << 16).view(np.float32)


def round_float(values: np.ndarray, to: str, mode: int) -> np.ndarray:
    """float64 -> float16 values or bfloat16 bits; modes: 0 none, 1 rint, 2 floor, 3 ceil, 4 round, 5 trunc, 6 odd.

    Every representable neighbour is found by nextafter on the target's grid, then the mode chooses.
    """
    values = np.asarray(values, np.float64)
    if to == "half":
        with np.errstate(over="ignore"):
            near = values.astype(np.float16)
        lower = np.where(near.astype(np.float64) > values, np.nextafter(near, np.float16(-np.inf)), near)
        upper = np.where(near.astype(np.float64) < values, np.nextafter(near, np.float16(np.inf)), near)
        bits = lambda x: x.view(np.uint16)  # noqa: E731
        widen = lambda x: x.astype(np.float64)  # noqa: E731
    else:
        bits32 = values.astype(np.float32).view(np.uint32)
        toward_zero = (bits32 >> 16).astype(np.uint16)
        exact = (bits32 & 0xFFFF) == 0
        away = np.where(exact, toward_zero, toward_zero + 1).astype(np.uint16)
        negative = np.signbit(values)
        lower, upper = np.where(negative, away, toward_zero), np.where(negative, toward_zero, away)
        bits = lambda x: x  # noqa: E731
        widen = lambda x: bf16_to_float(x).astype(np.float64)  # noqa: E731
    lo, hi = widen(lower), widen(upper)
    even = bits(lower) % 2 == 0
    down_nearer, tie = values - lo < hi - values, values - lo == hi - values
    zeroward, outward = np.where(values < 0, upper, lower), np.where(values < 0, lower, upper)
    chosen = {
        0: np.where(tie, np.where(even, lower, upper), np.where(down_nearer, lower, upper)),
        2: lower,
        3: upper,
        4: np.where(tie, outward, np.where(down_nearer, lower, upper)),
        5: zeroward,
        6: np.where(even, upper, lower),
    }
    chosen[1] = chosen[0]
    return np.where(lo == hi, lower, chosen[mode]).astype(lower.dtype)


def round_integer(values: np.ndarray, mode: int, dtype) -> np.ndarray:
    """float64 -> saturated integer with a rounding mode."""
    v = np.asarray(values, np.float64)
    rounded = {
        0: np.rint(v),
        1: np.rint(v),
        2: np.floor(v),
        3: np.ceil(v),
        4: np.sign(v) * np.floor(np.abs(v) + 0.5),
        5: np.trunc(v),
    }[mode]
    info = np.iinfo(dtype)
    # Clip in Python integers: float64 cannot hold the bounds of int64.
    return np.array(
        [
            0
            if np.isnan(x)
            else min(max(int(x) if np.isfinite(x) else (2**70 if x > 0 else -(2**70)), info.min), info.max)
            for x in rounded.reshape(-1)
        ],
        dtype,
    ).reshape(v.shape)


def tree_sum(values: np.ndarray) -> np.ndarray:
    """Neighbours added level by level along the last axis, each level rounded to the array's type."""
    while values.shape[-1] > 1:
        values = (values[..., 0::2].astype(np.float64) + values[..., 1::2].astype(np.float64)).astype(values.dtype)
    return values[..., 0]
