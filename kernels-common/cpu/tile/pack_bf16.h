// SPDX-License-Identifier: BSD-3-Clause
// Conversions to bf16 for the engines that multiply in bf16 (AVX512-BF16).
#pragma once

#include "cpu/tile/numeric.h"
#include "cpu/tile/simd_avx512.h"
#include "cpu/tile/x86_intrinsics.h"

namespace flash_attn_npu::cpu {
namespace {

// Elements [f, f + 16) of a row of n as bf16; zero beyond n and for a null row. Every fp8 value is a bf16 value.
template <DType kType>
FA_HOST_DEVICE __m256i load_as_bf16(const void* row, int32_t f, int32_t n) {
    static_assert(kType == DType::kBFloat16 || kType == DType::kFloat8E4M3, "exact conversions only");
    if (row == nullptr) return _mm256_setzero_si256();
    const Storage<kType>* p = static_cast<const Storage<kType>*>(row) + f;
    const int32_t count = min_of(n - f, SimdAvx512::kWidth);
    if constexpr (kType == DType::kBFloat16) {
        if (count == SimdAvx512::kWidth) return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
        return _mm256_maskz_loadu_epi16(static_cast<__mmask16>((1u << count) - 1u), p);
    } else {
        const __m512 x = SimdAvx512::load_as_f32_n<kType>(p, count);
        return _mm512_cvtepi32_epi16(_mm512_srli_epi32(_mm512_castps_si512(x), 16));
    }
}

template <DType kType>
FA_HOST_DEVICE void copy_as_bf16(const void* row, int32_t n, uint16_t* dst) {
    for (int32_t f = 0; f < n; f += SimdAvx512::kWidth) {
        const __mmask16 lanes = static_cast<__mmask16>((1u << min_of(n - f, SimdAvx512::kWidth)) - 1u);
        _mm256_mask_storeu_epi16(dst + f, lanes, load_as_bf16<kType>(row, f, n));
    }
}

// Dwords of (even, odd << 16).
FA_HOST_DEVICE __m512i interleave(__m256i even, __m256i odd) {
    return _mm512_or_si512(_mm512_cvtepu16_epi32(even), _mm512_slli_epi32(_mm512_cvtepu16_epi32(odd), 16));
}

// The same from floats, rounded to nearest even.
FA_HOST_DEVICE __m512i bf16_pairs(__m512 even, __m512 odd) {
    const __m512i order = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                                           21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(odd, even));
}

// 32 neighbouring floats as 16 pairs, in a float vector, since that is what transposes.
FA_HOST_DEVICE __m512 bf16_pairs(const float* x) {
    return _mm512_castsi512_ps((__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(x + 16), _mm512_loadu_ps(x)));
}

}  // namespace
}  // namespace flash_attn_npu::cpu
