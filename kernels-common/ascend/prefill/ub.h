// SPDX-License-Identifier: BSD-3-Clause
// UB of a vector core in the prefill kernel, laid out at compile time.
//
// A vector core has 64 rows of each sub-block, as strips of 16. A chunk of scores is one strip x all keys of a step, so
// the maximum of its rows over the step is known before the first exponential.
#pragma once

#include "arch/memory_plan.h"
#include "prefill/shape.h"
#include "tile/barrier.h"

namespace flash_attn_npu::ascend::prefill {

template <class Shape>
struct PrefillUbPlan : arch::MemoryPlan {
    static constexpr uint32_t ROWS = Shape::HALF_ROWS, STRIPS = ROWS / Shape::STRIP_ROWS;
    static constexpr uint32_t CHUNK = Shape::STRIP_ROWS * Shape::STEP_KEYS;  // halves
    static constexpr uint32_t CHUNKS = Shape::HEAD_DIM_V <= 128 ? 3 : 2;
    static constexpr uint32_t PANEL_SUMS = Shape::STEP_PANELS * Shape::STRIP_ROWS;
    static constexpr uint32_t STATISTICS = kPrefillSlots * Shape::SUB_BLOCKS * ROWS;
    static constexpr uint32_t OUTPUT = ROWS * Shape::HEAD_DIM_V;
    // Blocks of 32 bytes lie in 16 bank groups. The two sources of an instruction should not meet in one: maxima of a
    // strip against its scores, and increments of the output (in a chunk) against the output, are half a turn apart.
    static constexpr uint32_t HALF_TURN = 256;

    arch::Place<half> chunks = Take<half, CHUNKS * CHUNK>();
    arch::Place<uint8_t> half_turn = Take<uint8_t, HALF_TURN>();
    arch::Place<float> output = Take<float, Shape::SUB_BLOCKS * OUTPUT>();
    arch::Place<half> strip_blocks = Take<half, Shape::STRIP_ROWS * 16>();
    arch::Place<half> strip_scratch = Take<half, Shape::FRACTAL + Shape::STRIP_ROWS>();
    arch::Place<half> panel_sums = Take<half, STRIPS * PANEL_SUMS>();
    arch::Place<float> wide = Take<float, STRIPS * PANEL_SUMS>();
    arch::Place<half> maximum = Take<half, STATISTICS>();
    arch::Place<float> sum = Take<float, STATISTICS>();
    arch::Place<float> factor = Take<float, STATISTICS>();
    arch::Place<half> no_maximum = Take<half, ROWS>();
    arch::Place<float> ones = Take<float, ROWS>();
    arch::Place<float> row_scratch = Take<float, 3 * ROWS>();
};

template <class ArchTag, class Shape>
class PrefillUb {
public:
    using Plan = PrefillUbPlan<Shape>;
    static constexpr uint32_t ROWS = Plan::ROWS, STRIPS = Plan::STRIPS;
    static constexpr uint32_t CHUNK_BYTES = Plan::CHUNK * sizeof(half);
    static constexpr uint32_t CHUNKS = Plan::CHUNKS;

    __aicore__ inline explicit PrefillUb(arch::Resource<ArchTag>& resource) : ub_(resource.ubBuf) {
        AscendC::Duplicate(NoMaximum(), static_cast<half>(NO_MAXIMUM), static_cast<int32_t>(ROWS));
        AscendC::Duplicate(Ones(), 1.0f, static_cast<int32_t>(ROWS));
        // Rows that do not exist take part in statistics of whole sub-blocks.
        AscendC::Duplicate(Maximum(0, 0), static_cast<half>(0.0f), static_cast<int32_t>(STATISTICS));
        AscendC::Duplicate(Sum(0, 0), 1.0f, static_cast<int32_t>(STATISTICS));
        AscendC::Duplicate(PanelSums(0), static_cast<half>(0.0f), static_cast<int32_t>(STRIPS * PANEL_SUMS));
        tile::VectorBarrier();
    }

    // The ring of chunks. Every chunk goes MTE2 -> V -> MTE3, in order.
    __aicore__ inline uint32_t BeginLoad() { return ring_.BeginFill(); }
    __aicore__ inline void EndLoad() { ring_.EndFill(); }
    __aicore__ inline uint32_t BeginCompute() { return ring_.BeginUse(); }
    __aicore__ inline void EndCompute() { arch::HandOver<AscendC::HardEvent::V_MTE3>(ring_.InUse()); }
    __aicore__ inline void EndStore() { ring_.EndUse(); }
    template <class T>
    __aicore__ inline AscendC::LocalTensor<T> Chunk(uint32_t chunk) const {
        return At(kPlan.chunks, chunk * Plan::CHUNK).template ReinterpretCast<T>();
    }

    /// Accumulated output of a sub-block, 64 rows.
    __aicore__ inline AscendC::LocalTensor<float> Output(int32_t sub) const {
        return At(kPlan.output, static_cast<uint32_t>(sub) * Plan::OUTPUT);
    }

    // Per row of a sub-block, for the steps under way. Maximum and sum: running, up to and with the step. Factor: by
    // which the step changes what was accumulated before it.
    __aicore__ inline AscendC::LocalTensor<half> Maximum(int32_t slot, int32_t sub) const {
        return At(kPlan.maximum, Row(slot, sub));
    }
    __aicore__ inline AscendC::LocalTensor<float> Sum(int32_t slot, int32_t sub) const {
        return At(kPlan.sum, Row(slot, sub));
    }
    __aicore__ inline AscendC::LocalTensor<float> Factor(int32_t slot, int32_t sub) const {
        return At(kPlan.factor, Row(slot, sub));
    }
    __aicore__ inline AscendC::LocalTensor<half> NoMaximum() const { return At(kPlan.no_maximum); }
    __aicore__ inline AscendC::LocalTensor<float> Ones() const { return At(kPlan.ones); }

    // Scratch. Panel maxima and sums of a strip: (panel, row). Blocks: a row statistic, every value in a block of its
    // own.
    __aicore__ inline AscendC::LocalTensor<half> PanelSums(int32_t strip) const {
        return At(kPlan.panel_sums, static_cast<uint32_t>(strip) * PANEL_SUMS);
    }
    __aicore__ inline AscendC::LocalTensor<float> WidePanelSums(int32_t strip) const {
        return At(kPlan.wide, static_cast<uint32_t>(strip) * PANEL_SUMS);
    }
    __aicore__ inline AscendC::LocalTensor<half> StripScratch() const { return At(kPlan.strip_scratch); }
    __aicore__ inline AscendC::LocalTensor<half> StripMaximumBlocks() const { return At(kPlan.strip_blocks); }
    __aicore__ inline AscendC::LocalTensor<float> RowScratch(uint32_t i) const {
        return At(kPlan.row_scratch, i * ROWS);
    }
    __aicore__ inline AscendC::LocalTensor<float> RowBlocks() const { return At(kPlan.wide); }

    // Where running maxima begin: below every score of a row that is not given up.
    static constexpr float NO_MAXIMUM = -32768.0f;
    static constexpr uint32_t PANEL_SUMS = Plan::PANEL_SUMS;

private:
    static constexpr Plan kPlan{};
    static constexpr uint32_t STATISTICS = Plan::STATISTICS;
    static_assert(kPlan.end() <= ArchTag::UB_SIZE, "UB overflows");
    static_assert(kPlan.strip_blocks.offset % (2 * Plan::HALF_TURN) == Plan::HALF_TURN &&
                      kPlan.chunks.offset % (2 * Plan::HALF_TURN) == 0,
                  "bank groups meet");

    __aicore__ inline static uint32_t Row(int32_t slot, int32_t sub) {
        return (static_cast<uint32_t>(slot) * Shape::SUB_BLOCKS + static_cast<uint32_t>(sub)) * ROWS;
    }
    template <class T>
    __aicore__ inline AscendC::LocalTensor<T> At(arch::Place<T> place, uint32_t first = 0) const {
        return arch::TensorAt(ub_, place, first);
    }

    const arch::LocalTensorBuffer<AscendC::TPosition::VECCALC, ArchTag::UB_SIZE>& ub_;
    arch::BufferRing<AscendC::HardEvent::MTE2_V, AscendC::HardEvent::MTE3_MTE2, CHUNKS> ring_;
};

}  // namespace flash_attn_npu::ascend::prefill
