// SPDX-License-Identifier: BSD-3-Clause
// Events inside a core, barriers, flags between cores.
#pragma once
#include "ascendc/tensor.h"

namespace AscendC {

template <HardEvent event>
void SetFlag(int32_t eventID, const twin::At& at = twin::At::here()) {
    twin::set_flag(TwinEvent(event).src, TwinEvent(event).dst, eventID, at.as("SetFlag"));
}
template <HardEvent event>
void WaitFlag(int32_t eventID, const twin::At& at = twin::At::here()) {
    twin::wait_flag(TwinEvent(event).src, TwinEvent(event).dst, eventID, at.as("WaitFlag"));
}
template <pipe_t src, pipe_t dst>
class TQueSync {
public:
    void SetFlag(int32_t id, const twin::At& at = twin::At::here()) {
        twin::set_flag(TwinPipe(src), TwinPipe(dst), id, at.as("TQueSync::SetFlag"));
    }
    void WaitFlag(int32_t id, const twin::At& at = twin::At::here()) {
        twin::wait_flag(TwinPipe(src), TwinPipe(dst), id, at.as("TQueSync::WaitFlag"));
    }
};

template <pipe_t pipe>
void PipeBarrier(const twin::At& at = twin::At::here()) {
    static_assert(pipe != PIPE_S, "PipeBarrier: PIPE_S has no barrier");
    twin::pipe_barrier(TwinPipe(pipe), at.as("PipeBarrier"));
}
template <MemDsbT arg0>
void DataSyncBarrier(const twin::At& at = twin::At::here()) {
    twin::scalar_note(at.as("DataSyncBarrier"));
}

inline void SetSyncBaseAddr(uint64_t) {}
inline void SetFftsBaseAddr(uint64_t) {}

template <uint8_t modeId, pipe_t pipe>
void CrossCoreSetFlag(uint16_t flagId, const twin::At& at = twin::At::here()) {
    twin::cross_core_set(modeId, TwinPipe(pipe), flagId, at.as("CrossCoreSetFlag"));
}
template <uint8_t modeId = 0, pipe_t pipe = PIPE_S>
void CrossCoreWaitFlag(uint16_t flagId, const twin::At& at = twin::At::here()) {
    twin::cross_core_wait(flagId, at.as("CrossCoreWaitFlag"));
}
/// Older names of the flags between an AIC and its AIVs.
template <pipe_t pipe>
void NotifyEvent(uint16_t flagId, const twin::At& at = twin::At::here()) {
    twin::cross_core_set(2, TwinPipe(pipe), flagId, at.as("NotifyEvent"));
}
template <pipe_t pipe = PIPE_S>
void WaitEvent(uint16_t flagId, const twin::At& at = twin::At::here()) {
    twin::cross_core_wait(flagId, at.as("WaitEvent"));
}

template <bool isAIVOnly = true>
void SyncAll(const twin::At& at = twin::At::here()) {
    twin::sync_all(isAIVOnly, at.as("SyncAll"));
}
/// In software: AIVs only, whatever isAIVOnly says.
template <bool isAIVOnly = true>
void SyncAll(const GlobalTensor<int32_t>& gmWorkspace, const LocalTensor<int32_t>& ubWorkspace,
             const int32_t usedCores = 0, const twin::At& at = twin::At::here()) {
    twin::soft_sync_all(gmWorkspace.Twin(), ubWorkspace.Twin(), static_cast<uint32_t>(usedCores), at.as("SyncAll"));
}

/// A flag per (event, block): IBSet waits until it is 0 and sets it, IBWait waits until it is 1 and clears it.
template <bool isAIVOnly>
twin::Ref TwinFlagWord(const GlobalTensor<int32_t>& gmWorkspace, int32_t blockIdx, int32_t eventID) {
    const int64_t blocks = twin::block_num() * (isAIVOnly ? 1 : 2);
    return gmWorkspace.Twin(static_cast<uint64_t>(blocks * 8 * eventID + blockIdx * 8));
}
template <bool isAIVOnly = true>
void IBSet(const GlobalTensor<int32_t>& gmWorkspace, const LocalTensor<int32_t>& ubWorkspace, int32_t blockIdx,
           int32_t eventID, const twin::At& at = twin::At::here()) {
    twin::soft_exchange(TwinFlagWord<isAIVOnly>(gmWorkspace, blockIdx, eventID), ubWorkspace.Twin(), 0, 1,
                        at.as("IBSet"));
}
template <bool isAIVOnly = true>
void IBWait(const GlobalTensor<int32_t>& gmWorkspace, const LocalTensor<int32_t>& ubWorkspace, int32_t blockIdx,
            int32_t eventID, const twin::At& at = twin::At::here()) {
    twin::soft_exchange(TwinFlagWord<isAIVOnly>(gmWorkspace, blockIdx, eventID), ubWorkspace.Twin(), 1, 0,
                        at.as("IBWait"));
}

inline void InitDetermineComputeWorkspace(GlobalTensor<int32_t>& gmWorkspace, LocalTensor<int32_t>& ubWorkspace,
                                          const twin::At& at = twin::At::here()) {
    twin::soft_order_init(gmWorkspace.Twin(), ubWorkspace.Twin(), at.as("InitDetermineComputeWorkspace"));
}
inline void WaitPreBlock(GlobalTensor<int32_t>& gmWorkspace, LocalTensor<int32_t>& ubWorkspace,
                         const twin::At& at = twin::At::here()) {
    twin::soft_order_wait(gmWorkspace.Twin(), ubWorkspace.Twin(), at.as("WaitPreBlock"));
}
inline void NotifyNextBlock(GlobalTensor<int32_t>& gmWorkspace, LocalTensor<int32_t>& ubWorkspace,
                            const twin::At& at = twin::At::here()) {
    twin::soft_order_notify(gmWorkspace.Twin(), ubWorkspace.Twin(), at.as("NotifyNextBlock"));
}

enum class PipeMode : uint8_t { SCALAR_MODE = 0, MTE3_MODE = 1, MAX };
/// AIVs of one group wait until all of another have arrived; counters in global memory, a line of 512 bytes per core.
template <PipeMode pipeMode>
class GroupBarrier {
public:
    GroupBarrier() = delete;
    GroupBarrier(GM_ADDR groupWorkspace, uint32_t arriveSizeIn, uint32_t waitSizeIn,
                 const twin::At& at = twin::At::here())
        : arrive_size_(arriveSizeIn), wait_size_(waitSizeIn) {
        static_assert(pipeMode == PipeMode::MTE3_MODE, "GroupBarrier: MTE3_MODE only");
        arrived_.memory = waited_.memory = twin::Memory::kGm;
        arrived_.address = reinterpret_cast<uint64_t>(groupWorkspace);
        waited_.address = arrived_.address + 64;
        if (arrive_size_ == 0 || wait_size_ == 0 || arrive_size_ > twin::block_num() ||
            wait_size_ > twin::block_num() || arrived_.address % 512)
            twin::report("illegal_parameter",
                         "GroupBarrier: groups of 1 to GetBlockNum() AIVs, a workspace aligned to 512 bytes",
                         at.as("GroupBarrier"));
    }
    void Arrive(uint32_t arriveIndex, const twin::At& at = twin::At::here()) {
        if (counter_ > 1)
            twin::soft_wait_for(Line(waited_, arriveIndex), (counter_ - 1) * wait_size_, true, at.as("Arrive"));
        Add(arrived_, at.as("Arrive"));
        ++counter_;
        has_arrived_ = true;
    }
    void Wait(uint32_t waitIndex, const twin::At& at = twin::At::here()) {
        const uint32_t round = has_arrived_ ? counter_ - 1 : counter_;
        twin::soft_wait_for(Line(arrived_, waitIndex), round * arrive_size_, false, at.as("Wait"));
        Add(waited_, at.as("Wait"));
        if (!has_arrived_) ++counter_;
        has_arrived_ = false;
    }
    uint64_t GetWorkspaceLen() const { return uint64_t(Copies()) * 512; }

private:
    uint32_t Copies() const { return arrive_size_ > wait_size_ ? arrive_size_ : wait_size_; }
    static twin::Ref Line(twin::Ref counter, uint32_t index) {
        counter.address += uint64_t(index) * 512;
        return counter;
    }
    void Add(const twin::Ref& counter, const twin::Loc& loc) { twin::soft_add(counter, Copies(), 512, 1, loc); }
    twin::Ref arrived_, waited_;
    uint32_t arrive_size_, wait_size_, counter_ = 1;
    bool has_arrived_ = false;
};

// Overlap of neighbouring kernels inside one super kernel; a kernel launched alone has no neighbours.
template <pipe_t AIV_PIPE = PIPE_MTE3, pipe_t AIC_PIPE = PIPE_FIX, bool FORCE = false>
void SetNextTaskStart(const twin::At& at = twin::At::here()) {
    twin::scalar_note(at.as("SetNextTaskStart"));
}
template <bool FORCE = false>
void WaitPreTaskEnd(const twin::At& at = twin::At::here()) {
    twin::scalar_note(at.as("WaitPreTaskEnd"));
}

}  // namespace AscendC
