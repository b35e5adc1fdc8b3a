// SPDX-License-Identifier: BSD-3-Clause
// Scalar conversions between storage types and float, exact and independent of the CPU's denormal modes.
#pragma once

#include <cstdint>
#include <cstring>

#include "flash_attn_npu/dtype.h"

namespace flash_attn_npu::cpu {
namespace {

template <class To, class From>
FA_HOST_DEVICE To bit_cast(From from) {
    static_assert(sizeof(To) == sizeof(From), "bit_cast keeps every bit");
    To to;
    memcpy(&to, &from, sizeof(to));
    return to;
}

// The C++ type an element of `kType` is stored as; 16-bit and 8-bit floats are their bit patterns.
template <DType kType>
struct StorageOf {
    using Type = uint16_t;
};
template <>
struct StorageOf<DType::kFloat32> {
    using Type = float;
};
template <>
struct StorageOf<DType::kFloat8E4M3> {
    using Type = uint8_t;
};
template <DType kType>
using Storage = typename StorageOf<kType>::Type;

FA_HOST_DEVICE float float_from_bf16(uint16_t x) { return bit_cast<float>(uint32_t{x} << 16); }

FA_HOST_DEVICE float float_from_fp16(uint16_t x) {
    const uint32_t sign = uint32_t{x & 0x8000u} << 16;
    const uint32_t magnitude = x & 0x7fffu;
    if (magnitude < 0x400u) {  // subnormal: an integer multiple of 2^-24
        return bit_cast<float>(sign | bit_cast<uint32_t>(static_cast<float>(magnitude) * 0x1p-24f));
    }
    const uint32_t rebias = magnitude < 0x7c00u ? 112u << 23 : 224u << 23;
    return bit_cast<float>(sign | ((magnitude << 13) + rebias));
}

FA_HOST_DEVICE float float_from_fp8_e4m3(uint8_t x) {
    const uint32_t sign = uint32_t{x & 0x80u} << 24;
    const uint32_t magnitude = x & 0x7fu;
    if (magnitude == 0x7fu) return bit_cast<float>(sign | 0x7fc00000u);  // no infinities, one NaN per sign
    if (magnitude < 8u) return bit_cast<float>(sign | bit_cast<uint32_t>(static_cast<float>(magnitude) * 0x1p-9f));
    return bit_cast<float>(sign | ((magnitude << 20) + (120u << 23)));
}

FA_HOST_DEVICE uint16_t bf16_from_float(float x) {
    const uint32_t bits = bit_cast<uint32_t>(x);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((bits >> 16) | 0x40u);
    return static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

FA_HOST_DEVICE uint16_t fp16_from_float(float x) {
    const uint32_t bits = bit_cast<uint32_t>(x);
    const uint32_t sign = (bits >> 16) & 0x8000u;
    const uint32_t magnitude = bits & 0x7fffffffu;
    uint32_t result;
    if (magnitude > 0x7f800000u) {
        result = 0x7e00u | ((magnitude >> 13) & 0x3ffu);
    } else if (magnitude >= 0x47800000u) {  // 2^16 and more; [65520, 65536) rounds up to infinity below
        result = 0x7c00u;
    } else if (magnitude < 0x38800000u) {  // subnormal result: beside 0.5 the last bit of a float is 2^-24
        result = bit_cast<uint32_t>(bit_cast<float>(magnitude) + 0.5f) - 0x3f000000u;
    } else {
        result = (magnitude - (112u << 23) + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
    }
    return static_cast<uint16_t>(sign | result);
}

FA_HOST_DEVICE uint8_t fp8_e4m3_from_float(float x) {
    const uint32_t bits = bit_cast<uint32_t>(x);
    const uint32_t sign = (bits >> 24) & 0x80u;
    const uint32_t magnitude = bits & 0x7fffffffu;
    uint32_t result;
    if (magnitude >= 0x43f00000u) {  // 480 and more, infinities, NaN: e4m3fn has only NaN for them, as torch casts
        result = 0x7fu;
    } else if (magnitude < 0x3c800000u) {  // subnormal result: beside 2^14 the last bit of a float is 2^-9
        result = bit_cast<uint32_t>(bit_cast<float>(magnitude) + 16384.0f) - 0x46800000u;
    } else {
        result = (magnitude - (120u << 23) + 0x7ffffu + ((magnitude >> 20) & 1u)) >> 20;
    }
    return static_cast<uint8_t>(sign | result);
}

template <DType kType>
FA_HOST_DEVICE float to_float(Storage<kType> x) {
    static_assert(kType <= DType::kFloat8E4M3, "a floating type");
    if constexpr (kType == DType::kFloat16) return float_from_fp16(x);
    if constexpr (kType == DType::kBFloat16) return float_from_bf16(x);
    if constexpr (kType == DType::kFloat8E4M3) return float_from_fp8_e4m3(x);
    if constexpr (kType == DType::kFloat32) return x;
}

// Rounds to nearest even.
template <DType kType>
FA_HOST_DEVICE Storage<kType> from_float(float x) {
    static_assert(kType <= DType::kFloat8E4M3, "a floating type");
    if constexpr (kType == DType::kFloat16) return fp16_from_float(x);
    if constexpr (kType == DType::kFloat8E4M3) return fp8_e4m3_from_float(x);
    if constexpr (kType == DType::kBFloat16) return bf16_from_float(x);
    if constexpr (kType == DType::kFloat32) return x;
}

}  // namespace
}  // namespace flash_attn_npu::cpu
