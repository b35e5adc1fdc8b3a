// The arithmetic of ScoreOptions on SIMD vectors: from dot products to logits in units of log2, so that exp2 follows.
#pragma once

#include "cpu/tile/numeric.h"
#include "flash_attn_npu/problem.h"

namespace flash_attn_npu::cpu {
namespace {

template <class S>
struct Logits {
    using F = typename S::F;

    float scale_log2;  // for plain scores
    float scale;
    float softcap;
    bool has_softcap;
    bool has_alibi;

    FA_HOST_DEVICE Logits(const ScoreOptions& score, int32_t n, int32_t kv_head)
        : scale_log2(score.scale_of(n, kv_head) * kLog2E),
          scale(score.scale_of(n, kv_head)),
          softcap(score.softcap),
          has_softcap(score.has_softcap()),
          has_alibi(score.has_alibi()) {}

    // Whether a logit is scale_log2 times the dot product.
    FA_HOST_DEVICE bool plain() const { return !has_softcap && !has_alibi; }

    // `distance` = position(i) - j; `slope` that of the row's head. Both are ignored without ALiBi.
    FA_HOST_DEVICE F operator()(F dot, F slope, F distance) const {
        F logit;
        if (has_softcap) {
            const F capped = S::tanh(S::mul(dot, S::set1(scale / softcap)));
            logit = S::mul(capped, S::set1(softcap * kLog2E));
        } else {
            logit = S::mul(dot, S::set1(scale_log2));
        }
        if (has_alibi) logit = S::sub(logit, S::mul(S::mul(slope, S::set1(kLog2E)), S::abs(distance)));
        return logit;
    }
};

}  // namespace
}  // namespace flash_attn_npu::cpu
