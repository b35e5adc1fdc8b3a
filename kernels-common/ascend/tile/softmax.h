// SPDX-License-Identifier: BSD-3-Clause
// Online softmax of a tile of float rows: what a step of keys does to a row's maximum, sum and scores, and what the
// factor that comes out of it does to the output so far.
#pragma once
#include "flash_attn_npu/request.h"
#include "tile/row_vectors.h"
#include "tile/score.h"

namespace flash_attn_npu::ascend::tile {

/// Rows of one query position: `position`, and the tile's row after the last of them.
struct RowsOfPosition {
    int32_t position;
    int32_t end;
};

/// Columns [begin, end) of `rows` rows are seen by none of them.
__aicore__ inline void HideColumns(const RowTile& s, int32_t row, int32_t rows, int32_t begin, int32_t end) {
    if (begin >= end) return;
    FillColumns(s, static_cast<uint32_t>(row), static_cast<uint32_t>(rows), static_cast<uint32_t>(begin),
                static_cast<uint32_t>(end), kHidden);
}

/// Hides the keys that a row does not see, and the columns past `keys`, which hold nothing. Column 0 is keys.begin.
///
/// [i_begin, i_end): query positions among which those of all rows are. rows_at(row) -> RowsOfPosition: the heads of a
/// position see the same keys.
template <class RowsAt>
__aicore__ inline void HideKeys(const RowTile& s, const Mask& mask, int32_t i_begin, int32_t i_end, KeyRange keys,
                                const RowsAt& rows_at) {
    const int32_t rows = static_cast<int32_t>(s.rows), cols = static_cast<int32_t>(s.cols);
    if (mask.coverage(i_begin, i_end, keys) == Coverage::kAll) {
        HideColumns(s, 0, rows, keys.size(), cols);
    } else {
        for (int32_t row = 0; row < rows;) {
            const RowsOfPosition same = rows_at(row);
            const int32_t count = min_of(rows, same.end) - row;
            const KeyRange visible = intersect(mask.visible(same.position), keys);
            const int32_t begin = visible.empty() ? keys.size() : visible.begin - keys.begin;
            const int32_t end = visible.empty() ? keys.size() : visible.end - keys.begin;
            HideColumns(s, row, count, 0, begin);
            HideColumns(s, row, count, end, cols);
            row += count;
        }
    }
    VectorBarrier();
}

/// How the scores of a tile become logits.
enum class ScoreScale : uint8_t {
    /// They are logits already; a row's statistics are updated while the scores are.
    kBefore,
    /// They are logits already; the statistics follow the scores, as with kAfter.
    kBeforeStatisticsLate,
    /// By a positive factor after the maximum was subtracted: differences of large scores keep their low bits.
    kAfter,
};

/// One float per row of a tile: maximum and sum over the steps so far; factor by which the step changes what was
/// accumulated before it.
struct RowStatistics {
    AscendC::LocalTensor<float> maximum, sum, factor;
};

/// new_maximum, new_sum: a float per row; blocks: a block per row; tree: 64 floats per row.
struct SoftmaxScratch {
    AscendC::LocalTensor<float> new_maximum, new_sum, blocks, tree;
};

/// s = exp((s - maximum) * scale) with the maximum up to now; updates the statistics. Whole strips, rows next to each
/// other. `scale` counts for kAfter only.
template <ScoreScale SCALE>
__aicore__ inline void OnlineSoftmax(const RowTile& s, const RowStatistics& row, const SoftmaxScratch& scratch,
                                     float scale) {
    constexpr bool kLate = SCALE != ScoreScale::kBefore, kAfter = SCALE == ScoreScale::kAfter;
    const int32_t rows = static_cast<int32_t>(s.rows), elements = static_cast<int32_t>(s.rows * s.pitch);
    RowMaximum(scratch.new_maximum, s, scratch.tree);
    VectorBarrier();
    AscendC::Max(scratch.new_maximum, scratch.new_maximum, row.maximum, rows);
    VectorBarrier();
    AscendC::Sub(row.factor, row.maximum, scratch.new_maximum, rows);
    BroadcastToBlocks(scratch.blocks, scratch.new_maximum, s.rows);
    VectorBarrier();
    if constexpr (!kLate) AscendC::Exp(row.factor, row.factor, rows);
    if constexpr (kAfter) AscendC::Muls(row.factor, row.factor, scale, rows);
    AscendC::Adds(row.maximum, scratch.new_maximum, 0.0f, rows);
    SubtractFromRows(s, scratch.blocks);
    VectorBarrier();
    if constexpr (kLate) AscendC::Exp(row.factor, row.factor, rows);
    if constexpr (kAfter) {
        AscendC::Muls(s.data, s.data, scale, elements);
        VectorBarrier();
    }
    AscendC::Exp(s.data, s.data, elements);
    if constexpr (kLate) VectorBarrier();
    AscendC::Mul(row.sum, row.sum, row.factor, rows);
    if constexpr (!kLate) VectorBarrier();
    RowSum(scratch.new_sum, s, scratch.tree);
    VectorBarrier();
    AscendC::Add(row.sum, row.sum, scratch.new_sum, rows);
    VectorBarrier();
}

/// o = o * factor + part, or part when there was nothing before. blocks: scratch, a block per row.
__aicore__ inline void AccumulateRows(const RowTile& o, const RowTile& part, const AscendC::LocalTensor<float>& factor,
                                      const AscendC::LocalTensor<float>& blocks, bool first) {
    if (first) {
        ScaleTile(o, part, 1.0f);
    } else {
        BroadcastToBlocks(blocks, factor, o.rows);
        VectorBarrier();
        MultiplyRows(o, blocks);
        VectorBarrier();
        AddTile(o, part);
    }
    VectorBarrier();
}

/// lse = maximum + ln(sum), and the sums as blocks, for DivideRows. scale: of the maximum, 1 where it is a logit. A row
/// without keys, whose sum is 0, gets something finite. Ends with the last instruction in flight.
template <ScoreScale SCALE>
__aicore__ inline void LseOfRows(const AscendC::LocalTensor<float>& lse, const RowStatistics& row,
                                 const AscendC::LocalTensor<float>& blocks, uint32_t rows, float scale) {
    constexpr float kTiny = 1e-30f;
    const int32_t count = static_cast<int32_t>(rows);
    AscendC::Maxs(row.sum, row.sum, kTiny, count);
    if constexpr (SCALE == ScoreScale::kAfter) AscendC::Muls(row.maximum, row.maximum, scale, count);
    VectorBarrier();
    BroadcastToBlocks(blocks, row.sum, rows);
    AscendC::Ln(lse, row.sum, count);
    VectorBarrier();
    AscendC::Add(lse, lse, row.maximum, count);
}

/// Rows that see none of `keys`: zeros, and `value` for their LSE. At most 64 rows: one bit each. rows_at: see
/// HideKeys.
template <class RowsAt>
__aicore__ inline void EmptyHiddenRows(const RowTile& o, const AscendC::LocalTensor<float>& lse, float value,
                                       const Mask& mask, KeyRange keys, const RowsAt& rows_at) {
    const int32_t rows = static_cast<int32_t>(o.rows);
    uint64_t hidden[2] = {0, 0};
    for (int32_t row = 0, end; row < rows; row = end) {
        const RowsOfPosition same = rows_at(row);
        end = min_of(rows, same.end);
        if (!intersect(mask.visible(same.position), keys).empty()) continue;
        hidden[0] |= ~uint64_t{0} >> (64 - (end - row)) << row;
        FillColumns(o, static_cast<uint32_t>(row), static_cast<uint32_t>(end - row), 0, o.pitch, 0.0f);
    }
    if (hidden[0] == 0) return;
    AscendC::Duplicate(lse, value, hidden, 1, 1, 8);
    VectorBarrier();
}

/// A table in UB: `parts` rows, one for each partial result, `pitch` floats apart (whole blocks), of `lanes` rows'
/// values (at most 64).
struct PartTable {
    AscendC::LocalTensor<float> data;
    int32_t parts, lanes, pitch;
};

/// From the LSEs of partial results to their weights, exp(lse - m) / sum with m the largest of a row; `maximum` = m,
/// `sum` = sum of exp(lse - m), both set to those of nothing by the caller. exponentials(): table = exp(table).
/// Starts after the caller's barrier and ends with the last division in flight.
template <class Exponentials>
__aicore__ inline void WeightsFromLse(const PartTable& table, const AscendC::LocalTensor<float>& maximum,
                                      const AscendC::LocalTensor<float>& sum, const Exponentials& exponentials) {
    constexpr int32_t kMostRepeats = 255;
    const uint64_t lanes = static_cast<uint64_t>(table.lanes);
    const uint8_t next = static_cast<uint8_t>(table.pitch / 8);
    // With repeat stride 0 an instruction accumulates over its repeats, one part each.
    const AscendC::BinaryRepeatParams fold(1, 1, 1, 0, next, 0), by_part(1, 1, 1, next, next, 0);
    const auto over_parts = [&](auto step) {
        for (int32_t part = 0; part < table.parts; part += kMostRepeats) {
            if (part > 0) VectorBarrier();
            step(table.data[part * table.pitch], static_cast<uint8_t>(min_of(kMostRepeats, table.parts - part)));
        }
    };
    over_parts([&](const AscendC::LocalTensor<float>& w, uint8_t parts) {
        AscendC::Max(maximum, w, maximum, lanes, parts, fold);
    });
    VectorBarrier();
    over_parts([&](const AscendC::LocalTensor<float>& w, uint8_t parts) {
        AscendC::Sub(w, w, maximum, lanes, parts, by_part);
    });
    VectorBarrier();
    exponentials();
    VectorBarrier();
    over_parts(
        [&](const AscendC::LocalTensor<float>& w, uint8_t parts) { AscendC::Add(sum, w, sum, lanes, parts, fold); });
    VectorBarrier();
    over_parts(
        [&](const AscendC::LocalTensor<float>& w, uint8_t parts) { AscendC::Div(w, w, sum, lanes, parts, by_part); });
}

}  // namespace flash_attn_npu::ascend::tile
