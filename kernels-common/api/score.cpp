// SPDX-License-Identifier: BSD-3-Clause
// From softmax_scale, softcap, ALiBi slopes and descales to ScoreOptions.
#include <algorithm>
#include <cmath>

#include "api/checks.h"
#include "api/kvcache_parts.h"

namespace flash_attn_npu::api {

namespace {

PerHead read_descale(const TensorArgument& t, const Forward& f) {
    if (!t) return PerHead{};
    check_dtype(t, DType::kFloat32, "torch.float32");
    check_shape(t, {f.batch, f.num_heads_kv}, "(batch, num_heads_kv)");
    return PerHead{static_cast<const float*>(t.data), t.stride(0), t.stride(1)};
}

}  // namespace

void read_score(const KvCacheArguments& a, Forward& f) {
    ScoreOptions& s = f.score;
    // FlashAttention-3 counts the features of qv into the default scale.
    const double features = f.head_dim + (a.qv ? f.head_dim_v : 0);
    const double scale = a.softmax_scale.value_or(1.0 / std::sqrt(features));
    if (!std::isfinite(scale)) bad_value("softmax_scale", std::to_string(scale), "a finite number");
    if (!std::isfinite(a.softcap)) bad_value("softcap", std::to_string(a.softcap), "a finite number");
    s.scale = static_cast<float>(scale);
    s.softcap = static_cast<float>(std::max(0.0, a.softcap));
    if (a.alibi_slopes) {
        const TensorArgument& slopes = a.alibi_slopes;
        check_dtype(slopes, DType::kFloat32, "torch.float32");
        if (slopes.rank() == 1) {
            check_shape(slopes, {f.num_heads_q}, "(num_heads_q,)");
        } else {
            check_rank(slopes, 2, "(num_heads_q,) or (batch, num_heads_q)");
            check_shape(slopes, {f.batch, f.num_heads_q}, "(batch, num_heads_q)");
        }
        check_last_dim_contiguous(slopes);
        s.alibi_slopes = PerHead{static_cast<const float*>(slopes.data), slopes.rank() == 2 ? slopes.stride(0) : 0, 1};
    }
    // Descales belong to fp8; other dtypes ignore them, as upstream.
    if (f.is_fp8()) {
        s.q_descale = read_descale(a.q_descale, f);
        s.k_descale = read_descale(a.k_descale, f);
        s.v_descale = read_descale(a.v_descale, f);
    }
}

}  // namespace flash_attn_npu::api
