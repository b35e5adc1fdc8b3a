// SPDX-License-Identifier: BSD-3-Clause
// Tile products by vdpbf16ps (AVX512-BF16): bf16 or fp8 storage (every e4m3 value is a bf16), float32 sums.
//
// The micro kernel and its use are those of engine_fma.h with pairs in place of scalars: two neighbouring features in
// K and Q, two neighbouring keys in V and P, one dword each.
#pragma once

#include "cpu/tile/key_rows.h"
#include "cpu/tile/pack_bf16.h"
#include "cpu/tile/simd_avx512.h"
#include "cpu/tile/x86_intrinsics.h"

namespace flash_attn_npu::cpu {
namespace {

template <DType kType>
struct EngineBf16Dot {
    using Simd = SimdAvx512;
    using F = Simd::F;
    using Query = uint32_t;
    using Key = uint32_t;
    using Value = uint32_t;
    using Probability = uint32_t;

    static constexpr int32_t kWidth = Simd::kWidth;
    static constexpr int32_t kBlock = 8;
    static constexpr int32_t kVectors = 3;
    static constexpr int32_t kRows = kVectors * kWidth;
    static constexpr int32_t kPanel = kWidth;             // features of V that lie next to each other
    static constexpr int32_t kFeatureGroup = 2 * kWidth;  // one vector of pairs
    static constexpr int32_t kKeyGroup = kBlock;
    static constexpr int32_t kStepKeys = 32;
    static constexpr int32_t kChunkKeys = 256;
    static constexpr int kExpDegree = 3;

    // In pairs.
    static int32_t key_stride(int32_t features) { return round_up(features, kFeatureGroup) / 2; }
    static size_t query_size(int32_t features) { return size_t{kRows} * key_stride(features); }
    static size_t key_size(int32_t features) { return size_t{kChunkKeys} * key_stride(features); }
    static size_t value_size(int32_t features) { return size_t{kChunkKeys} / 2 * round_up(features, kPanel); }
    static size_t probability_size() { return size_t{kChunkKeys} / 2 * kRows; }

    // Around all other calls of a thread.
    FA_HOST_DEVICE static void begin() {}
    FA_HOST_DEVICE static void end() {}

    // rows: [vectors * kWidth][stride], zero beyond `features`. q: [pair of features][kRows].
    static void pack_queries(Query* q, const float* rows, int32_t stride, int32_t vectors, int32_t features) {
        for (int32_t n = 0; n < vectors; ++n) {
            for (int32_t pair = 0; pair < key_stride(features); pair += kWidth) {
                F block[kWidth];
                for (int32_t i = 0; i < kWidth; ++i) block[i] = bf16_pairs(rows + (n * kWidth + i) * stride + 2 * pair);
                Simd::transpose(block);
                for (int32_t i = 0; i < kWidth; ++i) {
                    _mm512_storeu_ps(q + (pair + i) * kRows + n * kWidth, block[i]);
                }
            }
        }
    }

    static void pack_rows(Key* k, const KeyRows<kChunkKeys>& rows, int32_t begin, int32_t end, int32_t head_dim,
                          int32_t head_dim_qv) {
        const int32_t stride = key_stride(head_dim + head_dim_qv);
        for (int32_t key = begin; key < end; ++key) {
            prefetch_row(rows.k[key + rows.kPrefetchAhead], head_dim * int32_t{sizeof(Storage<kType>)});
            auto* dst = reinterpret_cast<uint16_t*>(k + key * stride);
            copy_as_bf16<kType>(rows.k[key], head_dim, dst);
            if (head_dim_qv > 0) copy_as_bf16<kType>(rows.v[key], head_dim_qv, dst + head_dim);
            for (int32_t f = head_dim + head_dim_qv; f < 2 * stride; ++f) dst[f] = 0;
        }
    }

    static void pack_columns(Value* v, const KeyRows<kChunkKeys>& rows, int32_t begin, int32_t end,
                             int32_t head_dim_v) {
        for (int32_t key = begin; key < end; key += 2) {
            prefetch_row(rows.v[key + rows.kPrefetchAhead], head_dim_v * int32_t{sizeof(Storage<kType>)});
            prefetch_row(rows.v[key + rows.kPrefetchAhead + 1], head_dim_v * int32_t{sizeof(Storage<kType>)});
            for (int32_t f = 0; f < head_dim_v; f += kWidth) {
                const __m256i even = load_as_bf16<kType>(rows.v[key], f, head_dim_v);
                const __m256i odd = load_as_bf16<kType>(rows.v[key + 1], f, head_dim_v);
                Value* dst = v + f / kPanel * (kPanel * kChunkKeys / 2) + key / 2 * kPanel;
                _mm512_storeu_si512(dst, interleave(even, odd));
            }
        }
    }

    // s[key - begin][kRows] = K Q^T of keys [begin, end), a multiple of kKeyGroup.
    template <int kN>
    static void multiply_nt(const Query* q, const Key* k, int32_t features, int32_t begin, int32_t end, float* s) {
        const int32_t stride = key_stride(features);
        for (int32_t key = begin; key < end; key += kBlock) {
            multiply<kN, false>(k + key * stride, stride, 1, q, (features + 1) / 2, s + (key - begin) * kRows);
        }
    }

    // P of keys `key` and `key + 1`, lane vector n.
    FA_HOST_DEVICE static void store_probabilities(Probability* p, int32_t key, int32_t n, F even, F odd) {
        _mm512_storeu_si512(p + key / 2 * kRows + n * kWidth, bf16_pairs(even, odd));
    }

    template <int kN>
    static void multiply_nn(const Probability* p, const Value* v, int32_t begin, int32_t end, int32_t head_dim_v,
                            float* o) {
        const int32_t pairs = (end - begin) / 2;
        for (int32_t f = 0; f < head_dim_v; f += kBlock) {
            const Value* panel = v + f / kPanel * (kPanel * kChunkKeys / 2) + f % kPanel;
            multiply<kN, true>(panel + begin / 2 * kPanel, 1, kPanel, p + begin / 2 * kRows, pairs, o + f * kRows);
        }
    }

private:
    // c[r][n] (+)= sum over pairs t of a[r * a_row + t * a_step] . b[t][n]
    template <int kN, bool kAdd>
    FA_HOST_DEVICE static void multiply(const uint32_t* a, ptrdiff_t a_row, ptrdiff_t a_step, const uint32_t* b,
                                        int32_t steps, float* c) {
        F sum[kBlock][kN];
#pragma GCC unroll 8
        for (int r = 0; r < kBlock; ++r) {
#pragma GCC unroll 4
            for (int n = 0; n < kN; ++n) sum[r][n] = kAdd ? Simd::load(c + r * kRows + n * kWidth) : Simd::zero();
        }
        for (int32_t t = 0; t < steps; ++t, a += a_step, b += kRows) {
            __m512bh lanes[kN];
#pragma GCC unroll 4
            for (int n = 0; n < kN; ++n) lanes[n] = (__m512bh)_mm512_loadu_si512(b + n * kWidth);
#pragma GCC unroll 8
            for (int r = 0; r < kBlock; ++r) {
                const __m512bh pair = (__m512bh)_mm512_set1_epi32(static_cast<int>(a[r * a_row]));
#pragma GCC unroll 4
                for (int n = 0; n < kN; ++n) sum[r][n] = _mm512_dpbf16_ps(sum[r][n], pair, lanes[n]);
            }
        }
#pragma GCC unroll 8
        for (int r = 0; r < kBlock; ++r) {
#pragma GCC unroll 4
            for (int n = 0; n < kN; ++n) Simd::store(c + r * kRows + n * kWidth, sum[r][n]);
        }
    }
};

}  // namespace
}  // namespace flash_attn_npu::cpu
