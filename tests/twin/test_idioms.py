"""Sources of others: names found by arguments, functions handed on, floats as arguments, operator projects, clang."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from ascend_twin import build_kernel, load
from ascend_twin.machine import Kernel, Out
from conftest import KERNELS


def test_lookups(kernel, rng):
    call = kernel("idioms.cpp", "lookups")
    x = rng.standard_normal(64).astype(np.float16)
    y = np.zeros(64, np.float32)
    found = call(1, x, 3.0, Out(y), 4, 0.25, mode="check")
    assert not found
    wide = x.astype(np.float32)
    assert np.array_equal(y, (wide * np.float32(3) + np.float32(0.25) - wide) * 4)


def test_vector_code_alone_runs_on_one_aiv_per_block(kernel):
    """A kernel that only asks whether it is on an AIV has no cube side."""
    assert kernel("idioms.cpp", "lookups").kind == 0


@pytest.mark.parametrize("key,expected", [(None, 7), (1, 7), (2, 10)])
def test_operator_project(key, expected):
    flags = [] if key is None else [f"-DTILING_KEY_VAR={key}"]
    call = load(KERNELS / "idioms.cpp", "project", flags)
    y = np.zeros(1, np.uint32)
    tiling = np.array([7, np.float32(5).view(np.uint32)], np.uint32)
    call(1, Out(y), np.zeros(64, np.uint8), tiling, mode="check")
    assert y[0] == expected


@pytest.mark.skipif(not shutil.which("clang++"), reason="no clang++ here")
def test_what_only_clang_accepts():
    """bool and uint32_t as one template parameter: g++ finds no specialisation, bisheng's clang does."""
    source = """
#include "kernel_operator.h"
template <bool flag> struct Policy {};
template <class P> struct Block;
template <uint32_t flag> struct Block<Policy<flag>> { static constexpr uint32_t value = 40 + flag; };
extern "C" __global__ __aicore__ void which(GM_ADDR y) {
    AscendC::GlobalTensor<uint32_t> out;
    out.SetGlobalBuffer(reinterpret_cast<__gm__ uint32_t*>(y));
    out.SetValue(0, Block<Policy<true>>::value);
}
"""
    y = np.zeros(1, np.uint32)
    Kernel(build_kernel(source), "which")(1, Out(y), mode="check")
    assert y[0] == 41
