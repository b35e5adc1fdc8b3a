// SPDX-License-Identifier: BSD-3-Clause
// O on a vector core in decode: rescale and accumulate the steps of a piece, normalise at its end.
#pragma once
#include "decode/results.h"

namespace flash_attn_npu::ascend::decode {

template <class ArchTag, class Element, bool STAGED>
class Output {
public:
    /// workspace: of this core.
    __aicore__ inline Output(Buffers<ArchTag, STAGED>& ub, Results<ArchTag, Element, STAGED>& results,
                             const Forward& request, const DecodeShape& shape, GM_ADDR workspace)
        : ub_(ub), results_(results), request_(request), pitch_(static_cast<uint32_t>(shape.v_cols)) {
        gm_o_.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(workspace + DecodeWorkspace::kO));
    }

    /// O = O * factor + the step's part.
    __aicore__ inline void Accumulate(const Step& step, const Rows& rows) {
        if (rows.size() == 0) return;
        const tile::RowTile output = Tile(ub_.output, rows), part = Tile(ub_.part, rows);
        ub_.part_ring.BeginFill();
        AscendC::DataCopy(ub_.part, gm_o_[int64_t{step.slot()} * kSlotElements + int64_t{rows.begin} * pitch_],
                          static_cast<uint32_t>(rows.size()) * pitch_);
        ub_.part_ring.EndFill();
        ub_.part_ring.BeginUse();
        tile::AccumulateRows(output, part, ub_.Factor(step), ub_.blocks, step.first);
        ub_.part_ring.EndUse();
    }

    /// The end of a piece.
    __aicore__ inline void Finish(const Step& step, const Rows& rows) {
        if (rows.size() == 0) return;
        const auto lse = ub_.Temporary(0);
        Normalise(step, rows, lse);
        if (step.piece.shared()) {
            results_.Share(step.piece, rows, lse);
        } else {
            results_.Store(step.piece, rows, lse);
        }
    }

private:
    static constexpr int64_t kSlotElements = int64_t{DecodeShape::kTaskColumns} * DecodeShape::kRows;

    __aicore__ inline tile::RowTile Tile(const AscendC::LocalTensor<float>& data, const Rows& rows) const {
        return tile::RowTile{data, static_cast<uint32_t>(rows.size()), pitch_, pitch_};
    }

    // O = O / sum (times the scale of V), lse = maximum * scale + ln(sum). Rows without keys: anything finite.
    __aicore__ inline void Normalise(const Step& step, const Rows& rows, const AscendC::LocalTensor<float>& lse) {
        const uint32_t count = static_cast<uint32_t>(rows.size());
        tile::LseOfRows<Buffers<ArchTag, STAGED>::kScale>(lse, ub_.Statistics(step), ub_.blocks, count,
                                                          request_.score.scale);
        tile::DivideRows(Tile(ub_.output, rows), ub_.blocks);
        tile::VectorBarrier();
        if constexpr (STAGED) ScaleHeads(step.piece, rows);
    }
    __aicore__ inline void ScaleHeads(const Piece& piece, const Rows& rows) {
        for (RowsOfHeads part(piece, rows); part.more(); part.next()) {
            const float scale = request_.score.v_scale_of(piece.s.n, part.head()) / staged_factor(request_);
            const auto output = ub_.output[part.first() * pitch_];
            AscendC::Muls(output, output, scale, static_cast<int32_t>(part.size() * pitch_));
        }
        tile::VectorBarrier();
    }

    Buffers<ArchTag, STAGED>& ub_;
    Results<ArchTag, Element, STAGED>& results_;
    const Forward& request_;
    const uint32_t pitch_;
    AscendC::GlobalTensor<float> gm_o_;
};

}  // namespace flash_attn_npu::ascend::decode
