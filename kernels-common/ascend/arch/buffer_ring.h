// SPDX-License-Identifier: BSD-3-Clause
// The buffers of one local memory that two pipes hand to each other, and the events that guard them.
#pragma once
#include "arch/resource.h"

namespace flash_attn_npu::ascend::arch {

/// The pipe that waits goes on only after what the other one did before.
template <AscendC::HardEvent EVENT>
__aicore__ inline void HandOver(uint32_t id) {
    AscendC::SetFlag<EVENT>(static_cast<int32_t>(id));
    AscendC::WaitFlag<EVENT>(static_cast<int32_t>(id));
}

/// COUNT buffers that one pipe fills and another uses, each when the caller says so. Owns the event ids FIRST_ID ..
/// FIRST_ID + COUNT - 1 of both directions: every Set below has its Wait in the opposite method.
///
/// FILLED: producer to consumer, e.g. MTE2_MTE1; FREED: the way back, MTE1_MTE2. A third pipe in between (MTE2 fills, V
/// computes, MTE3 empties) waits by HandOver, and FREED goes from the last one to the first.
template <AscendC::HardEvent FILLED, AscendC::HardEvent FREED, uint32_t COUNT, int32_t FIRST_ID = 0>
class BufferSet {
public:
    __aicore__ inline BufferSet() {
        for (uint32_t i = 0; i < COUNT; ++i) AscendC::SetFlag<FREED>(Id(i));
    }
    __aicore__ inline ~BufferSet() {
        for (uint32_t i = 0; i < COUNT; ++i) AscendC::WaitFlag<FREED>(Id(i));
    }

    /// Producer: once the consumer is done with the buffer.
    __aicore__ inline void BeginFill(uint32_t buffer) const { AscendC::WaitFlag<FREED>(Id(buffer)); }
    __aicore__ inline void EndFill(uint32_t buffer) const { AscendC::SetFlag<FILLED>(Id(buffer)); }

    /// Consumer.
    __aicore__ inline void BeginUse(uint32_t buffer) const { AscendC::WaitFlag<FILLED>(Id(buffer)); }
    __aicore__ inline void EndUse(uint32_t buffer) const { AscendC::SetFlag<FREED>(Id(buffer)); }

private:
    __aicore__ inline static constexpr int32_t Id(uint32_t buffer) { return FIRST_ID + static_cast<int32_t>(buffer); }
};

/// A BufferSet whose buffers are filled and used in turn.
template <AscendC::HardEvent FILLED, AscendC::HardEvent FREED, uint32_t STAGES, int32_t FIRST_ID = 0>
class BufferRing {
public:
    /// Producer: the buffer to fill next, once the consumer is done with it.
    __aicore__ inline uint32_t BeginFill() {
        buffers_.BeginFill(fill_);
        return fill_;
    }
    __aicore__ inline void EndFill() {
        buffers_.EndFill(fill_);
        fill_ = (fill_ + 1) % STAGES;
    }

    /// Consumer: the oldest filled buffer.
    __aicore__ inline uint32_t BeginUse() {
        buffers_.BeginUse(use_);
        return use_;
    }
    __aicore__ inline void EndUse() {
        buffers_.EndUse(use_);
        use_ = (use_ + 1) % STAGES;
    }
    /// Between BeginUse and EndUse: the buffer.
    __aicore__ inline uint32_t InUse() const { return use_; }

private:
    BufferSet<FILLED, FREED, STAGES, FIRST_ID> buffers_;
    uint32_t fill_ = 0, use_ = 0;
};

}  // namespace flash_attn_npu::ascend::arch
