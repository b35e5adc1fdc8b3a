// SPDX-License-Identifier: BSD-3-Clause
// x86-64 with AVX-512 F, BW, DQ and VL.
#include "cpu/kernel/isa_kernels.h"
#include "cpu/tile/engine_fma.h"
#include "cpu/tile/simd_avx512.h"

namespace flash_attn_npu::cpu {

namespace {

template <DType kType>
using Engine = EngineFma<SimdAvx512, kType>;

}  // namespace

const IsaKernels& isa_avx512() {
    static const IsaKernels kernels = isa_kernels<SimdAvx512, Engine>("avx512");
    return kernels;
}

}  // namespace flash_attn_npu::cpu
