// SPDX-License-Identifier: BSD-3-Clause
// TQueBind and TQue: queues of buffers, and the events that go with them. Which event a queue uses, when its ids are
// taken and when a wait is placed is as the vendor's framework does it: kernels that mix queues with event ids of their
// own depend on it.
#pragma once
#include "ascendc/sync.h"

namespace AscendC {

using TBufHandle = uint8_t*;
enum class TBufState : uint8_t { FREE = 0, OCCUPIED, ENQUE, DEQUE };
constexpr TEventID INVALID_TEVENTID = static_cast<TEventID>(-1);
constexpr int32_t QUE_MAX_EVENT = 8;
constexpr int32_t QBUF_MAX_LEN = 64;
constexpr uint32_t defaultBufIDSize = 4;

/// One buffer of a queue or pool; a tensor's bufferHandle points to it.
struct TBufType {
    TBufState state = TBufState::FREE;
    HardEvent freeBufEvt = HardEvent::MAX;
    TEventID enQueEvtID = INVALID_TEVENTID;
    TEventID freeBufEvtID = INVALID_TEVENTID;
    uint32_t address = 0;
    uint32_t dataLen = 0;
    int32_t usertag = -1;
};

struct TQueConfig {
    bool nd2nz = false;
    bool nz2nd = false;
    bool scmBlockGroup = false;
    uint32_t bufferLen = 0;
    uint32_t bufferNumber = 0;
    uint32_t consumerSize = 0;
    TPosition consumer[8] = {};
    bool enableStaticEvtId = false;
    bool enableLoopQueue = false;
};
constexpr TQueConfig GetTQueConfig(const TQueConfig* config) { return *config; }
constexpr TQueConfig GetTQueConfig(int32_t mask) {
    TQueConfig config;
    config.nd2nz = mask & 1;
    config.nz2nd = mask >> 1 & 1;
    config.scmBlockGroup = mask >> 2 & 1;
    return config;
}

/// Event between the producer and the consumer of a buffer on its way from `src` to `dst` (forward), or back.
constexpr HardEvent GetQueEvt(Hardware src, Hardware dst, bool forward, bool = false, bool = false) {
    using H = Hardware;
    using E = HardEvent;
    if (src == H::GM) {
        if (dst == H::UB) return forward ? E::MTE2_V : E::V_MTE2;
        if (dst == H::L1) return forward ? E::MTE2_MTE1 : E::MTE1_MTE2;
        if (dst == H::L0A || dst == H::L0B) return forward ? E::MTE2_M : E::M_MTE2;
    } else if (src == H::UB) {
        if (dst == H::GM) return forward ? E::V_MTE3 : E::MTE3_V;
        if (dst == H::L1) return forward ? E::MTE3_MTE1 : E::MTE1_MTE3;
        if (dst == H::UB) return forward ? E::MTE2_MTE3 : E::MTE3_MTE2;
    } else if (src == H::L1) {
        if (dst == H::L0A || dst == H::L0B || dst == H::BIAS) return forward ? E::MTE1_M : E::M_MTE1;
        if (dst == H::FIXBUF) return forward ? E::MTE1_FIX : E::FIX_MTE1;
        if (dst == H::UB) return forward ? E::MTE1_V : E::V_MTE1;
    } else if (src == H::L0C) {
        return forward ? E::M_FIX : E::FIX_M;
    }
    return E::MAX;
}

/// Where the buffers of a queue from `src` to `dst` lie.
constexpr TPosition GetPosition(TPosition src, TPosition dst) {
    return dst == TPosition::GM || dst == TPosition::CO2 ? src : dst;
}
constexpr TPosition GetBufferLogicPos(TPosition pos, bool source) {
    switch (pos) {
        case TPosition::A1:
        case TPosition::B1:
        case TPosition::C1:
        case TPosition::VECIN: return source ? TPosition::GM : pos;
        case TPosition::A2: return source ? TPosition::A1 : pos;
        case TPosition::B2: return source ? TPosition::B1 : pos;
        case TPosition::C2: return source ? TPosition::C1 : pos;
        case TPosition::CO1: return source ? pos : TPosition::CO2;
        case TPosition::CO2:
        case TPosition::VECOUT: return source ? pos : TPosition::GM;
        case TPosition::SPM: return source ? TPosition::VECOUT : TPosition::GM;
        case TPosition::C2PIPE2GM: return source ? TPosition::B1 : pos;
        default: return TPosition::MAX;
    }
}

class TPipe;
inline TPipe* GetTPipePtr() { return static_cast<TPipe*>(twin::core_slot(0)); }

inline void TwinSetEvent(HardEvent event, TEventID id, const twin::Loc& loc) {
    twin::set_flag(TwinEvent(event).src, TwinEvent(event).dst, id, loc);
}
inline void TwinWaitEvent(HardEvent event, TEventID id, const twin::Loc& loc) {
    twin::wait_flag(TwinEvent(event).src, TwinEvent(event).dst, id, loc);
}
inline TEventID TwinAllocEvent(HardEvent event, const twin::Loc& loc) {
    return static_cast<TEventID>(twin::alloc_event(TwinEvent(event).src, TwinEvent(event).dst, true, loc));
}
inline void TwinReleaseEvent(HardEvent event, TEventID id, const twin::Loc& loc) {
    twin::release_event(TwinEvent(event).src, TwinEvent(event).dst, id, loc);
}
/// Waits for the consumers of buffers that were freed and not allocated again.
inline void TwinWaitFreed(TBufType* buffers, uint32_t count, bool free_only, const twin::Loc& loc) {
    for (uint32_t i = 0; i < count; ++i) {
        TBufType& b = buffers[i];
        if (b.freeBufEvtID == INVALID_TEVENTID || (free_only && b.state != TBufState::FREE)) continue;
        TwinWaitEvent(b.freeBufEvt, b.freeBufEvtID, loc);
        b.freeBufEvtID = INVALID_TEVENTID;
    }
}
constexpr uint32_t TwinRound32(uint32_t bytes) { return (bytes + 31) / 32 * 32; }

/// Queue of buffers between a producer and a consumer pipe. EnQue and DeQue carry the data event, FreeTensor and
/// AllocTensor the event of the buffer's being free. With depth 0 there is no order of tensors: each buffer keeps its
/// two event ids from InitBuffer on.
template <TPosition src, TPosition dst, int32_t depth, auto mask = 0>
class TQueBind {
public:
    static constexpr TQueConfig config = GetTQueConfig(mask);
    static constexpr TPosition srcPosition = src;
    static constexpr TPosition dstPosition = dst;
    static constexpr TPosition kBufferPosition = GetPosition(src, dst);
    static constexpr HardEvent enQueEvt = GetQueEvt(GetPhyType(src), GetPhyType(dst), true);
    static constexpr HardEvent freeBufEvt = GetQueEvt(GetPhyType(src), GetPhyType(dst), false);
    static constexpr int32_t queDepth = depth;
    static constexpr bool isTQue = true;

    template <typename T>
    LocalTensor<T> AllocTensor(const twin::At& at = twin::At::here()) {
        static_assert(depth != 0, "AllocTensor: a queue of depth 0 takes AllocTensor(tensor)");
        TBufType* buffer = Occupy(at);
        if (buffer->freeBufEvtID != INVALID_TEVENTID) {
            // A buffer that loops through two queues may have been freed by the other one.
            TwinWaitEvent(buffer->freeBufEvt, buffer->freeBufEvtID, at.as("TQue::AllocTensor"));
            TwinReleaseEvent(buffer->freeBufEvt, buffer->freeBufEvtID, at.as("TQue::AllocTensor"));
            buffer->freeBufEvtID = INVALID_TEVENTID;
            if (freeBufEvt == HardEvent::V_MTE2 && buffer->freeBufEvt == HardEvent::MTE3_V) {
                const TEventID id = TwinAllocEvent(HardEvent::MTE3_MTE2, at.as("TQue::AllocTensor"));
                TwinSetEvent(HardEvent::MTE3_MTE2, id, at.as("TQue::AllocTensor"));
                TwinWaitEvent(HardEvent::MTE3_MTE2, id, at.as("TQue::AllocTensor"));
                TwinReleaseEvent(HardEvent::MTE3_MTE2, id, at.as("TQue::AllocTensor"));
            }
        }
        ++bufUsedCount;
        return Buf2Tensor<T>(buffer);
    }
    template <typename T>
    void AllocTensor(LocalTensor<T>& tensor, const twin::At& at = twin::At::here()) {
        static_assert(depth == 0, "AllocTensor(tensor): only for queues of depth 0");
        TBufType* buffer = Occupy(at);
        if constexpr (freeBufEvt != HardEvent::MAX)
            TwinWaitEvent(freeBufEvt, buffer->freeBufEvtID, at.as("TQue::AllocTensor"));
        tensor.SetAddr(GetBufferAddr(reinterpret_cast<TBufHandle>(buffer)));
    }
    template <typename T>
    bool EnQue(const LocalTensor<T>& tensor, const twin::At& at = twin::At::here()) {
        return EnQue(tensor.GetBufferHandle(), at);
    }
    bool EnQue(TBufHandle handle, const twin::At& at = twin::At::here()) { return Insert<enQueEvt>(handle, at); }
    template <TPosition srcUserPos, TPosition dstUserPos, typename T>
    bool EnQue(const LocalTensor<T>& tensor, const twin::At& at = twin::At::here()) {
        static_assert(depth != 0, "EnQue with positions: not for queues of depth 0");
        return Insert<UserEvent<srcUserPos, dstUserPos>()>(tensor.GetBufferHandle(), at);
    }
    template <typename T>
    LocalTensor<T> DeQue(const twin::At& at = twin::At::here()) {
        static_assert(depth != 0, "DeQue: a queue of depth 0 takes DeQue(tensor)");
        TBufType* buffer = Remove<enQueEvt>(at);
        return buffer ? Buf2Tensor<T>(buffer) : Nothing<T>();
    }
    template <TPosition srcUserPos, TPosition dstUserPos, typename T>
    LocalTensor<T> DeQue(const twin::At& at = twin::At::here()) {
        static_assert(depth != 0, "DeQue: a queue of depth 0 takes DeQue(tensor)");
        TBufType* buffer = Remove<UserEvent<srcUserPos, dstUserPos>()>(at);
        return buffer ? Buf2Tensor<T>(buffer) : Nothing<T>();
    }
    template <typename T>
    void DeQue(LocalTensor<T>& tensor, const twin::At& at = twin::At::here()) {
        static_assert(depth == 0, "DeQue(tensor): only for queues of depth 0");
        TBufType* buffer = Own(tensor.GetBufferHandle(), "DeQue", at);
        if (!buffer) return;
        buffer->state = TBufState::DEQUE;
        TwinWaitEvent(enQueEvt, buffer->enQueEvtID, at.as("TQue::DeQue"));
    }
    TBufHandle DeQue(const twin::At& at = twin::At::here()) {
        return reinterpret_cast<TBufHandle>(Remove<enQueEvt>(at));
    }
    template <typename T>
    void FreeTensor(LocalTensor<T>& tensor, const twin::At& at = twin::At::here()) {
        FreeBuffer(tensor.GetBufferHandle(), at);
    }
    void FreeBuffer(TBufHandle handle, const twin::At& at = twin::At::here()) {
        TBufType* buffer = Own(handle, "FreeTensor", at);
        if (!buffer) return;
        if (buffer->state == TBufState::FREE) {
            twin::report("queue_underflow", "FreeTensor: the buffer is free already", at.as("TQue::FreeTensor"));
            return;
        }
        buffer->state = TBufState::FREE;
        if constexpr (depth != 0) --bufUsedCount;
        if constexpr (freeBufEvt != HardEvent::MAX) {
            buffer->freeBufEvt = freeBufEvt;
            if constexpr (depth != 0) buffer->freeBufEvtID = TwinAllocEvent(freeBufEvt, at.as("TQue::FreeTensor"));
            TwinSetEvent(freeBufEvt, buffer->freeBufEvtID, at.as("TQue::FreeTensor"));
        }
    }
    bool VacantInQue() const { return usedCount < depth; }
    bool HasTensorInQue() const { return usedCount > 0; }
    int32_t GetTensorCountInQue() const { return usedCount; }
    bool HasIdleBuffer() const { return bufUsedCount < bufNum; }
    void FreeAllEvent(const twin::At& at = twin::At::here()) {
        for (int i = 0; i < bufNum; ++i) {
            TBufType& b = bufStart[i];
            if (b.freeBufEvtID == INVALID_TEVENTID) continue;
            TwinWaitEvent(b.freeBufEvt, b.freeBufEvtID, at.as("TQue::FreeAllEvent"));
            TwinReleaseEvent(b.freeBufEvt, b.freeBufEvtID, at.as("TQue::FreeAllEvent"));
            b.freeBufEvtID = INVALID_TEVENTID;
        }
    }
    template <typename T>
    TBufState GetState(const LocalTensor<T>& tensor) const {
        const TBufType* buffer = reinterpret_cast<const TBufType*>(tensor.GetBufferHandle());
        return buffer ? buffer->state : TBufState::FREE;
    }
    TBuffAddr GetBufferAddr(TBufHandle handle) const {
        const TBufType* buffer = reinterpret_cast<const TBufType*>(handle);
        TBuffAddr address;
        address.logicPos = static_cast<uint8_t>(kBufferPosition);
        address.bufferHandle = reinterpret_cast<uint64_t>(handle);
        address.bufferAddr = buffer->address;
        address.dataLen = buffer->dataLen;
        return address;
    }
    /// For buffer pools of one's own.
    void InitStartBufHandle(TBufHandle start, uint8_t num, uint32_t) {
        bufStart = reinterpret_cast<TBufType*>(start);
        bufNum = num;
        usedCount = bufUsedCount = head = tail = bufCursor = 0;
    }
    template <typename Pool>
    void InitBufHandle(Pool*, uint32_t, TBufHandle handle, uint32_t address, uint32_t len) {
        *reinterpret_cast<TBufType*>(handle) = Fresh(address, TwinRound32(len));
    }

    int32_t bufNum = 0, usedCount = 0, bufUsedCount = 0;

private:
    friend class TPipe;
    template <TPosition pos, uint32_t size>
    friend class TBufPool;

    template <TPosition from, TPosition to>
    static constexpr HardEvent UserEvent() {
        constexpr auto allowed = [](TPosition p) {
            return p == TPosition::GM || p == TPosition::VECIN || p == TPosition::VECOUT || p == TPosition::VECCALC;
        };
        static_assert(allowed(from) && allowed(to), "EnQue, DeQue with positions: GM, VECIN, VECOUT or VECCALC");
        static_assert(from != TPosition::GM || to != TPosition::GM, "EnQue, DeQue: not from GM to GM");
        return GetQueEvt(GetPhyType(from), GetPhyType(to), true);
    }
    static TBufType Fresh(uint32_t address, uint32_t bytes) {
        TBufType buffer;
        buffer.freeBufEvt = freeBufEvt;
        buffer.address = address;
        buffer.dataLen = bytes;
        return buffer;
    }
    /// The next free buffer. Without one the device would spin for ever.
    TBufType* Occupy(const twin::At& at) {
        if (bufNum == 0) {
            twin::report("queue_overflow", "AllocTensor: the queue has no buffers (InitBuffer)",
                         at.as("TQue::AllocTensor"));
            static thread_local TBufType none;
            return &none;
        }
        for (int tries = 0; tries < bufNum; ++tries) {
            TBufType* buffer = bufStart + bufCursor;
            bufCursor = (bufCursor + 1) % bufNum;
            if (buffer->state != TBufState::FREE) continue;
            buffer->state = TBufState::OCCUPIED;
            return buffer;
        }
        twin::report("queue_overflow", "AllocTensor: every buffer of the queue is in use", at.as("TQue::AllocTensor"));
        return bufStart + bufCursor;
    }
    TBufType* Own(TBufHandle handle, const char* call, const twin::At& at) const {
        TBufType* buffer = reinterpret_cast<TBufType*>(handle);
        if (buffer >= bufStart && buffer < bufStart + bufNum) return buffer;
        twin::report("illegal_parameter", "the tensor is in no buffer of this queue", at.as(call));
        return nullptr;
    }
    template <HardEvent event>
    bool Insert(TBufHandle handle, const twin::At& at) {
        TBufType* buffer = Own(handle, "TQue::EnQue", at);
        if (!buffer) return false;
        if (buffer->state != TBufState::OCCUPIED && buffer->state != TBufState::DEQUE) {
            twin::report("queue_overflow",
                         buffer->state == TBufState::ENQUE ? "EnQue: the tensor is in the queue already"
                                                           : "EnQue: the tensor was not allocated",
                         at.as("TQue::EnQue"));
            return false;
        }
        if constexpr (depth != 0) {
            if (usedCount >= depth) {
                twin::report("queue_overflow", "EnQue: the queue holds as many tensors as its depth",
                             at.as("TQue::EnQue"));
                return false;
            }
            order[tail] = buffer;
            tail = (tail + 1) % (depth > 0 ? depth : 1);
            ++usedCount;
            buffer->enQueEvtID = TwinAllocEvent(event, at.as("TQue::EnQue"));
        }
        buffer->state = TBufState::ENQUE;
        TwinSetEvent(event, buffer->enQueEvtID, at.as("TQue::EnQue"));
        return true;
    }
    template <HardEvent event>
    TBufType* Remove(const twin::At& at) {
        if (usedCount == 0) {
            twin::report("queue_underflow", "DeQue: the queue is empty", at.as("TQue::DeQue"));
            return nullptr;
        }
        TBufType* buffer = order[head];
        head = (head + 1) % (depth > 0 ? depth : 1);
        --usedCount;
        buffer->state = TBufState::DEQUE;
        if (buffer->enQueEvtID != INVALID_TEVENTID) {
            TwinWaitEvent(event, buffer->enQueEvtID, at.as("TQue::DeQue"));
            TwinReleaseEvent(event, buffer->enQueEvtID, at.as("TQue::DeQue"));
            buffer->enQueEvtID = INVALID_TEVENTID;
        }
        return buffer;
    }
    template <typename T>
    LocalTensor<T> Buf2Tensor(TBufType* buffer) const {
        return LocalTensor<T>(GetBufferAddr(reinterpret_cast<TBufHandle>(buffer)));
    }
    template <typename T>
    LocalTensor<T> Nothing() const {
        return LocalTensor<T>(kBufferPosition, bufNum ? bufStart->address : 0, 0);
    }
    /// Buffers of `bytes` bytes each from `address` on.
    void Init(TBufType* buffers, uint32_t num, uint32_t address, uint32_t bytes, const twin::At& at) {
        InitStartBufHandle(reinterpret_cast<TBufHandle>(buffers), static_cast<uint8_t>(num), bytes);
        for (uint32_t i = 0; i < num; ++i) InitOne(buffers[i], address + i * bytes, bytes, at);
    }
    void InitOne(TBufType& buffer, uint32_t address, uint32_t bytes, const twin::At& at) {
        buffer = Fresh(address, bytes);
        if constexpr (depth == 0) {
            buffer.enQueEvtID = TwinAllocEvent(enQueEvt, at.as("TPipe::InitBuffer"));
            if constexpr (freeBufEvt != HardEvent::MAX) {
                buffer.freeBufEvtID = TwinAllocEvent(freeBufEvt, at.as("TPipe::InitBuffer"));
                TwinSetEvent(freeBufEvt, buffer.freeBufEvtID, at.as("TPipe::InitBuffer"));
            }
        }
    }

    TBufType* bufStart = nullptr;
    TBufType* order[depth > 0 ? depth : 1] = {};
    int32_t head = 0, tail = 0, bufCursor = 0;
};

template <TPosition pos, int32_t depth, auto mask = 0>
class TQue : public TQueBind<GetBufferLogicPos(pos, true), GetBufferLogicPos(pos, false), depth, mask> {};

}  // namespace AscendC
