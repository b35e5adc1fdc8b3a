// SPDX-License-Identifier: BSD-3-Clause
// The arithmetic of ScoreOptions on SIMD vectors: from dot products to what exp2 takes.
//
// Large scores must not lose the low bits that their differences live on: nothing is multiplied by log2(e) and rounded
// before the maximum is subtracted. A kernel computes exp2(fma(x, to_log2, -m)), where x is the plain dot product
// (scale > 0 and neither softcap nor ALiBi), or else the logit in natural units.
#pragma once

#include "cpu/tile/numeric.h"
#include "flash_attn_npu/request.h"

namespace flash_attn_npu::cpu {
namespace {

template <class S>
struct Logits {
    using F = typename S::F;

    float scale;
    float softcap;
    bool has_softcap;
    bool has_alibi;
    bool plain;     // x is the dot product itself; operator() is not needed
    float to_log2;  // from x to log2 units

    FA_HOST_DEVICE Logits(const ScoreOptions& score, int32_t n, int32_t kv_head)
        : scale(score.scale_of(n, kv_head)),
          softcap(score.softcap),
          has_softcap(score.has_softcap()),
          has_alibi(score.has_alibi()),
          // With a negative scale the largest dot product does not give the largest logit.
          plain(!has_softcap && !has_alibi && scale > 0.0f),
          to_log2(plain ? scale * kLog2E : kLog2E) {}

    // The logit in natural units. `distance` = position(i) - j; `slope` that of the row's head; ignored without ALiBi.
    FA_HOST_DEVICE F operator()(F dot, F slope, F distance) const {
        const F bias = has_alibi ? S::mul(slope, S::abs(distance)) : S::zero();
        if (!has_softcap) return S::fma(dot, S::set1(scale), S::sub(S::zero(), bias));
        const F capped = S::tanh(S::mul(dot, S::set1(scale / softcap)));
        return S::fma(capped, S::set1(softcap), S::sub(S::zero(), bias));
    }
};

}  // namespace
}  // namespace flash_attn_npu::cpu
