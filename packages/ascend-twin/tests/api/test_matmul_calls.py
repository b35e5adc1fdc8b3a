# SPDX-License-Identifier: BSD-3-Clause
"""Mmad (Mmad.md, GEMV.md, UnitFlag.md).

Operands are whole numbers, so products are exact in any order of accumulation (the order is not documented); one test
with real numbers bounds the error by the documents' fp32 accumulation.
"""

from __future__ import annotations

import numpy as np
import pytest
from ascend_twin.machine import Out

from .elements import STORAGE, from_values, to_float64
from .matmul_case import (
    B_AT,
    BYTES,
    FILE,
    NAMES,
    RESULT,
    SHAPES,
    multiply,
    tiled,
    whole,
)


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
