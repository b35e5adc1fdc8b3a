// SPDX-License-Identifier: BSD-3-Clause
// Which engine an AMX level uses for a storage type: one choice for the real tiles and for their software model.
#pragma once

#include "cpu/tile/engine_amx.h"
#include "cpu/tile/engine_fma.h"
#include "cpu/tile/simd_avx512.h"

namespace flash_attn_npu::cpu {
namespace {

template <class Tiles, DType kType>
struct AmxEngineOf {
    using Type = EngineAmx<Tiles, kType>;
};
template <class Tiles>
struct AmxEngineOf<Tiles, DType::kFloat32> {
    using Type = EngineFma<SimdAvx512, DType::kFloat32>;
};

}  // namespace
}  // namespace flash_attn_npu::cpu
