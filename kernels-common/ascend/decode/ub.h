// SPDX-License-Identifier: BSD-3-Clause
// UB of a vector core in the decode kernel, laid out at compile time.
#pragma once
#include "arch/buffer_ring.h"
#include "arch/memory_plan.h"
#include "decode/schedule.h"
#include "tile/fp8.h"
#include "tile/softmax.h"

namespace flash_attn_npu::ascend::decode {

/// The packed rows of a task that a vector core works on: [begin, end).
struct Rows {
    int32_t begin, end;

    /// Part `index` of `parts` equal ones.
    __aicore__ inline Rows(const Piece& piece, int32_t index, int32_t parts)
        : begin(piece.rows() * index / parts), end(piece.rows() * (index + 1) / parts) {}
    __aicore__ inline int32_t size() const { return end - begin; }
};

/// Some rows of a task, head by head.
class RowsOfHeads {
public:
    __aicore__ inline RowsOfHeads(const Piece& piece, const Rows& rows)
        : piece_(piece), rows_(rows), row_(rows.begin) {}

    __aicore__ inline bool more() const { return row_ < rows_.end; }
    __aicore__ inline void next() { row_ += static_cast<int32_t>(size()); }
    __aicore__ inline int32_t head() const { return piece_.head_begin + row_ / piece_.head_rows; }
    /// Rows [first, first + size) of those given.
    __aicore__ inline uint32_t first() const { return static_cast<uint32_t>(row_ - rows_.begin); }
    __aicore__ inline uint32_t size() const {
        const int32_t end = (row_ / piece_.head_rows + 1) * piece_.head_rows;
        return static_cast<uint32_t>(min_of(rows_.end, end) - row_);
    }

private:
    const Piece& piece_;
    const Rows& rows_;
    int32_t row_;
};

/// STAGED: with the buffers in which fp8 K and V are converted, and less room for the rest.
template <bool STAGED>
struct UbPlan : arch::MemoryPlan {
    using Shape = DecodeShape;
    static constexpr uint32_t kRows = Shape::kTaskRows / 2;                     // of a vector core
    static constexpr uint32_t kChunkElements = Shape::kStagedTileElements / 4;  // converted at a time
    static constexpr uint32_t kStatisticsCount = 9;
    static constexpr uint32_t kOutput = (STAGED ? Shape::kStagedTaskElements : Shape::kTaskColumns * Shape::kRows) / 2;
    // Pieces of a task that are merged, with one row of rounding up for each: their O in `scores`, weights in `tree`.
    static constexpr uint32_t kPieces = Partition::kMaxCores;
    static constexpr uint32_t kMerge = kOutput + kPieces * 256;
    static constexpr uint32_t kStep = (STAGED ? Shape::kStagedStepElements : Shape::kStepScores * Shape::kRows) / 2;
    static_assert(kStep / 2 <= kOutput, "P overflows its buffer");
    static_assert(kPieces <= tile::kStrip, "weights overflow");

    arch::Place<float> scores = Take<float, max_of(kStep, kMerge)>();
    arch::Place<float> part = Take<float, kOutput>();
    arch::Place<float> output = Take<float, kOutput>();
    arch::Place<float> staging = Take<float, kOutput>();  // P is half as wide as S
    arch::Place<float> staged_lse = Take<float, kRows * 8>();
    arch::Place<float> tree = Take<float, kRows * tile::kStrip>();
    arch::Place<float> blocks = Take<float, kRows * 8>();
    arch::Place<float> statistics = Take<float, kStatisticsCount * kRows>();
    arch::Place<uint8_t> codes = Take<uint8_t, STAGED ? 2 * kChunkElements : 0>();
    arch::Place<half> halves = Take<half, STAGED ? 2 * kChunkElements : 0>();
    arch::Place<int16_t> fp8_constants =
        Take<int16_t, STAGED ? tile::Fp8ToHalf::kConstantBytes / sizeof(int16_t) : 0>();
};

/// STAGED: see UbPlan.
template <class ArchTag, bool STAGED>
class Buffers {
public:
    // Scores of fp8 keys are scaled head by head before all else; others share one positive scale.
    static constexpr tile::ScoreScale kScale =
        STAGED ? tile::ScoreScale::kBeforeStatisticsLate : tile::ScoreScale::kAfter;
    using Plan = UbPlan<STAGED>;
    static constexpr uint32_t kRows = Plan::kRows, kChunkElements = Plan::kChunkElements;

    __aicore__ inline explicit Buffers(arch::Resource<ArchTag>& resource) {
        scores = arch::TensorAt(resource.ubBuf, kPlan.scores);
        part = arch::TensorAt(resource.ubBuf, kPlan.part);
        output = arch::TensorAt(resource.ubBuf, kPlan.output);
        staging = arch::TensorAt(resource.ubBuf, kPlan.staging);
        staged_lse = arch::TensorAt(resource.ubBuf, kPlan.staged_lse);
        tree = arch::TensorAt(resource.ubBuf, kPlan.tree);
        blocks = arch::TensorAt(resource.ubBuf, kPlan.blocks);
        statistics_ = arch::TensorAt(resource.ubBuf, kPlan.statistics);
        if constexpr (STAGED) {
            for (uint32_t i = 0; i < 2; ++i) {
                codes[i] = arch::TensorAt(resource.ubBuf, kPlan.codes, i * kChunkElements);
                halves[i] = arch::TensorAt(resource.ubBuf, kPlan.halves, i * kChunkElements);
            }
            fp8_constants = arch::TensorAt(resource.ubBuf, kPlan.fp8_constants);
        }
        // Brcb reads eight rows at a time.
        AscendC::Duplicate(statistics_, 0.0f, static_cast<int32_t>(Plan::kStatisticsCount * kRows));
        tile::VectorBarrier();
    }

    // One float per row.
    __aicore__ inline AscendC::LocalTensor<float> Maximum(const Step& step) const {
        return Statistic(step.piece_number % 2);
    }
    __aicore__ inline AscendC::LocalTensor<float> Sum(const Step& step) const {
        return Statistic(2 + step.piece_number % 2);
    }
    __aicore__ inline AscendC::LocalTensor<float> Factor(const Step& step) const {
        return Statistic(4 + step.number % 2);
    }
    __aicore__ inline tile::RowStatistics Statistics(const Step& step) const {
        return tile::RowStatistics{Maximum(step), Sum(step), Factor(step)};
    }
    __aicore__ inline AscendC::LocalTensor<float> Temporary(uint32_t index) const { return Statistic(6 + index); }

    AscendC::LocalTensor<float> scores;      // S of a step, then P before it is rounded; pieces to be merged
    AscendC::LocalTensor<float> part;        // O of a step
    AscendC::LocalTensor<float> output;      // O accumulated
    AscendC::LocalTensor<float> staging;     // what leaves: P or O
    AscendC::LocalTensor<float> staged_lse;  // and LSE, a block per row
    AscendC::LocalTensor<float> tree;        // of reductions over rows
    AscendC::LocalTensor<float> blocks;      // a row statistic, broadcast to 32-byte blocks
    AscendC::LocalTensor<uint8_t> codes[2];  // fp8 K and V: two chunks
    AscendC::LocalTensor<half> halves[2];    // and what they become
    AscendC::LocalTensor<int16_t> fp8_constants;

    using Event = AscendC::HardEvent;
    arch::BufferRing<Event::MTE2_V, Event::V_MTE2, 1, 0> scores_ring;
    arch::BufferRing<Event::MTE2_V, Event::V_MTE2, 1, 1> part_ring;
    arch::BufferRing<Event::V_MTE3, Event::MTE3_V, 1, 0> staging_ring;  // staging and staged_lse

private:
    static constexpr Plan kPlan{};
    static_assert(kPlan.end() <= ArchTag::kUbBytes, "UB overflows");

    __aicore__ inline AscendC::LocalTensor<float> Statistic(uint32_t index) const { return statistics_[index * kRows]; }

    AscendC::LocalTensor<float> statistics_;
};

}  // namespace flash_attn_npu::ascend::decode
