// SPDX-License-Identifier: BSD-3-Clause
// GlobalTensor and LocalTensor: typed views, no data of their own.
#pragma once
#include "ascendc/params.h"
#include "ascendc/trait.h"

#ifndef K_MAX_SHAPE_DIM
#define K_MAX_SHAPE_DIM 8
#endif

namespace AscendC {

enum class DataFormat : uint8_t { ND = 0, NZ, NCHW, NC1HWC0, NHWC, NCDHW, NDC1HWC0, FRACTAL_Z_3D };

struct ShapeInfo {
    ShapeInfo() {}
    ShapeInfo(const uint8_t dims, const uint32_t sizes[], const uint8_t original_dims, const uint32_t original_sizes[],
              const DataFormat format)
        : shapeDim(dims), originalShapeDim(original_dims), dataFormat(format) {
        for (int i = 0; i < dims && i < K_MAX_SHAPE_DIM; ++i) shape[i] = sizes[i];
        for (int i = 0; i < original_dims && i < K_MAX_SHAPE_DIM; ++i) originalShape[i] = original_sizes[i];
    }
    ShapeInfo(const uint8_t dims, const uint32_t sizes[], const DataFormat format = DataFormat::ND)
        : ShapeInfo(dims, sizes, dims, sizes, format) {}
    uint8_t shapeDim = 0;
    uint8_t originalShapeDim = 0;
    uint32_t shape[K_MAX_SHAPE_DIM > 0 ? K_MAX_SHAPE_DIM : 1] = {};
    uint32_t originalShape[K_MAX_SHAPE_DIM > 0 ? K_MAX_SHAPE_DIM : 1] = {};
    DataFormat dataFormat = DataFormat::ND;
};
inline int GetShapeSize(const ShapeInfo& info) {
    int size = 1;
    for (int i = 0; i < info.shapeDim; ++i) size *= static_cast<int>(info.shape[i]);
    return size;
}

/// What a tensor of a TensorTrait type adds: the trait with its layout.
template <typename T>
class TwinTraitOf {};
template <typename T, TPosition pos, typename L>
class TwinTraitOf<TensorTrait<T, pos, L>> {
public:
    using TraitType = TensorTrait<T, pos, L>;
    L& GetLayout() { return trait_.GetLayout(); }
    const L& GetLayout() const { return trait_.GetLayout(); }
    void SetLayout(const L& layout) { trait_.SetLayout(layout); }
    TraitType& GetTensorTrait() { return trait_; }
    const TraitType& GetTensorTrait() const { return trait_; }
    void SetTensorTrait(const TraitType& trait) { trait_ = trait; }
    auto GetShape() const { return trait_.GetShape(); }
    auto GetStride() const { return trait_.GetStride(); }

private:
    TraitType trait_;
};

/// `a + b` and so on, until it is assigned to a tensor: `c = a + b` is Add(c, a, b, elements of c).
enum class TwinSymbol { kAdd, kSub, kMul, kDiv, kOr, kAnd };
template <typename T>
class LocalTensor;
template <typename T, TwinSymbol symbol>
struct TwinExpression {
    const LocalTensor<T>&a, &b;
};
template <typename T>
struct TwinComparison {
    const LocalTensor<T>&a, &b;
    CMPMODE mode;
};

/// Where a local tensor lies: logical position, byte offset in that memory, length in bytes.
struct TBuffAddr {
    uint32_t dataLen = 0;
    uint32_t bufferAddr = 0;
    uint64_t bufferHandle = 0;
    uint8_t logicPos = static_cast<uint8_t>(TPosition::VECCALC);
};

template <typename T>
class LocalTensor : public TwinTraitOf<T> {
public:
    using PrimType = PrimT<T>;
    LocalTensor() = default;
    /// `bytes_at`: byte offset in the memory of `position`; `elements`: size.
    LocalTensor(TPosition position, uint32_t bytes_at, uint32_t elements)
        : address_{static_cast<uint32_t>(TwinBytes<T>(elements)), bytes_at, 0, static_cast<uint8_t>(position)} {}
    explicit LocalTensor(const TBuffAddr& address) : address_(address) {}
    /// For TensorTrait types, which know position and, by their layout, size.
    template <typename U = T, typename = std::enable_if_t<is_tensorTrait_v<U>>>
    explicit LocalTensor(uint32_t bytes_at)
        : LocalTensor(U::tPos, bytes_at, static_cast<uint32_t>(U::LiteLayoutType::size)) {}
    template <typename L, typename U = T, typename = std::enable_if_t<is_tensorTrait_v<U> && is_layout_v<L>>>
    LocalTensor(uint32_t bytes_at, const L& layout)
        : LocalTensor(U::tPos, bytes_at, static_cast<uint32_t>(layout.GetSize())) {
        this->SetLayout(layout);
    }
    void SetAddr(const TBuffAddr& address) { address_ = address; }
    TBuffAddr GetBufferAddr() const { return address_; }
    uint8_t* GetBufferHandle() const { return reinterpret_cast<uint8_t*>(address_.bufferHandle); }

    LocalTensor operator[](const uint32_t offset) const {
        LocalTensor other = *this;
        const uint32_t bytes = static_cast<uint32_t>(TwinBytes<T>(offset));
        other.address_.bufferAddr += bytes;
        other.address_.dataLen = address_.dataLen > bytes ? address_.dataLen - bytes : 0;
        return other;
    }
    template <typename U>
    LocalTensor<U> ReinterpretCast() const {
        LocalTensor<U> other(address_);
        return other;
    }
    PrimType GetValue(const uint32_t index, const twin::At& at = twin::At::here()) const {
        return *static_cast<PrimType*>(
            twin::scalar_access(Twin(index), sizeof(PrimType), false, true, at.as("LocalTensor::GetValue")));
    }
    template <typename S>
    void SetValue(const uint32_t index, const S value, const twin::At& at = twin::At::here()) const {
        *static_cast<PrimType*>(twin::scalar_access(Twin(index), sizeof(PrimType), true, true,
                                                    at.as("LocalTensor::SetValue"))) = static_cast<PrimType>(value);
    }
    PrimType& operator()(const uint32_t index) const {
        return *static_cast<PrimType*>(
            twin::scalar_access(Twin(index), sizeof(PrimType), true, true, twin::At::here().as("LocalTensor()")));
    }
    uint64_t GetPhyAddr(const uint32_t offset = 0) const {
        return reinterpret_cast<uint64_t>(twin::local_pointer(TwinMemory(TwinPosition()), Twin(offset).address));
    }
    void SetSize(const uint32_t elements) { address_.dataLen = static_cast<uint32_t>(TwinBytes<T>(elements)); }
    uint32_t GetSize() const { return static_cast<uint32_t>(uint64_t(address_.dataLen) * 8 / TwinTypeOf<T>::bits); }
    uint32_t GetLength() const { return address_.dataLen; }
    int32_t GetPosition() const { return address_.logicPos; }
    void SetBufferLen(uint32_t elements) { SetSize(elements); }
    template <typename S>
    void SetAddrWithOffset(LocalTensor<S>& src, uint32_t offset) {
        address_ = src.address_;
        address_.bufferAddr += static_cast<uint32_t>(TwinBytes<S>(offset));
    }
    void SetUserTag(const int32_t tag) { tag_ = tag; }
    int32_t GetUserTag() const { return tag_; }
    void SetShapeInfo(const ShapeInfo& info) { shape_ = info; }
    ShapeInfo GetShapeInfo() const { return shape_; }
    /// A debugging aid of the CPU build of the API: elements as text.
    void Print() { Print(GetSize()); }
    void Print(uint32_t elements);

#define TWIN_SYMBOL(OP, KIND)                                                                                     \
    TwinExpression<T, TwinSymbol::KIND> operator OP(const LocalTensor<T>& other) const { return {*this, other}; } \
    void operator=(const TwinExpression<T, TwinSymbol::KIND>& e);
    TWIN_SYMBOL(+, kAdd)
    TWIN_SYMBOL(-, kSub)
    TWIN_SYMBOL(*, kMul)
    TWIN_SYMBOL(/, kDiv)
    TWIN_SYMBOL(|, kOr)
    TWIN_SYMBOL(&, kAnd)
#undef TWIN_SYMBOL
#define TWIN_SYMBOL(OP, MODE) \
    TwinComparison<T> operator OP(const LocalTensor<T>& other) const { return {*this, other, CMPMODE::MODE}; }
    TWIN_SYMBOL(<, LT)
    TWIN_SYMBOL(>, GT)
    TWIN_SYMBOL(==, EQ)
    TWIN_SYMBOL(<=, LE)
    TWIN_SYMBOL(>=, GE)
    TWIN_SYMBOL(!=, NE)
#undef TWIN_SYMBOL
    void operator=(const TwinComparison<float>& e);
    void operator=(const TwinComparison<half>& e);
    LocalTensor(const LocalTensor&) = default;
    LocalTensor& operator=(const LocalTensor&) = default;

    twin::Ref Twin(uint64_t offset = 0) const {
        twin::Ref ref;
        ref.memory = TwinMemory(TwinPosition());
        ref.address = address_.bufferAddr + TwinBytes<T>(offset);
        return ref;
    }
    TPosition TwinPosition() const { return static_cast<TPosition>(address_.logicPos); }
    /// The same place as a tensor of plain elements.
    LocalTensor<PrimType> TwinPlain() const { return LocalTensor<PrimType>(address_); }

    TBuffAddr address_;

private:
    int32_t tag_ = 0;
    ShapeInfo shape_;
};

template <typename T>
class GlobalTensor : public TwinTraitOf<T> {
public:
    using PrimType = PrimT<T>;
    GlobalTensor() = default;
    void SetGlobalBuffer(__gm__ PrimType* buffer, uint64_t elements) {
        address_ = buffer;
        size_ = elements;
    }
    void SetGlobalBuffer(__gm__ PrimType* buffer) { SetGlobalBuffer(buffer, 0); }
    GlobalTensor operator[](const uint64_t offset) const {
        GlobalTensor other = *this;
        other.address_ = reinterpret_cast<PrimType*>(reinterpret_cast<uint8_t*>(address_) + TwinBytes<T>(offset));
        return other;
    }
    PrimType GetValue(const uint64_t index, const twin::At& at = twin::At::here()) const {
        return *static_cast<PrimType*>(
            twin::scalar_access(Twin(index), sizeof(PrimType), false, true, at.as("GlobalTensor::GetValue")));
    }
    PrimType& operator()(const uint64_t index) const {
        return *static_cast<PrimType*>(
            twin::scalar_access(Twin(index), sizeof(PrimType), true, true, twin::At::here().as("GlobalTensor()")));
    }
    void SetValue(const uint64_t index, PrimType value, const twin::At& at = twin::At::here()) {
        *static_cast<PrimType*>(
            twin::scalar_access(Twin(index), sizeof(PrimType), true, true, at.as("GlobalTensor::SetValue"))) = value;
    }
    const __gm__ PrimType* GetPhyAddr() const { return address_; }
    __gm__ PrimType* GetPhyAddr(const uint64_t offset) const { return (*this)[offset].address_; }
    uint64_t GetSize() const { return size_; }
    template <CacheRwMode rwMode = CacheRwMode::RW>
    void SetL2CacheHint(CacheMode mode) {
        bypass_ = mode == CacheMode::CACHE_MODE_DISABLE;
    }
    void SetShapeInfo(const ShapeInfo& info) { shape_ = info; }
    ShapeInfo GetShapeInfo() const { return shape_; }

    /// The same place as a tensor of plain elements.
    GlobalTensor<PrimType> TwinPlain() const {
        GlobalTensor<PrimType> plain;
        plain.SetGlobalBuffer(address_, size_);
        if (bypass_) plain.SetL2CacheHint(CacheMode::CACHE_MODE_DISABLE);
        return plain;
    }
    twin::Ref Twin(uint64_t offset = 0) const {
        twin::Ref ref;
        ref.memory = twin::Memory::kGm;
        ref.l2_bypass = bypass_;
        ref.address = reinterpret_cast<uint64_t>(address_) + TwinBytes<T>(offset);
        return ref;
    }

    PrimType* address_ = nullptr;

private:
    uint64_t size_ = 0;
    bool bypass_ = false;
    ShapeInfo shape_;
};

}  // namespace AscendC
