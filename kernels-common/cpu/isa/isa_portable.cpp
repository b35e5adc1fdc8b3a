// SPDX-License-Identifier: BSD-3-Clause
// Any CPU: GCC/clang vector extensions (NEON on aarch64).
#include "cpu/kernel/isa_kernels.h"
#include "cpu/tile/engine_fma.h"
#include "cpu/tile/simd_portable.h"

namespace flash_attn_npu::cpu {

namespace {

template <DType kType>
using Engine = EngineFma<SimdPortable, kType>;

}  // namespace

const IsaKernels& isa_portable() {
    static const IsaKernels kernels = isa_kernels<SimdPortable, Engine>("portable");
    return kernels;
}

}  // namespace flash_attn_npu::cpu
