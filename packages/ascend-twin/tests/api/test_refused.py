# SPDX-License-Identifier: BSD-3-Clause
"""Wrong uses of the API: what must not compile, and what the checker must report."""

from __future__ import annotations

import re

import numpy as np
import pytest
from ascend_twin import BuildError, build_kernel
from ascend_twin.machine import Out

FILE = "refused.cpp"

#: kernel of refused.cpp: (error class, API call)
REPORTED = {
    "add_256_repeats": ("illegal_parameter", "Add"),
    "cast_256_repeats": ("illegal_parameter", "Cast"),
    "brcb_256_repeats": ("illegal_parameter", "Brcb"),
    "whole_reduce_256_repeats": ("illegal_parameter", "WholeReduceSum"),
    "negative_count": ("illegal_parameter", "Adds"),
    "mask_of_65_floats": ("illegal_parameter", "Muls"),
    "mask_of_129_halfs": ("illegal_parameter", "Muls"),
    "high_mask_word_of_floats": ("illegal_parameter", "Abs"),
    "cast_bf16_none": ("illegal_parameter", "Cast"),
    "cast_bf16_odd": ("illegal_parameter", "Cast"),
    "cast_widening_rint": ("illegal_parameter", "Cast"),
    "cast_int16_none": ("illegal_parameter", "Cast"),
    "compare_int32_lt": ("illegal_parameter", "Compare"),
    "compare_int32_ne": ("illegal_parameter", "CompareScalar"),
    "compare_32_floats": ("illegal_parameter", "Compare"),
    "gather_odd_offset": ("misaligned", "Gather"),
    "gatherb_offset_of_16": ("misaligned", "Gatherb"),
    "pad_of_9_floats": ("illegal_parameter", "DataCopyPad"),
    "pad_of_2_mib": ("illegal_parameter", "DataCopyPad"),
    "pad_4096_runs": ("illegal_parameter", "DataCopyPad"),
    "copy_of_12_bytes": ("misaligned_length", "DataCopy"),
    "misaligned_source": ("misaligned", "Add"),
    "misaligned_copy": ("misaligned", "DataCopy"),
    "reads_past_ub": ("buffer_overflow", "Adds"),
    "mmad_of_4096_rows": ("illegal_parameter", "Mmad"),
    "mmad_of_4096_deep": ("illegal_parameter", "Mmad"),
    "mmad_unit_flag_1": ("illegal_parameter", "Mmad"),
    "mmad_past_l0a": ("buffer_overflow", "Mmad"),
    "mmad_without_bias_table": ("no_such_path", "Mmad"),
    "load_below_zero": ("illegal_parameter", "LoadData"),
    "load_past_l1": ("buffer_overflow", "LoadData"),
    "load_misaligned": ("misaligned", "LoadData"),
    "nd2nz_4096_matrices": ("illegal_parameter", "DataCopy(ND2NZ)"),
    "nd2nz_16385_rows": ("illegal_parameter", "DataCopy(ND2NZ)"),
    "nd2nz_no_panel_stride": ("illegal_parameter", "DataCopy(ND2NZ)"),
    "nd2nz_row_too_short": ("illegal_parameter", "DataCopy(ND2NZ)"),
    "fill_of_l0c": ("no_such_path", "InitConstValue"),
    "copy_l1_to_l0a": ("no_such_path", "DataCopy"),
    "load_3d_odd_k": ("illegal_parameter", "LoadData3Dv2"),
    "fixpipe_half_without_cast": ("illegal_parameter", "Fixpipe"),
    "fixpipe_scale_for_float": ("illegal_parameter", "Fixpipe"),
    "fixpipe_vector_without_scales": ("illegal_parameter", "Fixpipe"),
    "fixpipe_4096_columns": ("illegal_parameter", "Fixpipe"),
    "fixpipe_8193_rows": ("illegal_parameter", "Fixpipe"),
    "fixpipe_nz_8_columns": ("illegal_parameter", "Fixpipe"),
    "fixpipe_nd_stride_513": ("illegal_parameter", "Fixpipe"),
    "fixpipe_float_to_l1": ("illegal_parameter", "Fixpipe"),
}


@pytest.mark.parametrize("name", REPORTED)
def test_is_reported(api_kernel, name):
    kind, api = REPORTED[name]
    zeros, out = np.zeros(65536, np.uint8), Out(np.zeros(1 << 20, np.uint8))
    found = api_kernel(FILE, name)(1, zeros, out, np.zeros(1, np.int64), mode="check", expect_clean=False)
    assert any(f.kind == kind and f.api == api and f.severity == "error" for f in found), [str(f) for f in found]


# What the real headers refuse to compile for dav-2201, one line each, with the right form beside it. H, F, I, S, N, U8,
# B, W: LocalTensors of half, float, int32_t, int16_t, uint32_t, uint8_t, bfloat16_t, int64_t; G: GlobalTensor<float>.
NOT_COMPILED = [
    ("Add(B, B, B, 64)", "Add(F, F, F, 64)"),
    ("Mul(B, B, B, 64)", "Mul(H, H, H, 64)"),
    ("Add(U8, U8, U8, 64)", "Add(S, S, S, 64)"),
    ("Add(W, W, W, 64)", "Add(I, I, I, 64)"),
    ("Div(I, I, I, 64)", "Div(F, F, F, 64)"),
    ("Add(F, H, H, 64)", "Add(H, H, H, 64)"),
    ("Exp(I, I, 64)", "Exp(H, H, 64)"),
    ("Exp(B, B, 64)", "Exp(F, F, 64)"),
    ("Ln(S, S, 64)", "Ln(F, F, 64)"),
    ("Sqrt(I, I, 64)", "Sqrt(H, H, 64)"),
    ("Relu(S, S, 64)", "Relu(I, I, 64)"),
    ("LeakyRelu(I, I, 1, 64)", "LeakyRelu(F, F, 1.0f, 64)"),
    ("Adds(B, B, bfloat16_t(1.0f), 64)", "Adds(F, F, 1.0f, 64)"),
    ("ShiftLeft(F, F, 1.0f, 64)", "ShiftLeft(I, I, 1, 64)"),
    ("Axpy(H, F, 1.0f, 64)", "Axpy(F, H, half(1.0f), 64)"),
    ("MulAddDst(H, F, F, 64)", "MulAddDst(F, H, H, 64)"),
    ("Cast(B, H, RoundMode::CAST_RINT, 64)", "Cast(B, F, RoundMode::CAST_RINT, 64)"),
    ("Cast(F, U8, RoundMode::CAST_NONE, 64)", "Cast(H, U8, RoundMode::CAST_NONE, 64)"),
    ("Cast(U8, F, RoundMode::CAST_RINT, 64)", "Cast(U8, H, RoundMode::CAST_RINT, 64)"),
    ("Cast(H, W, RoundMode::CAST_RINT, 64)", "Cast(F, W, RoundMode::CAST_RINT, 64)"),
    ("BlockReduceMax<int32_t>(I, I, 1, 64, 1, 1, 8)", "BlockReduceMax<float>(F, F, 1, 64, 1, 1, 8)"),
    ("WholeReduceSum<int16_t>(S, S, 64, 1, 1, 1, 8)", "WholeReduceSum<half>(H, H, 64, 1, 1, 1, 8)"),
    ("ReduceMax<uint8_t>(U8, U8, U8, 64)", "ReduceMax<float>(F, F, F, 64)"),
    ("Duplicate(W, int64_t(1), 64)", "Duplicate(I, 1, 64)"),
    ("DataCopy(H, G, 64)", "DataCopy(F, G, 64)"),
    ("DataCopyPad(F, G, DataCopyExtParams(1, 4, 0, 0, 0))", "DataCopyPad(G, F, DataCopyExtParams(1, 4, 0, 0, 0))"),
    ("SetFlag<HardEvent::MTE2_V>()", "SetFlag<HardEvent::MTE2_V>(0)"),
    ("Adds(F, F, 1.0f)", "Adds(F, F, 1.0f, 64)"),
    ("DataCopy(F, G)", "DataCopy(F, G, 64)"),
    ("float* p = G.GetPhyAddr()", "const __gm__ float* p = G.GetPhyAddr()"),
    ("F.NoSuchMember()", "F.GetSize()"),
    ("G.ReinterpretCast<half>()", "F.ReinterpretCast<half>()"),
    ("Mmad(F, I, I, MmadParams(16, 16, 16, 0, false, true))", "Mmad(F, H, H, MmadParams(16, 16, 16, 0, false, true))"),
    ("Mmad(H, H, H, MmadParams(16, 16, 16, 0, false, true))", "Mmad(F, F, F, MmadParams(16, 16, 16, 0, false, true))"),
    ("Mmad(F, H, B, MmadParams(16, 16, 16, 0, false, true))", "Mmad(F, B, B, MmadParams(16, 16, 16, 0, false, true))"),
    (
        "LoadData(H, F, LoadData2DParams(0, 1, 1, 0, 0, false, 0))",
        "LoadData(H, H, LoadData2DParams(0, 1, 1, 0, 0, false, 0))",
    ),
    (
        "DataCopy(U8, G, Nd2NzParams(1, 16, 16, 0, 16, 16, 1, 0))",
        "DataCopy(F, G, Nd2NzParams(1, 16, 16, 0, 16, 16, 1, 0))",
    ),
    ("Cast(F, H, 64)", "Cast(F, H, RoundMode::CAST_NONE, 64)"),
    ("Gather(F, F, I, 0, 64)", "Gather(F, F, N, 0, 64)"),
    ("CrossCoreSetFlag<2>(0)", "CrossCoreSetFlag<2, PIPE_MTE3>(0)"),
    ("WaitFlag<MTE2_V>(0)", "WaitFlag<HardEvent::MTE2_V>(0)"),
    ("CreateVecIndex(B, bfloat16_t(0), 64)", "CreateVecIndex(I, 0, 64)"),
    ("Duplicate(F, half(1), 64)", "Duplicate(F, 1.0f, 64)"),
    ("ReduceSum<uint32_t>(N, N, N, 64)", "ReduceSum<float>(F, F, F, 64)"),
    ("ReduceRepeat<ReduceType::SUM>(W, W, 64, 1, 1, 1, 8)", "ReduceRepeat<ReduceType::SUM>(F, F, 64, 1, 1, 1, 8)"),
    (
        "Select(F, F, F, 1.0f, SELMODE::VSEL_TENSOR_SCALAR_MODE)",
        "Select(F, U8, F, 1.0f, SELMODE::VSEL_TENSOR_SCALAR_MODE, 64)",
    ),
    ("Compares(U8, F, half(1), CMPMODE::LT, 64)", "Compares(U8, F, 1.0f, CMPMODE::LT, 64)"),
    ("G.SetValue(0)", "G.SetValue(0, 1.0f)"),
    ("F.SetGlobalBuffer(nullptr)", "G.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(in))"),
    ("DataCacheCleanAndInvalid<float>(G)", "DataCacheCleanAndInvalid<float, CacheLine::ENTIRE_DATA_CACHE>(G)"),
    ("Gatherb(F, F, N, 1, GatherRepeatParams(1, 8))", "Gatherb(N, N, N, 1, GatherRepeatParams(1, 8))"),
    # These the documents forbid, but the real headers let them pass the front end; the twin is the stricter one.
    ("Compare(F, F, F, CMPMODE::LT, 64)", "Compare(U8, F, F, CMPMODE::LT, 64)"),
    (
        "Select(I, U8, I, I, SELMODE::VSEL_TENSOR_TENSOR_MODE, 64)",
        "Select(F, U8, F, F, SELMODE::VSEL_TENSOR_TENSOR_MODE, 64)",
    ),
    ("Brcb(W, W, 1, BrcbRepeatParams(1, 8))", "Brcb(I, I, 1, BrcbRepeatParams(1, 8))"),
    ("Transpose(F, F)", "Transpose(H, H)"),
    ("SetAtomicAdd<uint64_t>()", "SetAtomicAdd<float>()"),
    (
        "Fixpipe(G, H, FixpipeParamsV220(16, 16, 16, 16, false))",
        "Fixpipe(G, F, FixpipeParamsV220(16, 16, 16, 16, false))",
    ),
    ("PipeBarrier<PIPE_S>()", "PipeBarrier<PIPE_V>()"),
    ("GetReduceRepeatSumSpr<int32_t>()", "GetReduceRepeatSumSpr<float>()"),
]
HEAD = """#include "kernel_operator.h"
using namespace AscendC;
template <typename X> __aicore__ inline LocalTensor<X> Ub() { TBuf<TPosition::VECCALC> b; return b.Get<X>(); }
extern "C" __global__ __aicore__ void k(GM_ADDR in) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    LocalTensor<half> H = Ub<half>(); LocalTensor<float> F = Ub<float>(); LocalTensor<int32_t> I = Ub<int32_t>();
    LocalTensor<int16_t> S = Ub<int16_t>(); LocalTensor<uint32_t> N = Ub<uint32_t>();
    LocalTensor<uint8_t> U8 = Ub<uint8_t>();
    LocalTensor<bfloat16_t> B = Ub<bfloat16_t>(); LocalTensor<int64_t> W = Ub<int64_t>();
    GlobalTensor<float> G; G.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(in));
"""
FIRST = HEAD.count("\n") + 1


def source(statements: list[str]) -> str:
    """One statement per line: the compiler's messages tell them apart."""
    return HEAD + "".join(f"    {{ {s}; }}\n" for s in statements) + "}\n"


@pytest.fixture(scope="module")
def diagnostics() -> str:
    """All wrong lines are compiled at once; the compiler reports every one."""
    with pytest.raises(BuildError) as refused:
        build_kernel(source([wrong for wrong, _ in NOT_COMPILED]))
    return str(refused.value)


@pytest.mark.parametrize("number", range(len(NOT_COMPILED)), ids=[re.sub(r"\W+", "_", w)[:40] for w, _ in NOT_COMPILED])
def test_does_not_compile(diagnostics, number):
    wrong, _ = NOT_COMPILED[number]
    blamed = {int(line) for line in re.findall(r"kernel\.cpp:(\d+):", diagnostics)}
    assert FIRST + number in blamed, f"compiles: {wrong}"


def test_right_forms_compile():
    build_kernel(source([right for _, right in NOT_COMPILED]))
