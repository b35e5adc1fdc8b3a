// SPDX-License-Identifier: BSD-3-Clause
// Attention of many query rows: the fast path for long prefill. On one AI core, step i of its sequence of steps:
//
//   cube core      S(i) = q k^T                  and, tile by tile in between,    O(i-2) = P(i-2) v
//   vector cores           P(i) = softmax S(i)                    out += O(i-2)
//
// A step is two sub-blocks (row tiles) of up to 128 packed rows against up to 1024 keys. What goes through memory is
// kept small, because L2 bandwidth is what limits attention here: S travels as half, and the 256 rows share every tile
// of K and V. fp8 caches have been converted before (convert_kv). Scores that half cannot hold are noticed by their
// maxima; such row tiles are left to the general kernel.
#pragma once

#include "prefill/mmad.h"
#include "prefill/output.h"
#include "prefill/softmax.h"
#include "shared/ai_core.h"

namespace flash_attn_npu::ascend::prefill {

/// Element: of the cube's operands.
template <class ArchTag, class Element, class ElementOut, int32_t HEAD_DIM, int32_t HEAD_DIM_V>
class Prefill {
public:
    using Shape = TileShape<ArchTag, HEAD_DIM, HEAD_DIM_V>;

    __aicore__ inline explicit Prefill(const AttentionArguments& arguments) : a_(arguments), core_(arguments) {}

    __aicore__ inline void Cube() {
        arch::Resource<ArchTag> resource;
        Steps steps(a_, Shape::kStepKeys, core_.index, core_.count);
        using Mmad = prefill::Mmad<ArchTag, Element, Shape>;
        Mmad mmad(resource, a_, steps, core_.workspace, {kSReady, kPReady, kOReady});
        mmad.Begin();
        for (int32_t i = 0; Running(steps, i); ++i) {
            const Step* now = steps.At(i);
            const Step* before = steps.At(i - kLookAhead);
            if (now != nullptr && now->keys.empty()) mmad.Skip(*now);
            if (before != nullptr) mmad.LoadOutputOperands(before->number);
            const int32_t scores = now != nullptr ? Mmad::ScoreTiles(*now) : 0;
            const int32_t outputs = before != nullptr ? Mmad::OutputTiles(*before) : 0;
            // The smaller number of tiles spread evenly among the larger.
            const int32_t turns = max_of(scores, outputs);
            for (int32_t turn = 0; turn < turns; ++turn) {
                if (turn * scores % turns < scores) mmad.Scores(*now, turn * scores / turns);
                if (turn * outputs % turns < outputs) mmad.Output(*before, turn * outputs / turns);
            }
        }
    }

    __aicore__ inline void Vector() {
        arch::Resource<ArchTag> resource;
        const uint32_t half = AscendC::GetSubBlockIdx();
        Buffers<ArchTag, Shape> ub(resource);
        Softmax<ArchTag, Element, Shape> softmax(ub, a_, core_.workspace, half);
        Output<ArchTag, ElementOut, Shape> output(ub, a_, core_.workspace, half);
        Steps steps(a_, Shape::kStepKeys, core_.index, core_.count);
        for (int32_t i = 0; Running(steps, i); ++i) {
            const Step* now = steps.At(i);
            const Step* before = steps.At(i - kLookAhead);
            for (int32_t sub = 0; sub < kPrefillSubBlocks; ++sub) {
                if (now != nullptr && sub < now->SubBlocks() && !now->keys.empty()) {
                    AscendC::CrossCoreWaitFlag(kSReady);
                    softmax(*now, sub);
                    AscendC::CrossCoreSetFlag<2, PIPE_MTE3>(kPReady);
                }
                if (before != nullptr && sub < before->SubBlocks()) {
                    if (before->keys.empty()) {
                        output.GiveUp(*before, sub);
                        continue;
                    }
                    AscendC::CrossCoreWaitFlag(kOReady);
                    output(*before, sub);
                }
            }
        }
    }

private:
    static constexpr int32_t kLookAhead = kPrefillSlots - 1;
    static constexpr uint16_t kSReady = 0, kPReady = 1, kOReady = 2;

    __aicore__ inline static bool Running(Steps& steps, int32_t i) {
        return steps.At(i) != nullptr || steps.At(i - 1) != nullptr || steps.At(i - kLookAhead) != nullptr;
    }

    const AttentionArguments& a_;
    const AiCore core_;
};

}  // namespace flash_attn_npu::ascend::prefill
