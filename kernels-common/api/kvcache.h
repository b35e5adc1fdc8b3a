// SPDX-License-Identifier: BSD-3-Clause
// What the arguments of flash_attn_with_kvcache mean: from KvCacheArguments to a Forward request.
#pragma once

#include "api/arguments.h"
#include "flash_attn_npu/request.h"

namespace flash_attn_npu::api {

// Everything but the output pointers. Throws ArgumentError on any argument that is wrong by itself or together with the
// others; reads no tensor data.
Forward forward_from_arguments(const KvCacheArguments& arguments);

// Checks that need the tensors' contents: lengths against the capacity, page and batch indices, offsets, descales.
// For backends whose tensors the host can read. Throws ArgumentError.
void check_contents(const KvCacheArguments& arguments, const Forward& request);

// Shapes of the results.
std::vector<int64_t> out_shape(const Forward& request);
std::vector<int64_t> softmax_lse_shape(const Forward& request);
// The partial results of num_splits > 1; Plan::accum_row is their indexing.
std::vector<int64_t> out_accum_shape(const Forward& request);
std::vector<int64_t> lse_accum_shape(const Forward& request);

// Fills in where the results go; `out` and `softmax_lse` are contiguous tensors of the shapes above.
void set_outputs(Forward& request, void* out, float* softmax_lse);

}  // namespace flash_attn_npu::api
