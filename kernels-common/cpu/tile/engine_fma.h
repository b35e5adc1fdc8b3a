// SPDX-License-Identifier: BSD-3-Clause
// Tile products in float32 by fused multiply-add, for any storage type: operands are widened while they are packed.
//
// One micro kernel serves both products: C[kBlock][kN vectors] = sum over t of A[r][t] (a scalar, broadcast) times
// B[t][kN vectors], with all of C in registers.
//   S^T = K Q^T:     A = K, row-major;                    B = Q^T [features][kRows]
//   O^T += V^T P^T:  A = V in panels of kPanel features;  B = P^T [keys][kRows]
//
// The interface of an engine, by product, so that it says nothing of what the matrices mean:
//   pack_queries   the operand whose rows lie in SIMD lanes, transposed: Q; dO in backward
//   pack_rows      rows of the cache, summed over their features: K; V in backward
//   pack_columns   rows of the cache, summed over the keys: V; K in backward
//   multiply_nt    both operands summed over features: S = Q K^T, dP = dO V^T
//   multiply_nn    summed over keys, added to what is there: O += P V, dQ += dS K
#pragma once

#include "cpu/tile/key_rows.h"
#include "cpu/tile/numeric.h"

namespace flash_attn_npu::cpu {
namespace {

template <class SimdT, DType kType>
struct EngineFma {
    using Simd = SimdT;
    using F = typename Simd::F;
    using Query = float;
    using Key = float;
    using Value = float;
    using Probability = float;

    static constexpr int32_t kWidth = Simd::kWidth;
    static constexpr int32_t kBlock = Simd::kRegisters == 32 ? 8 : 4;  // rows of C in the micro kernel
    static constexpr int32_t kVectors = 3;
    static constexpr int32_t kRows = kVectors * kWidth;
    static constexpr int32_t kPanel = max_of(kWidth, kBlock);
    static constexpr int32_t kFeatureGroup = kPanel;
    static constexpr int32_t kKeyGroup = kBlock;
    static constexpr int32_t kStepKeys = 32;
    static constexpr int32_t kChunkKeys = 128;
    // Features are summed in blocks: one sequence of 256 roundings would lose three times as much as a blocked matmul
    // does. Only float32 results are fine enough to show it.
    static constexpr int32_t kSumBlock = kType == DType::kFloat32 ? 64 : 1024;
    static constexpr int kExpDegree = kType == DType::kFloat32 ? 5 : 4;

    static int32_t key_stride(int32_t features) { return round_up(features, kWidth); }
    static size_t query_size(int32_t features) { return size_t{kRows} * key_stride(features); }
    static size_t key_size(int32_t features) { return size_t{kChunkKeys} * key_stride(features); }
    static size_t value_size(int32_t features) { return size_t{kChunkKeys} * round_up(features, kPanel); }
    static size_t probability_size() { return size_t{kChunkKeys} * kRows; }

    // Around all other calls of a thread.
    FA_HOST_DEVICE static void begin() {}
    FA_HOST_DEVICE static void end() {}

    // rows: [vectors * kWidth][stride], zero beyond `features`.
    static void pack_queries(Query* q, const float* rows, int32_t stride, int32_t vectors, int32_t features) {
        for (int32_t n = 0; n < vectors; ++n) {
            for (int32_t f = 0; f < features; f += kWidth) {
                F block[kWidth];
                for (int32_t i = 0; i < kWidth; ++i) block[i] = Simd::load(rows + (n * kWidth + i) * stride + f);
                Simd::transpose(block);
                for (int32_t i = 0; i < kWidth; ++i) Simd::store(q + (f + i) * kRows + n * kWidth, block[i]);
            }
        }
    }

    static void pack_rows(Key* k, const KeyRows<kChunkKeys>& rows, int32_t begin, int32_t end, int32_t head_dim,
                          int32_t head_dim_qv) {
        const int32_t stride = key_stride(head_dim + head_dim_qv);
        for (int32_t key = begin; key < end; ++key) {
            prefetch_row(rows.k[key + rows.kPrefetchAhead], head_dim * int32_t{sizeof(Storage<kType>)});
            widen_row(rows.k[key], head_dim, k + key * stride);
            if (head_dim_qv > 0) widen_row(rows.v[key], head_dim_qv, k + key * stride + head_dim);
        }
    }

    static void pack_columns(Value* v, const KeyRows<kChunkKeys>& rows, int32_t begin, int32_t end,
                             int32_t head_dim_v) {
        for (int32_t key = begin; key < end; ++key) {
            prefetch_row(rows.v[key + rows.kPrefetchAhead], head_dim_v * int32_t{sizeof(Storage<kType>)});
            for (int32_t f = 0; f < head_dim_v; f += kWidth) {
                Value* panel = v + f / kPanel * (kPanel * kChunkKeys);
                Simd::store(panel + key * kPanel + f % kPanel, widen(rows.v[key], f, head_dim_v));
            }
        }
    }

    // s[key - begin][kRows] = K Q^T of keys [begin, end), a multiple of kKeyGroup.
    template <int kN>
    static void multiply_nt(const Query* q, const Key* k, int32_t features, int32_t begin, int32_t end, float* s) {
        const int32_t stride = key_stride(features);
        for (int32_t key = begin; key < end; key += kBlock) {
            const Key* rows = k + key * stride;
            float* sums = s + (key - begin) * kRows;
            multiply<kN, Result::kSet>(rows, stride, 1, q, min_of(features, kSumBlock), sums);
            for (int32_t f = kSumBlock; f < features; f += kSumBlock) {
                const int32_t block = min_of(features - f, kSumBlock);
                multiply<kN, Result::kAddAtEnd>(rows + f, stride, 1, q + f * kRows, block, sums);
            }
        }
    }

    // P of keys `key` and `key + 1`, lane vector n.
    FA_HOST_DEVICE static void store_probabilities(Probability* p, int32_t key, int32_t n, F even, F odd) {
        Simd::store(p + key * kRows + n * kWidth, even);
        Simd::store(p + (key + 1) * kRows + n * kWidth, odd);
    }

    template <int kN>
    static void multiply_nn(const Probability* p, const Value* v, int32_t begin, int32_t end, int32_t head_dim_v,
                            float* o) {
        for (int32_t f = 0; f < head_dim_v; f += kBlock) {
            const Value* panel = v + f / kPanel * (kPanel * kChunkKeys) + f % kPanel;
            multiply<kN, Result::kContinue>(panel + begin * kPanel, 1, kPanel, p + begin * kRows, end - begin,
                                            o + f * kRows);
        }
    }

private:
    // What becomes of the values that C holds before: replaced, the start of the sums, or added to the finished sums.
    enum class Result { kSet, kContinue, kAddAtEnd };

    // c[r][n] (+)= sum over t of a[r * a_row + t * a_step] * b[t][n]
    template <int kN, Result kResult>
    FA_HOST_DEVICE static void multiply(const float* a, ptrdiff_t a_row, ptrdiff_t a_step, const float* b,
                                        int32_t steps, float* c) {
        F sum[kBlock][kN];
#pragma GCC unroll 8
        for (int r = 0; r < kBlock; ++r) {
#pragma GCC unroll 4
            for (int n = 0; n < kN; ++n) {
                sum[r][n] = kResult == Result::kContinue ? Simd::load(c + r * kRows + n * kWidth) : Simd::zero();
            }
        }
        for (int32_t t = 0; t < steps; ++t, a += a_step, b += kRows) {
            F lanes[kN];
#pragma GCC unroll 4
            for (int n = 0; n < kN; ++n) lanes[n] = Simd::load(b + n * kWidth);
#pragma GCC unroll 8
            for (int r = 0; r < kBlock; ++r) {
                const F scalar = Simd::set1(a[r * a_row]);
#pragma GCC unroll 4
                for (int n = 0; n < kN; ++n) sum[r][n] = Simd::fma(scalar, lanes[n], sum[r][n]);
            }
        }
#pragma GCC unroll 8
        for (int r = 0; r < kBlock; ++r) {
#pragma GCC unroll 4
            for (int n = 0; n < kN; ++n) {
                float* at = c + r * kRows + n * kWidth;
                Simd::store(at, kResult == Result::kAddAtEnd ? Simd::add(Simd::load(at), sum[r][n]) : sum[r][n]);
            }
        }
    }

    // Elements [f, f + kWidth) of a row of n; zero beyond n and for a null row.
    FA_HOST_DEVICE static F widen(const void* row, int32_t f, int32_t n) {
        if (row == nullptr) return Simd::zero();
        const Storage<kType>* p = static_cast<const Storage<kType>*>(row) + f;
        return n - f >= kWidth ? Simd::template load_as_f32<kType>(p) : Simd::template load_as_f32_n<kType>(p, n - f);
    }

    FA_HOST_DEVICE static void widen_row(const void* row, int32_t n, float* dst) {
        int32_t f = 0;
        for (; f + kWidth <= n; f += kWidth) Simd::store(dst + f, widen(row, f, n));
        if (f < n) Simd::store_n(dst + f, widen(row, f, n), n - f);
    }
};

}  // namespace
}  // namespace flash_attn_npu::cpu
