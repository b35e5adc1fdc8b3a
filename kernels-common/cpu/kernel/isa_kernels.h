// SPDX-License-Identifier: BSD-3-Clause
// Puts the kernels of one SIMD level together: what every isa/isa_<level>.cpp instantiates.
#pragma once

#include "cpu/isa.h"
#include "cpu/kernel/append_kv.h"
#include "cpu/kernel/combine.h"
#include "cpu/kernel/row_attention.h"
#include "cpu/kernel/tile_attention.h"

namespace flash_attn_npu::cpu {
namespace {

// EngineOf<dtype>: the tile engine this level uses for a storage type.
template <template <DType> class EngineOf>
Kernel tile_kernel(const Forward& p) {
    Kernel kernel{};
    with_dtype(p.dtype, [&](auto tag) { kernel = TileAttention<EngineOf<decltype(tag)::kDType>>::kernel(); });
    return kernel;
}

template <class S, template <DType> class EngineOf>
IsaKernels isa_kernels(const char* name) {
    return IsaKernels{name, tile_kernel<EngineOf>, RowAttention<S>::kernel, append_kv<S>, combine<S>};
}

}  // namespace
}  // namespace flash_attn_npu::cpu
