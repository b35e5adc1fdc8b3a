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
template <uint8_t modeId, pipe_t pipe>
void NotifyEvent(uint16_t flagId, const twin::At& at = twin::At::here()) {
    twin::cross_core_set(modeId, TwinPipe(pipe), flagId, at.as("NotifyEvent"));
}
template <uint8_t modeId = 0>
void WaitEvent(uint16_t flagId, const twin::At& at = twin::At::here()) {
    twin::cross_core_wait(flagId, at.as("WaitEvent"));
}

template <bool isAIVOnly = true>
void SyncAll(const twin::At& at = twin::At::here()) {
    twin::sync_all(isAIVOnly, false, at.as("SyncAll"));
}
template <bool isAIVOnly = true>
void SyncAll(const GlobalTensor<int32_t>& gmWorkspace, const LocalTensor<int32_t>& ubWorkspace,
             const int32_t usedCores = 0, const twin::At& at = twin::At::here()) {
    (void)gmWorkspace, (void)ubWorkspace, (void)usedCores;
    twin::sync_all(isAIVOnly, true, at.as("SyncAll"));
}

}  // namespace AscendC
