// SPDX-License-Identifier: BSD-3-Clause
// x86-64 with AVX2, FMA and F16C.
#include "cpu/kernel/isa_kernels.h"
#include "cpu/tile/engine_fma.h"
#include "cpu/tile/simd_avx2.h"

namespace flash_attn_npu::cpu {

namespace {

template <DType kType>
using Engine = EngineFma<SimdAvx2, kType>;

}  // namespace

const IsaKernels& isa_avx2() {
    static const IsaKernels kernels = isa_kernels<SimdAvx2, Engine>("avx2");
    return kernels;
}

}  // namespace flash_attn_npu::cpu
