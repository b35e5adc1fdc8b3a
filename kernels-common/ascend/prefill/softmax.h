// SPDX-License-Identifier: BSD-3-Clause
// Vector half of a prefill step: probabilities of a sub-block from its scores, with the running maximum (online
// softmax).
#pragma once

#include "prefill/ub.h"
#include "prefill/vector.h"

namespace flash_attn_npu::ascend::prefill {

template <class ArchTag, class Element, class Shape>
class Softmax {
public:
    __aicore__ inline Softmax(Buffers<ArchTag, Shape>& ub, const AttentionArguments& a, __gm__ uint8_t* workspace,
                              uint32_t sub_block)
        : ub_(ub), a_(a), workspace_(workspace), half_(sub_block) {}

    /// Scores of sub-block `sub` in the workspace -> probabilities, and the statistics of its rows after this step.
    __aicore__ inline void operator()(const Step& step, int32_t sub) {
        const int32_t rows = clamp(step.Rows(sub) - FirstRow(), 0, static_cast<int32_t>(Shape::kHalfRows));
        const int32_t strips = ceil_div(rows, static_cast<int32_t>(Shape::kStripRows));
        for (int32_t strip = 0; strip < min_of(strips, kLoadAhead); ++strip) LoadScores(step, sub, strip);
        for (int32_t strip = 0; strip < strips; ++strip) {
            if (strip + kLoadAhead < strips) LoadScores(step, sub, strip + kLoadAhead);
            const int32_t row = strip * static_cast<int32_t>(Shape::kStripRows);
            const Strip s{ub_.template Chunk<half>(ub_.BeginCompute()), static_cast<uint32_t>(step.Panels())};
            Probabilities(step, sub, strip, s, min_of(rows - row, static_cast<int32_t>(Shape::kStripRows)));
            ub_.EndCompute();
            StoreProbabilities(step, sub, strip, s);
            ub_.EndStore();
        }
        if (strips > 0) UpdateStatistics(step, sub, strips);
    }

private:
    static constexpr int32_t kLoadAhead = Buffers<ArchTag, Shape>::kChunks - 1;  // one chunk is being stored
    static constexpr float kMasked = -65504.0f;
    static constexpr uint32_t kWideLanes = 64;  // floats of a repeat: 4 panels of a strip's sums

    __aicore__ inline int32_t FirstRow() const { return static_cast<int32_t>(half_ * Shape::kHalfRows); }

    /// S in the workspace: (panel, 128 rows, key); a strip is a run of 16 rows in each panel.
    __aicore__ inline void LoadScores(const Step& step, int32_t sub, int32_t strip) {
        AscendC::GlobalTensor<half> s;
        s.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(workspace_ + places_.s(step.Slot(), sub)));
        AscendC::DataCopyParams params;
        params.blockCount = static_cast<uint16_t>(step.Panels());
        params.blockLen = Shape::kStripRows;
        params.srcGap = Shape::kRows - Shape::kStripRows;
        params.dstGap = 0;
        const uint32_t chunk = ub_.BeginLoad();
        AscendC::DataCopy(
            ub_.template Chunk<half>(chunk),
            s[(FirstRow() + strip * static_cast<int32_t>(Shape::kStripRows)) * static_cast<int32_t>(Shape::kPanel)],
            params);
        ub_.EndLoad();
    }

    __aicore__ inline void Probabilities(const Step& step, int32_t sub, int32_t strip, const Strip& s,
                                         int32_t rows) const {
        const int32_t row = strip * static_cast<int32_t>(Shape::kStripRows);
        const AscendC::LocalTensor<half> maximum = ub_.Maximum(step.Slot(), sub)[row];
        const AscendC::LocalTensor<half> sums = ub_.PanelSums(strip);
        MaskStrip(s, a_.request.mask_of(step.task.s), a_.plan.group, step.RowBegin(sub) + FirstRow() + row, rows,
                  step.keys.begin, static_cast<half>(kMasked));
        tile::VectorBarrier();
        StripMaximum(maximum, MaximumBefore(step, sub)[row], s, sums, ub_.StripScratch(), static_cast<half>(kMasked));
        tile::VectorBarrier();
        StripExp(s, maximum, static_cast<half>(step.scale), ub_.StripMaximumBlocks());
        tile::VectorBarrier();
        StripPanelSums(sums, s);
        const uint32_t panels = RoundUp<kWideLanes / Shape::kStripRows>(s.panels);
        if (panels != s.panels) {
            AscendC::Duplicate(sums[s.panels * Shape::kStripRows], static_cast<half>(0.0f),
                               static_cast<int32_t>((panels - s.panels) * Shape::kStripRows));
        }
        if constexpr (AscendC::IsSameType<Element, bfloat16_t>::value) {
            tile::VectorBarrier();
            StripToBfloat16(s);
        }
    }

    /// P in the workspace: (strip, panel, 16 rows, key), so that a chunk is stored in one run and L0A's order.
    __aicore__ inline void StoreProbabilities(const Step& step, int32_t sub, int32_t strip, const Strip& s) const {
        AscendC::GlobalTensor<half> p;
        p.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(workspace_ + places_.p(step.Slot(), sub)));
        const uint32_t row = half_ * Shape::kHalfRows + static_cast<uint32_t>(strip) * Shape::kStripRows;
        AscendC::DataCopy(p[row * Shape::kStepKeys], s.data, s.panels * Strip::kFractal);
    }

    __aicore__ inline AscendC::LocalTensor<half> MaximumBefore(const Step& step, int32_t sub) const {
        return step.first ? ub_.NoMaximum() : ub_.Maximum(Before(step), sub);
    }
    __aicore__ inline static int32_t Before(const Step& step) {
        return (step.Slot() + kPrefillSlots - 1) % kPrefillSlots;
    }

    /// factor = exp((maximum before - maximum) * scale); sum = sum before * factor + sum of this step.
    __aicore__ inline void UpdateStatistics(const Step& step, int32_t sub, int32_t strips) const {
        constexpr uint64_t kRows = Shape::kHalfRows;
        constexpr uint8_t kStripStride = Shape::kStepPanels * Shape::kStripRows * 4 / 32;
        const int32_t slot = step.Slot();
        const AscendC::LocalTensor<float> factor = ub_.Factor(slot, sub), sum = ub_.Sum(slot, sub);
        const AscendC::LocalTensor<float> wide = ub_.WidePanelSums(0), of_step = ub_.RowScratch(0),
                                          grown = ub_.RowScratch(1);
        const AscendC::LocalTensor<half> change = ub_.RowScratch(2).template ReinterpretCast<half>();
        const uint32_t turns = CeilDiv<kWideLanes / Shape::kStripRows>(step.Panels());
        const AscendC::UnaryRepeatParams widen(1, 1, 8, 4);
        const uint8_t repeats = static_cast<uint8_t>(strips);

        tile::VectorBarrier();
        for (int32_t strip = 0; strip < strips; ++strip) {
            AscendC::Cast(ub_.WidePanelSums(strip), ub_.PanelSums(strip), AscendC::RoundMode::CAST_NONE,
                          uint64_t{kWideLanes}, static_cast<uint8_t>(turns), widen);
        }
        AscendC::Sub(change, MaximumBefore(step, sub), ub_.Maximum(slot, sub), kRows, 1, AscendC::BinaryRepeatParams());
        tile::VectorBarrier();
        // 4 panels at a time, then 4 -> 2 -> 1 for all strips.
        for (int32_t strip = 0; strip < strips && turns > 1; ++strip) {
            const AscendC::LocalTensor<float> w = ub_.WidePanelSums(strip);
            AscendC::Add(w, w[kWideLanes], w, uint64_t{kWideLanes}, static_cast<uint8_t>(turns - 1),
                         AscendC::BinaryRepeatParams(1, 1, 1, 0, 8, 0));
        }
        AscendC::Cast(factor, change, AscendC::RoundMode::CAST_NONE, kRows, 1, widen);
        tile::VectorBarrier();
        AscendC::Add(wide, wide, wide[kWideLanes / 2], uint64_t{kWideLanes / 2}, repeats,
                     AscendC::BinaryRepeatParams(1, 1, 1, kStripStride, kStripStride, kStripStride));
        AscendC::Muls(factor, factor, step.scale, kRows, 1, AscendC::UnaryRepeatParams());
        tile::VectorBarrier();
        AscendC::Add(of_step, wide, wide[kWideLanes / 4], uint64_t{kWideLanes / 4}, repeats,
                     AscendC::BinaryRepeatParams(1, 1, 1, Shape::kStripRows * 4 / 32, kStripStride, kStripStride));
        AscendC::Exp(factor, factor, kRows, 1, AscendC::UnaryRepeatParams());
        tile::VectorBarrier();
        const uint64_t lanes = static_cast<uint64_t>(strips) * Shape::kStripRows;
        if (step.first) {
            AscendC::Adds(sum, of_step, 0.0f, lanes, 1, AscendC::UnaryRepeatParams());
        } else {
            AscendC::Mul(grown, ub_.Sum(Before(step), sub), factor, lanes, 1, AscendC::BinaryRepeatParams());
            tile::VectorBarrier();
            AscendC::Add(sum, grown, of_step, lanes, 1, AscendC::BinaryRepeatParams());
        }
        tile::VectorBarrier();
    }

    Buffers<ArchTag, Shape>& ub_;
    const AttentionArguments& a_;
    __gm__ uint8_t* workspace_;
    const uint32_t half_;  // which rows of a sub-block are this vector core's
    const PrefillWorkspace places_{Shape::kHeadDimV};
};

}  // namespace flash_attn_npu::ascend::prefill
