// SPDX-License-Identifier: BSD-3-Clause
// The arguments of flash_attn_with_kvcache as the caller gave them: the union of what both APIs take.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "flash_attn_npu/dtype.h"

namespace flash_attn_npu::api {

enum class Version { kV2, kV3 };

struct TensorArgument {
    const char* name = "";
    void* data = nullptr;
    DType dtype = DType::kOther;
    std::string dtype_name;  // as torch prints it; for messages
    std::vector<int64_t> shape;
    std::vector<int64_t> strides;
    bool defined = false;

    explicit operator bool() const { return defined; }
    int rank() const { return static_cast<int>(shape.size()); }
    // Python's convention: negative dimensions count from the end.
    int64_t size(int dim) const { return shape[dim < 0 ? dim + rank() : dim]; }
    int64_t stride(int dim) const { return strides[dim < 0 ? dim + rank() : dim]; }
    std::string shape_text() const;
};

struct KvCacheArguments {
    Version version = Version::kV3;
    TensorArgument q, k_cache, v_cache, k, v, qv;
    TensorArgument rotary_cos, rotary_sin, rotary_seqlens;
    TensorArgument cache_seqlens;
    std::optional<int64_t> cache_seqlens_int;
    TensorArgument cache_batch_idx, cache_leftpad;
    TensorArgument page_table;  // v2 calls it block_table
    TensorArgument cu_seqlens_q, cu_seqlens_k_new;
    std::optional<int64_t> max_seqlen_q;
    TensorArgument q_descale, k_descale, v_descale;
    TensorArgument alibi_slopes;
    TensorArgument scheduler_metadata;
    std::optional<double> softmax_scale;
    bool causal = false;
    int64_t window_left = -1;
    int64_t window_right = -1;
    int64_t attention_chunk = 0;
    double softcap = 0.0;
    bool rotary_interleaved = true;
    int64_t num_splits = 0;
};

}  // namespace flash_attn_npu::api
