// SPDX-License-Identifier: BSD-3-Clause
// SIMD in GCC/clang vector extensions: four floats, right on every target (NEON on aarch64, SSE2 on baseline x86-64).
//
// The three simd_*.h define the same interface:
//   F, I, M        float vector, int32 vector, mask
//   max, min       return the second operand when one of them is NaN, so max(bound, x) keeps a NaN in x
//   exp2<degree>   2^t for t < 127, 0 for t = -inf (below 2^-126 possibly 0), NaN for NaN; error: simd_math.h
//   exp2_each      exp2 of several vectors
//   *_n            touch the first n < kWidth elements only; lanes beyond are 0
//   load_as_f32, store_as: conversions, exact or rounded to nearest even
//   transpose      rows[i][j] <-> rows[j][i] of a kWidth x kWidth block
#pragma once

#include <cstring>

#include "cpu/tile/numeric.h"
#include "cpu/tile/simd_math.h"

namespace flash_attn_npu::cpu {
namespace {

struct SimdPortable {
    static constexpr int kWidth = 4;
#if defined(__x86_64__) || defined(__i386__)
    static constexpr int kRegisters = 16;
#else
    static constexpr int kRegisters = 32;
#endif
    typedef float F __attribute__((vector_size(16)));
    typedef int32_t I __attribute__((vector_size(16)));
    using M = I;  // all ones or all zeros

    FA_HOST_DEVICE static F zero() { return F{}; }
    FA_HOST_DEVICE static F set1(float x) { return F{x, x, x, x}; }
    FA_HOST_DEVICE static F load(const float* p) {
        F v;
        memcpy(&v, p, sizeof(v));
        return v;
    }
    FA_HOST_DEVICE static F load_n(const float* p, int n) {
        F v{};
        for (int i = 0; i < n; ++i) v[i] = p[i];
        return v;
    }
    FA_HOST_DEVICE static void store(float* p, F v) { memcpy(p, &v, sizeof(v)); }
    FA_HOST_DEVICE static void store_n(float* p, F v, int n) {
        for (int i = 0; i < n; ++i) p[i] = v[i];
    }

    FA_HOST_DEVICE static F add(F a, F b) { return a + b; }
    FA_HOST_DEVICE static F sub(F a, F b) { return a - b; }
    FA_HOST_DEVICE static F mul(F a, F b) { return a * b; }
    FA_HOST_DEVICE static F div(F a, F b) { return a / b; }
    FA_HOST_DEVICE static F fma(F a, F b, F c) { return a * b + c; }  // contracted where the target has it
    FA_HOST_DEVICE static F max(F a, F b) { return a > b ? a : b; }
    FA_HOST_DEVICE static F min(F a, F b) { return a < b ? a : b; }
    FA_HOST_DEVICE static F abs(F a) { return as_float(as_int(a) & 0x7fffffff); }

    FA_HOST_DEVICE static M lt(F a, F b) { return a < b; }
    FA_HOST_DEVICE static M le(F a, F b) { return a <= b; }
    FA_HOST_DEVICE static M eq(F a, F b) { return a == b; }
    FA_HOST_DEVICE static M lt(I a, I b) { return a < b; }
    FA_HOST_DEVICE static M ge(I a, I b) { return a >= b; }
    FA_HOST_DEVICE static M both(M a, M b) { return a & b; }
    FA_HOST_DEVICE static F select(M m, F a, F b) { return m ? a : b; }
    FA_HOST_DEVICE static bool any(M m) { return (m[0] | m[1] | m[2] | m[3]) != 0; }
    FA_HOST_DEVICE static bool all(M m) { return (m[0] & m[1] & m[2] & m[3]) != 0; }

    FA_HOST_DEVICE static I set1_i(int32_t x) { return I{x, x, x, x}; }
    FA_HOST_DEVICE static I iota_i() { return I{0, 1, 2, 3}; }
    FA_HOST_DEVICE static I load_i(const int32_t* p) {
        I v;
        memcpy(&v, p, sizeof(v));
        return v;
    }
    FA_HOST_DEVICE static void store_i(int32_t* p, I v) { memcpy(p, &v, sizeof(v)); }
    FA_HOST_DEVICE static I add_i(I a, I b) { return a + b; }
    FA_HOST_DEVICE static F to_f32(I a) { return __builtin_convertvector(a, F); }

    FA_HOST_DEVICE static float reduce_add(F v) { return (v[0] + v[2]) + (v[1] + v[3]); }
    FA_HOST_DEVICE static float reduce_max(F v) {
        const float a = v[0] > v[2] ? v[0] : v[2];
        const float b = v[1] > v[3] ? v[1] : v[3];
        return a > b ? a : b;
    }
    // sums[0..3] = horizontal sums of a, b, c, d.
    FA_HOST_DEVICE static void reduce_add4(F a, F b, F c, F d, float* sums) {
        const F ab02 = F{a[0], b[0], a[1], b[1]} + F{a[2], b[2], a[3], b[3]};
        const F cd02 = F{c[0], d[0], c[1], d[1]} + F{c[2], d[2], c[3], d[3]};
        store(sums, F{ab02[0], ab02[1], cd02[0], cd02[1]} + F{ab02[2], ab02[3], cd02[2], cd02[3]});
    }

    FA_HOST_DEVICE static void transpose(F (&rows)[kWidth]) {
        const F a = rows[0], b = rows[1], c = rows[2], d = rows[3];
        for (int i = 0; i < kWidth; ++i) rows[i] = F{a[i], b[i], c[i], d[i]};
    }

    template <int kDegree>
    FA_HOST_DEVICE static F exp2(F t) {
        const F clamped = max(set1(-126.0f), t);
        // Adding 1.5 * 2^23 leaves round(t - 0.5) in the low bits; t - n then lies in [0, 1].
        const F magic = set1(12582912.0f);
        const F shifted = (clamped - 0.5f) + magic;
        const F n = shifted - magic;
        const F p = exp2_of_fraction<SimdPortable, kDegree>(clamped - n);
        const I scaled = as_int(p) + (as_int(shifted) << 23);
        return t < -126.0f ? F{} : (t == t ? as_float(scaled) : t);
    }
    template <int kDegree, int kCount>
    FA_HOST_DEVICE static void exp2_each(F (&t)[kCount]) {
        for (int i = 0; i < kCount; ++i) t[i] = exp2<kDegree>(t[i]);
    }
    FA_HOST_DEVICE static F tanh(F x) { return cpu::tanh<SimdPortable>(x); }

    template <DType kType>
    FA_HOST_DEVICE static F load_as_f32(const void* p) {
        if constexpr (kType == DType::kFloat32) {
            return load(static_cast<const float*>(p));
        } else {
            typedef Storage<kType> Narrow __attribute__((vector_size(4 * sizeof(Storage<kType>))));
            Narrow v;
            memcpy(&v, p, sizeof(v));
#if defined(__aarch64__)
            if constexpr (kType == DType::kFloat16) {
                typedef __fp16 Half __attribute__((vector_size(8)));
                return __builtin_convertvector(reinterpret_cast<Half>(v), F);
            }
#endif
            const I x = __builtin_convertvector(v, I);
            if constexpr (kType == DType::kBFloat16) return as_float(x << 16);
            if constexpr (kType == DType::kFloat16) return widen<10, 15>(x, 0x7c00);
            if constexpr (kType == DType::kFloat8E4M3) return widen<3, 7>(x, 0x7f);
        }
    }
    template <DType kType>
    FA_HOST_DEVICE static F load_as_f32_n(const void* p, int n) {
        Storage<kType> tail[kWidth] = {};
        for (int i = 0; i < n; ++i) tail[i] = static_cast<const Storage<kType>*>(p)[i];
        return load_as_f32<kType>(tail);
    }
    template <DType kType>
    FA_HOST_DEVICE static void store_as(void* p, F v) {
        if constexpr (kType == DType::kFloat32) {
            store(static_cast<float*>(p), v);
        } else {
            for (int i = 0; i < kWidth; ++i) static_cast<Storage<kType>*>(p)[i] = from_float<kType>(v[i]);
        }
    }
    template <DType kType>
    FA_HOST_DEVICE static void store_as_n(void* p, F v, int n) {
        for (int i = 0; i < n; ++i) static_cast<Storage<kType>*>(p)[i] = from_float<kType>(v[i]);
    }

    FA_HOST_DEVICE static void prefetch_l1(const void* p) { __builtin_prefetch(p, 0, 3); }
    FA_HOST_DEVICE static void prefetch_l2(const void* p) { __builtin_prefetch(p, 0, 2); }

private:
    FA_HOST_DEVICE static F as_float(I x) { return reinterpret_cast<F>(x); }
    FA_HOST_DEVICE static I as_int(F x) { return reinterpret_cast<I>(x); }

    // Floats of 1 + e + kMantissa bits with exponent bias kBias; magnitudes from `special` on are infinite or NaN.
    template <int kMantissa, int kBias>
    FA_HOST_DEVICE static F widen(I x, int32_t special) {
        constexpr int kSignBit = kMantissa == 10 ? 15 : 7;
        constexpr int kShift = 23 - kMantissa;
        const I sign = (x >> kSignBit) << 31;
        const I magnitude = x & ((1 << kSignBit) - 1);
        const I normal = (magnitude << kShift) + ((127 - kBias) << 23);
        const float kUnit = kMantissa == 10 ? 0x1p-24f : 0x1p-9f;  // of the subnormals
        const I subnormal = as_int(__builtin_convertvector(magnitude, F) * kUnit);
        const I infinite_or_nan = (magnitude << kShift) | 0x7f800000;
        const I finite = magnitude < (1 << kMantissa) ? subnormal : normal;
        return as_float(sign | (magnitude >= special ? infinite_or_nan : finite));
    }
};

}  // namespace
}  // namespace flash_attn_npu::cpu
