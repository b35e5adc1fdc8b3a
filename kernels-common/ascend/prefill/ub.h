// SPDX-License-Identifier: BSD-3-Clause
// UB of a vector core in the prefill kernel, laid out at compile time.
//
// A vector core has 64 rows of each sub-block, as strips of 16. A chunk of scores is one strip x all keys of a step, so
// the maximum of its rows over the step is known before the first exponential.
#pragma once

#include "prefill/shape.h"

namespace flash_attn_npu::ascend::prefill {

template <class ArchTag, class Shape>
class PrefillUb {
public:
    static constexpr uint32_t ROWS = Shape::HALF_ROWS, STRIPS = ROWS / Shape::STRIP_ROWS;
    static constexpr uint32_t CHUNK_BYTES = Shape::STRIP_ROWS * Shape::STEP_KEYS * 2;
    static constexpr uint32_t CHUNKS = Shape::HEAD_DIM_V <= 128 ? 3 : 2;

    __aicore__ inline explicit PrefillUb(arch::Resource<ArchTag>& resource) : ub_(resource.ubBuf) {
        for (uint32_t i = 0; i < CHUNKS; ++i) AscendC::SetFlag<AscendC::HardEvent::MTE3_MTE2>(static_cast<int32_t>(i));
        AscendC::Duplicate(NoMaximum(), static_cast<half>(NO_MAXIMUM), static_cast<int32_t>(ROWS));
        AscendC::Duplicate(Ones(), 1.0f, static_cast<int32_t>(ROWS));
        // Rows that do not exist take part in statistics of whole sub-blocks.
        AscendC::Duplicate(Maximum(0, 0), static_cast<half>(0.0f), static_cast<int32_t>(STATISTICS));
        AscendC::Duplicate(Sum(0, 0), 1.0f, static_cast<int32_t>(STATISTICS));
        AscendC::Duplicate(PanelSums(0), static_cast<half>(0.0f), static_cast<int32_t>(STRIPS * PANEL_SUMS));
        AscendC::PipeBarrier<PIPE_V>();
    }
    __aicore__ inline ~PrefillUb() {
        for (uint32_t i = 0; i < CHUNKS; ++i) AscendC::WaitFlag<AscendC::HardEvent::MTE3_MTE2>(static_cast<int32_t>(i));
    }

    // The ring of chunks. Every chunk goes MTE2 -> V -> MTE3, in order; each arrow and the way back is an event.
    __aicore__ inline uint32_t BeginLoad() {
        AscendC::WaitFlag<AscendC::HardEvent::MTE3_MTE2>(static_cast<int32_t>(load_));
        return load_;
    }
    __aicore__ inline void EndLoad() {
        AscendC::SetFlag<AscendC::HardEvent::MTE2_V>(static_cast<int32_t>(load_));
        load_ = (load_ + 1) % CHUNKS;
    }
    __aicore__ inline uint32_t BeginCompute() {
        AscendC::WaitFlag<AscendC::HardEvent::MTE2_V>(static_cast<int32_t>(compute_));
        return compute_;
    }
    __aicore__ inline void EndCompute() {
        AscendC::SetFlag<AscendC::HardEvent::V_MTE3>(static_cast<int32_t>(compute_));
        AscendC::WaitFlag<AscendC::HardEvent::V_MTE3>(static_cast<int32_t>(compute_));
    }
    __aicore__ inline void EndStore() {
        AscendC::SetFlag<AscendC::HardEvent::MTE3_MTE2>(static_cast<int32_t>(compute_));
        compute_ = (compute_ + 1) % CHUNKS;
    }
    template <class T>
    __aicore__ inline AscendC::LocalTensor<T> Chunk(uint32_t chunk) const {
        return At<T>(CHUNKS_AT + chunk * CHUNK_BYTES);
    }

    /// Accumulated output of a sub-block, 64 rows.
    __aicore__ inline AscendC::LocalTensor<float> Output(int32_t sub) const {
        return At<float>(OUTPUT_AT + sub * OUTPUT_BYTES);
    }

    // Per row of a sub-block, for the steps under way. Maximum and sum: running, up to and with the step. Factor: by
    // which the step changes what was accumulated before it.
    __aicore__ inline AscendC::LocalTensor<half> Maximum(int32_t slot, int32_t sub) const {
        return At<half>(MAXIMUM_AT + Row(slot, sub) * 2);
    }
    __aicore__ inline AscendC::LocalTensor<float> Sum(int32_t slot, int32_t sub) const {
        return At<float>(SUM_AT + Row(slot, sub) * 4);
    }
    __aicore__ inline AscendC::LocalTensor<float> Factor(int32_t slot, int32_t sub) const {
        return At<float>(FACTOR_AT + Row(slot, sub) * 4);
    }
    __aicore__ inline AscendC::LocalTensor<half> NoMaximum() const { return At<half>(NO_MAXIMUM_AT); }
    __aicore__ inline AscendC::LocalTensor<float> Ones() const { return At<float>(ONES_AT); }

    // Scratch. Panel maxima and sums of a strip: (panel, row). Blocks: a row statistic, every value in a block of its
    // own.
    __aicore__ inline AscendC::LocalTensor<half> PanelSums(int32_t strip) const {
        return At<half>(PANEL_SUMS_AT + strip * PANEL_SUMS * 2);
    }
    __aicore__ inline AscendC::LocalTensor<float> WidePanelSums(int32_t strip) const {
        return At<float>(WIDE_AT + strip * PANEL_SUMS * 4);
    }
    __aicore__ inline AscendC::LocalTensor<half> StripScratch() const { return At<half>(STRIP_SCRATCH_AT); }
    __aicore__ inline AscendC::LocalTensor<half> StripMaximumBlocks() const { return At<half>(STRIP_BLOCKS_AT); }
    __aicore__ inline AscendC::LocalTensor<float> RowScratch(uint32_t i) const {
        return At<float>(ROW_SCRATCH_AT + i * ROWS * 4);
    }
    __aicore__ inline AscendC::LocalTensor<float> RowBlocks() const { return At<float>(WIDE_AT); }

    // Where running maxima begin: below every score of a row that is not given up.
    static constexpr float NO_MAXIMUM = -32768.0f;
    static constexpr uint32_t PANEL_SUMS = Shape::STEP_PANELS * Shape::STRIP_ROWS;

private:
    static constexpr uint32_t STATISTICS = kPrefillSlots * Shape::SUB_BLOCKS * ROWS;
    static constexpr uint32_t OUTPUT_BYTES = ROWS * Shape::HEAD_DIM_V * 4;
    // Blocks of 32 bytes lie in 16 bank groups. The two sources of an instruction should not meet in one: maxima of a
    // strip against its scores, and increments of the output (in a chunk) against the output, are half a turn apart.
    static constexpr uint32_t HALF_TURN = 256;

    static constexpr uint32_t CHUNKS_AT = 0;
    static constexpr uint32_t OUTPUT_AT = CHUNKS_AT + CHUNKS * CHUNK_BYTES + HALF_TURN;
    static constexpr uint32_t STRIP_BLOCKS_AT = OUTPUT_AT + Shape::SUB_BLOCKS * OUTPUT_BYTES;
    static constexpr uint32_t STRIP_SCRATCH_AT = STRIP_BLOCKS_AT + Shape::STRIP_ROWS * 32;
    static constexpr uint32_t PANEL_SUMS_AT = STRIP_SCRATCH_AT + Shape::FRACTAL * 2 + 32;
    static constexpr uint32_t WIDE_AT = PANEL_SUMS_AT + STRIPS * PANEL_SUMS * 2;
    static constexpr uint32_t MAXIMUM_AT = WIDE_AT + STRIPS * PANEL_SUMS * 4;
    static constexpr uint32_t SUM_AT = MAXIMUM_AT + STATISTICS * 2;
    static constexpr uint32_t FACTOR_AT = SUM_AT + STATISTICS * 4;
    static constexpr uint32_t NO_MAXIMUM_AT = FACTOR_AT + STATISTICS * 4;
    static constexpr uint32_t ONES_AT = NO_MAXIMUM_AT + ROWS * 2;
    static constexpr uint32_t ROW_SCRATCH_AT = ONES_AT + ROWS * 4;
    static constexpr uint32_t END = ROW_SCRATCH_AT + 3 * ROWS * 4;
    static_assert(END <= ArchTag::UB_SIZE, "UB overflows");
    static_assert(STRIP_BLOCKS_AT % (2 * HALF_TURN) == HALF_TURN && CHUNKS_AT % (2 * HALF_TURN) == 0,
                  "bank groups meet");

    __aicore__ inline static uint32_t Row(int32_t slot, int32_t sub) {
        return (static_cast<uint32_t>(slot) * Shape::SUB_BLOCKS + static_cast<uint32_t>(sub)) * ROWS;
    }
    template <class T>
    __aicore__ inline AscendC::LocalTensor<T> At(uint32_t offset) const {
        return ub_.template GetBufferByByte<T>(offset);
    }

    const arch::LocalTensorBuffer<AscendC::TPosition::VECCALC, ArchTag::UB_SIZE>& ub_;
    uint32_t load_ = 0, compute_ = 0;
};

}  // namespace flash_attn_npu::ascend::prefill
