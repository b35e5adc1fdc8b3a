// TPipe, TBuf, TBufPool, TQueBind and TQue: bump allocators over the memories, queues of buffers, and the events that go
// with them. Which event a queue uses, when its ids are taken and when a wait is placed is as the vendor's framework does
// it: kernels that mix queues with event ids of their own depend on it.
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

/// One buffer without a queue. EnQue and DeQue do nothing.
template <TPosition pos = TPosition::LCM>
class TBuf {
public:
    static constexpr TPosition srcPosition = pos, dstPosition = pos;
    static constexpr bool isTQue = false;

    template <typename T>
    LocalTensor<T> Get() const {
        return Get<T>(static_cast<uint32_t>(uint64_t(bufLen) * 8 / TwinTypeOf<T>::bits));
    }
    template <typename T>
    LocalTensor<T> Get(uint32_t elements) const {
        return GetWithOffset<T>(elements, 0);
    }
    template <typename T>
    LocalTensor<T> GetWithOffset(uint32_t elements, uint32_t byte_offset) const {
        TBuffAddr address = GetBufferAddr(nullptr);
        address.bufferAddr += byte_offset;
        address.dataLen = static_cast<uint32_t>(TwinBytes<T>(elements));
        return LocalTensor<T>(address);
    }
    template <typename T>
    LocalTensor<T> AllocTensor() const {
        return Get<T>();
    }
    template <typename T>
    void FreeTensor(LocalTensor<T>&) const {}
    template <typename T>
    void EnQue(const LocalTensor<T>&) const {}
    template <typename T>
    LocalTensor<T> DeQue() const {
        return Get<T>();
    }
    template <typename T>
    TBufState GetState(const LocalTensor<T>&) const {
        return bufStart ? bufStart->state : TBufState::FREE;
    }
    bool EnQue(TBufHandle) const { return true; }
    TBufHandle DeQue() const { return reinterpret_cast<TBufHandle>(bufStart); }
    void FreeBuffer(TBufHandle) const {}
    TBuffAddr GetBufferAddr(TBufHandle) const {
        TBuffAddr address;
        address.logicPos = static_cast<uint8_t>(pos);
        address.bufferHandle = reinterpret_cast<uint64_t>(bufStart);
        address.bufferAddr = bufStart ? bufStart->address : 0;
        address.dataLen = bufLen;
        return address;
    }
    void InitStartBufHandle(TBufHandle start, uint8_t, uint32_t len) {
        bufStart = reinterpret_cast<TBufType*>(start);
        bufLen = len;
    }
    template <typename Pool>
    void InitBufHandle(Pool*, uint32_t, TBufHandle handle, uint32_t address, uint32_t len) {
        TBufType& buffer = *reinterpret_cast<TBufType*>(handle);
        buffer = TBufType();
        buffer.address = address;
        buffer.dataLen = TwinRound32(len);
    }
    void SetTpipeBuf(TBufType* start, uint32_t bytes) {
        bufStart = start;
        bufLen = bytes;
    }
    uint32_t GetBufLen() const { return bufLen; }

private:
    friend class TPipe;
    template <TPosition poolPos, uint32_t size>
    friend class TBufPool;
    TBufType* bufStart = nullptr;
    uint32_t bufLen = 0;
};

/// What pools keep: a piece of a memory and records of the buffers dealt from it.
template <uint32_t bufIDSize = defaultBufIDSize>
struct TBufPoolImpl {
    TBufType buf_[bufIDSize];
    uint32_t startAddr_ = 0, maxAddr_ = 0, maxLen_ = 0;
    uint8_t curBufSize_ = 0;
    uint8_t isReset_ = 1;
};

template <TPosition pos, uint32_t bufIDSize = defaultBufIDSize>
class TBufPool {
public:
    static constexpr TPosition poolPos = pos;
    static constexpr bool isTbufPool = true;
    static_assert(GetPhyType(pos) == Hardware::L1 || GetPhyType(pos) == Hardware::UB, "TBufPool: in L1 or UB");

    ~TBufPool() { Reset(); }
    template <class Q, typename = std::enable_if_t<Q::isTQue>>
    bool InitBuffer(Q& que, uint8_t num, uint32_t len, const twin::At& at = twin::At::here()) {
        len = TwinRound32(len);
        TBufType* buffers = Take(num, num * len, at);
        const uint32_t start = tBufPoolImpl.maxAddr_ - num * len;
        que.InitStartBufHandle(reinterpret_cast<TBufHandle>(buffers), num, len);
        for (uint32_t i = 0; i < num; ++i) buffers[i] = Q::Fresh(start + i * len, len);
        return true;
    }
    template <TPosition bufPos>
    bool InitBuffer(TBuf<bufPos>& buf, uint32_t len, const twin::At& at = twin::At::here()) {
        static_assert(GetPhyType(bufPos) == GetPhyType(pos), "TBufPool: the buffer lies in another memory");
        len = TwinRound32(len);
        buf.SetTpipeBuf(Take(1, len, at), len);
        buf.bufStart->address = tBufPoolImpl.maxAddr_ - len;
        buf.bufStart->dataLen = len;
        return true;
    }
    template <class Pool>
    bool InitBufPool(Pool& pool, uint32_t len, const twin::At& at = twin::At::here()) {
        static_assert(std::is_same<Pool, TBufPool>::value, "InitBufPool: a TBufPool of the same type");
        len = TwinRound32(len);
        Take(0, len, at);
        pool.tBufPoolImpl.startAddr_ = pool.tBufPoolImpl.maxAddr_ = tBufPoolImpl.maxAddr_ - len;
        pool.tBufPoolImpl.maxLen_ = len;
        return true;
    }
    /// The pool lies over another one: the two must not be used at the same time.
    template <class Pool, class Shared>
    bool InitBufPool(Pool& pool, uint32_t len, Shared& shared, const twin::At& at = twin::At::here()) {
        static_assert(std::is_same<Pool, TBufPool>::value && std::is_same<Shared, TBufPool>::value,
                      "InitBufPool: TBufPools of the same type");
        TwinShare(pool, len, shared, at);
        return true;
    }
    void Reset(const twin::At& at = twin::At::here()) {
        TwinWaitFreed(tBufPoolImpl.buf_, tBufPoolImpl.curBufSize_, false, at.as("TBufPool::Reset"));
        tBufPoolImpl = TBufPoolImpl<bufIDSize>();
    }
    template <class Pool, class Shared>
    static void TwinShare(Pool& pool, uint32_t len, Shared& shared, const twin::At& at) {
        if (TwinRound32(len) > shared.tBufPoolImpl.maxLen_)
            twin::report("buffer_overflow", "InitBufPool: longer than the pool it shares", at.as("InitBufPool"));
        pool.tBufPoolImpl.startAddr_ = pool.tBufPoolImpl.maxAddr_ = shared.tBufPoolImpl.startAddr_;
        pool.tBufPoolImpl.maxLen_ = shared.tBufPoolImpl.maxLen_;
    }

    TBufPoolImpl<bufIDSize> tBufPoolImpl;

private:
    TBufType* Take(uint32_t num, uint32_t bytes, const twin::At& at) {
        TBufPoolImpl<bufIDSize>& p = tBufPoolImpl;
        if (p.maxAddr_ + bytes > p.startAddr_ + p.maxLen_)
            twin::report("buffer_overflow", "InitBuffer asks for more than the pool holds",
                         at.as("TBufPool::InitBuffer"));
        if (p.curBufSize_ + num > bufIDSize) {
            twin::report("illegal_parameter", "InitBuffer: more buffers than the pool's bufIDSize",
                         at.as("TBufPool::InitBuffer"));
            num = 0;
        }
        TBufType* buffers = p.buf_ + (num || p.curBufSize_ < bufIDSize ? p.curBufSize_ : 0);
        p.curBufSize_ += num;
        p.maxAddr_ += bytes;
        return buffers;
    }
};

/// Members of a buffer pool of one's own (documents: EXTERN_IMPL_BUFPOOL).
#define EXTERN_IMPL_BUFPOOL(EXT_BUFPOOL, POSITION, BUFID_SIZE)                     \
public:                                                                            \
    static constexpr AscendC::TPosition poolPos = POSITION;                        \
    static constexpr int bufIDSize = BUFID_SIZE;                                   \
    static constexpr bool isTbufPool = true;                                       \
    ~EXT_BUFPOOL() { Reset(); }                                                    \
    void Reset() {                                                                 \
        AscendC::TwinWaitFreed(tBufPoolImpl.buf_, tBufPoolImpl.curBufSize_, false, \
                               twin::At::here().as("BufPool::Reset"));             \
        tBufPoolImpl = AscendC::TBufPoolImpl<BUFID_SIZE>();                        \
    }                                                                              \
    void Init() { tBufPoolImpl = AscendC::TBufPoolImpl<BUFID_SIZE>(); }            \
    AscendC::TBufHandle GetBufHandle(uint8_t offset) {                             \
        return reinterpret_cast<AscendC::TBufHandle>(tBufPoolImpl.buf_ + offset);  \
    }                                                                              \
    void SetCurAddr(uint32_t address) { tBufPoolImpl.maxAddr_ = address; }         \
    uint32_t GetCurAddr() { return tBufPoolImpl.maxAddr_; }                        \
    void SetCurBufSize(uint8_t size) { tBufPoolImpl.curBufSize_ = size; }          \
    uint8_t GetCurBufSize() { return tBufPoolImpl.curBufSize_; }                   \
    AscendC::TBufPoolImpl<BUFID_SIZE> tBufPoolImpl

class TPipe {
public:
    TPipe(const twin::At& at = twin::At::here()) : made_(at) { Init(at); }
    ~TPipe() {
        if (!destroyed_) Destroy(made_);
    }
    /// On an AIC, M_MTE1 events 0, 1 and 2 are taken and set for the life of the pipe.
    void Init(const twin::At& at = twin::At::here()) {
        Clear();
        destroyed_ = false;
        twin::set_core_slot(0, this);
        twin::set_atomic(twin::Atomic::kNone, twin::DType::kFloat, at.as("TPipe::Init"));
        twin::set_mask_mode(false, at.as("TPipe::Init"));
        if (!twin::on_cube()) return;
        for (int i = 0; i < kMatmulEvents; ++i) {
            const TEventID id = TwinAllocEvent(HardEvent::M_MTE1, at.as("TPipe::Init"));
            TwinSetEvent(HardEvent::M_MTE1, id, at.as("TPipe::Init"));
        }
    }
    /// Takes back all buffers. The events stay: this is for a new round of InitBuffer.
    void Reset(const twin::At& at = twin::At::here()) {
        TwinWaitFreed(buf_, curBufSize_, true, at.as("TPipe::Reset"));
        Clear();
    }
    void Destroy(const twin::At& at = twin::At::here()) {
        DestroyWithoutPipeAll(at);
        twin::pipe_barrier(twin::Pipe::kAll, at.as("TPipe::Destroy"));
    }
    void DestroyWithoutPipeAll(const twin::At& at = twin::At::here()) {
        const bool again = destroyed_;
        destroyed_ = true;
        TwinWaitFreed(buf_, curBufSize_, true, at.as("TPipe::Destroy"));
        if (again || !twin::on_cube()) return;
        for (int i = 0; i < kMatmulEvents; ++i) {
            TwinWaitEvent(HardEvent::M_MTE1, static_cast<TEventID>(i), at.as("TPipe::Destroy"));
            TwinReleaseEvent(HardEvent::M_MTE1, static_cast<TEventID>(i), at.as("TPipe::Destroy"));
        }
    }

    template <TPosition pos>
    bool InitBuffer(TBuf<pos>& buf, uint32_t len, const twin::At& at = twin::At::here()) {
        len = TwinRound32(len);
        const uint32_t start = Take(TwinMemory(pos), len, at);
        buf.SetTpipeBuf(Records(1, at), len);
        *buf.bufStart = TBufType();
        buf.bufStart->address = start;
        buf.bufStart->dataLen = len;
        return true;
    }
    template <class Q, typename = std::enable_if_t<Q::isTQue>>
    bool InitBuffer(Q& que, uint8_t num, uint32_t len, const twin::At& at = twin::At::here()) {
        len = TwinRound32(len);
        if (num == 0 || (Q::config.bufferNumber && Q::config.bufferNumber != num) ||
            (Q::config.bufferLen && Q::config.bufferLen != len))
            twin::report("illegal_parameter", "InitBuffer: number or length is not what TQueConfig says",
                         at.as("TPipe::InitBuffer"));
        uint32_t start;
        if constexpr (Q::dstPosition == TPosition::TSCM) {  // from the end of L1 downwards
            tscm_ -= num * len;
            start = tscm_;
            if (next_[static_cast<int>(twin::Memory::kL1)] > tscm_)
                twin::report("buffer_overflow", "InitBuffer asks for more than the memory holds",
                             at.as("TPipe::InitBuffer"));
        } else {
            start = Take(TwinMemory(Q::kBufferPosition), num * len, at);
        }
        que.Init(Records(num, at), num, start, len, at);
        return true;
    }
    /// Buffers at given places: tuples of byte address and length.
    template <class Q, class U, class V, class... More>
    bool InitBuffer(Q& que, const std::tuple<U, V>& first, const More&... more) {
        const twin::At at = twin::At::here();
        constexpr uint32_t num = 1 + sizeof...(More);
        TBufType* buffers = Records(num, at);
        que.InitStartBufHandle(reinterpret_cast<TBufHandle>(buffers), num, 0);
        uint32_t i = 0;
        const auto one = [&](const auto& place) {
            que.InitOne(buffers[i++], static_cast<uint32_t>(std::get<0>(place)),
                        static_cast<uint32_t>(std::get<1>(place)), at);
        };
        one(first);
        (one(more), ...);
        return true;
    }
    template <class Pool>
    bool InitBufPool(Pool& pool, uint32_t len, const twin::At& at = twin::At::here()) {
        static_assert(Pool::isTbufPool, "InitBufPool: a TBufPool");
        len = TwinRound32(len);
        pool.tBufPoolImpl.startAddr_ = pool.tBufPoolImpl.maxAddr_ = Take(TwinMemory(Pool::poolPos), len, at);
        pool.tBufPoolImpl.maxLen_ = len;
        return true;
    }
    template <class Pool, class Shared>
    bool InitBufPool(Pool& pool, uint32_t len, Shared& shared, const twin::At& at = twin::At::here()) {
        static_assert(GetPhyType(Pool::poolPos) == GetPhyType(Shared::poolPos), "InitBufPool: pools in one memory");
        TBufPool<TPosition::VECCALC>::TwinShare(pool, len, shared, at);
        return true;
    }

    template <HardEvent event>
    TEventID AllocEventID(const twin::At& at = twin::At::here()) {
        return TwinAllocEvent(event, at.as("AllocEventID"));
    }
    template <HardEvent event>
    void ReleaseEventID(TEventID id, const twin::At& at = twin::At::here()) {
        TwinReleaseEvent(event, id, at.as("ReleaseEventID"));
    }
    /// The next free id, which stays free.
    TEventID FetchEventID(HardEvent event, const twin::At& at = twin::At::here()) {
        return static_cast<TEventID>(
            twin::alloc_event(TwinEvent(event).src, TwinEvent(event).dst, false, at.as("FetchEventID")));
    }
    template <HardEvent event>
    TEventID FetchEventID(const twin::At& at = twin::At::here()) {
        return FetchEventID(event, at);
    }
    template <TPosition pos>
    LocalTensor<uint8_t> GetAbsAddr(uint32_t offset, uint32_t bytes) const {
        return LocalTensor<uint8_t>(pos, offset, bytes);
    }
    template <TPosition pos, typename T>
    LocalTensor<T> GetAbsAddr(uint32_t offset, uint32_t elements) const {
        return LocalTensor<T>(pos, offset, elements);
    }
    /// Host address of a memory's first byte: what GetPhyAddr() of a tensor at offset 0 gives.
    uint8_t* GetBaseAddr(int8_t position) const {
        return reinterpret_cast<uint8_t*>(twin::local_pointer(TwinMemory(static_cast<TPosition>(position)), 0));
    }
    template <TPosition pos>
    uint64_t GetQueueEndAddress() const {
        return next_[static_cast<int>(TwinMemory(pos))];
    }

    /// Spilling to global memory, with the waits before and after as the framework places them.
    template <typename T>
    void InitSpmBuffer(const GlobalTensor<T>& workspace, const int32_t) {
        spm_ = reinterpret_cast<uint64_t>(workspace.GetPhyAddr());
    }
    void InitSpmBuffer(const int32_t) {}
    template <typename T>
    void WriteSpmBuffer(const LocalTensor<T>& tensor, const DataCopyParams& params, int32_t offset = 0,
                        const twin::At& at = twin::At::here());
    template <typename T>
    void ReadSpmBuffer(const LocalTensor<T>& tensor, const DataCopyParams& params, int32_t offset = 0,
                       const twin::At& at = twin::At::here());
    template <typename T>
    void WriteSpmBuffer(const LocalTensor<T>& tensor, const int32_t size, int32_t offset = 0,
                        const twin::At& at = twin::At::here()) {
        WriteSpmBuffer(tensor, TwinBlocks<T>(tensor, size), offset, at);
    }
    template <typename T>
    void ReadSpmBuffer(const LocalTensor<T>& tensor, const int32_t size, int32_t offset = 0,
                       const twin::At& at = twin::At::here()) {
        ReadSpmBuffer(tensor, TwinBlocks<T>(tensor, size), offset, at);
    }

    /// Pieces of L1 and L0C that objects of the matrix library share (lens in bytes: L1, L0C, UB).
    void InitShareBufStart(uint32_t mode, uint32_t* lens, uint32_t, uint8_t subBlockIdx) {
        const twin::Memory memories[] = {twin::Memory::kL1, twin::Memory::kL0C};
        for (int i = 0; i < 2; ++i) {
            uint32_t& next = next_[static_cast<int>(memories[i])];
            if (shared_start_[i] < 0) {
                shared_start_[i] = static_cast<int32_t>(next);
                shared_end_[i] = next + lens[i];
            } else {
                shared_end_[i] = next;
                next = static_cast<uint32_t>(shared_start_[i]);
            }
            if (mode == 1 && subBlockIdx == 1) next += lens[i] / 2;
        }
        next_[static_cast<int>(twin::Memory::kL0A)] = next_[static_cast<int>(twin::Memory::kL0B)] = 0;
        next_[static_cast<int>(twin::Memory::kBt)] = 0;
    }
    void InitShareBufEnd() {
        next_[static_cast<int>(twin::Memory::kL1)] = shared_end_[0];
        next_[static_cast<int>(twin::Memory::kL0C)] = shared_end_[1];
    }

private:
    static constexpr int kMatmulEvents = 3;
    template <typename T>
    static DataCopyParams TwinBlocks(const LocalTensor<T>& tensor, int32_t size) {
        const uint32_t elements = size ? static_cast<uint32_t>(size) : tensor.GetSize();
        return DataCopyParams(1, static_cast<uint16_t>(TwinBytes<T>(elements) / 32), 0, 0);
    }
    void Clear() {
        for (auto& next : next_) next = 0;
        tscm_ = TOTAL_L1_SIZE;
        curBufSize_ = 0;
        shared_start_[0] = shared_start_[1] = -1;
        twin::release_all_events();
    }
    TBufType* Records(uint32_t num, const twin::At& at) {
        if (curBufSize_ + num > static_cast<uint32_t>(QBUF_MAX_LEN)) {
            twin::report("illegal_parameter", "InitBuffer: a TPipe has at most 64 buffers", at.as("TPipe::InitBuffer"));
            curBufSize_ = 0;
        }
        TBufType* first = buf_ + curBufSize_;
        curBufSize_ += num;
        return first;
    }
    uint32_t Take(twin::Memory memory, uint32_t bytes, const twin::At& at) {
        constexpr uint32_t capacity[] = {
            0, TOTAL_L1_SIZE, TOTAL_L0A_SIZE, TOTAL_L0B_SIZE, TOTAL_L0C_SIZE, TOTAL_UB_SIZE, 1024, 7 * 1024};
        const int index = static_cast<int>(memory);
        const uint32_t start = next_[index];
        next_[index] += bytes;
        if (next_[index] > (memory == twin::Memory::kL1 ? tscm_ : capacity[index]))
            twin::report("buffer_overflow", "InitBuffer asks for more than the memory holds",
                         at.as("TPipe::InitBuffer"));
        return start;
    }
    uint32_t next_[static_cast<int>(twin::Memory::kCount)] = {};
    TBufType buf_[QBUF_MAX_LEN];
    uint32_t curBufSize_ = 0, tscm_ = TOTAL_L1_SIZE;
    int32_t shared_start_[2] = {-1, -1};
    uint32_t shared_end_[2] = {};
    twin::At made_;
    uint64_t spm_ = 0;
    bool destroyed_ = true;
};

inline void InitShareBufStart(TPipe* pipe, uint32_t mode, uint32_t* lens, uint32_t count, uint8_t subBlockIdx) {
    pipe->InitShareBufStart(mode, lens, count, subBlockIdx);
}
inline void InitShareBufEnd(TPipe* pipe) { pipe->InitShareBufEnd(); }

/// What is left of UB above the queues, up to the 64 bytes that messages between cores take.
template <typename T, TPosition pos>
bool PopStackBuffer(LocalTensor<T>& tensor) {
    static_assert(TwinMemory(pos) == twin::Memory::kUb, "PopStackBuffer: in UB");
    constexpr uint32_t end = TOTAL_UB_SIZE - 64;
    const uint32_t start = static_cast<uint32_t>(GetTPipePtr()->template GetQueueEndAddress<pos>());
    if (start >= end) {
        twin::report("buffer_overflow", "PopStackBuffer: the queues leave nothing of UB",
                     twin::At::here().as("PopStackBuffer"));
        return false;
    }
    tensor = LocalTensor<T>(pos, start, (end - start) * 8 / TwinTypeOf<T>::bits);
    return true;
}
template <TPosition pos>
bool PopStackBuffer(TBuf<pos>& buf, TBufType& start) {
    LocalTensor<uint8_t> rest;
    if (!PopStackBuffer<uint8_t, pos>(rest)) return false;
    start.address = static_cast<uint32_t>(rest.Twin().address);
    start.dataLen = rest.GetSize();
    buf.SetTpipeBuf(&start, start.dataLen);
    return true;
}

/// Bump allocator without TPipe.
template <Hardware hard = Hardware::UB>
class LocalMemAllocator {
public:
    uint32_t GetCurAddr() const { return head_; }
    template <TPosition pos, class DataType, uint32_t elements>
    LocalTensor<DataType> Alloc() {
        return Alloc<pos, DataType>(elements);
    }
    template <TPosition pos, class DataType>
    LocalTensor<DataType> Alloc(uint32_t elements) {
        LocalTensor<DataType> tensor(pos, head_, elements);
        head_ += static_cast<uint32_t>((TwinBytes<DataType>(elements) + 31) / 32 * 32);
        return tensor;
    }
    template <class DataType, uint32_t elements>
    LocalTensor<DataType> Alloc() {
        return Alloc<kPosition, DataType>(elements);
    }
    template <class DataType>
    LocalTensor<DataType> Alloc(uint32_t elements) {
        return Alloc<kPosition, DataType>(elements);
    }
    /// Types with a trait know their position and size.
    template <class Trait, typename = std::enable_if_t<is_tensorTrait_v<Trait>>>
    LocalTensor<Trait> Alloc() {
        LocalTensor<Trait> tensor(head_);
        head_ += (tensor.GetLength() + 31) / 32 * 32;
        return tensor;
    }
    template <class Trait, typename L>
    std::enable_if_t<is_layout_v<L>, LocalTensor<Trait>> Alloc(const L& layout) {
        LocalTensor<Trait> tensor(head_, layout);
        head_ += (tensor.GetLength() + 31) / 32 * 32;
        return tensor;
    }

private:
    static constexpr TPosition kPosition = hard == Hardware::L1    ? TPosition::A1
                                           : hard == Hardware::L0A ? TPosition::A2
                                           : hard == Hardware::L0B ? TPosition::B2
                                           : hard == Hardware::L0C ? TPosition::CO1
                                                                   : TPosition::VECCALC;
    uint32_t head_ = 0;
};

}  // namespace AscendC

using AscendC::GetTPipePtr;
