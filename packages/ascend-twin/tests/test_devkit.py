# SPDX-License-Identifier: BSD-3-Clause
"""The high-level library of asc-devkit, its headers read in place. Opt-in: ASCEND_TWIN_DEVKIT names the
checkout.

The library approximates by polynomials (arcsine and arccosine by few terms): bounds are wide enough for those and far
too narrow for a wrong instruction.
"""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
from ascend_twin import build_kernel
from ascend_twin.machine import InOut, Kernel, Machine, Out

FOLDER = Path(__file__).resolve().parent / "devkit"
COUNT, PADDED = 1000, 1024

pytestmark = pytest.mark.skipif(
    "ASCEND_TWIN_DEVKIT" not in os.environ, reason="ASCEND_TWIN_DEVKIT names no checkout of asc-devkit"
)


def kernels(file: str):
    Machine.get()
    built = build_kernel(FOLDER / file)
    return lambda name: Kernel(built, f"lib_{name}")


@pytest.fixture(scope="module")
def library():
    return kernels("library.cpp")


@pytest.fixture(scope="module")
def matmul():
    return kernels("matmul.cpp")


def vectorised(f):
    return lambda x: np.array([f(v) for v in x])


def gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


# name: the function in float64, the range of arguments, bound of the error (absolute plus relative)
FUNCTIONS = {
    "Acos": (np.arccos, (-1, 1), 1e-4),
    "Asin": (np.arcsin, (-1, 1), 1e-4),
    "Atan": (np.arctan, (-30, 30), 1e-5),
    "Ceil": (np.ceil, (-100, 100), 0),
    "Cos": (np.cos, (-30, 30), 1e-5),
    "Cosh": (np.cosh, (-5, 5), 1e-5),
    "Erf": (vectorised(math.erf), (-4, 4), 1e-5),
    "Erfc": (vectorised(math.erfc), (-4, 4), 1e-5),
    "Floor": (np.floor, (-100, 100), 0),
    "Frac": (lambda x: x - np.trunc(x), (-100, 100), 0),
    "Log": (np.log, (0.01, 100), 1e-6),
    "Round": (np.rint, (-100, 100), 0),
    "Sign": (np.sign, (-3, 3), 0),
    "Sin": (np.sin, (-30, 30), 1e-5),
    "Sinh": (np.sinh, (-5, 5), 1e-5),
    "Tan": (np.tan, (-1.4, 1.4), 1e-5),
    "Tanh": (np.tanh, (-6, 6), 1e-5),
    "Trunc": (np.trunc, (-100, 100), 0),
    "Sigmoid": (lambda x: 1 / (1 + np.exp(-x)), (-20, 20), 1e-6),
    "Gelu": (gelu, (-6, 6), 1e-5),
    "Silu": (lambda x: x / (1 + np.exp(-x)), (-20, 20), 1e-6),
    "Swish": (lambda x: x / (1 + np.exp(-1.5 * x)), (-20, 20), 1e-6),
    "Power": (lambda x: x**2.5, (0.1, 10), 1e-5),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function(library, rng, name):
    function, (low, high), bound = FUNCTIONS[name]
    x = rng.uniform(low, high, PADDED).astype(np.float32)
    out = np.zeros(COUNT, np.float32)
    library(name)(1, x, Out(out), mode="check")
    exact = function(x[:COUNT].astype(np.float64))
    assert np.all(np.abs(out - exact) <= bound * (1 + np.abs(exact))), np.abs(out - exact).max()


def test_softmax(library, rng):
    x = (4 * rng.standard_normal((16, 72))).astype(np.float32)
    out = np.zeros_like(x)
    library("SoftMax")(1, x, Out(out), mode="check")
    e = np.exp(x.astype(np.float64) - x.max(1, keepdims=True))
    assert np.allclose(out, e / e.sum(1, keepdims=True), rtol=1e-5, atol=1e-7)


def test_softmax_flash_v2(library, rng):
    """Two blocks of columns; the second call corrects by what the maximum has grown (SoftmaxFlashV2.md)."""
    rows, columns = 16, 128
    x = (4 * rng.standard_normal((rows, 2 * columns))).astype(np.float32)
    out = np.zeros_like(x)
    largest, total, factor = (np.zeros((rows, 8), np.float32) for _ in range(3))
    library("SoftmaxFlashV2")(1, x, Out(out), Out(largest), Out(total), Out(factor), mode="check")
    exact = x.astype(np.float64)
    before, after = exact[:, :columns].max(1, keepdims=True), exact.max(1, keepdims=True)
    assert np.array_equal(largest, np.broadcast_to(after, (rows, 8)))
    assert np.allclose(out[:, :columns], np.exp(exact[:, :columns] - before), rtol=1e-6, atol=1e-7)
    assert np.allclose(out[:, columns:], np.exp(exact[:, columns:] - after), rtol=1e-6, atol=1e-7)
    assert np.allclose(total, np.exp(exact - after).sum(1, keepdims=True), rtol=1e-5)
    assert np.allclose(factor, np.exp(before - after), rtol=1e-6)


@pytest.mark.parametrize(("m", "n", "k"), [(64, 96, 64), (128, 192, 256), (100, 200, 144), (17, 33, 80)])
@pytest.mark.parametrize(
    ("name", "kind", "sum_kind", "transposed", "bias"),
    [
        ("half", np.float16, np.float32, False, False),
        ("half_transposed", np.float16, np.float32, True, True),
        ("float", np.float32, np.float32, False, False),
        ("int8", np.int8, np.int32, True, False),
    ],
)
def test_matmul(matmul, rng, name, kind, sum_kind, transposed, bias, m, n, k):
    """Small whole numbers, so that sums are exact in any order."""
    a, b = rng.integers(-9, 10, (m, k)).astype(kind), rng.integers(-9, 10, (k, n)).astype(kind)
    row = rng.integers(-99, 100, n).astype(sum_kind)
    out = np.zeros((m, n), sum_kind)
    matmul(name)(1, a, np.ascontiguousarray(b.T) if transposed else b, row, Out(out), m, n, k, mode="check")
    assert np.array_equal(out, a.astype(np.float64) @ b.astype(np.float64) + (row if bias else 0))


@pytest.mark.parametrize("mode", ["fast", "check"])
def test_matmul_of_aivs_is_refused(mode):
    """It would poll for ever."""
    kernel = kernels("matmul_of_aivs.cpp")("mixed")
    work, out = np.zeros(40 << 20, np.uint8), np.zeros((64, 64), np.float32)
    with pytest.raises(RuntimeError, match="Matmul objects of AIVs are not modelled"):
        kernel(1, np.zeros((64, 64), np.float16), Out(out), InOut(work), mode=mode)
