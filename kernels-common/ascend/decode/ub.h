// SPDX-License-Identifier: BSD-3-Clause
// UB of a vector core in the decode kernel, laid out at compile time.
#pragma once
#include "arch/buffer_ring.h"
#include "decode/schedule.h"
#include "tile/fp8.h"
#include "tile/row_vectors.h"

namespace flash_attn_npu::ascend::decode {

/// The packed rows of a task that a vector core works on: [begin, end).
struct DecodeRows {
    int32_t begin, end;

    /// Part `index` of `parts` equal ones.
    __aicore__ inline DecodeRows(const DecodePiece& piece, int32_t index, int32_t parts)
        : begin(piece.rows() * index / parts), end(piece.rows() * (index + 1) / parts) {}
    __aicore__ inline int32_t size() const { return end - begin; }
};

/// Some rows of a task, head by head.
class DecodeRowsOfHeads {
public:
    __aicore__ inline DecodeRowsOfHeads(const DecodePiece& piece, const DecodeRows& rows)
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
    const DecodePiece& piece_;
    const DecodeRows& rows_;
    int32_t row_;
};

/// STAGED: with the buffers in which fp8 K and V are converted, and less room for the rest.
template <class ArchTag, bool STAGED>
class DecodeUb {
public:
    static constexpr uint32_t ROWS = DecodeShape::kTaskRows / 2;                      // of a vector core
    static constexpr uint32_t CHUNK_ELEMENTS = DecodeShape::kStagedTileElements / 4;  // converted at a time

    __aicore__ inline explicit DecodeUb(arch::Resource<ArchTag>& resource) {
        scores = resource.ubBuf.template GetBufferByByte<float>(SCORES);
        part = resource.ubBuf.template GetBufferByByte<float>(PART);
        output = resource.ubBuf.template GetBufferByByte<float>(OUTPUT);
        staging = resource.ubBuf.template GetBufferByByte<float>(STAGING);
        stagedLse = resource.ubBuf.template GetBufferByByte<float>(STAGED_LSE);
        tree = resource.ubBuf.template GetBufferByByte<float>(TREE);
        blocks = resource.ubBuf.template GetBufferByByte<float>(BLOCKS);
        statistics_ = resource.ubBuf.template GetBufferByByte<float>(STATISTICS);
        if constexpr (STAGED) {
            for (uint32_t i = 0; i < 2; ++i) {
                codes[i] = resource.ubBuf.template GetBufferByByte<uint8_t>(CODES + CHUNK_ELEMENTS * i);
                halves[i] = resource.ubBuf.template GetBufferByByte<half>(HALVES + HALVES_BYTES * i);
            }
            fp8Constants = resource.ubBuf.template GetBufferByByte<int16_t>(FP8_CONSTANTS);
        }
        // Brcb reads eight rows at a time.
        AscendC::Duplicate(statistics_, 0.0f, static_cast<int32_t>(STATISTICS_COUNT * ROWS));
        tile::VectorBarrier();
    }

    // One float per row.
    __aicore__ inline AscendC::LocalTensor<float> Maximum(const DecodeStep& step) const {
        return Statistic(step.piece_number % 2);
    }
    __aicore__ inline AscendC::LocalTensor<float> Sum(const DecodeStep& step) const {
        return Statistic(2 + step.piece_number % 2);
    }
    __aicore__ inline AscendC::LocalTensor<float> Factor(const DecodeStep& step) const {
        return Statistic(4 + step.number % 2);
    }
    __aicore__ inline AscendC::LocalTensor<float> Temporary(uint32_t index) const { return Statistic(6 + index); }

    AscendC::LocalTensor<float> scores;      // S of a step, then P before it is rounded; pieces to be merged
    AscendC::LocalTensor<float> part;        // O of a step
    AscendC::LocalTensor<float> output;      // O accumulated
    AscendC::LocalTensor<float> staging;     // what leaves: P or O
    AscendC::LocalTensor<float> stagedLse;   // and LSE, a block per row
    AscendC::LocalTensor<float> tree;        // of reductions over rows
    AscendC::LocalTensor<float> blocks;      // a row statistic, broadcast to 32-byte blocks
    AscendC::LocalTensor<uint8_t> codes[2];  // fp8 K and V: two chunks
    AscendC::LocalTensor<half> halves[2];    // and what they become
    AscendC::LocalTensor<int16_t> fp8Constants;

    using Event = AscendC::HardEvent;
    arch::BufferRing<Event::MTE2_V, Event::V_MTE2, 1, 0> scoresRing;
    arch::BufferRing<Event::MTE2_V, Event::V_MTE2, 1, 1> partRing;
    arch::BufferRing<Event::V_MTE3, Event::MTE3_V, 1, 0> stagingRing;  // staging and stagedLse

private:
    using Shape = DecodeShape;
    static constexpr uint32_t STATISTICS_COUNT = 9;
    static constexpr uint32_t OUTPUT_BYTES =
        (STAGED ? Shape::kStagedTaskElements : Shape::kTaskColumns * Shape::kRows) / 2 * sizeof(float);
    // Pieces of a task that are merged, with one row of rounding up for each: their O in `scores`, weights in `tree`.
    static constexpr uint32_t PIECES = DecodePartition::kMaxCores;
    static constexpr uint32_t MERGE_BYTES = OUTPUT_BYTES + PIECES * 256 * sizeof(float);
    static constexpr uint32_t STEP_BYTES =
        (STAGED ? Shape::kStagedStepElements : Shape::kStepScores * Shape::kRows) / 2 * sizeof(float);
    static constexpr uint32_t SCORES_BYTES = STEP_BYTES > MERGE_BYTES ? STEP_BYTES : MERGE_BYTES;
    static constexpr uint32_t BLOCK_BYTES = ROWS * ArchTag::BYTE_PER_C0;

    static constexpr uint32_t SCORES = 0;
    static constexpr uint32_t PART = SCORES + SCORES_BYTES;
    static constexpr uint32_t OUTPUT = PART + OUTPUT_BYTES;
    static constexpr uint32_t STAGING = OUTPUT + OUTPUT_BYTES;  // P is half as wide as S
    static constexpr uint32_t STAGED_LSE = STAGING + OUTPUT_BYTES;
    static constexpr uint32_t TREE = STAGED_LSE + BLOCK_BYTES;
    static constexpr uint32_t BLOCKS = TREE + ROWS * tile::STRIP * sizeof(float);
    static constexpr uint32_t STATISTICS = BLOCKS + BLOCK_BYTES;
    static constexpr uint32_t CODES = STATISTICS + STATISTICS_COUNT * ROWS * sizeof(float);
    static constexpr uint32_t HALVES = CODES + 2 * CHUNK_ELEMENTS;
    static constexpr uint32_t HALVES_BYTES = CHUNK_ELEMENTS * sizeof(half);
    static constexpr uint32_t FP8_CONSTANTS = HALVES + 2 * HALVES_BYTES;
    static constexpr uint32_t END = STAGED ? FP8_CONSTANTS + tile::Fp8ToHalf::kConstantBytes : CODES;
    static_assert(STEP_BYTES / 2 <= OUTPUT_BYTES, "P overflows its buffer");
    static_assert(END <= ArchTag::UB_SIZE, "UB overflows");
    static_assert(PIECES <= tile::STRIP, "weights overflow");

    __aicore__ inline AscendC::LocalTensor<float> Statistic(uint32_t index) const { return statistics_[index * ROWS]; }

    AscendC::LocalTensor<float> statistics_;
};

}  // namespace flash_attn_npu::ascend::decode
