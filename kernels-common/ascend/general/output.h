// SPDX-License-Identifier: BSD-3-Clause
// O on a vector core: rescale and accumulate the steps of a task; at its end normalise, round and store.
#pragma once
#include "contract/general.h"
#include "general/row_share.h"
#include "general/steps.h"
#include "general/ub.h"
#include "tile/copy_rows_to_gm.h"
#include "tile/softmax.h"
#include "tile/strided_rows.h"

namespace flash_attn_npu::ascend::general {

/// ElementOut: of out, 2 bytes wide.
template <class ArchTag, class ElementOut>
class Output {
public:
    __aicore__ inline Output(Buffers<ArchTag>& ub, const AttentionArguments& arguments)
        : ub_(ub),
          request_(arguments.request),
          plan_(arguments.plan),
          dim_(request_.head_dim_v),
          pitch_(RoundUp<16>(dim_)) {}

    /// O = O * factor + the step's part, rows `share`; gm_o has `stride` elements from row to row.
    __aicore__ inline void operator()(const Step& step, const RowShare& share, const AscendC::GlobalTensor<float>& gm_o,
                                      uint32_t stride) {
        const uint32_t rows = static_cast<uint32_t>(share.rows());
        const uint32_t chunk = Min(Ub::kInElements / pitch_ / 8 * 8, Ub::kRows);
        if (rows == 0) return;
        Load(gm_o, stride, Min(chunk, rows));
        for (uint32_t row = 0; row < rows; row += chunk) {
            const uint32_t next = row + chunk;
            if (next < rows) Load(gm_o[next * stride], stride, Min(chunk, rows - next));
            const uint32_t in = ub_.in_ring.BeginUse();
            const tile::RowTile part{ub_.in[in], Min(chunk, rows - row), dim_, pitch_};
            const tile::RowTile o = Rows(row, part.rows);
            tile::AccumulateRows(o, part, ub_.Factor(step.number)[row], ub_.blocks, step.first);
            ub_.in_ring.EndUse();
        }
    }

    /// The end of a task: out and LSE, or partial results when the keys are split.
    __aicore__ inline void Finish(const Step& step, const RowShare& share) {
        if (share.rows() == 0) return;
        const Task& task = step.task;
        const auto lse = ub_.row_temporary;
        Normalise(step, share, lse);
        const bool partial = plan_.num_splits > 1;
        FinishMaskedRows(task, share, lse, partial);
        if (partial) {
            const PackedRow first{0, task.kv_head * plan_.group};
            const int64_t row = plan_.accum_row(request_, task.s, task.split, first);
            const int64_t heads = plan_.accum_row(request_, task.s, task.split, PackedRow{0, first.head_q + 1}) - row;
            StoreRows(request_.out_accum + row * request_.head_dim_v, request_.head_dim_v, heads * request_.head_dim_v,
                      share);
            StoreLse(lse, request_.lse_accum + row, heads, share);
            return;
        }
        const RowTensor& out = request_.out;
        StoreRows(reinterpret_cast<__gm__ ElementOut*>(out.data) +
                      out.offset(task.s.n, task.s.q_row, task.kv_head * plan_.group),
                  out.stride_row, out.stride_head, share);
        if (request_.lse == nullptr) return;
        OffsetLse(lse, task, share);
        const int64_t row =
            task.s.n * request_.lse_stride_batch + task.s.q_row + task.kv_head * plan_.group * request_.lse_stride_head;
        StoreLse(lse, request_.lse + row, request_.lse_stride_head, share);
    }

private:
    using Ub = Buffers<ArchTag>;
    static constexpr float kInfinity = __builtin_inff();

    __aicore__ inline tile::RowTile Rows(uint32_t row, uint32_t rows) const {
        return tile::RowTile{ub_.o[row * pitch_], rows, dim_, pitch_};
    }

    __aicore__ inline void Load(const AscendC::GlobalTensor<float>& gm, uint32_t stride, uint32_t rows) {
        const uint32_t in = ub_.in_ring.BeginFill();
        tile::LoadRows(ub_.in[in], gm, tile::RowsShape{rows, dim_, stride, pitch_});
        ub_.in_ring.EndFill();
    }

    // O = O / sum * v_scale; lse = maximum + ln(sum). Rows without keys get arbitrary finite values.
    __aicore__ inline void Normalise(const Step& step, const RowShare& share, const AscendC::LocalTensor<float>& lse) {
        const tile::RowTile o = Rows(0, static_cast<uint32_t>(share.rows()));
        tile::LseOfRows<tile::ScoreScale::kBefore>(lse, ub_.Statistics(step.task_number, step.number, 0), ub_.blocks,
                                                   o.rows, 1.0f);
        if (step.keys.empty()) {
            AscendC::Duplicate(o.data, 0.0f, static_cast<int32_t>(o.rows * o.pitch));
        } else {
            tile::DivideRows(o, ub_.blocks);
        }
        tile::VectorBarrier();
        const float v_scale = request_.score.v_scale_of(step.task.s.n, step.task.kv_head) / staged_factor(request_);
        if (v_scale != 1.0f) {
            tile::ScaleTile(o, o, v_scale);
            tile::VectorBarrier();
        }
    }

    // A row that sees no key of the task: zeros, and the LSE of nothing.
    __aicore__ inline void FinishMaskedRows(const Task& task, const RowShare& share,
                                            const AscendC::LocalTensor<float>& lse, bool partial) {
        const Mask mask = request_.mask_of(task.s);
        const KeyRange seen_by_all = mask.visible_to_all(share.begin / plan_.group, (share.end - 1) / plan_.group + 1);
        if (!intersect(seen_by_all, task.keys).empty()) return;
        tile::EmptyHiddenRows(Rows(0, static_cast<uint32_t>(share.rows())), lse,
                              partial ? -kInfinity : request_.lse_of_masked_row, mask, task.keys, [&](int32_t row) {
                                  const int32_t i = (share.begin + row) / plan_.group;
                                  return tile::RowsOfPosition{i, (i + 1) * plan_.group - share.begin};
                              });
    }

    // See ScoreOptions::alibi_lse_offset.
    __aicore__ inline void OffsetLse(const AscendC::LocalTensor<float>& lse, const Task& task, const RowShare& share) {
        if (!request_.score.alibi_lse_offset) return;
        const Mask mask = request_.mask_of(task.s);
        for (int32_t r = share.begin; r < share.end; ++r) {
            const PackedRow row = plan_.packed_row(task.kv_head, r);
            if (mask.visible(row.i).empty()) continue;
            const float slope = request_.score.alibi_slopes.at(task.s.n, row.head_q, 0.0f);
            uint64_t lane[2] = {uint64_t{1} << (r - share.begin), 0};
            AscendC::Adds(lse, lse, request_.score.lse_offset(slope, mask.position(row.i)), lane, 1,
                          AscendC::UnaryRepeatParams(1, 1, 8, 8));
            tile::VectorBarrier();
        }
    }

    // dst: position 0, first head of the kv head's group. Element: ElementOut, or float for partial results.
    template <class Element>
    __aicore__ inline void StoreRows(__gm__ Element* dst, int64_t stride_row, int64_t stride_head,
                                     const RowShare& share) {
        AscendC::GlobalTensor<Element> gm;
        gm.SetGlobalBuffer(dst);
        const int32_t chunk = static_cast<int32_t>(Ub::kOutBytes / (pitch_ * sizeof(float)));
        for (int32_t begin = share.begin; begin < share.end; begin += chunk) {
            const int32_t end = min_of(begin + chunk, share.end);
            const tile::RowTile o =
                Rows(static_cast<uint32_t>(begin - share.begin), static_cast<uint32_t>(end - begin));
            const auto staged = ub_.out[ub_.out_ring.BeginFill()].template ReinterpretCast<Element>();
            if constexpr (sizeof(Element) == sizeof(float)) {
                tile::ScaleTile(tile::RowTile{staged, o.rows, o.cols, o.pitch}, o, 1.0f);
            } else {
                tile::RoundTile(staged, pitch_, o);
            }
            ub_.out_ring.EndFill();
            const uint32_t out = ub_.out_ring.BeginUse();
            tile::CopyPackedRowsToGm<Element>()(gm, stride_row, stride_head, plan_.group,
                                                ub_.out[out].template ReinterpretCast<Element>(), pitch_, dim_, begin,
                                                end);
            ub_.out_ring.EndUse();
        }
    }

    __aicore__ inline void StoreLse(const AscendC::LocalTensor<float>& lse, __gm__ float* dst, int64_t stride_head,
                                    const RowShare& share) {
        AscendC::GlobalTensor<float> gm;
        gm.SetGlobalBuffer(dst);
        tile::BroadcastToBlocks(ub_.out[ub_.out_ring.BeginFill()], lse, static_cast<uint32_t>(share.rows()));
        ub_.out_ring.EndFill();
        const uint32_t out = ub_.out_ring.BeginUse();
        tile::CopyPackedRowsToGm<float>()(gm, 1, stride_head, plan_.group, ub_.out[out], 8, 1, share.begin, share.end);
        ub_.out_ring.EndUse();
    }

    Ub& ub_;
    const Forward& request_;
    const Plan& plan_;
    const uint32_t dim_, pitch_;
};

}  // namespace flash_attn_npu::ascend::general
