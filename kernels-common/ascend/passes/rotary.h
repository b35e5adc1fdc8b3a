// SPDX-License-Identifier: BSD-3-Clause
// Rotary embedding of a tile of rows in UB: (x1, x2) -> (x1 cos - x2 sin, x1 sin + x2 cos) in float, rounded once.
//
// Evaluated as x * cc + partner(x) * ss over whole rows, where partner swaps the two features of a pair, and cc and ss
// hold cos, and -sin or +sin, at the features' own places.
#pragma once
#include "arch/resource.h"
#include "flash_attn_npu/platform.h"
#include "tile/barrier.h"
#include "tile/vector_mask.h"

namespace flash_attn_npu::ascend::passes {

/// Which rows of a tile stand where: `outer` groups of `inner` rows; tables have a row per group, per row of a group,
/// or a single one (both false).
struct RotaryRows {
    uint32_t outer;
    uint32_t inner;  // at most 255
    bool per_outer;
    bool per_inner;
};

/// Element: half or bfloat16_t. `kElements` bounds rows x rotated features of a tile, and of a table.
template <class Element, uint32_t kElements>
class RotateRows {
public:
    static constexpr uint32_t kTableBytes = 2 * kElements * sizeof(float);  // cc and ss
    static constexpr uint32_t kWorkBytes = 2 * kElements * sizeof(float);   // free between calls
    static constexpr uint32_t kConstantBytes = 2 * kElements * sizeof(uint32_t) + 256;

    /// `dim`: features that rotate, a multiple of 16.
    __aicore__ inline RotateRows(const AscendC::LocalTensor<float>& tables, const AscendC::LocalTensor<float>& work,
                                 const AscendC::LocalTensor<int32_t>& constants, uint32_t dim, bool interleaved)
        : dim_(dim),
          interleaved_(interleaved),
          cc_(tables),
          ss_(tables[kElements]),
          x_(work),
          partner_(work[kElements]),
          twin_offset_(constants),
          double_offset_(constants[kElements]),
          sign_(constants[2 * kElements].ReinterpretCast<float>()) {
        if (interleaved_) MakeOffsets();
    }

    /// cc and ss from `rows` rows of cos and sin in UB (dim / 2 elements each, at a pitch of `pitch` elements).
    __aicore__ inline void SetTables(const AscendC::LocalTensor<Element>& cos, const AscendC::LocalTensor<Element>& sin,
                                     uint32_t rows, uint32_t pitch) {
        using namespace AscendC;
        const uint32_t half_dim = dim_ / 2;
        const LocalTensor<float> c = x_;
        const LocalTensor<float> s = partner_;
        Widen(c, cos, rows, half_dim, pitch);
        Widen(s, sin, rows, half_dim, pitch);
        tile::VectorBarrier();
        if (interleaved_) {
            const uint32_t count = rows * dim_;
            Gather(cc_, c, double_offset_.ReinterpretCast<uint32_t>(), 0, count);
            Gather(ss_, s, double_offset_.ReinterpretCast<uint32_t>(), 0, count);
            tile::VectorBarrier();
            const tile::CountedLanes lanes(count);
            Mul<float, false>(ss_, ss_, sign_, MASK_PLACEHOLDER, 1, BinaryRepeatParams(1, 1, 1, 8, 8, 0));
            tile::VectorBarrier();
            return;
        }
        const uint8_t row_blocks = static_cast<uint8_t>(dim_ / kBlock);
        const UnaryRepeatParams spread(1, 1, row_blocks, row_blocks / 2);
        for (uint32_t column = 0; column < half_dim; column += kLanes) {
            const uint64_t lanes = min_of(kLanes, half_dim - column);
            const uint8_t repeat = static_cast<uint8_t>(rows);
            Muls(cc_[column], c[column], 1.0f, lanes, repeat, spread);
            Muls(cc_[half_dim + column], c[column], 1.0f, lanes, repeat, spread);
            Muls(ss_[column], s[column], -1.0f, lanes, repeat, spread);
            Muls(ss_[half_dim + column], s[column], 1.0f, lanes, repeat, spread);
        }
        tile::VectorBarrier();
    }

    /// Rotates the first `dim` features of the tile's rows, `pitch` elements apart; the others keep their bits.
    __aicore__ inline void operator()(const AscendC::LocalTensor<Element>& rows, uint32_t pitch,
                                      const RotaryRows& shape, AscendC::RoundMode round) const {
        using namespace AscendC;
        const uint32_t count = shape.outer * shape.inner;
        Widen(x_, rows, count, dim_, pitch);
        tile::VectorBarrier();
        if (interleaved_) {
            Gather(partner_, x_, twin_offset_.ReinterpretCast<uint32_t>(), 0, count * dim_);
            tile::VectorBarrier();
            MulByTable(partner_, partner_, ss_, dim_, shape);
        } else {
            MulByTable(partner_, x_[dim_ / 2], ss_, dim_ / 2, shape);
            MulByTable(partner_[dim_ / 2], x_, ss_[dim_ / 2], dim_ / 2, shape);
        }
        MulByTable(x_, x_, cc_, dim_, shape);
        tile::VectorBarrier();
        Add(x_, x_, partner_, static_cast<int32_t>(count * dim_));
        tile::VectorBarrier();
        const UnaryRepeatParams narrow(1, 1, static_cast<uint8_t>(pitch / (2 * kBlock)),
                                       static_cast<uint8_t>(dim_ / kBlock));
        for (uint32_t column = 0; column < dim_; column += kLanes) {
            Cast(rows[column], x_[column], round, static_cast<uint64_t>(min_of(kLanes, dim_ - column)),
                 static_cast<uint8_t>(count), narrow);
        }
        tile::VectorBarrier();
    }

private:
    static constexpr uint32_t kLanes = 64;  // floats of a repeat
    static constexpr uint32_t kBlock = 8;   // floats of a block

    /// For pairs of neighbours, byte offsets by flat index f of a tile without gaps: of f's partner, and of element
    /// f / 2.
    __aicore__ inline void MakeOffsets() {
        using namespace AscendC;
        const LocalTensor<int32_t> index = x_.template ReinterpretCast<int32_t>();
        const LocalTensor<int32_t> odd = partner_.template ReinterpretCast<int32_t>();
        constexpr int32_t kCount = kElements;
        CreateVecIndex(index, 0, static_cast<uint32_t>(kCount));
        tile::VectorBarrier();
        ShiftRight(odd, index, 1, kCount);
        tile::VectorBarrier();
        ShiftLeft(double_offset_, odd, 2, kCount);
        Muls(odd, odd, -2, kCount);
        tile::VectorBarrier();
        Add(odd, odd, index, kCount);  // f - 2 (f / 2)
        tile::VectorBarrier();
        // 4 (f + 1) when f is even, 4 (f - 1) when it is odd; -1 and +1.
        Muls(twin_offset_, odd, -8, kCount);
        Muls(index, index, 4, kCount);
        tile::VectorBarrier();
        Add(twin_offset_, twin_offset_, index, kCount);
        tile::VectorBarrier();
        Adds(twin_offset_, twin_offset_, 4, kCount);
        Cast(sign_, odd, RoundMode::CAST_NONE, kLanes);
        tile::VectorBarrier();
        Muls(sign_, sign_, 2.0f, static_cast<int32_t>(kLanes));
        tile::VectorBarrier();
        Adds(sign_, sign_, -1.0f, static_cast<int32_t>(kLanes));
        tile::VectorBarrier();
    }

    /// Rows of `elements` at a pitch -> float rows without gaps.
    __aicore__ inline void Widen(const AscendC::LocalTensor<float>& dst, const AscendC::LocalTensor<Element>& src,
                                 uint32_t rows, uint32_t elements, uint32_t pitch) const {
        using namespace AscendC;
        const UnaryRepeatParams strides(1, 1, static_cast<uint8_t>(elements / kBlock),
                                        static_cast<uint8_t>(pitch / (2 * kBlock)));
        for (uint32_t column = 0; column < elements; column += kLanes) {
            Cast(dst[column], src[column], RoundMode::CAST_NONE,
                 static_cast<uint64_t>(min_of(kLanes, elements - column)), static_cast<uint8_t>(rows), strides);
        }
    }

    /// dst = src * table for `elements` features of every row.
    __aicore__ inline void MulByTable(const AscendC::LocalTensor<float>& dst, const AscendC::LocalTensor<float>& src,
                                      const AscendC::LocalTensor<float>& table, uint32_t elements,
                                      const RotaryRows& shape) const {
        using namespace AscendC;
        const uint8_t row_blocks = static_cast<uint8_t>(dim_ / kBlock);
        const BinaryRepeatParams strides(1, 1, 1, row_blocks, row_blocks, shape.per_inner ? row_blocks : 0);
        for (uint32_t group = 0; group < shape.outer; ++group) {
            const uint32_t at = group * shape.inner * dim_;
            const uint32_t table_at = shape.per_outer ? group * dim_ : 0;
            for (uint32_t column = 0; column < elements; column += kLanes) {
                Mul(dst[at + column], src[at + column], table[table_at + column],
                    static_cast<uint64_t>(min_of(kLanes, elements - column)), static_cast<uint8_t>(shape.inner),
                    strides);
            }
        }
    }

    uint32_t dim_;
    bool interleaved_;
    AscendC::LocalTensor<float> cc_, ss_;
    AscendC::LocalTensor<float> x_, partner_;
    AscendC::LocalTensor<int32_t> twin_offset_, double_offset_;
    AscendC::LocalTensor<float> sign_;
};

}  // namespace flash_attn_npu::ascend::passes
