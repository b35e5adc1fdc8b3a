// isa_amx_bf16 over a software model of the tiles: proves that path on machines without AMX. Test builds only.
#include "cpu/kernel/isa_kernels.h"
#include "cpu/tile/amx_tiles_emulated.h"
#include "cpu/tile/engine_amx.h"
#include "cpu/tile/engine_fma.h"
#include "cpu/tile/simd_avx512.h"

namespace flash_attn_npu::cpu {

namespace {

template <DType kType>
struct EngineOf {
    using Type = EngineAmx<AmxTilesEmulated, kType>;
};
template <>
struct EngineOf<DType::kFloat32> {
    using Type = EngineFma<SimdAvx512, DType::kFloat32>;
};
template <DType kType>
using Engine = typename EngineOf<kType>::Type;

}  // namespace

const IsaKernels& isa_amx_emulated() {
    static const IsaKernels kernels = isa_kernels<SimdAvx512, Engine>("amx_emulated");
    return kernels;
}

}  // namespace flash_attn_npu::cpu
