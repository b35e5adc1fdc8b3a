// SPDX-License-Identifier: BSD-3-Clause
// SIMD with AVX2, FMA and F16C: eight floats. Interface: simd_portable.h.
#pragma once

#include "cpu/tile/numeric.h"
#include "cpu/tile/simd_math.h"
#include "cpu/tile/x86_intrinsics.h"

namespace flash_attn_npu::cpu {
namespace {

struct SimdAvx2 {
    static constexpr int kWidth = 8;
    static constexpr int kRegisters = 16;
    using F = __m256;
    using I = __m256i;
    using M = __m256;  // all ones or all zeros

    FA_HOST_DEVICE static F zero() { return _mm256_setzero_ps(); }
    FA_HOST_DEVICE static F set1(float x) { return _mm256_set1_ps(x); }
    FA_HOST_DEVICE static F load(const float* p) { return _mm256_loadu_ps(p); }
    FA_HOST_DEVICE static F load_n(const float* p, int n) { return _mm256_maskload_ps(p, first_lanes(n)); }
    FA_HOST_DEVICE static void store(float* p, F v) { _mm256_storeu_ps(p, v); }
    FA_HOST_DEVICE static void store_n(float* p, F v, int n) { _mm256_maskstore_ps(p, first_lanes(n), v); }

    FA_HOST_DEVICE static F add(F a, F b) { return _mm256_add_ps(a, b); }
    FA_HOST_DEVICE static F sub(F a, F b) { return _mm256_sub_ps(a, b); }
    FA_HOST_DEVICE static F mul(F a, F b) { return _mm256_mul_ps(a, b); }
    FA_HOST_DEVICE static F div(F a, F b) { return _mm256_div_ps(a, b); }
    FA_HOST_DEVICE static F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
    FA_HOST_DEVICE static F max(F a, F b) { return _mm256_max_ps(a, b); }
    FA_HOST_DEVICE static F min(F a, F b) { return _mm256_min_ps(a, b); }
    FA_HOST_DEVICE static F abs(F a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }

    FA_HOST_DEVICE static M lt(F a, F b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
    FA_HOST_DEVICE static M le(F a, F b) { return _mm256_cmp_ps(a, b, _CMP_LE_OQ); }
    FA_HOST_DEVICE static M eq(F a, F b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
    FA_HOST_DEVICE static M lt(I a, I b) { return _mm256_castsi256_ps(_mm256_cmpgt_epi32(b, a)); }
    FA_HOST_DEVICE static M ge(I a, I b) {
        return _mm256_castsi256_ps(_mm256_or_si256(_mm256_cmpgt_epi32(a, b), _mm256_cmpeq_epi32(a, b)));
    }
    FA_HOST_DEVICE static M both(M a, M b) { return _mm256_and_ps(a, b); }
    FA_HOST_DEVICE static F select(M m, F a, F b) { return _mm256_blendv_ps(b, a, m); }
    FA_HOST_DEVICE static bool any(M m) { return _mm256_movemask_ps(m) != 0; }
    FA_HOST_DEVICE static bool all(M m) { return _mm256_movemask_ps(m) == 0xff; }

    FA_HOST_DEVICE static I set1_i(int32_t x) { return _mm256_set1_epi32(x); }
    FA_HOST_DEVICE static I iota_i() { return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7); }
    FA_HOST_DEVICE static I load_i(const int32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
    FA_HOST_DEVICE static void store_i(int32_t* p, I v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
    FA_HOST_DEVICE static I add_i(I a, I b) { return _mm256_add_epi32(a, b); }
    FA_HOST_DEVICE static F to_f32(I a) { return _mm256_cvtepi32_ps(a); }

    FA_HOST_DEVICE static float reduce_add(F v) {
        const __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
        const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
    }
    FA_HOST_DEVICE static float reduce_max(F v) {
        const __m128 four = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
        const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
    }
    // sums[0..3] = horizontal sums of a, b, c, d.
    FA_HOST_DEVICE static void reduce_add4(F a, F b, F c, F d, float* sums) {
        const F ab = _mm256_add_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));  // a b a b per half
        const F cd = _mm256_add_ps(_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
        const F abcd = _mm256_add_ps(_mm256_shuffle_ps(ab, cd, _MM_SHUFFLE(1, 0, 1, 0)),
                                     _mm256_shuffle_ps(ab, cd, _MM_SHUFFLE(3, 2, 3, 2)));
        _mm_storeu_ps(sums, _mm_add_ps(_mm256_castps256_ps128(abcd), _mm256_extractf128_ps(abcd, 1)));
    }

    FA_HOST_DEVICE static void transpose(F (&rows)[kWidth]) {
        F fours[kWidth];  // fours[4 q + c]: half L holds column 4 L + c of rows 4 q ... 4 q + 3
        for (int q = 0; q < kWidth; q += 4) {
            const __m256d ab_low = _mm256_castps_pd(_mm256_unpacklo_ps(rows[q], rows[q + 1]));
            const __m256d ab_high = _mm256_castps_pd(_mm256_unpackhi_ps(rows[q], rows[q + 1]));
            const __m256d cd_low = _mm256_castps_pd(_mm256_unpacklo_ps(rows[q + 2], rows[q + 3]));
            const __m256d cd_high = _mm256_castps_pd(_mm256_unpackhi_ps(rows[q + 2], rows[q + 3]));
            fours[q] = _mm256_castpd_ps(_mm256_unpacklo_pd(ab_low, cd_low));
            fours[q + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(ab_low, cd_low));
            fours[q + 2] = _mm256_castpd_ps(_mm256_unpacklo_pd(ab_high, cd_high));
            fours[q + 3] = _mm256_castpd_ps(_mm256_unpackhi_pd(ab_high, cd_high));
        }
        for (int c = 0; c < 4; ++c) {
            rows[c] = _mm256_permute2f128_ps(fours[c], fours[4 + c], 0x20);
            rows[4 + c] = _mm256_permute2f128_ps(fours[c], fours[4 + c], 0x31);
        }
    }

    template <int kDegree>
    FA_HOST_DEVICE static F exp2(F t) {
        const F lowest = _mm256_set1_ps(-126.0f);
        const F clamped = _mm256_max_ps(lowest, t);
        const F n = _mm256_floor_ps(clamped);
        const F p = exp2_of_fraction<SimdAvx2, kDegree>(_mm256_sub_ps(clamped, n));
        const I exponent = _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23);
        const F scaled = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), exponent));
        return _mm256_andnot_ps(_mm256_cmp_ps(t, lowest, _CMP_LT_OQ), scaled);
    }
    template <int kDegree, int kCount>
    FA_HOST_DEVICE static void exp2_each(F (&t)[kCount]) {
        for (int i = 0; i < kCount; ++i) t[i] = exp2<kDegree>(t[i]);
    }
    FA_HOST_DEVICE static F tanh(F x) { return cpu::tanh<SimdAvx2>(x); }

    template <DType kType>
    FA_HOST_DEVICE static F load_as_f32(const void* p) {
        if constexpr (kType == DType::kFloat32) {
            return load(static_cast<const float*>(p));
        } else if constexpr (kType == DType::kFloat8E4M3) {
            return widen_fp8(_mm_cvtepu8_epi16(_mm_loadl_epi64(static_cast<const __m128i*>(p))));
        } else {
            const __m128i x = _mm_loadu_si128(static_cast<const __m128i*>(p));
            if constexpr (kType == DType::kFloat16) return _mm256_cvtph_ps(x);
            return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(x), 16));
        }
    }
    template <DType kType>
    FA_HOST_DEVICE static F load_as_f32_n(const void* p, int n) {
        if constexpr (kType == DType::kFloat32) {
            return load_n(static_cast<const float*>(p), n);
        } else {
            Storage<kType> tail[kWidth] = {};
            for (int i = 0; i < n; ++i) tail[i] = static_cast<const Storage<kType>*>(p)[i];
            return load_as_f32<kType>(tail);
        }
    }
    template <DType kType>
    FA_HOST_DEVICE static void store_as(void* p, F v) {
        static_assert(kType <= DType::kFloat32, "fp8 is an input type only");
        if constexpr (kType == DType::kFloat32) store(static_cast<float*>(p), v);
        if constexpr (kType == DType::kFloat16) {
            _mm_storeu_si128(static_cast<__m128i*>(p), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
        }
        if constexpr (kType == DType::kBFloat16) {
            const I bits = _mm256_castps_si256(v);
            const I odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
            const I bias = _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff));
            const I rounded = _mm256_srli_epi32(_mm256_add_epi32(bits, bias), 16);
            const I nan = _mm256_or_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(0x40));
            const I is_nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
            const I words = _mm256_blendv_epi8(rounded, nan, is_nan);
            const I packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(words, words), _MM_SHUFFLE(3, 1, 2, 0));
            _mm_storeu_si128(static_cast<__m128i*>(p), _mm256_castsi256_si128(packed));
        }
    }
    template <DType kType>
    FA_HOST_DEVICE static void store_as_n(void* p, F v, int n) {
        Storage<kType> tail[kWidth];
        store_as<kType>(tail, v);
        for (int i = 0; i < n; ++i) static_cast<Storage<kType>*>(p)[i] = tail[i];
    }

    FA_HOST_DEVICE static void prefetch_l1(const void* p) { __builtin_prefetch(p, 0, 3); }
    FA_HOST_DEVICE static void prefetch_l2(const void* p) { __builtin_prefetch(p, 0, 2); }

private:
    FA_HOST_DEVICE static I first_lanes(int n) { return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), iota_i()); }

    // Bytes in words. Shifted by 7 the magnitude is an fp16 whose exponent bias is 8 too large; its subnormals fit too.
    FA_HOST_DEVICE static F widen_fp8(__m128i x) {
        const __m128i magnitude = _mm_and_si128(x, _mm_set1_epi16(0x7f));
        const __m128i sign = _mm_slli_epi16(_mm_and_si128(x, _mm_set1_epi16(0x80)), 8);
        const __m128i is_nan = _mm_cmpeq_epi16(magnitude, _mm_set1_epi16(0x7f));
        const __m128i nan = _mm_and_si128(is_nan, _mm_set1_epi16(0x7e00));
        const __m128i half = _mm_or_si128(_mm_or_si128(_mm_slli_epi16(magnitude, 7), sign), nan);
        return _mm256_mul_ps(_mm256_cvtph_ps(half), _mm256_set1_ps(256.0f));
    }
};

}  // namespace
}  // namespace flash_attn_npu::cpu
