// SPDX-License-Identifier: BSD-3-Clause
// Tile products by AMX-BF16. bf16 and fp8 storage is multiplied as it is. fp16 is split exactly into two bf16, x =
// high + low, and multiplied as high.high + high.low + low.high; P is split likewise (dropping its low part would break
// the accuracy rule).
//
// A tile holds 16 x 16 dwords, a dword two neighbouring elements of the dimension that is summed over:
//   A operands (16 rows x 32 summed):   K tiles [keys][features], V^T tiles [features][keys]
//   B operands (16 pairs x 16 columns): Q^T tiles [pairs of features][rows], P^T tiles [pairs of keys][rows]
// A block is the kParts tiles of one matrix piece. All blocks are contiguous: tile loads from rows with a large power
// of two between them would collide in the L1 cache.
#pragma once

#include "cpu/tile/key_rows.h"
#include "cpu/tile/pack_bf16.h"
#include "cpu/tile/simd_avx512.h"

namespace flash_attn_npu::cpu {
namespace {

template <class Tiles, DType kType>
struct EngineAmx {
    using Simd = SimdAvx512;
    using F = Simd::F;
    using Query = uint32_t;
    using Key = uint32_t;
    using Value = uint32_t;
    using Probability = uint32_t;

    static constexpr int32_t kParts = kType == DType::kFloat16 ? 2 : 1;
    static constexpr int32_t kWidth = Simd::kWidth;
    static constexpr int32_t kVectors = 4;
    static constexpr int32_t kRows = kVectors * kWidth;
    static constexpr int32_t kSummed = 2 * kWidth;  // elements of the summed dimension in a tile
    static constexpr int32_t kFeatureGroup = kSummed;
    static constexpr int32_t kKeyGroup = kSummed;
    static constexpr int32_t kStepKeys = 32;
    static constexpr int32_t kChunkKeys = 256;
    static constexpr int kExpDegree = kParts == 1 ? 3 : 4;

    static constexpr int32_t kTile = kWidth * kWidth;  // dwords
    static constexpr int32_t kBlock = kParts * kTile;
    static constexpr int32_t kKeyBlocks = kChunkKeys / kSummed;

    static int32_t feature_blocks(int32_t features) { return ceil_div(features, kSummed); }
    static size_t query_size(int32_t features) { return size_t{kVectors} * feature_blocks(features) * kBlock; }
    static size_t key_size(int32_t features) { return size_t{kChunkKeys / kWidth} * feature_blocks(features) * kBlock; }
    static size_t value_size(int32_t features) { return size_t{2 * kKeyBlocks} * feature_blocks(features) * kBlock; }
    static size_t probability_size() { return size_t{kKeyBlocks} * kVectors * kBlock; }

    // Around all other calls of a thread.
    FA_HOST_DEVICE static void begin() { Tiles::configure(); }
    FA_HOST_DEVICE static void end() { Tiles::release(); }

    // rows: [vectors * kWidth][stride], zero beyond `features`. q: blocks [features / 32][vector].
    static void pack_queries(Query* q, const float* rows, int32_t stride, int32_t vectors, int32_t features) {
        for (int32_t n = 0; n < vectors; ++n) {
            for (int32_t f = 0; f < feature_blocks(features); ++f) {
                for (int32_t part = 0; part < kParts; ++part) {
                    F block[kWidth];
                    for (int32_t i = 0; i < kWidth; ++i) {
                        const float* x = rows + (n * kWidth + i) * stride + f * kSummed;
                        block[i] = _mm512_castsi512_ps(
                            neighbours(part_of(part, Simd::load(x)), part_of(part, Simd::load(x + kWidth))));
                    }
                    Simd::transpose(block);
                    Query* tile = q + (f * kVectors + n) * kBlock + part * kTile;
                    for (int32_t i = 0; i < kWidth; ++i) _mm512_storeu_ps(tile + i * kWidth, block[i]);
                }
            }
        }
    }

    // k: blocks [keys / 16][features / 32].
    static void pack_rows(Key* k, const KeyRows<kChunkKeys>& rows, int32_t begin, int32_t end, int32_t head_dim,
                          int32_t head_dim_qv) {
        constexpr int32_t kMaxFeatures = kMaxHeadDim + kMaxHeadDimV;
        const int32_t features = head_dim + head_dim_qv;
        const int32_t blocks = feature_blocks(features);
        // Zeroed once: what lies beyond `features` stays zero.
        alignas(64) Storage<kType> row[kMaxFeatures + kSummed] = {};
        for (int32_t key = begin; key < end; ++key) {
            prefetch_row(rows.k[key + rows.kPrefetchAhead], head_dim * int32_t{sizeof(Storage<kType>)});
            copy_row(rows.k[key], head_dim, row);
            if (head_dim_qv > 0) copy_row(rows.v[key], head_dim_qv, row + head_dim);
            for (int32_t f = 0; f < blocks; ++f) {
                Key* block = k + (key / kWidth * blocks + f) * kBlock + key % kWidth * kWidth;
                for (int32_t part = 0; part < kParts; ++part) {
                    _mm512_storeu_si512(block + part * kTile, pairs_of_features(part, row + f * kSummed));
                }
            }
        }
    }

    // v: blocks [features / 16][keys / 32].
    static void pack_columns(Value* v, const KeyRows<kChunkKeys>& rows, int32_t begin, int32_t end,
                             int32_t head_dim_v) {
        for (int32_t key = begin; key < end; key += kSummed) {
            // The 32 rows of a tile are read at a small piece of each at a time: fetch them whole.
            for (int32_t i = 0; i < kSummed; ++i) {
                prefetch_row(rows.v[key + i], head_dim_v * int32_t{sizeof(Storage<kType>)});
            }
            for (int32_t f = 0; f < round_up(head_dim_v, kFeatureGroup); f += kWidth) {
                for (int32_t part = 0; part < kParts; ++part) {
                    F block[kWidth];
                    for (int32_t i = 0; i < kWidth; ++i) {
                        const void* even = f < head_dim_v ? rows.v[key + 2 * i] : nullptr;
                        const void* odd = f < head_dim_v ? rows.v[key + 2 * i + 1] : nullptr;
                        block[i] = _mm512_castsi512_ps(pair_of_keys(part, even, odd, f, head_dim_v));
                    }
                    Simd::transpose(block);
                    Value* tile = v + (f / kWidth * kKeyBlocks + key / kSummed) * kBlock + part * kTile;
                    for (int32_t i = 0; i < kWidth; ++i) _mm512_storeu_ps(tile + i * kWidth, block[i]);
                }
            }
        }
    }

    // s[key - begin][kRows] = K Q^T of keys [begin, end), a multiple of kKeyGroup.
    template <int kN>
    static void multiply_nt(const Query* q, const Key* k, int32_t features, int32_t begin, int32_t end, float* s) {
        const int32_t blocks = feature_blocks(features);
        for (int32_t key = begin; key < end; key += kSummed) {
            multiply_columns<kN, false>(k + key / kWidth * blocks * kBlock, blocks * kBlock, q, blocks,
                                        s + (key - begin) * kRows);
        }
    }

    // P of keys `key` and `key + 1`, lane vector n. p: blocks [keys / 32][vector].
    FA_HOST_DEVICE static void store_probabilities(Probability* p, int32_t key, int32_t n, F even, F odd) {
        Probability* block = p + (key / kSummed * kVectors + n) * kBlock + key % kSummed / 2 * kWidth;
        for (int32_t part = 0; part < kParts; ++part) {
            const __m512i pairs = bf16_pairs(part_of_probability(part, even), part_of_probability(part, odd));
            _mm512_storeu_si512(block + part * kTile, pairs);
        }
    }

    template <int kN>
    static void multiply_nn(const Probability* p, const Value* v, int32_t begin, int32_t end, int32_t head_dim_v,
                            float* o) {
        const int32_t first = begin / kSummed;
        for (int32_t f = 0; f < head_dim_v; f += kSummed) {
            multiply_columns<kN, true>(v + (f / kWidth * kKeyBlocks + first) * kBlock, kKeyBlocks * kBlock,
                                       p + first * kVectors * kBlock, (end - begin) / kSummed, o + f * kRows);
        }
    }

private:
    // C (32 x 16 kN) (+)= A B over `steps` blocks of the summed dimension. A: two rows of blocks, a_row apart.
    template <int kN, bool kAdd>
    FA_HOST_DEVICE static void multiply_columns(const uint32_t* a, ptrdiff_t a_row, const uint32_t* b, int32_t steps,
                                                float* c) {
        for (int32_t n = 0; n + 2 <= kN; n += 2) multiply<2, kAdd>(a, a_row, b + n * kBlock, steps, c + n * kWidth);
        if constexpr (kN % 2 == 1) {
            multiply<1, kAdd>(a, a_row, b + (kN - 1) * kBlock, steps, c + (kN - 1) * kWidth);
        }
    }

    // Tile registers: C 0..3 (row-major 2 x 2), A 4 and 5, B 6 and 7.
    template <int kColumns, bool kAdd>
    FA_HOST_DEVICE static void multiply(const uint32_t* a, ptrdiff_t a_row, const uint32_t* b, int32_t steps,
                                        float* c) {
        float* const c_low = c + kWidth * kRows;
        if constexpr (kAdd) {
            load_c<0>(c), load_c<2>(c_low);
            if constexpr (kColumns == 2) load_c<1>(c + kWidth), load_c<3>(c_low + kWidth);
        } else {
            Tiles::template zero<0>(), Tiles::template zero<1>(), Tiles::template zero<2>(), Tiles::template zero<3>();
        }
        for (int32_t t = 0; t < steps; ++t, a += kBlock, b += kVectors * kBlock) {
            load_b<kColumns>(b);
            if constexpr (kParts == 2) {
                load_a(a + kTile, a_row);  // low . high, first: A's high part then serves the other two products
                products<kColumns>();
            }
            load_a(a, a_row);
            products<kColumns>();
            if constexpr (kParts == 2) {
                load_b<kColumns>(b + kTile);
                products<kColumns>();
            }
        }
        store_c<0>(c), store_c<2>(c_low);
        if constexpr (kColumns == 2) store_c<1>(c + kWidth), store_c<3>(c_low + kWidth);
    }

    template <int kColumns>
    FA_HOST_DEVICE static void products() {
        Tiles::template dot_bf16<0, 4, 6>();
        if constexpr (kColumns == 2) Tiles::template dot_bf16<1, 4, 7>();
        Tiles::template dot_bf16<2, 5, 6>();
        if constexpr (kColumns == 2) Tiles::template dot_bf16<3, 5, 7>();
    }

    static constexpr ptrdiff_t kTileRowBytes = kWidth * sizeof(uint32_t);
    FA_HOST_DEVICE static void load_a(const uint32_t* a, ptrdiff_t a_row) {
        Tiles::template load<4>(a, kTileRowBytes);
        Tiles::template load<5>(a + a_row, kTileRowBytes);
    }
    template <int kColumns>
    FA_HOST_DEVICE static void load_b(const uint32_t* b) {
        Tiles::template load<6>(b, kTileRowBytes);
        if constexpr (kColumns == 2) Tiles::template load<7>(b + kBlock, kTileRowBytes);
    }
    template <int kRegister>
    FA_HOST_DEVICE static void load_c(const float* c) {
        Tiles::template load<kRegister>(c, kRows * sizeof(float));
    }
    template <int kRegister>
    FA_HOST_DEVICE static void store_c(float* c) {
        Tiles::template store<kRegister>(c, kRows * sizeof(float));
    }

    // The parts of a number of Q, K or V: rounded to bf16, and the exact rest. Rounding, because a rest of either sign
    // and at most 2^-9 makes the omitted low.low small and unbiased. Infinity splits into 1 and infinity: with infinity
    // as the high part, a factor whose rest is 0 would give NaN.
    FA_HOST_DEVICE static F part_of(int32_t part, F x) {
        if constexpr (kParts == 1) return x;
        const __m256i rounded = (__m256i)_mm512_cvtneps_pbh(x);
        F high = _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(rounded), 16));
        const __mmask16 infinite = Simd::eq(Simd::abs(x), Simd::set1(INFINITY));
        high =
            Simd::select(infinite, Simd::select(Simd::lt(x, Simd::zero()), Simd::set1(-1.0f), Simd::set1(1.0f)), high);
        return part == 0 ? high : Simd::sub(x, high);
    }

    // The parts of P: its upper 16 bits, which is cheaper, and the rest.
    FA_HOST_DEVICE static F part_of_probability(int32_t part, F p) {
        if constexpr (kParts == 1) return p;
        const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000u));
        const F high = _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(p), upper));
        return part == 0 ? high : Simd::sub(p, high);
    }

    // 32 neighbouring numbers, x then y, as bf16.
    FA_HOST_DEVICE static __m512i neighbours(F x, F y) { return (__m512i)_mm512_cvtne2ps_pbh(y, x); }

    FA_HOST_DEVICE static __m512i pairs_of_features(int32_t part, const Storage<kType>* row) {
        if constexpr (kType == DType::kBFloat16) return _mm512_loadu_si512(row);
        return neighbours(part_of(part, Simd::template load_as_f32<kType>(row)),
                          part_of(part, Simd::template load_as_f32<kType>(row + kWidth)));
    }

    // Features [f, f + 16) of two rows of n; zeros for null rows.
    FA_HOST_DEVICE static __m512i pair_of_keys(int32_t part, const void* even, const void* odd, int32_t f, int32_t n) {
        if constexpr (kParts == 1) {
            return interleave(load_as_bf16<kType>(even, f, n), load_as_bf16<kType>(odd, f, n));
        } else {
            return bf16_pairs(part_of(part, widen(even, f, n)), part_of(part, widen(odd, f, n)));
        }
    }
    FA_HOST_DEVICE static F widen(const void* row, int32_t f, int32_t n) {
        if (row == nullptr) return Simd::zero();
        const Storage<kType>* p = static_cast<const Storage<kType>*>(row) + f;
        return n - f >= kWidth ? Simd::template load_as_f32<kType>(p) : Simd::template load_as_f32_n<kType>(p, n - f);
    }

    FA_HOST_DEVICE static void copy_row(const void* row, int32_t n, Storage<kType>* dst) {
        if (row == nullptr) {
            memset(dst, 0, n * sizeof(*dst));
        } else {
            memcpy(dst, row, n * sizeof(*dst));
        }
    }
};

}  // namespace
}  // namespace flash_attn_npu::cpu
