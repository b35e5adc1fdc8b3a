// SPDX-License-Identifier: BSD-3-Clause
// From q.k to the logit: scale, softcap, ALiBi. The formulas stand here once; each backend's tile layer evaluates them.
//
//   s     = (q.k + qv.v) * scale                       scale includes q_descale * k_descale for fp8
//   s     = softcap * tanh(s / softcap)                if softcap > 0
//   s    -= slope * |position(i) - j|                  if ALiBi slopes are given
//   logit = s where the mask shows key j to row i, else -inf
#pragma once

#include "flash_attn_npu/platform.h"
#include "flash_attn_npu/tensors.h"

namespace flash_attn_npu {

constexpr float kLog2E = 1.4426950408889634f;
constexpr float kLn2 = 0.6931471805599453f;

struct ScoreOptions {
    float scale = 1.0f;
    float softcap = 0.0f;  // 0: off
    PerHead alibi_slopes;  // per query head
    PerHead q_descale;     // per *key* head, as k_descale and v_descale
    PerHead k_descale;
    PerHead v_descale;
    // FlashAttention-2's causal kernel adds +slope * j instead of -slope * (position(i) - j): the same softmax, but a
    // softmax_lse that is larger by slope * position(i). Kept, since callers merge such LSEs with Dao-AILab's.
    bool alibi_lse_offset = false;

    FA_HOST_DEVICE bool has_alibi() const { return alibi_slopes.data != nullptr; }
    FA_HOST_DEVICE bool has_softcap() const { return softcap > 0.0f; }

    FA_HOST_DEVICE float scale_of(int32_t batch, int32_t kv_head) const {
        return scale * q_descale.at(batch, kv_head, 1.0f) * k_descale.at(batch, kv_head, 1.0f);
    }
    FA_HOST_DEVICE float v_scale_of(int32_t batch, int32_t kv_head) const { return v_descale.at(batch, kv_head, 1.0f); }
    FA_HOST_DEVICE float lse_offset(float slope, int32_t position) const {
        return alibi_lse_offset ? slope * static_cast<float>(position) : 0.0f;
    }
};

}  // namespace flash_attn_npu
