# SPDX-License-Identifier: BSD-3-Clause
"""Conversions between number formats, independent of the twin."""

from __future__ import annotations

import numpy as np


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
