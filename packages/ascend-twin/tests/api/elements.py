# SPDX-License-Identifier: BSD-3-Clause
"""Element types of the device as numpy arrays, and roundings to them, from the documents' definitions."""

from __future__ import annotations

import numpy as np

#: Storage of each element type; bfloat16_t has no numpy type and is kept as its bits.
STORAGE = {
    "half": np.float16,
    "float": np.float32,
    "bfloat16_t": np.uint16,
    "int8_t": np.int8,
    "uint8_t": np.uint8,
    "int16_t": np.int16,
    "uint16_t": np.uint16,
    "int32_t": np.int32,
    "uint32_t": np.uint32,
    "int64_t": np.int64,
}
#: Precision in bits (with the hidden one), exponent of the least subnormal, greatest finite value.
FLOAT_GRID = {
    "half": (11, -24, 65504.0),
    "bfloat16_t": (8, -133, float.fromhex("0x1.fep127")),
    "float": (24, -149, float.fromhex("0x1.fffffep127")),
}


def size_of(dtype: str) -> int:
    return np.dtype(STORAGE[dtype]).itemsize


def to_float64(stored: np.ndarray, dtype: str) -> np.ndarray:
    """Values of stored elements."""
    if dtype == "bfloat16_t":
        return (stored.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return stored.astype(np.float64)


def from_exact(values: np.ndarray, dtype: str) -> np.ndarray:
    """Store values that the type represents (infinities and NaN included)."""
    if dtype == "bfloat16_t":
        return (np.asarray(values, np.float32).view(np.uint32) >> 16).astype(np.uint16)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.asarray(values).astype(STORAGE[dtype])


def round_whole(x: np.ndarray, mode: str) -> np.ndarray:
    """Rounding of a number to an integer by RoundMode (precision_conversion.md, table 1)."""
    x = np.asarray(x, np.float64)
    if mode in ("CAST_RINT", "CAST_NONE"):
        return np.rint(x)
    if mode == "CAST_FLOOR":
        return np.floor(x)
    if mode == "CAST_CEIL":
        return np.ceil(x)
    if mode == "CAST_TRUNC":
        return np.trunc(x)
    down = np.floor(np.abs(x))
    rest = np.abs(x) - down
    if mode == "CAST_ROUND":  # half away from zero
        up = rest >= 0.5
    elif mode == "CAST_ODD":  # an inexact result gets an odd last bit
        up = (rest > 0) & (np.fmod(down, 2) == 0)
    else:
        raise ValueError(mode)
    return np.copysign(down + up, x)


def round_to_float(x: np.ndarray, dtype: str, mode: str = "CAST_RINT", saturate: bool = False) -> np.ndarray:
    """Numbers (exact in float64) on the grid of a float type, as float64.

    saturate: CTRL[48] = 0: overflow and infinities become the greatest finite value, NaN becomes 0.
    """
    precision, least, limit = FLOAT_GRID[dtype]
    x = np.asarray(x, np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        finite = np.isfinite(x)
        safe = np.where(finite, x, 0.0)
        _, exponent = np.frexp(safe)
        unit = np.ldexp(1.0, np.maximum(exponent - precision, least))
        out = np.copysign(round_whole(safe / unit, mode) * unit, x)
        out = np.where(np.abs(out) > limit, np.copysign(limit if saturate else np.inf, x), out)
        return np.where(finite, out, special(x, limit) if saturate else x)


def special(x: np.ndarray, limit: float) -> np.ndarray:
    """Infinities and NaN in saturating mode."""
    return np.where(np.isnan(x), 0.0, np.copysign(limit, x))


def round_to_integer(x: np.ndarray, dtype: str, mode: str) -> np.ndarray:
    """Numbers as a saturating integer type; NaN is 0."""
    info = np.iinfo(STORAGE[dtype])
    rounded = np.where(np.isnan(x), 0.0, round_whole(np.nan_to_num(np.asarray(x, np.float64), nan=0.0), mode))
    # float64 cannot hold 2^63 - 1: compare first, then convert what is inside.
    low, high = rounded <= float(info.min), rounded >= float(info.max)
    inside = np.where(low | high, 0.0, rounded).astype(np.int64)
    return np.where(low, info.min, np.where(high, info.max, inside)).astype(STORAGE[dtype])


def from_values(x: np.ndarray, dtype: str, saturate: bool = False) -> np.ndarray:
    """Store numbers: floats rounded to nearest even, integers saturated (they are whole already)."""
    if dtype in FLOAT_GRID:
        return from_exact(round_to_float(x, dtype, saturate=saturate), dtype)
    return round_to_integer(x, dtype, "CAST_TRUNC")
