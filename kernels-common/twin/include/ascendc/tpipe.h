// TPipe, TBuf and TQue: a bump allocator per memory plus the event ids its queues use.
#pragma once
#include "ascendc/sync.h"

namespace AscendC {

template <TPosition src, TPosition dst, int32_t depth, auto mask = 0>
class TQueBind;

template <TPosition pos = TPosition::LCM>
class TBuf {
public:
    template <typename T>
    LocalTensor<T> Get() const {
        return Get<T>(static_cast<uint32_t>(uint64_t(bytes_) * 8 / TwinTypeOf<T>::bits));
    }
    template <typename T>
    LocalTensor<T> Get(uint32_t elements) const {
        return LocalTensor<T>(pos, address_, elements);
    }
    template <typename T>
    LocalTensor<T> GetWithOffset(uint32_t elements, uint32_t byte_offset) const {
        return LocalTensor<T>(pos, address_ + byte_offset, elements);
    }
    template <typename T>
    LocalTensor<T> AllocTensor() const {
        return Get<T>();
    }
    template <typename T>
    void FreeTensor(LocalTensor<T>&) const {}

private:
    friend class TPipe;
    uint32_t address_ = 0;
    uint32_t bytes_ = 0;
};

class TPipe {
public:
    TPipe() { Init(); }
    ~TPipe() { Destroy(); }
    void Init() {
        Reset();
        twin::set_core_slot(0, this);
    }
    void Reset() {
        for (auto& next : next_) next = 0;
    }
    void Destroy() {}

    template <TPosition pos>
    bool InitBuffer(TBuf<pos>& buf, uint32_t bytes, const twin::At& at = twin::At::here()) {
        buf.address_ = Take(TwinMemory(pos), bytes, at);
        buf.bytes_ = bytes;
        return true;
    }
    template <TPosition src, TPosition dst, int32_t depth, auto mask>
    bool InitBuffer(TQueBind<src, dst, depth, mask>& que, uint8_t num, uint32_t bytes,
                    const twin::At& at = twin::At::here()) {
        que.Init(Take(TwinMemory(que.kBufferPosition), num * ((bytes + 31) / 32 * 32), at), num,
                 (bytes + 31) / 32 * 32);
        return true;
    }
    template <HardEvent event>
    TEventID AllocEventID(const twin::At& at = twin::At::here()) {
        return static_cast<TEventID>(
            twin::alloc_event(TwinEvent(event).src, TwinEvent(event).dst, true, at.as("AllocEventID")));
    }
    template <HardEvent event>
    void ReleaseEventID(TEventID id, const twin::At& at = twin::At::here()) {
        twin::release_event(TwinEvent(event).src, TwinEvent(event).dst, id, at.as("ReleaseEventID"));
    }
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
    uint64_t GetBaseAddr(int8_t) const { return 0; }
    /// First byte behind the buffers of this memory.
    template <TPosition pos>
    uint32_t GetQueueEndAddress() const {
        return next_[static_cast<int>(TwinMemory(pos))];
    }

private:
    uint32_t Take(twin::Memory memory, uint32_t bytes, const twin::At& at) {
        constexpr uint32_t capacity[] = {
            0, TOTAL_L1_SIZE, TOTAL_L0A_SIZE, TOTAL_L0B_SIZE, TOTAL_L0C_SIZE, TOTAL_UB_SIZE, 1024, 7 * 1024};
        const int index = static_cast<int>(memory);
        const uint32_t start = next_[index];
        next_[index] += (bytes + 31) / 32 * 32;
        if (next_[index] > capacity[index])
            twin::report("buffer_overflow", "InitBuffer asks for more than the memory holds",
                         at.as("TPipe::InitBuffer"));
        return start;
    }
    uint32_t next_[static_cast<int>(twin::Memory::kCount)] = {};
};

/// Queue of `num` buffers between a producer and a consumer pipe. EnQue/DeQue carry the data event,
/// FreeTensor/AllocTensor the buffer-free event of each buffer.
template <TPosition src, TPosition dst, int32_t depth, auto mask>
class TQueBind {
public:
    static constexpr TPosition kBufferPosition = dst == TPosition::GM ? src : (src == TPosition::GM ? dst : src);
    static constexpr bool kIntoUb = src == TPosition::GM && dst == TPosition::VECIN;
    ~TQueBind() { FreeAllEvent(); }

    template <typename T>
    LocalTensor<T> AllocTensor(const twin::At& at = twin::At::here()) {
        Buffer& buffer = buffers_[cursor_];
        if (buffer.used)
            twin::report("queue_overflow", "AllocTensor: every buffer of the queue is in use",
                         at.as("TQue::AllocTensor"));
        if (buffer.free_event >= 0) {
            twin::wait_flag(kConsumer, kProducer, buffer.free_event, at.as("TQue::AllocTensor"));
            twin::release_event(kConsumer, kProducer, buffer.free_event, at.as("TQue::AllocTensor"));
            buffer.free_event = -1;
        }
        buffer.used = true;
        LocalTensor<T> tensor(kBufferPosition, buffer.address,
                              static_cast<uint32_t>(uint64_t(bytes_) * 8 / TwinTypeOf<T>::bits));
        cursor_ = (cursor_ + 1) % num_;
        return tensor;
    }
    template <typename T>
    void AllocTensor(LocalTensor<T>& tensor, const twin::At& at = twin::At::here()) {
        tensor = AllocTensor<T>(at);
    }
    template <typename T>
    bool EnQue(const LocalTensor<T>& tensor, const twin::At& at = twin::At::here()) {
        const int id = twin::alloc_event(kProducer, kConsumer, true, at.as("TQue::EnQue"));
        twin::set_flag(kProducer, kConsumer, id, at.as("TQue::EnQue"));
        const int slot = Find(tensor.Twin().address);
        buffers_[slot].ready_event = id;
        order_[(head_ + queued_++) % kMax] = slot;
        return true;
    }
    template <typename T>
    LocalTensor<T> DeQue(const twin::At& at = twin::At::here()) {
        if (queued_ == 0) {
            twin::report("queue_underflow", "DeQue: the queue is empty", at.as("TQue::DeQue"));
            return LocalTensor<T>(kBufferPosition, buffers_[0].address, 0);
        }
        const int slot = order_[head_ % kMax];
        head_ = (head_ + 1) % kMax;
        --queued_;
        twin::wait_flag(kProducer, kConsumer, buffers_[slot].ready_event, at.as("TQue::DeQue"));
        twin::release_event(kProducer, kConsumer, buffers_[slot].ready_event, at.as("TQue::DeQue"));
        return LocalTensor<T>(kBufferPosition, buffers_[slot].address,
                              static_cast<uint32_t>(uint64_t(bytes_) * 8 / TwinTypeOf<T>::bits));
    }
    template <typename T>
    void DeQue(LocalTensor<T>& tensor, const twin::At& at = twin::At::here()) {
        tensor = DeQue<T>(at);
    }
    template <typename T>
    void FreeTensor(LocalTensor<T>& tensor, const twin::At& at = twin::At::here()) {
        Buffer& buffer = buffers_[Find(tensor.Twin().address)];
        buffer.used = false;
        buffer.free_event = twin::alloc_event(kConsumer, kProducer, true, at.as("TQue::FreeTensor"));
        twin::set_flag(kConsumer, kProducer, buffer.free_event, at.as("TQue::FreeTensor"));
    }
    bool VacantInQue() const { return queued_ < (depth > 0 ? depth : 1); }
    bool HasTensorInQue() const { return queued_ > 0; }
    int32_t GetTensorCountInQue() const { return queued_; }
    bool HasIdleBuffer() const {
        for (int i = 0; i < num_; ++i)
            if (!buffers_[i].used) return true;
        return false;
    }
    void FreeAllEvent(const twin::At& at = twin::At::here()) {
        for (int i = 0; i < num_; ++i)
            if (buffers_[i].free_event >= 0) {
                twin::wait_flag(kConsumer, kProducer, buffers_[i].free_event, at.as("TQue::FreeAllEvent"));
                twin::release_event(kConsumer, kProducer, buffers_[i].free_event, at.as("TQue::FreeAllEvent"));
                buffers_[i].free_event = -1;
            }
    }

private:
    friend class TPipe;
    static constexpr int kMax = 16;
    static constexpr twin::Pipe Producer() {
        if (src == TPosition::GM) return twin::Pipe::kMte2;
        if (src == TPosition::VECCALC || src == TPosition::VECIN || src == TPosition::VECOUT) return twin::Pipe::kV;
        if (src == TPosition::A1 || src == TPosition::B1 || src == TPosition::C1) return twin::Pipe::kMte1;
        return twin::Pipe::kM;
    }
    static constexpr twin::Pipe Consumer() {
        switch (dst) {
            case TPosition::GM: return src == TPosition::CO1 ? twin::Pipe::kFix : twin::Pipe::kMte3;
            case TPosition::VECIN:
            case TPosition::VECCALC: return twin::Pipe::kV;
            case TPosition::VECOUT: return twin::Pipe::kMte3;
            case TPosition::A1:
            case TPosition::B1:
            case TPosition::C1: return twin::Pipe::kMte1;
            default: return twin::Pipe::kM;
        }
    }
    static constexpr twin::Pipe kProducer = Producer();
    static constexpr twin::Pipe kConsumer = Consumer();

    struct Buffer {
        uint32_t address = 0;
        bool used = false;
        int32_t ready_event = -1, free_event = -1;
    };
    void Init(uint32_t start, int num, uint32_t bytes) {
        num_ = num > kMax ? kMax : num;
        bytes_ = bytes;
        for (int i = 0; i < num_; ++i) buffers_[i].address = start + i * bytes;
    }
    int Find(uint64_t address) const {
        for (int i = 0; i < num_; ++i)
            if (address >= buffers_[i].address && address < buffers_[i].address + bytes_) return i;
        return 0;
    }
    Buffer buffers_[kMax];
    int order_[kMax] = {};
    int num_ = 0, cursor_ = 0, head_ = 0, queued_ = 0;
    uint32_t bytes_ = 0;
};

constexpr TPosition TwinQueSource(TPosition pos) {
    switch (pos) {
        case TPosition::VECIN:
        case TPosition::A1:
        case TPosition::B1:
        case TPosition::C1: return TPosition::GM;
        case TPosition::VECOUT: return TPosition::VECCALC;
        case TPosition::A2: return TPosition::A1;
        case TPosition::B2: return TPosition::B1;
        case TPosition::CO1: return TPosition::CO1;
        default: return pos;
    }
}
constexpr TPosition TwinQueDest(TPosition pos) {
    switch (pos) {
        case TPosition::VECOUT:
        case TPosition::CO1: return TPosition::GM;
        default: return pos;
    }
}
template <TPosition pos, int32_t depth, auto mask = 0>
class TQue : public TQueBind<TwinQueSource(pos), TwinQueDest(pos), depth, mask> {};

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

private:
    static constexpr TPosition kPosition = hard == Hardware::L1    ? TPosition::A1
                                           : hard == Hardware::L0A ? TPosition::A2
                                           : hard == Hardware::L0B ? TPosition::B2
                                           : hard == Hardware::L0C ? TPosition::CO1
                                                                   : TPosition::VECCALC;
    uint32_t head_ = 0;
};

}  // namespace AscendC

inline AscendC::TPipe* GetTPipePtr() { return static_cast<AscendC::TPipe*>(twin::core_slot(0)); }
