// SPDX-License-Identifier: BSD-3-Clause
// The general attention kernel: every feature, every shape. One cube core and two vector cores work on the same steps:
//
//   cube    S(g) = q k^T                   O(g-2) = P(g-2) v
//   vector          P(g) = softmax(S(g))             accumulate O(g-2)   (fp8: K and V of step g+2 to half)
//
// S, P and O travel through three slots of workspace. Slots need no flags of their own: a slot is written again only
// after a flag that its last reader set later than its read. (A vector core without rows sets its flags early: then the
// task has one row, and that row's part of every slot is the other core's.)
#pragma once

#include "general/key_source.h"
#include "general/mmad.h"
#include "general/output.h"
#include "general/softmax.h"
#include "general/stager.h"
#include "shared/ai_core.h"

namespace flash_attn_npu::ascend::general {

/// Element: of the cube's operands. KeySource: CachedKeys or StagedKeys.
template <class ArchTag, class Element, class ElementOut, class KeySource>
class Attention {
public:
    __aicore__ inline explicit Attention(const AttentionArguments& arguments)
        : a_(arguments), core_(arguments), workspace_(arguments.request, arguments.plan) {}

    __aicore__ inline void operator()() {
        if ASCEND_IS_AIC {
            Cube();
        }
        if ASCEND_IS_AIV {
            Vector();
        }
    }

private:
    static constexpr int32_t kSlots = AttentionWorkspace::kSlots;
    static constexpr int32_t kLookAhead = kSlots - 1;
    static constexpr uint16_t kSReady = 0, kPReady = 1, kOReady = 2, kKeysReady = 3;
    static_assert(AttentionWorkspace::kStagedSlots >= 2 * kLookAhead, "staged keys would be overwritten in use");

    // A step without keys passes through the pipeline and does nothing but end its task.
    __aicore__ inline static bool HasKeys(const Step* step) { return step != nullptr && !step->keys.empty(); }

    __aicore__ inline void Cube() {
        arch::Resource<ArchTag> resource;
        const KeySource key_source(a_, core_.workspace);
        Mmad<ArchTag, Element, KeySource> mmad(resource, a_, key_source);
        Pipeline<kLookAhead> pipeline(a_, core_.index, core_.count);
        while (pipeline.Advance()) {
            if (const Step* step = pipeline.Ahead(); HasKeys(step)) {
                if constexpr (KeySource::kStaged) {
                    AscendC::CrossCoreWaitFlag(kKeysReady);
                }
                mmad.MultiplyQK(*step, S(*step), workspace_.keys);
                AscendC::CrossCoreSetFlag<2, PIPE_FIX>(kSReady);
            }
            if (const Step* step = pipeline.Behind(); HasKeys(step)) {
                mmad.PreloadValues(*step);
                AscendC::CrossCoreWaitFlag(kPReady);
                mmad.MultiplyPV(*step, P(*step), workspace_.keys, O(*step), workspace_.o_stride);
                AscendC::CrossCoreSetFlag<2, PIPE_FIX>(kOReady);
            }
        }
    }

    __aicore__ inline void Vector() {
        arch::Resource<ArchTag> resource;
        Buffers<ArchTag> ub(resource);
        Softmax<ArchTag, Element> softmax(ub, a_);
        Output<ArchTag, ElementOut> accumulate(ub, a_);
        const int32_t sub_block = static_cast<int32_t>(AscendC::GetSubBlockIdx());
        Pipeline<kLookAhead> pipeline(a_, core_.index, core_.count);
        Stager stager(*this, ub, sub_block);
        stager.Next();
        stager.Next();
        while (pipeline.Advance()) {
            if (const Step* step = pipeline.Ahead(); step != nullptr) {
                if (step->first) softmax.Begin(*step);
                if (HasKeys(step)) {
                    const RowShare share(step->task, sub_block);
                    const uint64_t row = static_cast<uint64_t>(share.offset) * workspace_.keys;
                    AscendC::CrossCoreWaitFlag(kSReady);
                    softmax(*step, share, S(*step)[row], P(*step)[row], workspace_.keys);
                    AscendC::CrossCoreSetFlag<2, PIPE_MTE3>(kPReady);
                }
            }
            if (const Step* step = pipeline.Behind(); step != nullptr) {
                const RowShare share(step->task, sub_block);
                if (HasKeys(step)) {
                    const uint64_t row = static_cast<uint64_t>(share.offset) * workspace_.o_stride;
                    AscendC::CrossCoreWaitFlag(kOReady);
                    accumulate(*step, share, O(*step)[row], workspace_.o_stride);
                }
                if (step->last) accumulate.Finish(*step, share);
            }
            stager.Next();
        }
    }

    // Runs kLookAhead steps ahead of the vector core's other work; nothing to do unless keys are staged.
    class Stager {
    public:
        __aicore__ inline Stager(const Attention& kernel, Buffers<ArchTag>& ub, int32_t sub_block)
            : p_(kernel.a_.request),
              keys_(kernel.a_, kernel.core_.workspace),
              stage_(ub, kernel.a_),
              steps_(kernel.a_, kernel.core_.index, kernel.core_.count),
              sub_block_(sub_block) {}

        __aicore__ inline void Next() {
            if constexpr (KeySource::kStaged) {
                if (!steps_.Next(step_) || step_.keys.empty()) return;
                stage_(step_, sub_block_, p_.k_cache, p_.head_dim, keys_.Rows(false, step_), keys_.Stride(false));
                stage_(step_, sub_block_, p_.v_cache, p_.head_dim_v, keys_.Rows(true, step_), keys_.Stride(true));
                AscendC::CrossCoreSetFlag<2, PIPE_MTE3>(kKeysReady);
            }
        }

    private:
        const Forward& p_;
        const KeySource keys_;
        StageKeys<ArchTag> stage_;
        Steps steps_;
        Step step_;
        const int32_t sub_block_;
    };

    __aicore__ inline AscendC::GlobalTensor<float> S(const Step& step) const {
        return At<float>(workspace_.s(step.slot(kSlots)));
    }
    __aicore__ inline AscendC::GlobalTensor<Element> P(const Step& step) const {
        return At<Element>(workspace_.p(step.slot(kSlots)));
    }
    __aicore__ inline AscendC::GlobalTensor<float> O(const Step& step) const {
        return At<float>(workspace_.o(step.slot(kSlots)));
    }
    template <class T>
    __aicore__ inline AscendC::GlobalTensor<T> At(int64_t offset) const {
        AscendC::GlobalTensor<T> tensor;
        tensor.SetGlobalBuffer(reinterpret_cast<__gm__ T*>(core_.workspace + offset));
        return tensor;
    }

    const AttentionArguments& a_;
    const AiCore core_;
    const AttentionWorkspace workspace_;
};

}  // namespace flash_attn_npu::ascend::general
