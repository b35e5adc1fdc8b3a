// Vector half of a prefill step, two steps after its softmax: the step's increment joins the accumulated output, and after
// the last step of a task rows are divided by their sums and stored.
#pragma once

#include "block/prefill_ub.h"
#include "kernel/steps.h"
#include "tile/copy_rows_to_gm.h"
#include "tile/prefill_vector.h"

namespace flash_attn_npu::ascend::block {

template <class ArchTag, class Element, class Shape>
class PrefillOutput {
public:
    __aicore__ inline PrefillOutput(PrefillUb<ArchTag, Shape>& ub, const kernel::AttentionArguments& a,
                                    __gm__ uint8_t* workspace, uint32_t subBlock)
        : ub_(ub), a_(a), workspace_(workspace), half_(subBlock) {}

    /// output = output * factor + increment; stores the output when the step is the task's last.
    __aicore__ inline void operator()(const kernel::PrefillStep& step, int32_t sub) {
        const int32_t rows = clamp(step.Rows(sub) - FirstRow(), 0, static_cast<int32_t>(Shape::HALF_ROWS));
        if (rows == 0) return;
        LoadIncrement(step, sub, rows);
        if (!step.first) {
            AscendC::Brcb(ub_.RowBlocks(), ub_.Factor(step.Slot(), sub), Shape::HALF_ROWS / 8,
                          AscendC::BrcbRepeatParams(1, 8));
            tile::BarrierV();
            MultiplyRows(ub_.Output(sub), rows);
            tile::BarrierV();
        }
        const uint32_t chunk = ub_.BeginCompute();
        AddIncrement(ub_.Output(sub), ub_.template Chunk<float>(chunk), rows, step.first);
        if (step.last) {
            tile::BarrierV();
            Normalise(step, sub, rows, chunk);
        }
        ub_.EndCompute();
        if (step.last) Store(step, sub, rows, chunk);
        ub_.EndStore();
        tile::BarrierV();
    }

    /// Leaves a sub-block to the general kernel.
    __aicore__ inline void GiveUp(const kernel::PrefillStep& step, int32_t sub) {
        if (half_ != 0) return;
        const uint32_t chunk = ub_.BeginLoad();
        ub_.EndLoad();
        ub_.BeginCompute();
        AscendC::Duplicate(ub_.template Chunk<int32_t>(chunk)[REDO_AT / 4], int32_t{1}, int32_t{8});
        ub_.EndCompute();
        StoreRedo(step, sub, chunk);
        ub_.EndStore();
        tile::BarrierV();
    }

private:
    // In a chunk that holds finished rows: 16-bit output first, then LSE in a block per row, then the word for `redo`.
    static constexpr uint32_t LSE_AT = Shape::HALF_ROWS * Shape::HEAD_DIM_V * 2;
    static constexpr uint32_t REDO_AT = LSE_AT + Shape::HALF_ROWS * 32;
    static constexpr uint32_t LANES = 64;  // floats of a repeat
    static constexpr uint8_t ROW_STRIDE = Shape::HEAD_DIM_V * 4 / 32;

    __aicore__ inline int32_t FirstRow() const { return static_cast<int32_t>(half_ * Shape::HALF_ROWS); }

    __aicore__ inline void LoadIncrement(const kernel::PrefillStep& step, int32_t sub, int32_t rows) {
        AscendC::GlobalTensor<float> o;
        o.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(workspace_ + places_.o(step.Slot(), sub)));
        const uint32_t chunk = ub_.BeginLoad();
        AscendC::DataCopy(ub_.template Chunk<float>(chunk), o[FirstRow() * static_cast<int32_t>(Shape::HEAD_DIM_V)],
                          static_cast<uint32_t>(rows) * Shape::HEAD_DIM_V);
        ub_.EndLoad();
    }

    /// Row r times block r of RowBlocks.
    __aicore__ inline void MultiplyRows(const AscendC::LocalTensor<float>& o, int32_t rows) const {
        const AscendC::BinaryRepeatParams strides(1, 1, 0, ROW_STRIDE, ROW_STRIDE, 1);
        for (uint32_t col = 0; col < Shape::HEAD_DIM_V; col += LANES) {
            AscendC::Mul(o[col], o[col], ub_.RowBlocks(), uint64_t{LANES}, static_cast<uint8_t>(rows), strides);
        }
    }

    __aicore__ inline void AddIncrement(const AscendC::LocalTensor<float>& o, const AscendC::LocalTensor<float>& increment,
                                        int32_t rows, bool first) const {
        const uint8_t repeats = static_cast<uint8_t>(rows * static_cast<int32_t>(Shape::HEAD_DIM_V / LANES));
        if (first) {
            AscendC::Adds(o, increment, 0.0f, uint64_t{LANES}, repeats, AscendC::UnaryRepeatParams());
        } else {
            AscendC::Add(o, o, increment, uint64_t{LANES}, repeats, AscendC::BinaryRepeatParams());
        }
    }

    /// 16-bit output, LSE and redo word into the chunk.
    __aicore__ inline void Normalise(const kernel::PrefillStep& step, int32_t sub, int32_t rows, uint32_t chunk) const {
        constexpr uint64_t ROWS = Shape::HALF_ROWS;
        const AscendC::UnaryRepeatParams one;
        const AscendC::UnaryRepeatParams widen(1, 1, 8, 4);
        const int32_t slot = step.Slot();
        const AscendC::LocalTensor<float> o = ub_.Output(sub), sum = ub_.Sum(slot, sub);
        const AscendC::LocalTensor<float> inverse = ub_.RowScratch(0), maximum = ub_.RowScratch(1), lse = ub_.RowScratch(2);
        const AscendC::LocalTensor<float> lseBlocks = ub_.template Chunk<float>(chunk)[LSE_AT / 4];

        AscendC::Div(inverse, ub_.Ones(), sum, ROWS, 1, AscendC::BinaryRepeatParams());
        AscendC::Cast(maximum, ub_.Maximum(slot, sub), AscendC::RoundMode::CAST_NONE, ROWS, 1, widen);
        AscendC::Ln(lse, sum, ROWS, 1, one);
        tile::BarrierV();
        AscendC::Brcb(ub_.RowBlocks(), inverse, Shape::HALF_ROWS / 8, AscendC::BrcbRepeatParams(1, 8));
        AscendC::Axpy(lse, maximum, a_.problem.score.scale, ROWS, 1, one);
        tile::BarrierV();
        MultiplyRows(o, rows);
        AscendC::Brcb(lseBlocks, lse, Shape::HALF_ROWS / 8, AscendC::BrcbRepeatParams(1, 8));
        AscendC::Abs(maximum, maximum, ROWS, 1, one);
        tile::BarrierV();
        AscendC::Cast(ub_.template Chunk<Element>(chunk), o, AscendC::RoundMode::CAST_RINT, uint64_t{LANES},
                      static_cast<uint8_t>(rows * static_cast<int32_t>(Shape::HEAD_DIM_V / LANES)),
                      AscendC::UnaryRepeatParams(1, 1, 4, 8));
        RedoWord(maximum, rows, ub_.template Chunk<int32_t>(chunk)[REDO_AT / 4]);
    }

    /// 1 when a row's largest score is beyond what half scores can be trusted with, or no score was seen at all.
    __aicore__ inline void RedoWord(const AscendC::LocalTensor<float>& magnitude, int32_t rows,
                                    const AscendC::LocalTensor<int32_t>& word) const {
        constexpr float LARGEST = -PrefillUb<ArchTag, Shape>::NO_MAXIMUM - 16;  // one half below it
        const AscendC::UnaryRepeatParams one;
        AscendC::WholeReduceMax(magnitude, magnitude, rows, 1, 1, 1, 8, AscendC::ReduceOrder::ORDER_ONLY_VALUE);
        tile::BarrierV();
        AscendC::Adds(magnitude, magnitude, 1.0f - LARGEST, uint64_t{1}, 1, one);
        tile::BarrierV();
        AscendC::Maxs(magnitude, magnitude, 0.0f, uint64_t{1}, 1, one);
        tile::BarrierV();
        AscendC::Mins(magnitude, magnitude, 1.0f, uint64_t{1}, 1, one);
        tile::BarrierV();
        AscendC::Cast(word, magnitude, AscendC::RoundMode::CAST_CEIL, uint64_t{1}, 1, one);
    }

    __aicore__ inline void Store(const kernel::PrefillStep& step, int32_t sub, int32_t rows, uint32_t chunk) const {
        const Problem& p = a_.problem;
        const Sequence& s = step.task.s;
        const int32_t group = a_.plan.group, head = step.task.kv_head * group;
        const int32_t row = step.RowBegin(sub) + FirstRow();
        AscendC::GlobalTensor<Element> out;
        out.SetGlobalBuffer(reinterpret_cast<__gm__ Element*>(p.out.data));
        copyRows_(out[p.out.offset(s.n, s.q_row, head)], p.out.stride_row, p.out.stride_head, group,
                  ub_.template Chunk<Element>(chunk), Shape::HEAD_DIM_V, Shape::HEAD_DIM_V, row, row + rows);
        if (p.lse != nullptr) {
            AscendC::GlobalTensor<float> lse;
            lse.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(p.lse));
            copyLse_(lse[s.n * p.lse_stride_batch + head * p.lse_stride_head + s.q_row], 1, p.lse_stride_head, group,
                     ub_.template Chunk<float>(chunk)[LSE_AT / 4], 8, 1, row, row + rows);
        }
        StoreRedo(step, sub, chunk);
    }

    /// Added, because both vector cores of a sub-block may give it up.
    __aicore__ inline void StoreRedo(const kernel::PrefillStep& step, int32_t sub, uint32_t chunk) const {
        if (a_.redo == nullptr) return;
        kernel::Task rowTile = step.task;
        rowTile.row_begin = step.RowBegin(sub);
        AscendC::GlobalTensor<int32_t> redo;
        redo.SetGlobalBuffer(a_.redo);
        AscendC::SetAtomicAdd<int32_t>();
        AscendC::DataCopyPad(redo[kernel::redo_index(a_, rowTile)], ub_.template Chunk<int32_t>(chunk)[REDO_AT / 4],
                             AscendC::DataCopyExtParams(1, sizeof(int32_t), 0, 0, 0));
        AscendC::SetAtomicNone();
    }

    PrefillUb<ArchTag, Shape>& ub_;
    const kernel::AttentionArguments& a_;
    __gm__ uint8_t* workspace_;
    const uint32_t half_;  // which rows of a sub-block are this vector core's
    const kernel::PrefillWorkspace places_{Shape::HEAD_DIM_V};
    tile::CopyPackedRowsToGm<Element> copyRows_;
    tile::CopyPackedRowsToGm<float> copyLse_;
};

}  // namespace flash_attn_npu::ascend::block
