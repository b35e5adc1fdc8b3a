// SPDX-License-Identifier: BSD-3-Clause
// From dot products to logits on a tile of float rows, as score.h has the formulas; and what the mask hides.
#pragma once
#include "flash_attn_npu/request.h"
#include "tile/row_vectors.h"

namespace flash_attn_npu::ascend::tile {

// A logit that no row sees, and the maximum of a row that has seen nothing: exp(kHidden - kNoMaximum) is 0, and nothing
// is ever subtracted from an infinity.
constexpr float kHidden = -3e38f;
constexpr float kNoMaximum = -1e37f;

/// x = tanh(x) by 1 - 2 / (exp(2 x) + 1), `count` (a multiple of 64) of x2 = 2 x: exact to 1e-7 absolutely, and 0 for
/// 0. minus_two: 64 times -2.
__aicore__ inline void TanhOfHalf(const AscendC::LocalTensor<float>& x2, const AscendC::LocalTensor<float>& minus_two,
                                  int32_t count) {
    constexpr float kLargest = 80.0f;  // exp stays finite and tanh is 1 long before
    AscendC::Mins(x2, x2, kLargest, count);
    VectorBarrier();
    AscendC::Exp(x2, x2, count);
    VectorBarrier();
    AscendC::Adds(x2, x2, 1.0f, count);
    VectorBarrier();
    AscendC::Div(x2, minus_two, x2, uint64_t{kStrip}, static_cast<uint8_t>(count / static_cast<int32_t>(kStrip)),
                 AscendC::BinaryRepeatParams(1, 1, 1, 8, 0, 8));
    VectorBarrier();
    AscendC::Adds(x2, x2, 1.0f, count);
}

/// v = (v + term) * u
__aicore__ inline void AddThenMultiply(const AscendC::LocalTensor<float>& v, float term,
                                       const AscendC::LocalTensor<float>& u, int32_t count) {
    AscendC::Adds(v, v, term, count);
    VectorBarrier();
    AscendC::Mul(v, v, u, count);
    VectorBarrier();
}

/// x = tanh(x), exact to 1e-7 of tanh(x) itself: tanh(t + d) = (tanh t + tanh d) / (1 + tanh t tanh d) with t = x held
/// inside +-1/4, by its series, and d the rest, which is 0 for small x. t, u, v: scratch like x.
__aicore__ inline void TanhOfSmall(const AscendC::LocalTensor<float>& x, const AscendC::LocalTensor<float>& t,
                                   const AscendC::LocalTensor<float>& u, const AscendC::LocalTensor<float>& v,
                                   const AscendC::LocalTensor<float>& minus_two, int32_t count) {
    constexpr float kSmall = 0.25f;
    AscendC::Mins(t, x, kSmall, count);
    VectorBarrier();
    AscendC::Maxs(t, t, -kSmall, count);
    VectorBarrier();
    AscendC::Sub(x, x, t, count);
    AscendC::Mul(u, t, t, count);
    VectorBarrier();
    AscendC::Muls(x, x, 2.0f, count);
    // tanh t / t = 1 - u / 3 + 2 u^2 / 15 - 17 u^3 / 315 + 62 u^4 / 2835
    AscendC::Muls(v, u, 62.0f / 2835.0f, count);
    VectorBarrier();
    TanhOfHalf(x, minus_two, count);
    AddThenMultiply(v, -17.0f / 315.0f, u, count);
    AddThenMultiply(v, 2.0f / 15.0f, u, count);
    AddThenMultiply(v, -1.0f / 3.0f, u, count);
    AscendC::Adds(v, v, 1.0f, count);
    VectorBarrier();
    AscendC::Mul(t, t, v, count);
    VectorBarrier();
    AscendC::Mul(v, t, x, count);
    AscendC::Add(t, t, x, count);
    VectorBarrier();
    AscendC::Adds(v, v, 1.0f, count);
    VectorBarrier();
    AscendC::Div(x, t, v, count);
}

/// s = softcap * tanh(scale * s / softcap). Whole strips, rows next to each other. constant: 64 floats of scratch;
/// scratch: `scratch_elements` floats.
__aicore__ inline void CapScores(const RowTile& s, float scale, float softcap,
                                 const AscendC::LocalTensor<float>& constant,
                                 const AscendC::LocalTensor<float>& scratch, uint32_t scratch_elements) {
    // Up to here the error of tanh, times softcap, does not matter to a logit.
    constexpr float kModerate = 100.0f;
    const uint32_t count = s.rows * s.pitch;
    const bool moderate = softcap <= kModerate;
    AscendC::Duplicate(constant, -2.0f, static_cast<int32_t>(kStrip));
    AscendC::Muls(s.data, s.data, moderate ? 2.0f * scale / softcap : scale / softcap, static_cast<int32_t>(count));
    VectorBarrier();
    if (moderate) {
        TanhOfHalf(s.data, constant, static_cast<int32_t>(count));
    } else {
        const uint32_t part = scratch_elements / 3 / kStrip * kStrip;
        for (uint32_t begin = 0; begin < count; begin += part) {
            TanhOfSmall(s.data[begin], scratch, scratch[part], scratch[2 * part], constant,
                        static_cast<int32_t>(Min(part, count - begin)));
            VectorBarrier();
        }
    }
    VectorBarrier();
    AscendC::Muls(s.data, s.data, softcap, static_cast<int32_t>(count));
}

/// distance[c] = |position - (first_key + c)|, given first_key - position. columns: 0, 1, ...
__aicore__ inline void DistanceToKeys(const AscendC::LocalTensor<float>& distance,
                                      const AscendC::LocalTensor<float>& columns, int32_t key_minus_position,
                                      uint32_t cols) {
    AscendC::Adds(distance, columns, static_cast<float>(key_minus_position), static_cast<int32_t>(cols));
    VectorBarrier();
    AscendC::Abs(distance, distance, static_cast<int32_t>(cols));
    VectorBarrier();
}

}  // namespace flash_attn_npu::ascend::tile
