// SPDX-License-Identifier: BSD-3-Clause
// Where results of decode go: to out and softmax_lse, to the caller's partial results, or to the cores that share a
// task.
#pragma once
#include "decode/ub.h"
#include "tile/copy_rows_to_gm.h"
#include "tile/score.h"

namespace flash_attn_npu::ascend::decode {

/// Stores what `output` of the UB holds, normalised, and the LSE that goes with it.
template <class ArchTag, class Element, bool STAGED>
class Results {
public:
    static constexpr uint32_t kBlock = 8;  // floats
    // Of the LSE in what a core leaves for its sharers, in floats.
    static constexpr int64_t kSharedLse = DecodeWorkspace::kPartialOutput / static_cast<int64_t>(sizeof(float));

    __aicore__ inline Results(Buffers<ArchTag, STAGED>& ub, const AttentionArguments& arguments,
                              const DecodeShape& shape, const Partition& partition, int32_t core)
        : ub_(ub),
          request_(arguments.request),
          plan_(arguments.plan),
          partition_(partition),
          dim_(static_cast<uint32_t>(arguments.request.head_dim_v)),
          pitch_(static_cast<uint32_t>(shape.v_cols)),
          workspace_(arguments.core_workspace),
          workspace_bytes_(arguments.core_workspace_bytes),
          core_(core) {}

    /// Rows of a whole task.
    __aicore__ inline void Store(const Piece& piece, const Rows& rows, const AscendC::LocalTensor<float>& lse) {
        EmptyHiddenRows(piece, piece.task_keys, rows, lse, LseOfNothing());
        if (plan_.num_splits > 1) {
            Stage<float>(rows, lse);
        } else {
            Stage<Element>(rows, lse);
        }
        CopyStaged(piece, rows);
    }

    /// Rows of a task without keys: zeros.
    __aicore__ inline void StoreNothing(const Piece& piece, const Rows& rows) {
        if (rows.size() == 0) return;
        ub_.staging_ring.BeginFill();
        AscendC::Duplicate(ub_.staging, 0.0f, rows.size() * static_cast<int32_t>(pitch_));
        AscendC::Duplicate(ub_.staged_lse, LseOfNothing(), rows.size() * static_cast<int32_t>(kBlock));
        ub_.staging_ring.EndFill();
        CopyStaged(piece, rows);
    }

    /// Rows of a piece, for the cores that share the task.
    __aicore__ inline void Share(const Piece& piece, const Rows& rows, const AscendC::LocalTensor<float>& lse) {
        const AscendC::GlobalTensor<float> gm = Shared(piece, core_);
        const uint32_t count = static_cast<uint32_t>(rows.size());
        EmptyHiddenRows(piece, piece.keys, rows, lse, tile::kNoMaximum);
        Stage<float>(rows, lse);
        ub_.staging_ring.BeginUse();
        AscendC::DataCopy(gm[int64_t{rows.begin} * pitch_], ub_.staging, count * pitch_);
        AscendC::DataCopyPad(gm[kSharedLse + rows.begin], ub_.staged_lse,
                             AscendC::DataCopyExtParams(static_cast<uint16_t>(count), sizeof(float), 0, 0, 0));
        ub_.staging_ring.EndUse();
    }

    /// Where `core` left its piece of the task: apart from its piece of the task it began with.
    __aicore__ inline AscendC::GlobalTensor<float> Shared(const Piece& piece, int32_t core) const {
        const int64_t slot = partition_.Share(core) < piece.begin ? Workspace::kPartialBytes : 0;
        AscendC::GlobalTensor<float> gm;
        gm.SetGlobalBuffer(
            reinterpret_cast<__gm__ float*>(workspace_ + core * workspace_bytes_ + Workspace::kPartials + slot));
        return gm;
    }

private:
    using Workspace = DecodeWorkspace;

    __aicore__ inline tile::RowTile Output(const Rows& rows) const {
        return tile::RowTile{ub_.output, static_cast<uint32_t>(rows.size()), pitch_, pitch_};
    }
    // What a row that sees no key gets: combine wants to know that there was none.
    __aicore__ inline float LseOfNothing() const {
        constexpr float kInfinity = __builtin_inff();
        return plan_.num_splits > 1 ? -kInfinity : request_.lse_of_masked_row;
    }

    // Rows that see none of `keys`: zeros, and `value` for the LSE.
    __aicore__ inline void EmptyHiddenRows(const Piece& piece, KeyRange keys, const Rows& rows,
                                           const AscendC::LocalTensor<float>& lse, float value) {
        tile::EmptyHiddenRows(Output(rows), lse, value, request_.mask_of(piece.s), keys, [&](int32_t r) {
            const int32_t row = rows.begin + r;
            return tile::RowsOfPosition{piece.position(row, plan_.group),
                                        piece.position_end(row, plan_.group) - rows.begin};
        });
    }

    // O, rounded if Element is narrower, and lse, ready to be copied.
    template <class T>
    __aicore__ inline void Stage(const Rows& rows, const AscendC::LocalTensor<float>& lse) {
        const tile::RowTile output = Output(rows);
        ub_.staging_ring.BeginFill();
        if constexpr (sizeof(T) == sizeof(float)) {
            tile::ScaleTile(tile::RowTile{ub_.staging, output.rows, output.cols, output.pitch}, output, 1.0f);
        } else {
            tile::RoundTile(ub_.staging.template ReinterpretCast<T>(), pitch_, output);
        }
        tile::BroadcastToBlocks(ub_.staged_lse, lse, output.rows);
        ub_.staging_ring.EndFill();
    }

    __aicore__ inline void CopyStaged(const Piece& piece, const Rows& rows) {
        ub_.staging_ring.BeginUse();
        if (plan_.num_splits > 1) {
            CopyPartial(piece, rows);
        } else {
            CopyResult(piece, rows);
        }
        ub_.staging_ring.EndUse();
    }

    __aicore__ inline void CopyResult(const Piece& piece, const Rows& rows) {
        const int32_t head = piece.head_begin * plan_.group;
        const RowTensor& out = request_.out;
        CopyRows(reinterpret_cast<__gm__ Element*>(out.data) + out.offset(piece.s.n, piece.s.q_row, head),
                 out.stride_row, out.stride_head, ub_.staging.template ReinterpretCast<Element>(), pitch_, dim_, piece,
                 rows);
        if (request_.lse == nullptr) return;
        CopyRows(request_.lse + piece.s.n * request_.lse_stride_batch + head * request_.lse_stride_head + piece.s.q_row,
                 1, request_.lse_stride_head, ub_.staged_lse, kBlock, 1, piece, rows);
    }

    __aicore__ inline void CopyPartial(const Piece& piece, const Rows& rows) {
        const PackedRow first{0, piece.head_begin * plan_.group};
        const int64_t row = plan_.accum_row(request_, piece.s, piece.split, first);
        const int64_t heads = plan_.accum_row(request_, piece.s, piece.split, PackedRow{0, first.head_q + 1}) - row;
        CopyRows(request_.out_accum + row * dim_, dim_, heads * dim_, ub_.staging, pitch_, dim_, piece, rows);
        CopyRows(request_.lse_accum + row, 1, heads, ub_.staged_lse, kBlock, 1, piece, rows);
    }

    // dst: first position, first query head of the task.
    template <class T>
    __aicore__ inline void CopyRows(__gm__ T* dst, int64_t stride_row, int64_t stride_head,
                                    const AscendC::LocalTensor<T>& src, uint32_t pitch, uint32_t cols,
                                    const Piece& piece, const Rows& rows) const {
        AscendC::GlobalTensor<T> gm;
        gm.SetGlobalBuffer(dst);
        const tile::CopyPackedRowsToGm<T> copy;
        if (piece.head_rows == plan_.group) {
            // One position: the query heads of all kv heads are one group.
            copy(gm, stride_row, stride_head, piece.rows(), src, pitch, cols, rows.begin, rows.end);
            return;
        }
        for (int32_t row = rows.begin; row < rows.end;) {
            const int32_t head = row / piece.head_rows, head_row = head * piece.head_rows;
            const int32_t end = min_of(rows.end, head_row + piece.head_rows);
            copy(gm[head * plan_.group * stride_head], stride_row, stride_head, plan_.group,
                 src[(row - rows.begin) * pitch], pitch, cols, row - head_row, end - head_row);
            row = end;
        }
    }

    Buffers<ArchTag, STAGED>& ub_;
    const Forward& request_;
    const Plan& plan_;
    const Partition& partition_;
    const uint32_t dim_, pitch_;
    GM_ADDR workspace_;
    const uint64_t workspace_bytes_;
    const int32_t core_;
};

}  // namespace flash_attn_npu::ascend::decode
