// SPDX-License-Identifier: BSD-3-Clause
// S -> P on a vector core: logits, mask, online softmax over the steps of a task.
#pragma once
#include "contract/general.h"
#include "general/row_share.h"
#include "general/steps.h"
#include "general/ub.h"
#include "tile/softmax.h"
#include "tile/strided_rows.h"

namespace flash_attn_npu::ascend::general {

template <class ArchTag, class Element>
class Softmax {
public:
    __aicore__ inline Softmax(Buffers<ArchTag>& ub, const AttentionArguments& arguments)
        : ub_(ub), request_(arguments.request), plan_(arguments.plan), folded_scale_(arguments.folded_scale) {}

    /// A task begins: its rows have seen nothing.
    __aicore__ inline void Begin(const Step& step) {
        AscendC::Duplicate(ub_.Maximum(step.task_number), tile::kNoMaximum, static_cast<int32_t>(Ub::kRows));
        AscendC::Duplicate(ub_.Sum(step.task_number), 0.0f, static_cast<int32_t>(Ub::kRows));
        tile::VectorBarrier();
    }

    /// Rows `share` of the step: P from S, both with `stride` elements from row to row; updates maximum, sum and
    /// factor.
    __aicore__ inline void operator()(const Step& step, const RowShare& share, const AscendC::GlobalTensor<float>& gm_s,
                                      const AscendC::GlobalTensor<Element>& gm_p, uint32_t stride) {
        const uint32_t rows = static_cast<uint32_t>(share.rows()), keys = static_cast<uint32_t>(step.keys.size());
        const uint32_t pitch = RoundUp<tile::kStrip>(keys);
        const uint32_t chunk = Min(Ub::kInElements / pitch / 8 * 8, Ub::kTreeRows);
        if (rows == 0) return;
        Load(gm_s, stride, Min(chunk, rows), keys, pitch);
        for (uint32_t row = 0; row < rows; row += chunk) {
            const uint32_t next = row + chunk;
            if (next < rows) Load(gm_s[next * stride], stride, Min(chunk, rows - next), keys, pitch);
            const uint32_t in = ub_.in_ring.BeginUse();
            const tile::RowTile s{ub_.in[in], Min(chunk, rows - row), pitch, pitch};
            ZeroTail(s, keys);
            Logits(s, step, share.begin + static_cast<int32_t>(row));
            HideKeys(s, step, share.begin + static_cast<int32_t>(row));
            Exponentials(s, step, row);
            const uint32_t out = ub_.out_ring.BeginFill();
            const auto p = ub_.out[out].template ReinterpretCast<Element>();
            AscendC::Cast(p, s.data, AscendC::RoundMode::CAST_RINT, s.rows * pitch);
            ub_.in_ring.EndUse();
            ub_.out_ring.EndFill();
            Store(gm_p[row * stride], stride, s.rows, pitch);
        }
    }

private:
    using Ub = Buffers<ArchTag>;

    __aicore__ inline void Load(const AscendC::GlobalTensor<float>& gm, uint32_t stride, uint32_t rows, uint32_t keys,
                                uint32_t pitch) {
        const uint32_t in = ub_.in_ring.BeginFill();
        tile::LoadRows(ub_.in[in], gm, tile::RowsShape{rows, keys, stride, pitch});
        ub_.in_ring.EndFill();
    }
    __aicore__ inline void Store(const AscendC::GlobalTensor<Element>& gm, uint32_t stride, uint32_t rows,
                                 uint32_t pitch) {
        constexpr uint32_t kC0 = 32 / sizeof(Element);
        const uint32_t out = ub_.out_ring.BeginUse();
        AscendC::DataCopy(gm, ub_.out[out].template ReinterpretCast<Element>(),
                          AscendC::DataCopyParams(static_cast<uint16_t>(rows), static_cast<uint16_t>(pitch / kC0), 0,
                                                  static_cast<uint16_t>((stride - pitch) / kC0)));
        ub_.out_ring.EndUse();
    }

    // Columns past the keys hold nothing: they are computed along with the rest and hidden.
    __aicore__ inline void ZeroTail(const tile::RowTile& s, uint32_t keys) {
        if (keys == s.cols) return;
        tile::FillColumns(s, 0, s.rows, keys, s.cols, 0.0f);
        tile::VectorBarrier();
    }

    __aicore__ inline void Logits(const tile::RowTile& s, const Step& step, int32_t row) {
        const ScoreOptions& score = request_.score;
        const int32_t n = step.task.s.n, head = step.task.kv_head;
        const float scale =
            folded_scale_ ? FoldedScale(request_, n, head).rest : score.scale_of(n, head) / staged_factor(request_);
        if (score.has_softcap()) {
            tile::CapScores(s, scale, score.softcap, ub_.constant, ub_.tree, Ub::kTreeRows * tile::kStrip);
        } else {
            AscendC::Muls(s.data, s.data, scale, static_cast<int32_t>(s.rows * s.pitch));
        }
        tile::VectorBarrier();
        if (score.has_alibi()) SubtractAlibi(s, step, row);
    }

    __aicore__ inline void SubtractAlibi(const tile::RowTile& s, const Step& step, int32_t row) {
        const Mask mask = request_.mask_of(step.task.s);
        for (int32_t r = 0; r < static_cast<int32_t>(s.rows); ++r) {
            const PackedRow packed = plan_.packed_row(step.task.kv_head, row + r);
            // Heads of one position are neighbours and share the distances.
            if (r == 0 || (row + r) % plan_.group == 0) {
                tile::DistanceToKeys(ub_.distance, ub_.columns, step.keys.begin - mask.position(packed.i), s.cols);
            }
            const float slope = request_.score.alibi_slopes.at(step.task.s.n, packed.head_q, 0.0f);
            AscendC::Axpy(s.data[r * s.pitch], ub_.distance, -slope, static_cast<int32_t>(s.cols));
            tile::VectorBarrier();
        }
    }

    __aicore__ inline void HideKeys(const tile::RowTile& s, const Step& step, int32_t row) {
        const int32_t i_end = (row + static_cast<int32_t>(s.rows) - 1) / plan_.group + 1;
        tile::HideKeys(s, request_.mask_of(step.task.s), row / plan_.group, i_end, step.keys, [&](int32_t r) {
            const int32_t i = (row + r) / plan_.group;
            return tile::RowsOfPosition{i, (i + 1) * plan_.group - row};
        });
    }

    // Rows [row, row + s.rows) of this core.
    __aicore__ inline void Exponentials(const tile::RowTile& s, const Step& step, uint32_t row) {
        const tile::RowStatistics statistics = ub_.Statistics(step.task_number, step.number, row);
        const tile::SoftmaxScratch scratch{ub_.row_temporary, ub_.row_temporary[Ub::kRows], ub_.blocks, ub_.tree};
        tile::OnlineSoftmax<tile::ScoreScale::kBefore>(s, statistics, scratch, 1.0f);
    }

    Ub& ub_;
    const Forward& request_;
    const Plan& plan_;
    const bool folded_scale_;
};

}  // namespace flash_attn_npu::ascend::general
