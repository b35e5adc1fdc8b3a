// SPDX-License-Identifier: BSD-3-Clause
// Scalar calculations, limits of the element types, lists of tensors in global memory.
#pragma once
#include "ascendc/data_copy.h"

namespace AscendC {

// ------------------------------------------------------------------------------- bits
/// Number of bits equal to countValue.
template <int countValue>
int64_t ScalarGetCountOfValue(uint64_t valueIn) {
    static_assert(countValue == 0 || countValue == 1, "ScalarGetCountOfValue: 0 or 1");
    return __builtin_popcountll(countValue ? valueIn : ~valueIn);
}
template <int countValue>
int64_t GetBitCount(uint64_t valueIn) {
    return ScalarGetCountOfValue<countValue>(valueIn);
}
inline int64_t ScalarCountLeadingZero(uint64_t valueIn) { return valueIn ? __builtin_clzll(valueIn) : 64; }
inline int64_t CountLeadingZero(uint64_t valueIn) { return ScalarCountLeadingZero(valueIn); }
/// How many bits below the sign bit equal it; -1 for 0 and -1.
inline int64_t CountBitsCntSameAsSignBit(int64_t valueIn) {
    if (valueIn == 0 || valueIn == -1) return -1;
    return __builtin_clzll(static_cast<uint64_t>(valueIn < 0 ? ~valueIn : valueIn)) - 1;
}
/// Place of the lowest bit equal to countValue; -1: none.
template <int countValue>
int64_t ScalarGetSFFValue(uint64_t valueIn) {
    static_assert(countValue == 0 || countValue == 1, "ScalarGetSFFValue: 0 or 1");
    const uint64_t bits = countValue ? valueIn : ~valueIn;
    return bits ? __builtin_ctzll(bits) : -1;
}
template <int countValue>
int64_t GetSFFValue(uint64_t valueIn) {
    return ScalarGetSFFValue<countValue>(valueIn);
}

// ------------------------------------------------------------------------------- conversions
/// float to int32 or half by a rounding mode.
template <typename T, typename U, RoundMode roundMode>
U ScalarCast(T valueIn) {
    static_assert(std::is_same<T, float>::value && (IsOneOf<U, half, int32_t>), "ScalarCast: float to half or int32");
    if constexpr (std::is_same<U, half>::value) {
        static_assert(roundMode == RoundMode::CAST_NONE || roundMode == RoundMode::CAST_ODD,
                      "ScalarCast to half: CAST_NONE or CAST_ODD");
        const half near = static_cast<half>(valueIn);
        if (roundMode == RoundMode::CAST_NONE || static_cast<float>(near) == valueIn || valueIn != valueIn) return near;
        // To odd: of the two neighbours the one whose last bit is set.
        const uint16_t bits = static_cast<uint16_t>(TwinBits(near));
        if (bits & 1) return near;
        const bool away = (static_cast<float>(near) < valueIn) == (valueIn > 0);
        const uint16_t other = static_cast<uint16_t>(away ? bits + 1 : bits - 1);
        half odd;
        std::memcpy(&odd, &other, 2);
        return odd;
    } else {
        const double v = static_cast<double>(valueIn);
        const double rounded = roundMode == RoundMode::CAST_FLOOR   ? std::floor(v)
                               : roundMode == RoundMode::CAST_CEIL  ? std::ceil(v)
                               : roundMode == RoundMode::CAST_ROUND ? std::round(v)
                               : roundMode == RoundMode::CAST_TRUNC ? std::trunc(v)
                                                                    : std::nearbyint(v);
        if (rounded != rounded) return 0;
        return static_cast<int32_t>(std::min(2147483647.0, std::max(-2147483648.0, rounded)));
    }
}
template <typename T, typename U, RoundMode roundMode>
U Cast(T valueIn) {
    return ScalarCast<T, U, roundMode>(valueIn);
}
inline bfloat16_t Cast(const float& fVal) { return bfloat16_t(fVal); }
inline float Cast(const bfloat16_t& bVal) { return static_cast<float>(bVal); }

// ------------------------------------------------------------------------------- limits
template <typename T>
struct NumericLimits {
    static constexpr T Max() {
        if constexpr (std::is_same<T, half>::value)
            return static_cast<half>(65504.0f);
        else
            return std::numeric_limits<T>::max();
    }
    static constexpr T Lowest() {
        if constexpr (std::is_same<T, half>::value)
            return static_cast<half>(-65504.0f);
        else
            return std::numeric_limits<T>::lowest();
    }
    /// The least positive normal number, or the lowest integer.
    static constexpr T Min() {
        if constexpr (std::is_same<T, half>::value)
            return static_cast<half>(6.103515625e-05f);
        else
            return std::numeric_limits<T>::min();
    }
    static constexpr T Infinity() { return static_cast<T>(Float("Infinity") * std::numeric_limits<float>::infinity()); }
    static constexpr T NegativeInfinity() { return -Infinity(); }
    static constexpr T QuietNaN() {
        return static_cast<T>(Float("QuietNaN") * std::numeric_limits<float>::quiet_NaN());
    }
    static constexpr T DeNormMin() {
        static_assert((IsOneOf<T, half, float>), "NumericLimits: half or float");
        if constexpr (std::is_same<T, half>::value)
            return static_cast<half>(5.9604644775390625e-08f);
        else
            return std::numeric_limits<T>::denorm_min();
    }

private:
    static constexpr float Float(const char*) {
        static_assert((IsOneOf<T, half, float>), "NumericLimits: half or float");
        return 1.0f;
    }
};

// ------------------------------------------------------------------------------- lists of tensors
/// Word `index` after a global address, read as scalar code does.
inline uint64_t TwinWord(const uint64_t* base, uint64_t index, const twin::Loc& loc) {
    twin::Ref ref;
    ref.memory = twin::Memory::kGm;
    ref.address = reinterpret_cast<uint64_t>(base + index);
    return *static_cast<uint64_t*>(twin::scalar_access(ref, 8, false, true, loc));
}
template <class T>
class TensorDesc {
public:
    void SetShapeAddr(uint64_t* shape) { shape_ = shape; }
    uint64_t GetDim() { return dim_; }
    uint64_t GetIndex() { return index_; }
    uint64_t GetShape(uint32_t offset) { return shape_[offset]; }
    __gm__ T* GetDataPtr() { return data_; }
    GlobalTensor<T> GetDataObj() {
        GlobalTensor<T> tensor;
        uint64_t size = sizeof(T);
        for (uint64_t i = 0; i < dim_; ++i) size *= shape_[i];
        tensor.SetGlobalBuffer(data_, size);
        return tensor;
    }

private:
    friend class ListTensorDesc;
    uint64_t dim_ = 0, index_ = 0;
    uint64_t* shape_ = nullptr;
    T* data_ = nullptr;
};
/// A list as the framework passes it: the offset of the pointers in bytes; for each tensor a word with its rank (and,
/// in the first one, the number of tensors above) and its sizes; then the pointers. Rank 0: no sizes.
class ListTensorDesc {
public:
    ListTensorDesc() {}
    ListTensorDesc(__gm__ void* data, uint32_t length = 0xffffffff, uint32_t shapeSize = 0xffffffff,
                   const twin::At& at = twin::At::here()) {
        Init(data, length, shapeSize, at);
    }
    void Init(__gm__ void* data, uint32_t length = 0xffffffff, uint32_t shapeSize = 0xffffffff,
              const twin::At& at = twin::At::here()) {
        const twin::Loc loc = at.as("ListTensorDesc::Init");
        const uint64_t* words = static_cast<const uint64_t*>(data);
        const uint64_t offset = TwinWord(words, 0, loc);
        shapes_ = words + 1;
        pointers_ = words + offset / 8;
        const uint64_t first = TwinWord(words, 1, loc);
        dim_ = static_cast<uint32_t>(first);
        step_ = dim_ ? dim_ + 1 : 2;
        count_ = static_cast<uint32_t>(first >> 32);
        if (count_ == 0) count_ = static_cast<uint32_t>(TwinWord(pointers_ - step_, 0, loc) >> 32) + 1;
        if ((shapeSize != 0xffffffff && count_ != shapeSize) ||
            (length != 0xffffffff && length != offset + uint64_t(count_) * 8))
            twin::report("illegal_parameter", "ListTensorDesc: the list has another length", loc);
    }
    template <class T>
    void GetDesc(TensorDesc<T>& desc, uint32_t index, const twin::At& at = twin::At::here()) {
        const twin::Loc loc = at.as("ListTensorDesc::GetDesc");
        desc.dim_ = dim_;
        desc.index_ = index;
        desc.data_ = GetDataPtr<T>(index, at);
        for (uint32_t i = 0; i < dim_; ++i) desc.shape_[i] = TwinWord(shapes_ + uint64_t(index) * step_ + 1, i, loc);
    }
    template <class T>
    __gm__ T* GetDataPtr(uint32_t index, const twin::At& at = twin::At::here()) {
        if (index >= count_) {
            twin::report("illegal_parameter", "ListTensorDesc: the list has fewer tensors",
                         at.as("ListTensorDesc::GetDataPtr"));
            return nullptr;
        }
        return reinterpret_cast<T*>(TwinWord(pointers_, index, at.as("ListTensorDesc::GetDataPtr")));
    }
    uint32_t GetSize() const { return count_; }

private:
    const uint64_t* shapes_ = nullptr;
    const uint64_t* pointers_ = nullptr;
    uint32_t dim_ = 0, step_ = 0, count_ = 0;
};

}  // namespace AscendC
