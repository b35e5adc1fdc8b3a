// SPDX-License-Identifier: BSD-3-Clause
// The buffers of one local memory that two pipes hand to each other, and the events that guard them.
#pragma once
#include "arch/atlas_a2.h"

namespace flash_attn_npu::ascend::arch {

/// STAGES buffers that one pipe fills and another uses, in turn. Owns the event ids FIRST_ID .. FIRST_ID + STAGES - 1
/// of both directions: every Set below has its Wait in the opposite method.
///
/// FILLED: producer to consumer, e.g. MTE2_MTE1; FREED: the way back, MTE1_MTE2.
template <AscendC::HardEvent FILLED, AscendC::HardEvent FREED, uint32_t STAGES, int32_t FIRST_ID = 0>
class BufferRing {
public:
    __aicore__ inline BufferRing() {
        for (uint32_t i = 0; i < STAGES; ++i) {
            AscendC::SetFlag<FREED>(FIRST_ID + static_cast<int32_t>(i));
        }
    }
    __aicore__ inline ~BufferRing() {
        for (uint32_t i = 0; i < STAGES; ++i) {
            AscendC::WaitFlag<FREED>(FIRST_ID + static_cast<int32_t>(i));
        }
    }

    /// Producer: the buffer to fill next, once the consumer is done with it.
    __aicore__ inline uint32_t BeginFill() {
        AscendC::WaitFlag<FREED>(FIRST_ID + static_cast<int32_t>(fill_));
        return fill_;
    }
    __aicore__ inline void EndFill() {
        AscendC::SetFlag<FILLED>(FIRST_ID + static_cast<int32_t>(fill_));
        fill_ = (fill_ + 1) % STAGES;
    }

    /// Consumer: the oldest filled buffer.
    __aicore__ inline uint32_t BeginUse() {
        AscendC::WaitFlag<FILLED>(FIRST_ID + static_cast<int32_t>(use_));
        return use_;
    }
    __aicore__ inline void EndUse() {
        AscendC::SetFlag<FREED>(FIRST_ID + static_cast<int32_t>(use_));
        use_ = (use_ + 1) % STAGES;
    }

private:
    uint32_t fill_ = 0, use_ = 0;
};

}  // namespace flash_attn_npu::ascend::arch
