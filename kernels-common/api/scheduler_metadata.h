// SPDX-License-Identifier: BSD-3-Clause
// The vector that get_scheduler_metadata hands out and flash_attn_with_kvcache takes back. The cpu backend plans in
// microseconds and needs none of it; the vector only says which call it was made for, so that a mix-up is noticed.
#pragma once

#include <array>

#include "api/arguments.h"
#include "flash_attn_npu/request.h"

namespace flash_attn_npu::api {

struct SchedulerMetadata {
    static constexpr int32_t kMagic = 0x0fa3;
    static constexpr int64_t kSize = 4;

    int64_t batch;
    int64_t num_heads_q;
    int64_t num_heads_kv;

    std::array<int32_t, kSize> encode() const;
};

// Throws ArgumentError: sizes below 1, heads that do not divide, cache_seqlens of another dtype or length.
void check_scheduler_metadata_arguments(const SchedulerMetadata& metadata, const TensorArgument& cache_seqlens);

// Throws ArgumentError when `metadata` was not made for a call like `request`. Reads the tensor.
void check_scheduler_metadata(const TensorArgument& metadata, const Forward& request);

}  // namespace flash_attn_npu::api
