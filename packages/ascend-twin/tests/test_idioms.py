# SPDX-License-Identifier: BSD-3-Clause
"""Sources of others: names found by arguments, functions handed on, floats as arguments, operator projects, clang."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from ascend_twin import build_kernel, load
from ascend_twin.machine import Kernel, Out
from ascend_twin.operator_project import tiling_structures

from .conftest import KERNELS


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


def test_tiling_structures():
    """What an operator project's build makes of the host's definitions."""
    text = """
BEGIN_TILING_DATA_DEF(Part)
  TILING_DATA_FIELD_DEF(uint8_t, few);
  // TILING_DATA_FIELD_DEF(uint8_t, gone);
  TILING_DATA_FIELD_DEF_ARR(int64_t, 3, many);
END_TILING_DATA_DEF;
BEGIN_TILING_DATA_DEF(Whole)
TILING_DATA_FIELD_DEF_STRUCT(Part, part);
TILING_DATA_FIELD_DEF(float, scale);
END_TILING_DATA_DEF;
"""
    source = (
        tiling_structures(text)
        + """
#include "kernel_operator.h"
extern "C" __global__ __aicore__ void read(GM_ADDR y, GM_ADDR tiling) {
    REGISTER_TILING_DEFAULT(Whole);
    GET_TILING_DATA(data, tiling);
    AscendC::GlobalTensor<float> out;
    out.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(y));
    out.SetValue(0, data.part.few * 1000 + data.part.many[2] + data.scale);
}
"""
    )
    tiling = np.zeros(1, np.dtype({"names": ["few", "many", "scale"], "formats": ["u1", "3i8", "f4"]}, align=True))
    tiling["few"], tiling["many"], tiling["scale"] = 2, [1, 2, 30], 0.5
    y = np.zeros(1, np.float32)
    Kernel(build_kernel(source), "read")(1, Out(y), tiling.view(np.uint8), mode="check")
    assert y[0] == 2030.5


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
