// SPDX-License-Identifier: BSD-3-Clause
// half and bfloat16_t as scalar types, and the type facts the API checks arguments with.
#pragma once
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "twin/abi.h"
#include "twin/half.h"

using twin::half;

/// Scalar bfloat16: converts from numbers, explicitly to float; the device has no bf16 arithmetic.
class bfloat16_t {
public:
    constexpr bfloat16_t() = default;
    template <typename N, typename = std::enable_if_t<std::is_arithmetic<N>::value || std::is_same<N, half>::value>>
    bfloat16_t(N number) : bits_(round(static_cast<float>(number))) {}
    explicit operator float() const {
        uint32_t wide = static_cast<uint32_t>(bits_) << 16;
        float value;
        std::memcpy(&value, &wide, 4);
        return value;
    }
    friend bool operator==(bfloat16_t a, bfloat16_t b) { return static_cast<float>(a) == static_cast<float>(b); }
    friend bool operator!=(bfloat16_t a, bfloat16_t b) { return !(a == b); }

private:
    static uint16_t round(float value) {
        uint32_t wide;
        std::memcpy(&wide, &value, 4);
        if ((wide & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((wide >> 16) | 0x40);
        return static_cast<uint16_t>((wide + 0x7fffu + ((wide >> 16) & 1)) >> 16);
    }
    uint16_t bits_ = 0;
};

namespace AscendC {

/// Two signed 4-bit numbers per byte; tensors of it count elements, not bytes.
struct int4b_t {
    int4b_t() = default;
    int4b_t(int32_t value) : bits(static_cast<uint8_t>(value & 15)) {}
    int4b_t(uint32_t value) : bits(static_cast<uint8_t>(value & 15)) {}
    operator int8_t() const { return static_cast<int8_t>(bits & 8 ? bits | 0xf0 : bits); }
    uint8_t bits;
};

/// Element type behind a TensorTrait (ascendc/trait.h); any other type is its own.
template <typename T>
struct TwinPrimOf {
    using Type = T;
};
template <typename T>
using PrimT = typename TwinPrimOf<T>::Type;

template <typename A, typename... B>
constexpr bool IsOneOf = (std::is_same<PrimT<A>, B>::value || ...);

template <typename A, typename B>
constexpr bool TwinSame = std::is_same<PrimT<A>, PrimT<B>>::value;

template <typename A, typename B>
struct IsSameType {
    static constexpr bool value = std::is_same<A, B>::value;
};

template <typename T, typename... U>
constexpr bool SupportType() {
    return IsOneOf<T, U...>;
}

template <typename T>
struct TwinTypeOf {  // a type without operations, such as a host-side half
    static constexpr twin::DType value = twin::DType::kVoid;
    static constexpr uint32_t bits = sizeof(T) * 8;
};
#define TWIN_TYPE(T, D, B)                                   \
    template <>                                              \
    struct TwinTypeOf<T> {                                   \
        static constexpr twin::DType value = twin::DType::D; \
        static constexpr uint32_t bits = B;                  \
    };
TWIN_TYPE(half, kHalf, 16)
TWIN_TYPE(bfloat16_t, kBf16, 16)
TWIN_TYPE(float, kFloat, 32)
TWIN_TYPE(int8_t, kInt8, 8)
TWIN_TYPE(uint8_t, kUint8, 8)
TWIN_TYPE(int16_t, kInt16, 16)
TWIN_TYPE(uint16_t, kUint16, 16)
TWIN_TYPE(int32_t, kInt32, 32)
TWIN_TYPE(uint32_t, kUint32, 32)
TWIN_TYPE(int64_t, kInt64, 64)
TWIN_TYPE(uint64_t, kUint64, 64)
TWIN_TYPE(long long, kInt64, 64)
TWIN_TYPE(unsigned long long, kUint64, 64)
TWIN_TYPE(int4b_t, kInt4, 4)
TWIN_TYPE(char, kInt8, 8)
TWIN_TYPE(bool, kUint8, 8)
#undef TWIN_TYPE

template <typename T>
constexpr twin::DType TwinType = TwinTypeOf<T>::value;
/// Bytes of `elements` elements (int4b_t: two per byte).
template <typename T>
constexpr uint64_t TwinBytes(uint64_t elements) {
    return elements * TwinTypeOf<T>::bits / 8;
}
template <typename T>
uint64_t TwinBits(const T& value) {
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(T));
    return bits;
}

template <typename T>
struct SizeOfBits {
    static constexpr uint32_t value = TwinTypeOf<T>::bits;
};

inline float ToFloat(const bfloat16_t& value) { return static_cast<float>(value); }
inline bfloat16_t ToBfloat16(const float& value) { return bfloat16_t(value); }
}  // namespace AscendC
