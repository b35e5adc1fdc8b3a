// SPDX-License-Identifier: BSD-3-Clause
// S -> P on a vector core in decode: online softmax over the steps of a piece, for all heads of the task at once.
#pragma once
#include "decode/ub.h"
#include "tile/score.h"

namespace flash_attn_npu::ascend::decode {

/// STAGED: K was fp8. Its scores are scaled head by head before all else; others share one positive scale.
template <class ArchTag, class Element, bool STAGED>
class DecodeSoftmax {
public:
    __aicore__ inline DecodeSoftmax(DecodeUb<ArchTag, STAGED>& ub, const AttentionArguments& arguments,
                                    const DecodeShape& shape, GM_ADDR workspace)
        : ub_(ub),
          request_(arguments.request),
          group_(arguments.plan.group),
          pitch_(static_cast<uint32_t>(shape.pitch)) {
        gmS_.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(workspace));
        gmP_.SetGlobalBuffer(reinterpret_cast<__gm__ Element*>(workspace + DecodeWorkspace::kP));
    }

    /// A piece begins: its rows have seen nothing.
    __aicore__ inline void Begin(const DecodeStep& step) {
        AscendC::Duplicate(ub_.Maximum(step), tile::kNoMaximum, static_cast<int32_t>(Ub::ROWS));
        AscendC::Duplicate(ub_.Sum(step), 0.0f, static_cast<int32_t>(Ub::ROWS));
        tile::VectorBarrier();
    }

    /// P of the step for `rows`; updates their maximum, sum and factor.
    __aicore__ inline void operator()(const DecodeStep& step, const DecodeRows& rows) {
        if (rows.size() == 0) {
            PassThrough();
            return;
        }
        const uint32_t keys = static_cast<uint32_t>(step.keys.size()), cols = RoundUp<tile::STRIP>(keys);
        const tile::RowTile s{ub_.scores, static_cast<uint32_t>(rows.size()), cols, cols};
        const int64_t row = int64_t{step.slot()} * SLOT_ELEMENTS + int64_t{rows.begin} * pitch_;
        Load(gmS_[row], s.rows, keys, cols);
        ub_.scoresRing.BeginUse();
        if constexpr (STAGED) ScaleHeads(s, step, rows);
        HideKeys(s, step, rows);
        Exponentials(s, step);
        ub_.stagingRing.BeginFill();
        const auto p = ub_.staging.template ReinterpretCast<Element>();
        AscendC::Cast(p, s.data, AscendC::RoundMode::CAST_RINT, s.rows * cols);
        ub_.scoresRing.EndUse();
        ub_.stagingRing.EndFill();
        ub_.stagingRing.BeginUse();
        AscendC::DataCopy(gmP_[row], p,
                          AscendC::DataCopyParams(static_cast<uint16_t>(s.rows), static_cast<uint16_t>(cols / C0), 0,
                                                  static_cast<uint16_t>((pitch_ - cols) / C0)));
        ub_.stagingRing.EndUse();
    }

private:
    using Ub = DecodeUb<ArchTag, STAGED>;
    static constexpr uint32_t C0 = ArchTag::BYTE_PER_C0 / sizeof(Element);
    static constexpr int64_t SLOT_ELEMENTS = int64_t{DecodeShape::kStepScores} * DecodeShape::kRows;

    // A vector core without rows still has to order its earlier reads before the flag that it is about to set on MTE3.
    __aicore__ inline void PassThrough() {
        ub_.stagingRing.BeginFill();
        ub_.stagingRing.EndFill();
        ub_.stagingRing.BeginUse();
        ub_.stagingRing.EndUse();
    }

    __aicore__ inline void Load(const AscendC::GlobalTensor<float>& gm, uint32_t rows, uint32_t keys, uint32_t cols) {
        ub_.scoresRing.BeginFill();
        AscendC::DataCopyPad(
            ub_.scores, gm,
            AscendC::DataCopyExtParams(static_cast<uint16_t>(rows), keys * sizeof(float),
                                       (pitch_ - keys) * sizeof(float), (cols - RoundUp<8>(keys)) / 8, 0),
            AscendC::DataCopyPadExtParams<float>(false, 0, 0, 0.0f));
        ub_.scoresRing.EndFill();
    }

    // Columns past the step's keys are computed along with the rest and hidden later.
    __aicore__ inline void ScaleHeads(const tile::RowTile& s, const DecodeStep& step, const DecodeRows& rows) {
        const uint32_t keys = static_cast<uint32_t>(step.keys.size());
        if (keys < s.cols) {
            tile::FillColumns(s, 0, s.rows, keys, s.cols, 0.0f);
            tile::VectorBarrier();
        }
        for (DecodeRowsOfHeads part(step.piece, rows); part.more(); part.next()) {
            const float scale = request_.score.scale_of(step.piece.s.n, part.head()) / staged_factor(request_);
            AscendC::Muls(s.data[part.first() * s.pitch], s.data[part.first() * s.pitch], scale,
                          static_cast<int32_t>(part.size() * s.pitch));
        }
        tile::VectorBarrier();
    }

    // Columns past the step's keys hold nothing yet; others may be hidden from some query positions.
    __aicore__ inline void HideKeys(const tile::RowTile& s, const DecodeStep& step, const DecodeRows& rows) {
        const Mask mask = request_.mask_of(step.piece.s);
        const int32_t keys = step.keys.size(), cols = static_cast<int32_t>(s.cols);
        if (mask.coverage(0, step.piece.s.seqlen_q, step.keys) == Coverage::kAll) {
            Hide(s, 0, rows.size(), keys, cols);
        } else {
            for (int32_t row = rows.begin; row < rows.end;) {
                // The heads of a position see the same keys.
                const int32_t same = min_of(rows.end, step.piece.position_end(row, group_)) - row;
                const KeyRange visible = intersect(mask.visible(step.piece.position(row, group_)), step.keys);
                const int32_t begin = visible.empty() ? keys : visible.begin - step.keys.begin;
                const int32_t end = visible.empty() ? keys : visible.end - step.keys.begin;
                Hide(s, row - rows.begin, same, 0, begin);
                Hide(s, row - rows.begin, same, end, cols);
                row += same;
            }
        }
        tile::VectorBarrier();
    }
    __aicore__ inline void Hide(const tile::RowTile& s, int32_t row, int32_t rows, int32_t begin, int32_t end) {
        if (begin >= end) return;
        tile::FillColumns(s, static_cast<uint32_t>(row), static_cast<uint32_t>(rows), static_cast<uint32_t>(begin),
                          static_cast<uint32_t>(end), tile::kHidden);
    }

    // s becomes exp((s - m) * scale) with m the maximum so far. The scale is positive and comes last: differences of
    // large scores keep their low bits.
    __aicore__ inline void Exponentials(const tile::RowTile& s, const DecodeStep& step) {
        const float scale = STAGED ? 1.0f : request_.score.scale;
        const auto maximum = ub_.Maximum(step), sum = ub_.Sum(step), factor = ub_.Factor(step);
        const auto newMaximum = ub_.Temporary(0), newSum = ub_.Temporary(1);
        const int32_t rows = static_cast<int32_t>(s.rows), elements = static_cast<int32_t>(s.rows * s.pitch);
        tile::RowMaximum(newMaximum, s, ub_.tree);
        tile::VectorBarrier();
        AscendC::Max(newMaximum, newMaximum, maximum, rows);
        tile::VectorBarrier();
        AscendC::Sub(factor, maximum, newMaximum, rows);
        tile::BroadcastToBlocks(ub_.blocks, newMaximum, s.rows);
        tile::VectorBarrier();
        if constexpr (!STAGED) AscendC::Muls(factor, factor, scale, rows);
        AscendC::Adds(maximum, newMaximum, 0.0f, rows);
        tile::SubtractFromRows(s, ub_.blocks);
        tile::VectorBarrier();
        AscendC::Exp(factor, factor, rows);
        if constexpr (!STAGED) {
            AscendC::Muls(s.data, s.data, scale, elements);
            tile::VectorBarrier();
        }
        AscendC::Exp(s.data, s.data, elements);
        tile::VectorBarrier();
        AscendC::Mul(sum, sum, factor, rows);
        tile::RowSum(newSum, s, ub_.tree);
        tile::VectorBarrier();
        AscendC::Add(sum, sum, newSum, rows);
        tile::VectorBarrier();
    }

    Ub& ub_;
    const Forward& request_;
    const int32_t group_;
    const uint32_t pitch_;  // of S and P in the workspace
    AscendC::GlobalTensor<float> gmS_;
    AscendC::GlobalTensor<Element> gmP_;
};

}  // namespace flash_attn_npu::ascend::decode
