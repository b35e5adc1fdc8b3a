// Filling global memory with a value: on the AIVs, from what the pipe's buffers leave of UB.
#pragma once
#include "ascendc/internals.h"
#include "ascendc/vector.h"

namespace AscendC {

template <typename T>
void InitOutput(GlobalTensor<T> dst, uint32_t size, T value = 0, const twin::At& at = twin::At::here()) {
    if ASCEND_IS_AIC
        return;
    LocalTensor<T> buffer;
    PopStackBuffer<T, TPosition::LCM>(buffer);
    constexpr uint32_t longest = MAX_REPEAT_TIMES * ONE_BLK_SIZE / sizeof(T);
    const uint32_t part = std::min(buffer.GetSize(), longest);
    if constexpr (sizeof(T) == 1) {
        const uint16_t twice = static_cast<uint16_t>(TwinBits(value) * 0x101);
        Duplicate(buffer.template ReinterpretCast<uint16_t>(), twice, part / 2, at);
    } else {
        Duplicate(buffer, value, part, at);
    }
    const auto event = GetTPipePtr()->FetchEventID(HardEvent::V_MTE3, at);
    SetFlag<HardEvent::V_MTE3>(event, at);
    WaitFlag<HardEvent::V_MTE3>(event, at);
    for (uint32_t done = 0; done < size; done += part) {
        const auto bytes = static_cast<uint32_t>(std::min(part, size - done) * sizeof(T));
        DataCopyPad(dst[done], buffer, DataCopyExtParams(1, bytes, 0, 0, 0), at);
    }
    PipeBarrier<PIPE_MTE3>(at);
}

#ifndef TWIN_HIGH_LEVEL
template <typename T>
void InitGlobalMemory(GlobalTensor<T>& dst, const uint64_t size, const T value, const twin::At& at = twin::At::here()) {
    InitOutput(dst, static_cast<uint32_t>(size), value, at);
}
template <typename T>
void Fill(GlobalTensor<T>& dst, const uint64_t size, const T value, const twin::At& at = twin::At::here()) {
    InitOutput(dst, static_cast<uint32_t>(size), value, at);
}
#endif

}  // namespace AscendC
