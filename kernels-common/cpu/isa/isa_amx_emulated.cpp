// SPDX-License-Identifier: BSD-3-Clause
// isa_amx_bf16 over a software model of the tiles: proves that path on machines without AMX. Test builds only.
#include "cpu/kernel/isa_kernels.h"
#include "cpu/tile/amx_engines.h"
#include "cpu/tile/amx_tiles_emulated.h"

namespace flash_attn_npu::cpu {

namespace {

template <DType kType>
using Engine = typename AmxEngineOf<AmxTilesEmulated, kType>::Type;

}  // namespace

const IsaKernels& isa_amx_emulated() {
    static const IsaKernels kernels = isa_kernels<SimdAvx512, Engine>("amx_emulated");
    return kernels;
}

}  // namespace flash_attn_npu::cpu
