// SPDX-License-Identifier: BSD-3-Clause
#include "api/scheduler_metadata.h"

#include "api/error.h"

namespace flash_attn_npu::api {

std::array<int32_t, SchedulerMetadata::kSize> SchedulerMetadata::encode() const {
    return {kMagic, static_cast<int32_t>(batch), static_cast<int32_t>(num_heads_q), static_cast<int32_t>(num_heads_kv)};
}

void check_scheduler_metadata_arguments(const SchedulerMetadata& m, const TensorArgument& cache_seqlens) {
    if (m.batch < 0) bad_value("batch_size", std::to_string(m.batch), "at least 0");
    if (m.num_heads_kv < 1) bad_value("num_heads_kv", std::to_string(m.num_heads_kv), "at least 1");
    if (m.num_heads_q < 1 || m.num_heads_q % m.num_heads_kv != 0) {
        bad_value("num_heads_q", std::to_string(m.num_heads_q),
                  "a multiple of num_heads_kv (" + std::to_string(m.num_heads_kv) + ")");
    }
    if (!cache_seqlens) {
        throw ArgumentError(ErrorKind::kType, "cache_seqlens", "None", "a torch.int32 tensor of shape (batch_size,)");
    }
    if (cache_seqlens.dtype != DType::kInt32) {
        throw ArgumentError(ErrorKind::kType, cache_seqlens.name, "dtype " + cache_seqlens.dtype_name, "torch.int32");
    }
    if (cache_seqlens.rank() != 1 || cache_seqlens.size(0) != m.batch) {
        bad_value(cache_seqlens.name, "shape " + cache_seqlens.shape_text(),
                  "shape (" + std::to_string(m.batch) + ",) = (batch_size,)");
    }
}

void check_scheduler_metadata(const TensorArgument& metadata, const Forward& p) {
    const std::array<int32_t, SchedulerMetadata::kSize> expected =
        SchedulerMetadata{p.batch, p.num_heads_q, p.num_heads_kv}.encode();
    const auto* given = static_cast<const int32_t*>(metadata.data);
    if (metadata.size(0) != SchedulerMetadata::kSize || given[0] != SchedulerMetadata::kMagic) {
        bad_value(metadata.name, "a tensor of shape " + metadata.shape_text() + " from elsewhere",
                  "what get_scheduler_metadata returned");
    }
    const char* names[] = {"", "batch size ", "num_heads_q ", "num_heads_kv "};
    for (int i = 1; i < SchedulerMetadata::kSize; ++i) {
        if (given[i] == expected[i]) continue;
        bad_value(metadata.name, names[i] + std::to_string(given[i]), std::to_string(expected[i]) + " as in this call");
    }
}

}  // namespace flash_attn_npu::api
