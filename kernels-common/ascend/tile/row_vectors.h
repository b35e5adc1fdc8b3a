// SPDX-License-Identifier: BSD-3-Clause
// Vector tiles on matrices of float rows in UB: `rows` rows, `pitch` elements apart (a multiple of 8, at most 2040).
// Operations on strips of 64 columns; statistics of rows are vectors of one float per row. Callers put the barriers.
#pragma once
#include "arch/resource.h"
#include "tile/barrier.h"
#include "tile/layout.h"

namespace flash_attn_npu::ascend::tile {

constexpr uint32_t kStrip = 64;  // float lanes of a repeat

/// A matrix tile in UB.
struct RowTile {
    AscendC::LocalTensor<float> data;
    uint32_t rows, cols, pitch;

    __aicore__ inline uint32_t Strips() const { return CeilDiv<kStrip>(cols); }
    __aicore__ inline uint64_t Lanes(uint32_t strip) const { return Min(kStrip, cols - strip * kStrip); }
    __aicore__ inline AscendC::LocalTensor<float> At(uint32_t row, uint32_t strip) const {
        return data[row * pitch + strip * kStrip];
    }
    __aicore__ inline uint8_t RepeatStride() const { return static_cast<uint8_t>(pitch / 8); }
    __aicore__ inline uint8_t Repeats() const { return static_cast<uint8_t>(rows); }
};

/// Every value of `src` fills one 32-byte block of `dst`: the form in which row statistics meet rows.
__aicore__ inline void BroadcastToBlocks(const AscendC::LocalTensor<float>& dst, const AscendC::LocalTensor<float>& src,
                                         uint32_t rows) {
    AscendC::Brcb(dst, src, static_cast<uint8_t>(CeilDiv<8>(rows)), AscendC::BrcbRepeatParams(1, 8));
}

/// tile[r][c] -= blocks[r]
__aicore__ inline void SubtractFromRows(const RowTile& tile, const AscendC::LocalTensor<float>& blocks) {
    const AscendC::BinaryRepeatParams strides(1, 1, 0, tile.RepeatStride(), tile.RepeatStride(), 1);
    for (uint32_t strip = 0; strip < tile.Strips(); ++strip) {
        AscendC::Sub(tile.At(0, strip), tile.At(0, strip), blocks, tile.Lanes(strip), tile.Repeats(), strides);
    }
}
/// tile[r][c] *= blocks[r]
__aicore__ inline void MultiplyRows(const RowTile& tile, const AscendC::LocalTensor<float>& blocks) {
    const AscendC::BinaryRepeatParams strides(1, 1, 0, tile.RepeatStride(), tile.RepeatStride(), 1);
    for (uint32_t strip = 0; strip < tile.Strips(); ++strip) {
        AscendC::Mul(tile.At(0, strip), tile.At(0, strip), blocks, tile.Lanes(strip), tile.Repeats(), strides);
    }
}
/// tile[r][c] /= blocks[r]
__aicore__ inline void DivideRows(const RowTile& tile, const AscendC::LocalTensor<float>& blocks) {
    const AscendC::BinaryRepeatParams strides(1, 1, 0, tile.RepeatStride(), tile.RepeatStride(), 1);
    for (uint32_t strip = 0; strip < tile.Strips(); ++strip) {
        AscendC::Div(tile.At(0, strip), tile.At(0, strip), blocks, tile.Lanes(strip), tile.Repeats(), strides);
    }
}
/// tile += other, of the same shape
__aicore__ inline void AddTile(const RowTile& tile, const RowTile& other) {
    const AscendC::BinaryRepeatParams strides(1, 1, 1, tile.RepeatStride(), tile.RepeatStride(), other.RepeatStride());
    for (uint32_t strip = 0; strip < tile.Strips(); ++strip) {
        AscendC::Add(tile.At(0, strip), tile.At(0, strip), other.At(0, strip), tile.Lanes(strip), tile.Repeats(),
                     strides);
    }
}
/// tile = other * factor, of the same shape
__aicore__ inline void ScaleTile(const RowTile& tile, const RowTile& other, float factor) {
    const AscendC::UnaryRepeatParams strides(1, 1, tile.RepeatStride(), other.RepeatStride());
    for (uint32_t strip = 0; strip < tile.Strips(); ++strip) {
        AscendC::Muls(tile.At(0, strip), other.At(0, strip), factor, tile.Lanes(strip), tile.Repeats(), strides);
    }
}
/// dst (2-byte elements, rows `dst_pitch` apart, a multiple of 16) = tile, rounded to nearest even
template <class Element>
__aicore__ inline void RoundTile(const AscendC::LocalTensor<Element>& dst, uint32_t dst_pitch, const RowTile& tile) {
    const AscendC::UnaryRepeatParams strides(1, 1, static_cast<uint8_t>(dst_pitch / 16), tile.RepeatStride());
    for (uint32_t strip = 0; strip < tile.Strips(); ++strip) {
        AscendC::Cast(dst[strip * kStrip], tile.At(0, strip), AscendC::RoundMode::CAST_RINT, tile.Lanes(strip),
                      tile.Repeats(), strides);
    }
}

/// Maximum and sum of every row. Whole strips only: cols is a multiple of 64. scratch: rows * 64 floats.
__aicore__ inline void RowMaximum(const AscendC::LocalTensor<float>& dst, const RowTile& tile,
                                  const AscendC::LocalTensor<float>& scratch) {
    const uint8_t stride = tile.RepeatStride();
    if (tile.Strips() == 1) {
        AscendC::WholeReduceMax(dst, tile.data, kStrip, tile.rows, 1, 1, stride,
                                AscendC::ReduceOrder::ORDER_ONLY_VALUE);
        return;
    }
    AscendC::Max(scratch, tile.At(0, 0), tile.At(0, 1), uint64_t{kStrip}, tile.Repeats(),
                 AscendC::BinaryRepeatParams(1, 1, 1, 8, stride, stride));
    for (uint32_t strip = 2; strip < tile.Strips(); ++strip) {
        VectorBarrier();
        AscendC::Max(scratch, scratch, tile.At(0, strip), uint64_t{kStrip}, tile.Repeats(),
                     AscendC::BinaryRepeatParams(1, 1, 1, 8, 8, stride));
    }
    VectorBarrier();
    AscendC::WholeReduceMax(dst, scratch, kStrip, tile.rows, 1, 1, 8, AscendC::ReduceOrder::ORDER_ONLY_VALUE);
}
__aicore__ inline void RowSum(const AscendC::LocalTensor<float>& dst, const RowTile& tile,
                              const AscendC::LocalTensor<float>& scratch) {
    const uint8_t stride = tile.RepeatStride();
    if (tile.Strips() == 1) {
        AscendC::WholeReduceSum(dst, tile.data, kStrip, tile.rows, 1, 1, stride);
        return;
    }
    AscendC::Add(scratch, tile.At(0, 0), tile.At(0, 1), uint64_t{kStrip}, tile.Repeats(),
                 AscendC::BinaryRepeatParams(1, 1, 1, 8, stride, stride));
    for (uint32_t strip = 2; strip < tile.Strips(); ++strip) {
        VectorBarrier();
        AscendC::Add(scratch, scratch, tile.At(0, strip), uint64_t{kStrip}, tile.Repeats(),
                     AscendC::BinaryRepeatParams(1, 1, 1, 8, 8, stride));
    }
    VectorBarrier();
    AscendC::WholeReduceSum(dst, scratch, kStrip, tile.rows, 1, 1, 8);
}

/// Columns [begin, end) of rows [row, row + rows) become `value`.
__aicore__ inline void FillColumns(const RowTile& tile, uint32_t row, uint32_t rows, uint32_t begin, uint32_t end,
                                   float value) {
    constexpr uint64_t kAll = ~uint64_t{0};
    for (uint32_t strip = begin / kStrip; strip * kStrip < end; ++strip) {
        const uint32_t col = strip * kStrip;
        uint64_t lanes[2] = {kAll, 0};
        if (begin > col) lanes[0] &= kAll << (begin - col);
        if (end < col + kStrip) lanes[0] &= kAll >> (col + kStrip - end);
        AscendC::Duplicate(tile.At(row, strip), value, lanes, static_cast<uint8_t>(rows), 1, tile.RepeatStride());
    }
}

}  // namespace flash_attn_npu::ascend::tile
