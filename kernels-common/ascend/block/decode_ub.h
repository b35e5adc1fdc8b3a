// UB of a vector core in the decode kernel, laid out at compile time.
#pragma once
#include "arch/buffer_ring.h"
#include "kernel/decode_schedule.h"
#include "tile/row_vectors.h"

namespace flash_attn_npu::ascend::block {

/// The packed rows of a task that a vector core works on: [begin, end).
struct DecodeRows {
    int32_t begin, end;

    /// Part `index` of `parts` equal ones.
    __aicore__ inline DecodeRows(const kernel::DecodePiece& piece, int32_t index, int32_t parts)
        : begin(piece.rows() * index / parts), end(piece.rows() * (index + 1) / parts) {}
    __aicore__ inline int32_t size() const { return end - begin; }
};

template <class ArchTag>
class DecodeUb {
public:
    static constexpr uint32_t ROWS = kernel::DecodeShape::kTaskRows / 2;  // of a vector core

    __aicore__ inline explicit DecodeUb(arch::Resource<ArchTag>& resource) {
        scores = resource.ubBuf.template GetBufferByByte<float>(SCORES);
        part = resource.ubBuf.template GetBufferByByte<float>(PART);
        output = resource.ubBuf.template GetBufferByByte<float>(OUTPUT);
        staging = resource.ubBuf.template GetBufferByByte<float>(STAGING);
        stagedLse = resource.ubBuf.template GetBufferByByte<float>(STAGED_LSE);
        tree = resource.ubBuf.template GetBufferByByte<float>(TREE);
        blocks = resource.ubBuf.template GetBufferByByte<float>(BLOCKS);
        statistics_ = resource.ubBuf.template GetBufferByByte<float>(STATISTICS);
        // Brcb reads eight rows at a time.
        AscendC::Duplicate(statistics_, 0.0f, static_cast<int32_t>(STATISTICS_COUNT * ROWS));
        tile::VectorBarrier();
    }

    // One float per row.
    __aicore__ inline AscendC::LocalTensor<float> Maximum(const kernel::DecodeStep& step) const {
        return Statistic(step.piece_number % 2);
    }
    __aicore__ inline AscendC::LocalTensor<float> Sum(const kernel::DecodeStep& step) const {
        return Statistic(2 + step.piece_number % 2);
    }
    __aicore__ inline AscendC::LocalTensor<float> Factor(const kernel::DecodeStep& step) const {
        return Statistic(4 + step.number % 2);
    }
    __aicore__ inline AscendC::LocalTensor<float> Temporary(uint32_t index) const { return Statistic(6 + index); }

    AscendC::LocalTensor<float> scores;     // S of a step, then P before it is rounded; pieces to be merged
    AscendC::LocalTensor<float> part;       // O of a step
    AscendC::LocalTensor<float> output;     // O accumulated
    AscendC::LocalTensor<float> staging;    // what leaves: P or O
    AscendC::LocalTensor<float> stagedLse;  // and LSE, a block per row
    AscendC::LocalTensor<float> tree;       // of reductions over rows
    AscendC::LocalTensor<float> blocks;     // a row statistic, broadcast to 32-byte blocks

    using Event = AscendC::HardEvent;
    arch::BufferRing<Event::MTE2_V, Event::V_MTE2, 1, 0> scoresRing;
    arch::BufferRing<Event::MTE2_V, Event::V_MTE2, 1, 1> partRing;
    arch::BufferRing<Event::V_MTE3, Event::MTE3_V, 1, 0> stagingRing;  // staging and stagedLse

private:
    using Shape = kernel::DecodeShape;
    static constexpr uint32_t STATISTICS_COUNT = 9;
    static constexpr uint32_t SCORES_BYTES = Shape::kStepScores * Shape::kRows / 2 * sizeof(float);
    static constexpr uint32_t OUTPUT_BYTES = Shape::kTaskColumns * Shape::kRows / 2 * sizeof(float);
    static constexpr uint32_t BLOCK_BYTES = ROWS * ArchTag::BYTE_PER_C0;

    static constexpr uint32_t SCORES = 0;
    static constexpr uint32_t PART = SCORES + SCORES_BYTES;
    static constexpr uint32_t OUTPUT = PART + OUTPUT_BYTES;
    static constexpr uint32_t STAGING = OUTPUT + OUTPUT_BYTES;  // P is half as wide as S
    static constexpr uint32_t STAGED_LSE = STAGING + OUTPUT_BYTES;
    static constexpr uint32_t TREE = STAGED_LSE + BLOCK_BYTES;
    static constexpr uint32_t BLOCKS = TREE + ROWS * tile::STRIP * sizeof(float);
    static constexpr uint32_t STATISTICS = BLOCKS + BLOCK_BYTES;
    static constexpr uint32_t END = STATISTICS + STATISTICS_COUNT * ROWS * sizeof(float);
    static_assert(SCORES_BYTES / 2 <= OUTPUT_BYTES, "P overflows its buffer");
    static_assert(END <= ArchTag::UB_SIZE, "UB overflows");
    // Pieces of a task that are merged, with one row of rounding up for each: their O in `scores`, weights in `tree`.
    static constexpr uint32_t PIECES = kernel::DecodePartition::kMaxCores;
    static_assert(OUTPUT_BYTES + PIECES * 256 * sizeof(float) <= SCORES_BYTES, "O of the pieces overflows");
    static_assert(PIECES <= tile::STRIP, "weights overflow");

    __aicore__ inline AscendC::LocalTensor<float> Statistic(uint32_t index) const { return statistics_[index * ROWS]; }

    AscendC::LocalTensor<float> statistics_;
};

}  // namespace flash_attn_npu::ascend::block
