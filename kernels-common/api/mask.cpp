// SPDX-License-Identifier: BSD-3-Clause
// From causal, window_size and attention_chunk to MaskOptions.
#include <algorithm>

#include "api/checks.h"
#include "api/kvcache_parts.h"

namespace flash_attn_npu::api {

void read_mask(const KvCacheArguments& a, const Rules& rules, Forward& f) {
    if (a.attention_chunk < 0) bad_value("attention_chunk", text(a.attention_chunk), "at least 0 (0: off)");
    int64_t left = a.window_left;
    int64_t right = a.window_right;
    const int64_t max_k = f.kv_index.capacity;
    // The caller's bound, not the clamped one: it decides whether a window is unlimited, as upstream.
    const int64_t max_q = a.cu_seqlens_q ? *a.max_seqlen_q : f.max_seqlen_q;
    bool causal = a.causal;
    bool chunked = a.attention_chunk > 0;
    if (left >= max_k - rules.left_window_margin) left = -1;
    if (right >= (rules.right_window_of_queries ? max_q - 1 : max_k)) right = -1;
    if (rules.single_row_sees_all && max_q == 1 && !a.alibi_slopes) causal = false;
    if (causal) right = 0;
    left = std::max<int64_t>(left, -1);
    right = std::max<int64_t>(right, -1);
    const bool is_causal = left < 0 && right == 0 && !chunked;
    const bool is_local = (left >= 0 || right >= 0 || chunked) && !is_causal;
    // FlashAttention-2 turns the unlimited side of a one-sided window into the capacity, which is not the same as
    // unlimited when seqlen_q > seqlen_k.
    if (rules.one_sided_window_ends_at_capacity && left >= 0 && right < 0) right = max_k;
    f.mask.window_left = static_cast<int32_t>(std::min(left, kMaxInt32));
    f.mask.window_right = static_cast<int32_t>(std::min(right, kMaxInt32));
    f.mask.attention_chunk = static_cast<int32_t>(std::min(a.attention_chunk, kMaxInt32));
    f.rotary.q_per_row = is_causal || is_local;
    f.score.alibi_lse_offset = rules.alibi_lse_offset && is_causal;
    const float inf = std::numeric_limits<float>::infinity();
    // FlashAttention-3 returns -inf for a row without keys, but +inf when the whole call has none.
    const bool no_keys = max_k == 0 && !(f.k_new.data && a.k.size(a.cu_seqlens_k_new ? 0 : 1) > 0);
    f.lse_of_masked_row = no_keys ? inf : rules.lse_of_masked_row;
}

}  // namespace flash_attn_npu::api
