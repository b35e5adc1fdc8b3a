// SPDX-License-Identifier: BSD-3-Clause
// x86-64 with AVX-512 and AVX512-BF16, where vdpbf16ps has twice the throughput of an FMA (AMD from Zen 4 on).
#include "cpu/kernel/isa_kernels.h"
#include "cpu/tile/engine_bf16_dot.h"
#include "cpu/tile/engine_fma.h"
#include "cpu/tile/simd_avx512.h"

namespace flash_attn_npu::cpu {

namespace {

template <DType kType>
struct EngineOf {
    using Type = EngineFma<SimdAvx512, kType>;
};
template <>
struct EngineOf<DType::kBFloat16> {
    using Type = EngineBf16Dot<DType::kBFloat16>;
};
template <>
struct EngineOf<DType::kFloat8E4M3> {
    using Type = EngineBf16Dot<DType::kFloat8E4M3>;
};
template <DType kType>
using Engine = typename EngineOf<kType>::Type;

}  // namespace

const IsaKernels& isa_avx512_bf16() {
    static const IsaKernels kernels = isa_kernels<SimdAvx512, Engine>("avx512_bf16");
    return kernels;
}

}  // namespace flash_attn_npu::cpu
