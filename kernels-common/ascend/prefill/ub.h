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
struct UbPlan : arch::MemoryPlan {
    static constexpr uint32_t kRows = Shape::kHalfRows, kStrips = kRows / Shape::kStripRows;
    static constexpr uint32_t kChunk = Shape::kStripRows * Shape::kStepKeys;  // halves
    static constexpr uint32_t kChunks = Shape::kHeadDimV <= 128 ? 3 : 2;
    static constexpr uint32_t kPanelSums = Shape::kStepPanels * Shape::kStripRows;
    static constexpr uint32_t kStatistics = kPrefillSlots * Shape::kSubBlocks * kRows;
    static constexpr uint32_t kOutput = kRows * Shape::kHeadDimV;
    // Blocks of 32 bytes lie in 16 bank groups. The two sources of an instruction should not meet in one: maxima of a
    // strip against its scores, and increments of the output (in a chunk) against the output, are half a turn apart.
    static constexpr uint32_t kHalfTurn = 256;

    arch::Place<half> chunks = Take<half, kChunks * kChunk>();
    arch::Place<uint8_t> half_turn = Take<uint8_t, kHalfTurn>();
    arch::Place<float> output = Take<float, Shape::kSubBlocks * kOutput>();
    arch::Place<half> strip_blocks = Take<half, Shape::kStripRows * 16>();
    arch::Place<half> strip_scratch = Take<half, Shape::kFractal + Shape::kStripRows>();
    arch::Place<half> panel_sums = Take<half, kStrips * kPanelSums>();
    arch::Place<float> wide = Take<float, kStrips * kPanelSums>();
    arch::Place<half> maximum = Take<half, kStatistics>();
    arch::Place<float> sum = Take<float, kStatistics>();
    arch::Place<float> factor = Take<float, kStatistics>();
    arch::Place<half> no_maximum = Take<half, kRows>();
    arch::Place<float> ones = Take<float, kRows>();
    arch::Place<float> row_scratch = Take<float, 3 * kRows>();
};

template <class ArchTag, class Shape>
class Buffers {
public:
    using Plan = UbPlan<Shape>;
    static constexpr uint32_t kRows = Plan::kRows, kStrips = Plan::kStrips;
    static constexpr uint32_t kChunkBytes = Plan::kChunk * sizeof(half);
    static constexpr uint32_t kChunks = Plan::kChunks;

    __aicore__ inline explicit Buffers(arch::Resource<ArchTag>& resource) : ub_(resource.ubBuf) {
        AscendC::Duplicate(NoMaximum(), static_cast<half>(kNoMaximum), static_cast<int32_t>(kRows));
        AscendC::Duplicate(Ones(), 1.0f, static_cast<int32_t>(kRows));
        // Rows that do not exist take part in statistics of whole sub-blocks.
        AscendC::Duplicate(Maximum(0, 0), static_cast<half>(0.0f), static_cast<int32_t>(kStatistics));
        AscendC::Duplicate(Sum(0, 0), 1.0f, static_cast<int32_t>(kStatistics));
        AscendC::Duplicate(PanelSums(0), static_cast<half>(0.0f), static_cast<int32_t>(kStrips * kPanelSums));
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
        return At(kPlan.chunks, chunk * Plan::kChunk).template ReinterpretCast<T>();
    }

    /// Accumulated output of a sub-block, 64 rows.
    __aicore__ inline AscendC::LocalTensor<float> Output(int32_t sub) const {
        return At(kPlan.output, static_cast<uint32_t>(sub) * Plan::kOutput);
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
        return At(kPlan.panel_sums, static_cast<uint32_t>(strip) * kPanelSums);
    }
    __aicore__ inline AscendC::LocalTensor<float> WidePanelSums(int32_t strip) const {
        return At(kPlan.wide, static_cast<uint32_t>(strip) * kPanelSums);
    }
    __aicore__ inline AscendC::LocalTensor<half> StripScratch() const { return At(kPlan.strip_scratch); }
    __aicore__ inline AscendC::LocalTensor<half> StripMaximumBlocks() const { return At(kPlan.strip_blocks); }
    __aicore__ inline AscendC::LocalTensor<float> RowScratch(uint32_t i) const {
        return At(kPlan.row_scratch, i * kRows);
    }
    __aicore__ inline AscendC::LocalTensor<float> RowBlocks() const { return At(kPlan.wide); }

    // Where running maxima begin: below every score of a row that is not given up.
    static constexpr float kNoMaximum = -32768.0f;
    static constexpr uint32_t kPanelSums = Plan::kPanelSums;

private:
    static constexpr Plan kPlan{};
    static constexpr uint32_t kStatistics = Plan::kStatistics;
    static_assert(kPlan.end() <= ArchTag::kUbBytes, "UB overflows");
    static_assert(kPlan.strip_blocks.offset % (2 * Plan::kHalfTurn) == Plan::kHalfTurn &&
                      kPlan.chunks.offset % (2 * Plan::kHalfTurn) == 0,
                  "bank groups meet");

    __aicore__ inline static uint32_t Row(int32_t slot, int32_t sub) {
        return (static_cast<uint32_t>(slot) * Shape::kSubBlocks + static_cast<uint32_t>(sub)) * kRows;
    }
    template <class T>
    __aicore__ inline AscendC::LocalTensor<T> At(arch::Place<T> place, uint32_t first = 0) const {
        return arch::TensorAt(ub_, place, first);
    }

    const arch::LocalTensorBuffer<AscendC::TPosition::VECCALC, ArchTag::kUbBytes>& ub_;
    arch::BufferRing<AscendC::HardEvent::MTE2_V, AscendC::HardEvent::MTE3_MTE2, kChunks> ring_;
};

}  // namespace flash_attn_npu::ascend::prefill
