// SPDX-License-Identifier: BSD-3-Clause
// Vector half of a prefill step, two steps after its softmax: the step's increment joins the accumulated output, and
// after
// the last step of a task rows are divided by their sums and stored.
#pragma once

#include "prefill/ub.h"
#include "prefill/vector.h"
#include "tile/copy_rows_to_gm.h"
#include "tile/row_vectors.h"

namespace flash_attn_npu::ascend::prefill {

/// Element: of out.
template <class ArchTag, class Element, class Shape>
class Output {
public:
    __aicore__ inline Output(Buffers<ArchTag, Shape>& ub, const AttentionArguments& a, __gm__ uint8_t* workspace,
                             uint32_t sub_block)
        : ub_(ub), a_(a), workspace_(workspace), half_(sub_block) {}

    /// output = output * factor + increment; stores the output when the step is the task's last.
    __aicore__ inline void operator()(const Step& step, int32_t sub) {
        const int32_t rows = clamp(step.Rows(sub) - FirstRow(), 0, static_cast<int32_t>(Shape::kHalfRows));
        if (rows == 0) return;
        LoadIncrement(step, sub, 0, min_of(rows, kPieceRows));
        if (!step.first) {
            tile::BroadcastToBlocks(ub_.RowBlocks(), ub_.Factor(step.Slot(), sub), Shape::kHalfRows);
            tile::VectorBarrier();
            tile::MultiplyRows(Rows(ub_.Output(sub), rows), ub_.RowBlocks());
            tile::VectorBarrier();
        }
        if (step.last) Finish(step, sub, rows);
        for (int32_t row = 0; row < rows; row += kPieceRows) {
            const int32_t next = row + kPieceRows;
            if (next < rows) LoadIncrement(step, sub, next, min_of(rows - next, kPieceRows));
            const int32_t piece = min_of(rows - row, kPieceRows);
            const AscendC::LocalTensor<float> o = ub_.Output(sub)[row * static_cast<int32_t>(Shape::kHeadDimV)];
            const uint32_t chunk = ub_.BeginCompute();
            AddIncrement(o, ub_.template Chunk<float>(chunk), piece, step.first);
            if (step.last) Normalise(o, row, piece, chunk);
            ub_.EndCompute();
            if (step.last) Store(step, sub, row, piece, chunk);
            ub_.EndStore();
        }
        tile::VectorBarrier();
    }

    /// Leaves a sub-block to the general kernel.
    __aicore__ inline void GiveUp(const Step& step, int32_t sub) {
        if (half_ != 0) return;
        const uint32_t chunk = ub_.BeginLoad();
        ub_.EndLoad();
        ub_.BeginCompute();
        AscendC::Duplicate(ub_.template Chunk<int32_t>(chunk)[kRedoAt / 4], int32_t{1}, int32_t{8});
        ub_.EndCompute();
        StoreRedo(step, sub, chunk);
        ub_.EndStore();
        tile::VectorBarrier();
    }

private:
    // Increments come in pieces that fill a chunk.
    static constexpr int32_t kChunkRows = Buffers<ArchTag, Shape>::kChunkBytes / (Shape::kHeadDimV * 4);
    static constexpr int32_t kPieceRows = min_of(kChunkRows, static_cast<int32_t>(Shape::kHalfRows));
    // In a chunk that holds finished rows: 16-bit output first, then LSE in a block per row, then the word for `redo`.
    static constexpr uint32_t kLseAt = kPieceRows * Shape::kHeadDimV * 2;
    static constexpr uint32_t kRedoAt = kLseAt + kPieceRows * 32;
    static constexpr uint32_t kLanes = 64;  // floats of a repeat
    static constexpr int32_t kBlock = 8;    // floats of a block

    __aicore__ inline int32_t FirstRow() const { return static_cast<int32_t>(half_ * Shape::kHalfRows); }

    __aicore__ inline static tile::RowTile Rows(const AscendC::LocalTensor<float>& data, int32_t rows) {
        return tile::RowTile{data, static_cast<uint32_t>(rows), Shape::kHeadDimV, Shape::kHeadDimV};
    }

    __aicore__ inline void LoadIncrement(const Step& step, int32_t sub, int32_t row, int32_t rows) {
        AscendC::GlobalTensor<float> o;
        o.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(workspace_ + places_.o(step.Slot(), sub)));
        const uint32_t chunk = ub_.BeginLoad();
        AscendC::DataCopy(ub_.template Chunk<float>(chunk),
                          o[(FirstRow() + row) * static_cast<int32_t>(Shape::kHeadDimV)],
                          static_cast<uint32_t>(rows) * Shape::kHeadDimV);
        ub_.EndLoad();
    }

    __aicore__ inline void AddIncrement(const AscendC::LocalTensor<float>& o,
                                        const AscendC::LocalTensor<float>& increment, int32_t rows, bool first) const {
        const uint8_t repeats = static_cast<uint8_t>(rows * static_cast<int32_t>(Shape::kHeadDimV / kLanes));
        if (first) {
            AscendC::Adds(o, increment, 0.0f, uint64_t{kLanes}, repeats, AscendC::UnaryRepeatParams());
        } else {
            AscendC::Add(o, o, increment, uint64_t{kLanes}, repeats, AscendC::BinaryRepeatParams());
        }
    }

    /// What the end of a task needs of all rows: inverse sums, times the scale of V (RowBlocks), LSE (Lse) and the redo
    /// word (Redo).
    __aicore__ inline void Finish(const Step& step, int32_t sub, int32_t rows) const {
        constexpr uint64_t kRows = Shape::kHalfRows;
        constexpr float kLargest = -Buffers<ArchTag, Shape>::kNoMaximum - 16;  // one half below it
        const AscendC::UnaryRepeatParams one;
        const int32_t slot = step.Slot();
        const AscendC::LocalTensor<float> sum = ub_.Sum(slot, sub), inverse = ub_.RowScratch(0), magnitude = Redo();
        AscendC::Div(inverse, ub_.Ones(), sum, kRows, 1, AscendC::BinaryRepeatParams());
        AscendC::Cast(magnitude, ub_.Maximum(slot, sub), AscendC::RoundMode::CAST_NONE, kRows, 1,
                      AscendC::UnaryRepeatParams(1, 1, 8, 4));
        AscendC::Ln(Lse(), sum, kRows, 1, one);
        tile::VectorBarrier();
        if (step.v_scale != 1.0f) {
            AscendC::Muls(inverse, inverse, step.v_scale, kRows, 1, one);
            tile::VectorBarrier();
        }
        tile::BroadcastToBlocks(ub_.RowBlocks(), inverse, Shape::kHalfRows);
        AscendC::Axpy(Lse(), magnitude, step.scale, kRows, 1, one);
        tile::VectorBarrier();
        // 1 when a row's largest score is beyond what half scores can be trusted with, or it saw no score at all; else
        // 0.
        AscendC::Abs(magnitude, magnitude, kRows, 1, one);
        tile::VectorBarrier();
        AscendC::WholeReduceMax(magnitude, magnitude, rows, 1, 1, 1, 8, AscendC::ReduceOrder::ORDER_ONLY_VALUE);
        tile::VectorBarrier();
        AscendC::Adds(magnitude, magnitude, 1.0f - kLargest, uint64_t{1}, 1, one);
        tile::VectorBarrier();
        AscendC::Maxs(magnitude, magnitude, 0.0f, uint64_t{1}, 1, one);
        tile::VectorBarrier();
        AscendC::Mins(magnitude, magnitude, 1.0f, uint64_t{1}, 1, one);
        tile::VectorBarrier();
    }
    __aicore__ inline AscendC::LocalTensor<float> Redo() const { return ub_.RowScratch(1); }
    __aicore__ inline AscendC::LocalTensor<float> Lse() const { return ub_.RowScratch(2); }

    /// Rows [row, row + rows) of the sub-block: output, LSE and redo word into the chunk.
    __aicore__ inline void Normalise(const AscendC::LocalTensor<float>& o, int32_t row, int32_t rows,
                                     uint32_t chunk) const {
        tile::VectorBarrier();
        tile::MultiplyRows(Rows(o, rows), ub_.RowBlocks()[row * kBlock]);
        tile::VectorBarrier();
        AscendC::Cast(ub_.template Chunk<Element>(chunk), o, AscendC::RoundMode::CAST_RINT, uint64_t{kLanes},
                      static_cast<uint8_t>(rows * static_cast<int32_t>(Shape::kHeadDimV / kLanes)),
                      AscendC::UnaryRepeatParams(1, 1, 4, 8));
        tile::BroadcastToBlocks(ub_.template Chunk<float>(chunk)[kLseAt / 4], Lse()[row], static_cast<uint32_t>(rows));
        AscendC::Cast(ub_.template Chunk<int32_t>(chunk)[kRedoAt / 4], Redo(), AscendC::RoundMode::CAST_CEIL,
                      uint64_t{1}, 1, AscendC::UnaryRepeatParams());
    }

    __aicore__ inline void Store(const Step& step, int32_t sub, int32_t row, int32_t rows, uint32_t chunk) const {
        const Forward& p = a_.request;
        const Sequence& s = step.task.s;
        const int32_t group = a_.plan.group, head = step.task.kv_head * group;
        const int32_t packed = step.RowBegin(sub) + FirstRow() + row;
        AscendC::GlobalTensor<Element> out;
        out.SetGlobalBuffer(reinterpret_cast<__gm__ Element*>(p.out.data));
        copy_rows_(out[p.out.offset(s.n, s.q_row, head)], p.out.stride_row, p.out.stride_head, group,
                   ub_.template Chunk<Element>(chunk), Shape::kHeadDimV, Shape::kHeadDimV, packed, packed + rows);
        if (p.lse != nullptr) {
            AscendC::GlobalTensor<float> lse;
            lse.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(p.lse));
            copy_lse_(lse[s.n * p.lse_stride_batch + head * p.lse_stride_head + s.q_row], 1, p.lse_stride_head, group,
                      ub_.template Chunk<float>(chunk)[kLseAt / 4], kBlock, 1, packed, packed + rows);
        }
        if (row == 0) StoreRedo(step, sub, chunk);
    }

    /// Added, because both vector cores of a sub-block may give it up.
    __aicore__ inline void StoreRedo(const Step& step, int32_t sub, uint32_t chunk) const {
        if (a_.redo == nullptr) return;
        Task row_tile = step.task;
        row_tile.row_begin = step.RowBegin(sub);
        AscendC::GlobalTensor<int32_t> redo;
        redo.SetGlobalBuffer(a_.redo);
        AscendC::SetAtomicAdd<int32_t>();
        AscendC::DataCopyPad(redo[redo_index(a_, row_tile)], ub_.template Chunk<int32_t>(chunk)[kRedoAt / 4],
                             AscendC::DataCopyExtParams(1, sizeof(int32_t), 0, 0, 0));
        AscendC::SetAtomicNone();
    }

    Buffers<ArchTag, Shape>& ub_;
    const AttentionArguments& a_;
    __gm__ uint8_t* workspace_;
    const uint32_t half_;  // which rows of a sub-block are this vector core's
    const PrefillWorkspace places_{Shape::kHeadDimV};
    tile::CopyPackedRowsToGm<Element> copy_rows_;
    tile::CopyPackedRowsToGm<float> copy_lse_;
};

}  // namespace flash_attn_npu::ascend::prefill
