// x86-64 with AMX-BF16 (and AVX512-BF16, which every such CPU has).
#include "cpu/kernel/isa_kernels.h"
#include "cpu/tile/amx_tiles.h"
#include "cpu/tile/engine_amx.h"
#include "cpu/tile/engine_fma.h"
#include "cpu/tile/simd_avx512.h"

namespace flash_attn_npu::cpu {

namespace {

template <DType kType>
struct EngineOf {
    using Type = EngineAmx<AmxTiles, kType>;
};
template <>
struct EngineOf<DType::kFloat32> {
    using Type = EngineFma<SimdAvx512, DType::kFloat32>;
};
template <DType kType>
using Engine = typename EngineOf<kType>::Type;

}  // namespace

const IsaKernels& isa_amx_bf16() {
    static const IsaKernels kernels = isa_kernels<SimdAvx512, Engine>("amx_bf16");
    return kernels;
}

}  // namespace flash_attn_npu::cpu
