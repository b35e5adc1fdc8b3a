// SPDX-License-Identifier: BSD-3-Clause
// TPipe, TBuf and TBufPool: bump allocators over the memories, for queues and for buffers without one.
#pragma once
#include "ascendc/tque.h"

namespace AscendC {

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
