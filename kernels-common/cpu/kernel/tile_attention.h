// SPDX-License-Identifier: BSD-3-Clause
// Attention for many packed rows (prefill, large groups): queries lie in SIMD lanes, so that maximum, sum and rescaling
// are vertical, and a row tile works on transposed matrices, S^T = K Q^T and O^T += V^T P^T.
//
//   for each chunk of keys of the item:
//     pack K and V once for all row tiles
//     for each row tile that sees the chunk:
//       for each step of keys in the chunk:
//         S^T = K Q^T; logits and mask where needed
//         if a maximum grew by more than kRescaleAbove: add the pending P V, then rescale O and l
//         P = 2^(S - m), l += P
//       O^T += V^T P^T over the keys of the chunk
//
// Chunks and steps lie on absolute multiples of their size, so the arithmetic of a row depends on its own tile only,
// not on the tiles it shares an item with. How matrices are laid out and multiplied is the Engine's
// (cpu/tile/engine_*.h).
#pragma once

#include "cpu/kernel/logits.h"
#include "cpu/kernel/output.h"
#include "cpu/tile/key_rows.h"

namespace flash_attn_npu::cpu {
namespace {

template <int kValue>
struct IntConstant {
    static constexpr int value = kValue;
};

// Hands out 64-byte aligned arrays one after the other. Started at 0 it only measures.
class Layout {
public:
    explicit Layout(void* base) : base_(reinterpret_cast<uintptr_t>(base)), at_(base_) {}

    template <class T>
    T* array(size_t n) {
        T* p = reinterpret_cast<T*>(at_);
        at_ += round_up(n * sizeof(T), size_t{64});
        return p;
    }
    size_t size() const { return at_ - base_; }

private:
    const uintptr_t base_;
    uintptr_t at_;
};

template <class Engine>
class TileAttention {
public:
    static Kernel kernel() { return Kernel{TileShape{kRows, kStepKeys}, scratch_bytes, attend}; }

    static size_t scratch_bytes(const Forward& p, int32_t rows_per_item) {
        return Workspace(p, ceil_div(rows_per_item, kRows), nullptr).bytes;
    }

    static void attend(const Forward& p, const Plan& plan, const Partials& partials, const WorkItem& item,
                       void* scratch) {
        Engine::begin();
        TileAttention(p, plan, item, scratch).run(partials);
        Engine::end();
    }

private:
    using S = typename Engine::Simd;
    using F = typename S::F;
    using I = typename S::I;

    static constexpr int32_t kWidth = S::kWidth;
    static constexpr int32_t kRows = Engine::kRows;
    static constexpr int32_t kStepKeys = Engine::kStepKeys;
    static constexpr int32_t kChunkKeys = Engine::kChunkKeys;
    static constexpr int32_t kKeyGroup = Engine::kKeyGroup;  // keys are computed in groups of this many
    static_assert(kChunkKeys % kStepKeys == 0 && kStepKeys % kKeyGroup == 0 && kKeyGroup % 2 == 0, "nested blocks");
    static_assert(kRows == Engine::kVectors * kWidth && Engine::kFeatureGroup % kWidth == 0, "whole vectors");

    // O and l are rescaled only when a maximum has grown by more than this (log2 units): until then P stays below 2^8,
    // which costs neither bf16 nor float any precision.
    static constexpr float kRescaleAbove = 8.0f;

    struct RowTile {
        alignas(64) float m[kRows];  // the maximum P refers to, log2 units
        float l[kRows];              // sum of P
        float slope[kRows];          // ALiBi
        float position[kRows];
        int32_t key_begin[kRows];  // keys the lane sees
        int32_t key_end[kRows];
        typename Engine::Query* q;
        float* o;  // O^T: [round_up(head_dim_v, kFeatureGroup)][kRows], unnormalised
        bool o_is_zero;
        int32_t row;  // first packed row
        int32_t rows;
        int32_t vectors;  // lane vectors that hold rows
        int32_t i_begin;  // query positions
        int32_t i_end;
        KeyRange keys;      // of the split that some row sees
        KeyRange keys_all;  // that all rows see
    };

    struct Workspace {
        RowTile* tiles;
        typename Engine::Key* k;
        typename Engine::Value* v;
        typename Engine::Probability* p;
        float* s;     // S^T of a step: [kStepKeys][kRows]
        float* rows;  // [kRows][row_stride]: Q before and O after transposition
        int32_t row_stride;
        size_t bytes;

        Workspace(const Forward& request, int32_t row_tiles, void* base) {
            Layout layout(base);
            const int32_t features = query_features(request);
            const int32_t o_features = round_up(request.head_dim_v, Engine::kFeatureGroup);
            row_stride = round_up(max_of(features, request.head_dim_v), Engine::kFeatureGroup);
            tiles = layout.array<RowTile>(row_tiles);
            k = layout.array<typename Engine::Key>(Engine::key_size(features));
            v = layout.array<typename Engine::Value>(Engine::value_size(request.head_dim_v));
            p = layout.array<typename Engine::Probability>(Engine::probability_size());
            s = layout.array<float>(kStepKeys * kRows);
            rows = layout.array<float>(size_t{kRows} * row_stride);
            for (int32_t t = 0; t < row_tiles; ++t) {
                auto* q = layout.array<typename Engine::Query>(Engine::query_size(features));
                auto* o = layout.array<float>(size_t{kRows} * o_features);
                if (base == nullptr) continue;
                tiles[t].q = q;
                tiles[t].o = o;
            }
            bytes = layout.size();
        }
    };

    TileAttention(const Forward& p, const Plan& plan, const WorkItem& item, void* scratch)
        : p_(p),
          plan_(plan),
          item_(item),
          sequence_(p.sequence(item.n)),
          mask_(p.mask_of(sequence_)),
          logits_(p.score, item.n, item.kv_head_begin),
          features_(query_features(p)),
          row_tiles_(ceil_div(item.row_end - item.row_begin, kRows)),
          w_(p, row_tiles_, scratch) {}

    void run(const Partials& partials) {
        KeyRange seen{INT32_MAX, 0};
        for (int32_t t = 0; t < row_tiles_; ++t) {
            RowTile& tile = w_.tiles[t];
            load(tile, item_.row_begin + t * kRows);
            if (tile.keys.empty()) continue;
            seen = KeyRange{min_of(seen.begin, tile.keys.begin), max_of(seen.end, tile.keys.end)};
        }
        if (!seen.empty()) {
            for (int32_t chunk = seen.begin / kChunkKeys * kChunkKeys; chunk < seen.end; chunk += kChunkKeys) {
                pack(chunk, intersect(seen, KeyRange{chunk, chunk + kChunkKeys}));
                for (int32_t t = 0; t < row_tiles_; ++t) visit(w_.tiles[t], chunk);
            }
        }
        for (int32_t t = 0; t < row_tiles_; ++t) store(w_.tiles[t], partials);
    }

    void load(RowTile& tile, int32_t row) {
        tile.row = row;
        tile.rows = min_of(kRows, item_.row_end - row);
        tile.vectors = ceil_div(tile.rows, kWidth);
        tile.i_begin = row / plan_.group;
        tile.i_end = (row + tile.rows - 1) / plan_.group + 1;
        tile.keys = plan_.split_range(mask_.visible_to_any(tile.i_begin, tile.i_end), item_.split);
        tile.keys_all = mask_.visible_to_all(tile.i_begin, tile.i_end);
        tile.o_is_zero = true;
        memset(tile.o, 0, sizeof(float) * kRows * round_up(p_.head_dim_v, Engine::kFeatureGroup));
        memset(w_.rows, 0, sizeof(float) * tile.vectors * kWidth * w_.row_stride);
        for (int32_t lane = 0; lane < kRows; ++lane) {
            tile.m[lane] = -INFINITY;
            tile.l[lane] = tile.slope[lane] = tile.position[lane] = 0.0f;
            tile.key_begin[lane] = tile.key_end[lane] = 0;
            if (lane >= tile.rows) continue;
            const PackedRow packed = plan_.packed_row(item_.kv_head_begin, row + lane);
            const KeyRange keys = mask_.visible(packed.i);
            tile.key_begin[lane] = keys.begin;
            tile.key_end[lane] = keys.end;
            tile.slope[lane] = p_.score.alibi_slopes.at(item_.n, packed.head_q, 0.0f);
            tile.position[lane] = static_cast<float>(mask_.position(packed.i));
            load_query_row<S>(p_, sequence_, packed, w_.rows + lane * w_.row_stride);
        }
        Engine::pack_queries(tile.q, w_.rows, w_.row_stride, tile.vectors, features_);
    }

    // Keys outside `keys` are packed as zeros and never read: what the cache holds there may be anything.
    void pack(int32_t chunk, KeyRange keys) {
        KeyRows<kChunkKeys> rows;
        const int32_t begin = (keys.begin - chunk) / kKeyGroup * kKeyGroup;
        const int32_t end = round_up(keys.end - chunk, kKeyGroup);
        collect_key_rows(p_, item_, chunk, keys, rows);
        Engine::pack_rows(w_.k, rows, begin, end, p_.head_dim, features_ - p_.head_dim);
        Engine::pack_columns(w_.v, rows, begin, end, p_.head_dim_v);
    }

    void visit(RowTile& tile, int32_t chunk) {
        const KeyRange keys = intersect(tile.keys, KeyRange{chunk, chunk + kChunkKeys});
        if (keys.empty()) return;
        const int32_t begin = (keys.begin - chunk) / kKeyGroup * kKeyGroup;
        const int32_t end = round_up(keys.end - chunk, kKeyGroup);
        static_assert(Engine::kVectors <= 4, "cases below");
        switch (tile.vectors) {
            case 1: return visit<1>(tile, chunk, begin, end);
            case 2: return visit<2>(tile, chunk, begin, end);
            case 3: return visit<3>(tile, chunk, begin, end);
            default: return visit<Engine::kVectors>(tile, chunk, begin, end);
        }
    }

    // Keys [begin, end) of the chunk, for the first kN lane vectors.
    template <int kN>
    void visit(RowTile& tile, int32_t chunk, int32_t begin, int32_t end) {
        int32_t pending = begin;  // keys [pending, step) have a P that O lacks
        for (int32_t step = begin; step < end;) {
            const int32_t step_end = min_of(end, (step / kStepKeys + 1) * kStepKeys);
            Engine::template multiply_nt<kN>(tile.q, w_.k, features_, step, step_end, w_.s);
            const int32_t keys = step_end - step;
            if (!logits_.plain) logits<kN>(tile, chunk + step, keys);
            const bool all_visible = tile.keys_all.begin <= chunk + step && chunk + step_end <= tile.keys_all.end;
            if (!all_visible) mask<kN>(tile, chunk + step, keys);
            F max[kN];
            if (maximum<kN>(tile, keys, max)) {
                if (pending < step) accumulate<kN>(tile, pending, step);
                pending = step;
                rescale<kN>(tile, max);
            }
            probabilities<kN>(tile, step, keys);
            step = step_end;
        }
        accumulate<kN>(tile, pending, end);
    }

    template <int kN>
    void accumulate(RowTile& tile, int32_t begin, int32_t end) {
        Engine::template multiply_nn<kN>(w_.p, w_.v, begin, end, p_.head_dim_v, tile.o);
        tile.o_is_zero = false;
    }

    template <int kN>
    void logits(const RowTile& tile, int32_t key, int32_t keys) {
        for (int32_t i = 0; i < keys; ++i) {
            float* s = w_.s + i * kRows;
            const F j = S::set1(static_cast<float>(key + i));
            for (int n = 0; n < kN; ++n) {
                const F distance = S::sub(S::load(tile.position + n * kWidth), j);
                S::store(s + n * kWidth, logits_(S::load(s + n * kWidth), S::load(tile.slope + n * kWidth), distance));
            }
        }
    }

    template <int kN>
    void mask(const RowTile& tile, int32_t key, int32_t keys) {
        const F hidden = S::set1(-INFINITY);
        for (int32_t i = 0; i < keys; ++i) {
            float* s = w_.s + i * kRows;
            const I j = S::set1_i(key + i);
            for (int n = 0; n < kN; ++n) {
                const auto after_begin = S::ge(j, S::load_i(tile.key_begin + n * kWidth));
                const auto visible = S::both(after_begin, S::lt(j, S::load_i(tile.key_end + n * kWidth)));
                S::store(s + n * kWidth, S::select(visible, S::load(s + n * kWidth), hidden));
            }
        }
    }

    // The step's maxima in log2 units; whether one of them exceeds m by too much.
    template <int kN>
    bool maximum(const RowTile& tile, int32_t keys, F (&max)[kN]) const {
        for (int n = 0; n < kN; ++n) max[n] = S::load(w_.s + n * kWidth);
        for (int32_t i = 1; i < keys; ++i) {
            for (int n = 0; n < kN; ++n) max[n] = S::max(S::load(w_.s + i * kRows + n * kWidth), max[n]);
        }
        bool exceeds = false;
        for (int n = 0; n < kN; ++n) {
            max[n] = S::mul(max[n], S::set1(logits_.to_log2));
            const F limit = S::add(S::load(tile.m + n * kWidth), S::set1(kRescaleAbove));
            exceeds |= S::any(S::lt(limit, max[n]));
        }
        return exceeds;
    }

    template <int kN>
    void rescale(RowTile& tile, const F (&max)[kN]) {
        F factor[kN];
        for (int n = 0; n < kN; ++n) {
            const F old = S::load(tile.m + n * kWidth);
            const F m = S::max(max[n], old);
            factor[n] = S::template exp2<5>(S::sub(old, reference(m)));
            S::store(tile.m + n * kWidth, m);
            S::store(tile.l + n * kWidth, S::mul(S::load(tile.l + n * kWidth), factor[n]));
        }
        if (tile.o_is_zero) return;
        for (int32_t f = 0; f < p_.head_dim_v; ++f) {
            float* o = tile.o + f * kRows;
            for (int n = 0; n < kN; ++n) S::store(o + n * kWidth, S::mul(S::load(o + n * kWidth), factor[n]));
        }
    }

    // While a lane has seen no key, m is -inf, and -inf - -inf must not become NaN.
    static F reference(F m) { return S::select(S::eq(m, S::set1(-INFINITY)), S::zero(), m); }

    template <int kN>
    void probabilities(RowTile& tile, int32_t step, int32_t keys) {
        const F scale = S::set1(logits_.to_log2);
        F minus_m[kN], even_sum[kN], odd_sum[kN];
        for (int n = 0; n < kN; ++n) {
            minus_m[n] = S::sub(S::zero(), reference(S::load(tile.m + n * kWidth)));
            even_sum[n] = S::load(tile.l + n * kWidth);
            odd_sum[n] = S::zero();
        }
        const float* s = w_.s;
        typename Engine::Probability* const p = w_.p;
        for (int32_t i = 0; i < keys; i += 2, s += 2 * kRows) {
            F x[2 * kN];  // even key, odd key
            for (int n = 0; n < kN; ++n) x[n] = S::fma(S::load(s + n * kWidth), scale, minus_m[n]);
            for (int n = 0; n < kN; ++n) x[kN + n] = S::fma(S::load(s + kRows + n * kWidth), scale, minus_m[n]);
            S::template exp2_each<Engine::kExpDegree>(x);
            for (int n = 0; n < kN; ++n) {
                even_sum[n] = S::add(even_sum[n], x[n]);
                odd_sum[n] = S::add(odd_sum[n], x[kN + n]);
                Engine::store_probabilities(p, step + i, n, x[n], x[kN + n]);
            }
        }
        for (int n = 0; n < kN; ++n) S::store(tile.l + n * kWidth, S::add(even_sum[n], odd_sum[n]));
    }

    void store(const RowTile& tile, const Partials& partials) {
        for (int32_t n = 0; n < tile.vectors; ++n) {
            for (int32_t f = 0; f < p_.head_dim_v; f += kWidth) {
                F block[kWidth];
                for (int32_t i = 0; i < kWidth; ++i) block[i] = S::load(tile.o + (f + i) * kRows + n * kWidth);
                S::transpose(block);
                for (int32_t i = 0; i < kWidth; ++i) {
                    S::store(w_.rows + (n * kWidth + i) * w_.row_stride + f, block[i]);
                }
            }
        }
        for (int32_t lane = 0; lane < tile.rows; ++lane) {
            write_row<S>(p_, plan_, partials, sequence_, item_.kv_head_begin, item_.split, tile.row + lane,
                         w_.rows + lane * w_.row_stride, tile.m[lane], tile.l[lane]);
        }
    }

    const Forward& p_;
    const Plan& plan_;
    const WorkItem& item_;
    const Sequence sequence_;
    const Mask mask_;
    const Logits<S> logits_;
    const int32_t features_;
    const int32_t row_tiles_;
    const Workspace w_;
};

}  // namespace
}  // namespace flash_attn_npu::cpu
