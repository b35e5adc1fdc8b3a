// GlobalTensor and LocalTensor: typed views, no data of their own.
#pragma once
#include "ascendc/params.h"

#ifndef K_MAX_SHAPE_DIM
#define K_MAX_SHAPE_DIM 8
#endif

namespace AscendC {

enum class DataFormat : uint8_t { ND = 0, NZ, NCHW, NC1HWC0, NHWC, NCDHW, NDC1HWC0, FRACTAL_Z_3D };

struct ShapeInfo {
    ShapeInfo() {}
    ShapeInfo(uint8_t dims, const uint32_t shape_[], DataFormat format = DataFormat::ND)
        : shapeDim(dims), originalShapeDim(dims), dataFormat(format) {
        for (int i = 0; i < dims && i < K_MAX_SHAPE_DIM; ++i) shape[i] = originalShape[i] = shape_[i];
    }
    uint8_t shapeDim = 0;
    uint8_t originalShapeDim = 0;
    uint32_t shape[K_MAX_SHAPE_DIM > 0 ? K_MAX_SHAPE_DIM : 1] = {};
    uint32_t originalShape[K_MAX_SHAPE_DIM > 0 ? K_MAX_SHAPE_DIM : 1] = {};
    DataFormat dataFormat = DataFormat::ND;
};

/// Where a local tensor lies: logical position, byte offset in that memory, length in bytes.
struct TBuffAddr {
    uint32_t dataLen = 0;
    uint32_t bufferAddr = 0;
    uint64_t bufferHandle = 0;
    uint8_t logicPos = static_cast<uint8_t>(TPosition::VECCALC);
};

template <typename T>
class LocalTensor {
public:
    using PrimType = T;
    LocalTensor() = default;
    /// `bytes_at`: byte offset in the memory of `position`; `elements`: size.
    LocalTensor(TPosition position, uint32_t bytes_at, uint32_t elements)
        : address_{static_cast<uint32_t>(TwinBytes<T>(elements)), bytes_at, 0, static_cast<uint8_t>(position)} {}
    explicit LocalTensor(const TBuffAddr& address) : address_(address) {}
    void SetAddr(const TBuffAddr& address) { address_ = address; }

    LocalTensor operator[](const uint32_t offset) const {
        LocalTensor other = *this;
        const uint32_t bytes = static_cast<uint32_t>(TwinBytes<T>(offset));
        other.address_.bufferAddr += bytes;
        other.address_.dataLen = address_.dataLen > bytes ? address_.dataLen - bytes : 0;
        return other;
    }
    template <typename U>
    LocalTensor<U> ReinterpretCast() const {
        return LocalTensor<U>(address_);
    }
    T GetValue(const uint32_t index, const twin::At& at = twin::At::here()) const {
        return *static_cast<T*>(
            twin::scalar_access(Twin(index), sizeof(T), false, true, at.as("LocalTensor::GetValue")));
    }
    template <typename S>
    void SetValue(const uint32_t index, const S value, const twin::At& at = twin::At::here()) const {
        *static_cast<T*>(twin::scalar_access(Twin(index), sizeof(T), true, true, at.as("LocalTensor::SetValue"))) =
            static_cast<T>(value);
    }
    T& operator()(const uint32_t index) const {
        return *static_cast<T*>(
            twin::scalar_access(Twin(index), sizeof(T), true, true, twin::At::here().as("LocalTensor()")));
    }
    uint64_t GetPhyAddr(const uint32_t offset = 0) const {
        return reinterpret_cast<uint64_t>(twin::local_pointer(TwinMemory(TwinPosition()), Twin(offset).address));
    }
    void SetSize(const uint32_t elements) { address_.dataLen = static_cast<uint32_t>(TwinBytes<T>(elements)); }
    uint32_t GetSize() const { return static_cast<uint32_t>(uint64_t(address_.dataLen) * 8 / TwinTypeOf<T>::bits); }
    uint32_t GetLength() const { return address_.dataLen; }
    int32_t GetPosition() const { return address_.logicPos; }
    void SetBufferLen(uint32_t bytes) { address_.dataLen = bytes; }
    template <typename S>
    void SetAddrWithOffset(LocalTensor<S>& src, uint32_t offset) {
        address_ = src.address_;
        address_.bufferAddr += static_cast<uint32_t>(TwinBytes<S>(offset));
    }
    void SetUserTag(int32_t tag) { tag_ = tag; }
    int32_t GetUserTag() const { return tag_; }
    void SetShapeInfo(const ShapeInfo& info) { shape_ = info; }
    ShapeInfo GetShapeInfo() const { return shape_; }

    twin::Ref Twin(uint64_t offset = 0) const {
        twin::Ref ref;
        ref.memory = TwinMemory(TwinPosition());
        ref.address = address_.bufferAddr + TwinBytes<T>(offset);
        return ref;
    }
    TPosition TwinPosition() const { return static_cast<TPosition>(address_.logicPos); }

    TBuffAddr address_;

private:
    int32_t tag_ = 0;
    ShapeInfo shape_;
};

template <typename T>
class GlobalTensor {
public:
    using PrimType = T;
    GlobalTensor() = default;
    void SetGlobalBuffer(__gm__ T* buffer, uint64_t elements) {
        pointer_ = buffer;
        size_ = elements;
    }
    void SetGlobalBuffer(__gm__ T* buffer) { SetGlobalBuffer(buffer, 0); }
    GlobalTensor operator[](const uint64_t offset) const {
        GlobalTensor other = *this;
        other.pointer_ = reinterpret_cast<T*>(reinterpret_cast<uint8_t*>(pointer_) + TwinBytes<T>(offset));
        return other;
    }
    T GetValue(const uint64_t index, const twin::At& at = twin::At::here()) const {
        return *static_cast<T*>(
            twin::scalar_access(Twin(index), sizeof(T), false, true, at.as("GlobalTensor::GetValue")));
    }
    T& operator()(const uint64_t index) const {
        return *static_cast<T*>(
            twin::scalar_access(Twin(index), sizeof(T), true, true, twin::At::here().as("GlobalTensor()")));
    }
    void SetValue(const uint64_t index, T value, const twin::At& at = twin::At::here()) {
        *static_cast<T*>(twin::scalar_access(Twin(index), sizeof(T), true, true, at.as("GlobalTensor::SetValue"))) =
            value;
    }
    const __gm__ T* GetPhyAddr() const { return pointer_; }
    __gm__ T* GetPhyAddr(const uint64_t offset) const { return (*this)[offset].pointer_; }
    uint64_t GetSize() const { return size_; }
    template <CacheRwMode rwMode = CacheRwMode::RW>
    void SetL2CacheHint(CacheMode mode) {
        bypass_ = mode == CacheMode::CACHE_MODE_DISABLE;
    }
    void SetShapeInfo(const ShapeInfo& info) { shape_ = info; }
    ShapeInfo GetShapeInfo() const { return shape_; }

    twin::Ref Twin(uint64_t offset = 0) const {
        twin::Ref ref;
        ref.memory = twin::Memory::kGm;
        ref.l2_bypass = bypass_;
        ref.address = reinterpret_cast<uint64_t>(pointer_) + TwinBytes<T>(offset);
        return ref;
    }

private:
    T* pointer_ = nullptr;
    uint64_t size_ = 0;
    bool bypass_ = false;
    ShapeInfo shape_;
};

}  // namespace AscendC
