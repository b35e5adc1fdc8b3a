// SPDX-License-Identifier: BSD-3-Clause
// x86-64 with AMX-BF16 (and AVX512-BF16, which every such CPU has).
#include "cpu/kernel/isa_kernels.h"
#include "cpu/tile/amx_engines.h"
#include "cpu/tile/amx_tiles.h"

namespace flash_attn_npu::cpu {

namespace {

template <DType kType>
using Engine = typename AmxEngineOf<AmxTiles, kType>::Type;

}  // namespace

const IsaKernels& isa_amx_bf16() {
    static const IsaKernels kernels = isa_kernels<SimdAvx512, Engine>("amx_bf16");
    return kernels;
}

}  // namespace flash_attn_npu::cpu
