// From dot products to logits on a tile of float rows, as score.h has the formulas; and what the mask hides.
#pragma once
#include "flash_attn_npu/problem.h"
#include "tile/row_vectors.h"

namespace flash_attn_npu::ascend::tile {

// A logit that no row sees, and the maximum of a row that has seen nothing: exp(kHidden - kNoMaximum) is 0, and nothing
// is ever subtracted from an infinity.
constexpr float kHidden = -3e38f;
constexpr float kNoMaximum = -1e37f;

/// s = softcap * tanh(s / softcap), from s * (2 / softcap): softcap * (1 - 2 / (exp(2 s / softcap) + 1)).
/// constant: 64 floats of scratch. Whole strips, rows next to each other.
__aicore__ inline void CapScores(const RowTile& s, float scale, float softcap,
                                 const AscendC::LocalTensor<float>& constant) {
    constexpr float kLargest = 80.0f;  // exp stays finite and tanh is 1 long before
    const int32_t count = static_cast<int32_t>(s.rows * s.pitch);
    AscendC::Duplicate(constant, -2.0f * softcap, static_cast<int32_t>(STRIP));
    AscendC::Muls(s.data, s.data, scale * 2.0f / softcap, count);
    VectorBarrier();
    AscendC::Mins(s.data, s.data, kLargest, count);
    VectorBarrier();
    AscendC::Exp(s.data, s.data, count);
    VectorBarrier();
    AscendC::Adds(s.data, s.data, 1.0f, count);
    VectorBarrier();
    AscendC::Div(s.data, constant, s.data, uint64_t{STRIP}, static_cast<uint8_t>(count / STRIP),
                 AscendC::BinaryRepeatParams(1, 1, 1, 8, 0, 8));
    VectorBarrier();
    AscendC::Adds(s.data, s.data, softcap, count);
}

/// distance[c] = |position - (firstKey + c)|, given firstKey - position. columns: 0, 1, ...
__aicore__ inline void DistanceToKeys(const AscendC::LocalTensor<float>& distance,
                                      const AscendC::LocalTensor<float>& columns, int32_t keyMinusPosition,
                                      uint32_t cols) {
    AscendC::Adds(distance, columns, static_cast<float>(keyMinusPosition), static_cast<int32_t>(cols));
    VectorBarrier();
    AscendC::Abs(distance, distance, static_cast<int32_t>(cols));
    VectorBarrier();
}

}  // namespace flash_attn_npu::ascend::tile
