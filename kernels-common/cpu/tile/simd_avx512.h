// SPDX-License-Identifier: BSD-3-Clause
// SIMD with AVX-512 F, BW, DQ, VL: sixteen floats. Interface: simd_portable.h.
#pragma once

#include "cpu/tile/numeric.h"
#include "cpu/tile/simd_math.h"
#include "cpu/tile/x86_intrinsics.h"

namespace flash_attn_npu::cpu {
namespace {

struct SimdAvx512 {
    static constexpr int kWidth = 16;
    static constexpr int kRegisters = 32;
    using F = __m512;
    using I = __m512i;
    using M = __mmask16;

    FA_HOST_DEVICE static F zero() { return _mm512_setzero_ps(); }
    FA_HOST_DEVICE static F set1(float x) { return _mm512_set1_ps(x); }
    FA_HOST_DEVICE static F load(const float* p) { return _mm512_loadu_ps(p); }
    FA_HOST_DEVICE static F load_n(const float* p, int n) { return _mm512_maskz_loadu_ps(first_lanes(n), p); }
    FA_HOST_DEVICE static void store(float* p, F v) { _mm512_storeu_ps(p, v); }
    FA_HOST_DEVICE static void store_n(float* p, F v, int n) { _mm512_mask_storeu_ps(p, first_lanes(n), v); }

    FA_HOST_DEVICE static F add(F a, F b) { return _mm512_add_ps(a, b); }
    FA_HOST_DEVICE static F sub(F a, F b) { return _mm512_sub_ps(a, b); }
    FA_HOST_DEVICE static F mul(F a, F b) { return _mm512_mul_ps(a, b); }
    FA_HOST_DEVICE static F div(F a, F b) { return _mm512_div_ps(a, b); }
    FA_HOST_DEVICE static F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
    FA_HOST_DEVICE static F max(F a, F b) { return _mm512_max_ps(a, b); }
    FA_HOST_DEVICE static F min(F a, F b) { return _mm512_min_ps(a, b); }
    FA_HOST_DEVICE static F abs(F a) { return _mm512_abs_ps(a); }

    FA_HOST_DEVICE static M lt(F a, F b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
    FA_HOST_DEVICE static M le(F a, F b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
    FA_HOST_DEVICE static M eq(F a, F b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
    FA_HOST_DEVICE static M lt(I a, I b) { return _mm512_cmplt_epi32_mask(a, b); }
    FA_HOST_DEVICE static M ge(I a, I b) { return _mm512_cmpge_epi32_mask(a, b); }
    FA_HOST_DEVICE static M both(M a, M b) { return a & b; }
    FA_HOST_DEVICE static F select(M m, F a, F b) { return _mm512_mask_blend_ps(m, b, a); }
    FA_HOST_DEVICE static bool any(M m) { return m != 0; }
    FA_HOST_DEVICE static bool all(M m) { return m == 0xffff; }

    FA_HOST_DEVICE static I set1_i(int32_t x) { return _mm512_set1_epi32(x); }
    FA_HOST_DEVICE static I iota_i() { return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15); }
    FA_HOST_DEVICE static I load_i(const int32_t* p) { return _mm512_loadu_si512(p); }
    FA_HOST_DEVICE static void store_i(int32_t* p, I v) { _mm512_storeu_si512(p, v); }
    FA_HOST_DEVICE static I add_i(I a, I b) { return _mm512_add_epi32(a, b); }
    FA_HOST_DEVICE static F to_f32(I a) { return _mm512_cvtepi32_ps(a); }

    FA_HOST_DEVICE static float reduce_add(F v) { return _mm512_reduce_add_ps(v); }
    FA_HOST_DEVICE static float reduce_max(F v) { return _mm512_reduce_max_ps(v); }
    // sums[0..3] = horizontal sums of a, b, c, d.
    FA_HOST_DEVICE static void reduce_add4(F a, F b, F c, F d, float* sums) {
        const F ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));  // a b a b per quarter
        const F cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
        const F abcd = _mm512_add_ps(_mm512_shuffle_ps(ab, cd, _MM_SHUFFLE(1, 0, 1, 0)),
                                     _mm512_shuffle_ps(ab, cd, _MM_SHUFFLE(3, 2, 3, 2)));
        const __m256 halves = _mm256_add_ps(_mm512_castps512_ps256(abcd), _mm512_extractf32x8_ps(abcd, 1));
        _mm_storeu_ps(sums, _mm_add_ps(_mm256_castps256_ps128(halves), _mm256_extractf128_ps(halves, 1)));
    }

    FA_HOST_DEVICE static void transpose(F (&rows)[kWidth]) {
        F fours[kWidth];  // fours[4 q + c]: quarter L holds column 4 L + c of rows 4 q ... 4 q + 3
#pragma GCC unroll 4
        for (int q = 0; q < kWidth; q += 4) {
            const __m512d ab_low = _mm512_castps_pd(_mm512_unpacklo_ps(rows[q], rows[q + 1]));
            const __m512d ab_high = _mm512_castps_pd(_mm512_unpackhi_ps(rows[q], rows[q + 1]));
            const __m512d cd_low = _mm512_castps_pd(_mm512_unpacklo_ps(rows[q + 2], rows[q + 3]));
            const __m512d cd_high = _mm512_castps_pd(_mm512_unpackhi_ps(rows[q + 2], rows[q + 3]));
            fours[q] = _mm512_castpd_ps(_mm512_unpacklo_pd(ab_low, cd_low));
            fours[q + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(ab_low, cd_low));
            fours[q + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(ab_high, cd_high));
            fours[q + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(ab_high, cd_high));
        }
        // Of two vectors of quarters: the even quarters of both, or the odd ones.
        constexpr int kEven = 0x88, kOdd = 0xdd;
#pragma GCC unroll 4
        for (int c = 0; c < 4; ++c) {
            const F low_even = _mm512_shuffle_f32x4(fours[c], fours[4 + c], kEven);
            const F low_odd = _mm512_shuffle_f32x4(fours[c], fours[4 + c], kOdd);
            const F high_even = _mm512_shuffle_f32x4(fours[8 + c], fours[12 + c], kEven);
            const F high_odd = _mm512_shuffle_f32x4(fours[8 + c], fours[12 + c], kOdd);
            rows[c] = _mm512_shuffle_f32x4(low_even, high_even, kEven);
            rows[4 + c] = _mm512_shuffle_f32x4(low_odd, high_odd, kEven);
            rows[8 + c] = _mm512_shuffle_f32x4(low_even, high_even, kOdd);
            rows[12 + c] = _mm512_shuffle_f32x4(low_odd, high_odd, kOdd);
        }
    }

    // vreduce leaves t - floor(t), vscalef multiplies by 2^floor(t): right for -inf and tiny results without a clamp.
    template <int kDegree>
    FA_HOST_DEVICE static F exp2(F t) {
        const F f = _mm512_reduce_ps(t, _MM_FROUND_TO_NEG_INF);
        return _mm512_scalef_ps(exp2_of_fraction<SimdAvx512, kDegree>(f), t);
    }
    // The same for many vectors, stage by stage: one after the other, the latencies of the chains would add up.
    template <int kDegree, int kCount>
    FA_HOST_DEVICE static void exp2_each(F (&t)[kCount]) {
        using Polynomial = Exp2Polynomial<kDegree>;
        F f[kCount], p[kCount];
#pragma GCC unroll 8
        for (int i = 0; i < kCount; ++i) f[i] = _mm512_reduce_ps(t[i], _MM_FROUND_TO_NEG_INF);
#pragma GCC unroll 8
        for (int i = 0; i < kCount; ++i) {
            p[i] = fma(set1(Polynomial::kCoefficients[kDegree]), f[i], set1(Polynomial::kCoefficients[kDegree - 1]));
        }
#pragma GCC unroll 8
        for (int d = kDegree - 2; d >= 0; --d) {
#pragma GCC unroll 8
            for (int i = 0; i < kCount; ++i) p[i] = fma(p[i], f[i], set1(Polynomial::kCoefficients[d]));
        }
#pragma GCC unroll 8
        for (int i = 0; i < kCount; ++i) t[i] = _mm512_scalef_ps(p[i], t[i]);
    }
    FA_HOST_DEVICE static F tanh(F x) { return cpu::tanh<SimdAvx512>(x); }

    template <DType kType>
    FA_HOST_DEVICE static F load_as_f32(const void* p) {
        if constexpr (kType == DType::kFloat32) {
            return load(static_cast<const float*>(p));
        } else if constexpr (kType == DType::kFloat8E4M3) {
            return widen_fp8(_mm_loadu_si128(static_cast<const __m128i*>(p)));
        } else {
            return widen16<kType>(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
        }
    }
    template <DType kType>
    FA_HOST_DEVICE static F load_as_f32_n(const void* p, int n) {
        if constexpr (kType == DType::kFloat32) {
            return load_n(static_cast<const float*>(p), n);
        } else if constexpr (kType == DType::kFloat8E4M3) {
            return widen_fp8(_mm_maskz_loadu_epi8(first_lanes(n), p));
        } else {
            return widen16<kType>(_mm256_maskz_loadu_epi16(first_lanes(n), p));
        }
    }
    template <DType kType>
    FA_HOST_DEVICE static void store_as(void* p, F v) {
        if constexpr (kType == DType::kFloat32) {
            store(static_cast<float*>(p), v);
        } else {
            _mm256_storeu_si256(static_cast<__m256i*>(p), narrow16<kType>(v));
        }
    }
    template <DType kType>
    FA_HOST_DEVICE static void store_as_n(void* p, F v, int n) {
        if constexpr (kType == DType::kFloat32) {
            store_n(static_cast<float*>(p), v, n);
        } else {
            _mm256_mask_storeu_epi16(p, first_lanes(n), narrow16<kType>(v));
        }
    }

    FA_HOST_DEVICE static void prefetch_l1(const void* p) { __builtin_prefetch(p, 0, 3); }
    FA_HOST_DEVICE static void prefetch_l2(const void* p) { __builtin_prefetch(p, 0, 2); }

private:
    FA_HOST_DEVICE static M first_lanes(int n) { return static_cast<M>((1u << n) - 1u); }

    template <DType kType>
    FA_HOST_DEVICE static F widen16(__m256i x) {
        if constexpr (kType == DType::kFloat16) return _mm512_cvtph_ps(x);
        return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(x), 16));
    }

    // Shifted by 7 the magnitude is an fp16 whose exponent bias is 8 too large; its subnormals fit too.
    FA_HOST_DEVICE static F widen_fp8(__m128i bytes) {
        const __m256i x = _mm256_cvtepu8_epi16(bytes);
        const __m256i magnitude = _mm256_and_si256(x, _mm256_set1_epi16(0x7f));
        const __m256i sign = _mm256_slli_epi16(_mm256_and_si256(x, _mm256_set1_epi16(0x80)), 8);
        const __m256i is_nan = _mm256_cmpeq_epi16(magnitude, _mm256_set1_epi16(0x7f));
        const __m256i nan = _mm256_and_si256(is_nan, _mm256_set1_epi16(0x7e00));
        const __m256i half = _mm256_or_si256(_mm256_or_si256(_mm256_slli_epi16(magnitude, 7), sign), nan);
        return _mm512_mul_ps(_mm512_cvtph_ps(half), _mm512_set1_ps(256.0f));
    }

    template <DType kType>
    FA_HOST_DEVICE static __m256i narrow16(F v) {
        static_assert(kType == DType::kFloat16 || kType == DType::kBFloat16, "fp8 is an input type only");
        if constexpr (kType == DType::kFloat16) return _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT);
        // Not vcvtneps2bf16, even where it exists: that flushes subnormals.
        const I bits = _mm512_castps_si512(v);
        const I odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
        const I rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
        const M is_nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
        const I quiet = _mm512_mask_or_epi32(rounded, is_nan, bits, _mm512_set1_epi32(0x400000));
        return _mm512_cvtepi32_epi16(_mm512_srli_epi32(quiet, 16));
    }
};

}  // namespace
}  // namespace flash_attn_npu::cpu
