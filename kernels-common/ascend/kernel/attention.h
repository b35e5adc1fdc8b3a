// The general attention kernel: every feature, every shape. One cube core and two vector cores work on the same steps:
//
//   cube    S(g) = q k^T                 O(g-2) = P(g-2) v
//   vector         P(g) = softmax(S(g))            accumulate O(g-2)
//
// S, P and O travel through three slots of workspace. Slots need no flags of their own: a slot is written again only
// after a flag that its last reader set later than its read.
#pragma once

#include "block/accumulate_output.h"
#include "block/block_mmad_attention.h"
#include "block/online_softmax.h"
#include "kernel/key_source.h"

namespace flash_attn_npu::ascend::kernel {

template <class ArchTag, class Element, class ElementOut, class KeySource>
class Attention {
public:
    __aicore__ inline explicit Attention(const AttentionArguments& arguments)
        : a_(arguments), workspace_(arguments.problem, arguments.plan) {
        AscendC::SetSyncBaseAddr(arguments.ffts);
        core_ = AscendC::GetBlockIdx();
        if ASCEND_IS_AIV {
            core_ /= AscendC::GetSubBlockNum();
        }
        memory_ = arguments.core_workspace + core_ * arguments.core_workspace_bytes;
    }

    __aicore__ inline void Cube() {
        arch::Resource<ArchTag> resource;
        const KeySource keySource(a_);
        block::BlockMmadAttention<ArchTag, Element, KeySource> mmad(resource, a_, keySource);
        Steps steps(a_, core_, AscendC::GetBlockNum());
        Step ring[LOOK_AHEAD + 1];
        int32_t produced = 0, consumed = 0;
        for (bool more = true; more || consumed < produced;) {
            if (more && (more = steps.Next(ring[produced % SLOTS]))) {
                const Step& step = ring[produced++ % SLOTS];
                if (!step.keys.empty()) {
                    mmad.MultiplyQK(step, S(step), workspace_.keys);
                    AscendC::CrossCoreSetFlag<2, PIPE_FIX>(S_READY);
                }
            }
            if (consumed < produced && (!more || produced - consumed > LOOK_AHEAD)) {
                const Step& step = ring[consumed++ % SLOTS];
                if (!step.keys.empty()) {
                    mmad.PreloadValues(step);
                    AscendC::CrossCoreWaitFlag(P_READY);
                    mmad.MultiplyPV(step, P(step), workspace_.keys, O(step), workspace_.o_stride);
                    AscendC::CrossCoreSetFlag<2, PIPE_FIX>(O_READY);
                }
            }
        }
    }

    __aicore__ inline void Vector() {
        arch::Resource<ArchTag> resource;
        block::AttentionUb<ArchTag> ub(resource);
        block::OnlineSoftmax<ArchTag, Element> softmax(ub, a_);
        block::AccumulateOutput<ArchTag, ElementOut> accumulate(ub, a_);
        const int32_t subBlock = AscendC::GetSubBlockIdx();
        Steps steps(a_, core_, AscendC::GetBlockNum());
        Step ring[LOOK_AHEAD + 1];
        int32_t produced = 0, consumed = 0;
        for (bool more = true; more || consumed < produced;) {
            if (more && (more = steps.Next(ring[produced % SLOTS]))) {
                const Step& step = ring[produced++ % SLOTS];
                const RowShare share(step.task, subBlock);
                if (step.first) softmax.Begin(step);
                if (!step.keys.empty()) {
                    const int64_t row = int64_t{share.offset} * workspace_.keys;
                    AscendC::CrossCoreWaitFlag(S_READY);
                    softmax(step, share, S(step)[row], P(step)[row], workspace_.keys);
                    AscendC::CrossCoreSetFlag<2, PIPE_MTE3>(P_READY);
                }
            }
            if (consumed < produced && (!more || produced - consumed > LOOK_AHEAD)) {
                const Step& step = ring[consumed++ % SLOTS];
                const RowShare share(step.task, subBlock);
                if (!step.keys.empty()) {
                    AscendC::CrossCoreWaitFlag(O_READY);
                    accumulate(step, share, O(step)[int64_t{share.offset} * workspace_.o_stride], workspace_.o_stride);
                }
                if (step.last) accumulate.Finish(step, share);
            }
        }
    }

private:
    static constexpr int32_t SLOTS = AttentionWorkspace::kSlots;
    static constexpr int32_t LOOK_AHEAD = SLOTS - 1;
    static constexpr uint16_t S_READY = 0, P_READY = 1, O_READY = 2;

    __aicore__ inline AscendC::GlobalTensor<float> S(const Step& step) const {
        return At<float>(workspace_.s(step.slot(SLOTS)));
    }
    __aicore__ inline AscendC::GlobalTensor<Element> P(const Step& step) const {
        return At<Element>(workspace_.p(step.slot(SLOTS)));
    }
    __aicore__ inline AscendC::GlobalTensor<float> O(const Step& step) const {
        return At<float>(workspace_.o(step.slot(SLOTS)));
    }
    template <class T>
    __aicore__ inline AscendC::GlobalTensor<T> At(int64_t offset) const {
        AscendC::GlobalTensor<T> tensor;
        tensor.SetGlobalBuffer(reinterpret_cast<__gm__ T*>(memory_ + offset));
        return tensor;
    }

    const AttentionArguments& a_;
    const AttentionWorkspace workspace_;
    uint32_t core_;
    __gm__ uint8_t* memory_;
};

}  // namespace flash_attn_npu::ascend::kernel
