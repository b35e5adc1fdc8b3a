// SPDX-License-Identifier: BSD-3-Clause
// S -> P on a vector core in decode: online softmax over the steps of a piece, for all heads of the task at once.
#pragma once
#include "decode/ub.h"
#include "tile/softmax.h"
#include "tile/strided_rows.h"

namespace flash_attn_npu::ascend::decode {

/// STAGED: K was fp8. Its scores are scaled head by head before all else; others share one positive scale.
template <class ArchTag, class Element, bool STAGED>
class Softmax {
public:
    __aicore__ inline Softmax(Buffers<ArchTag, STAGED>& ub, const AttentionArguments& arguments,
                              const DecodeShape& shape, GM_ADDR workspace)
        : ub_(ub),
          request_(arguments.request),
          group_(arguments.plan.group),
          pitch_(static_cast<uint32_t>(shape.pitch)) {
        gm_s_.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(workspace));
        gm_p_.SetGlobalBuffer(reinterpret_cast<__gm__ Element*>(workspace + DecodeWorkspace::kP));
    }

    /// A piece begins: its rows have seen nothing.
    __aicore__ inline void Begin(const Step& step) {
        AscendC::Duplicate(ub_.Maximum(step), tile::kNoMaximum, static_cast<int32_t>(Ub::kRows));
        AscendC::Duplicate(ub_.Sum(step), 0.0f, static_cast<int32_t>(Ub::kRows));
        tile::VectorBarrier();
    }

    /// P of the step for `rows`; updates their maximum, sum and factor.
    __aicore__ inline void operator()(const Step& step, const Rows& rows) {
        if (rows.size() == 0) {
            PassThrough();
            return;
        }
        const uint32_t keys = static_cast<uint32_t>(step.keys.size()), cols = RoundUp<tile::kStrip>(keys);
        const tile::RowTile s{ub_.scores, static_cast<uint32_t>(rows.size()), cols, cols};
        const int64_t row = int64_t{step.slot()} * kSlotElements + int64_t{rows.begin} * pitch_;
        Load(gm_s_[row], s.rows, keys, cols);
        ub_.scores_ring.BeginUse();
        if constexpr (STAGED) ScaleHeads(s, step, rows);
        HideKeys(s, step, rows);
        Exponentials(s, step);
        ub_.staging_ring.BeginFill();
        const auto p = ub_.staging.template ReinterpretCast<Element>();
        AscendC::Cast(p, s.data, AscendC::RoundMode::CAST_RINT, s.rows * cols);
        ub_.scores_ring.EndUse();
        ub_.staging_ring.EndFill();
        ub_.staging_ring.BeginUse();
        AscendC::DataCopy(gm_p_[row], p,
                          AscendC::DataCopyParams(static_cast<uint16_t>(s.rows), static_cast<uint16_t>(cols / kC0), 0,
                                                  static_cast<uint16_t>((pitch_ - cols) / kC0)));
        ub_.staging_ring.EndUse();
    }

private:
    using Ub = Buffers<ArchTag, STAGED>;
    static constexpr uint32_t kC0 = ArchTag::kBytesPerC0 / sizeof(Element);
    static constexpr int64_t kSlotElements = int64_t{DecodeShape::kStepScores} * DecodeShape::kRows;

    // A vector core without rows still has to order its earlier reads before the flag that it is about to set on MTE3.
    __aicore__ inline void PassThrough() {
        ub_.staging_ring.BeginFill();
        ub_.staging_ring.EndFill();
        ub_.staging_ring.BeginUse();
        ub_.staging_ring.EndUse();
    }

    __aicore__ inline void Load(const AscendC::GlobalTensor<float>& gm, uint32_t rows, uint32_t keys, uint32_t cols) {
        ub_.scores_ring.BeginFill();
        tile::LoadRows(ub_.scores, gm, tile::RowsShape{rows, keys, pitch_, cols});
        ub_.scores_ring.EndFill();
    }

    // Columns past the step's keys are computed along with the rest and hidden later.
    __aicore__ inline void ScaleHeads(const tile::RowTile& s, const Step& step, const Rows& rows) {
        const uint32_t keys = static_cast<uint32_t>(step.keys.size());
        if (keys < s.cols) {
            tile::FillColumns(s, 0, s.rows, keys, s.cols, 0.0f);
            tile::VectorBarrier();
        }
        for (RowsOfHeads part(step.piece, rows); part.more(); part.next()) {
            const float scale = request_.score.scale_of(step.piece.s.n, part.head()) / staged_factor(request_);
            AscendC::Muls(s.data[part.first() * s.pitch], s.data[part.first() * s.pitch], scale,
                          static_cast<int32_t>(part.size() * s.pitch));
        }
        tile::VectorBarrier();
    }

    // Columns past the step's keys hold nothing yet; others may be hidden from some query positions.
    __aicore__ inline void HideKeys(const tile::RowTile& s, const Step& step, const Rows& rows) {
        tile::HideKeys(s, request_.mask_of(step.piece.s), 0, step.piece.s.seqlen_q, step.keys, [&](int32_t r) {
            const int32_t row = rows.begin + r;
            return tile::RowsOfPosition{step.piece.position(row, group_),
                                        step.piece.position_end(row, group_) - rows.begin};
        });
    }

    __aicore__ inline void Exponentials(const tile::RowTile& s, const Step& step) {
        const tile::SoftmaxScratch scratch{ub_.Temporary(0), ub_.Temporary(1), ub_.blocks, ub_.tree};
        tile::OnlineSoftmax<Ub::kScale>(s, ub_.Statistics(step), scratch, request_.score.scale);
    }

    Ub& ub_;
    const Forward& request_;
    const int32_t group_;
    const uint32_t pitch_;  // of S and P in the workspace
    AscendC::GlobalTensor<float> gm_s_;
    AscendC::GlobalTensor<Element> gm_p_;
};

}  // namespace flash_attn_npu::ascend::decode
