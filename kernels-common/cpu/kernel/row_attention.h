// SPDX-License-Identifier: BSD-3-Clause
// Attention for few query rows (decode): K and V stream from memory once, each row is used by every query head of its
// group, features lie in SIMD lanes.
//
//   for each chunk of kChunkKeys keys, for each kv head of the item:
//     dot products of the group's rows with the chunk's K rows
//     online softmax over the chunk
//     O = O * correction + P V
//
// In a (batch, seqlen, heads, dim) cache the heads of one key are neighbours, so an item takes all kv heads and
// consumes whole cache rows. The next chunk's rows are prefetched meanwhile, a few lines at every step of the
// arithmetic: the hardware does not see the pattern, and a burst of prefetches would fill its queues and stall.
#pragma once

#include "cpu/kernel/logits.h"
#include "cpu/kernel/output.h"

namespace flash_attn_npu::cpu {
namespace {

template <class S>
struct RowAttention {
    using F = typename S::F;

    static constexpr int32_t kChunkKeys = 32;
    static constexpr int32_t kKeyVectors = kChunkKeys / S::kWidth;
    // What the plan takes for a row tile. More than an item ever has, and kept: it is a term of the longest range of
    // keys under a window, so another number would cut some calls into other splits.
    static constexpr int32_t kPlanRows = 16;
    static_assert(kRowKernelRows <= kPlanRows, "an item is one row tile");
    static constexpr int32_t kKeyBlock = 4;                           // keys per pass of the dot products
    static constexpr int32_t kRowBlock = S::kWidth == 16 ? 4 : 2;     // rows per pass: what the registers hold
    static constexpr int32_t kColumnBlock = S::kWidth == 16 ? 4 : 2;  // vectors of V columns per pass

    static int32_t padded(int32_t features) { return round_up(features, S::kWidth); }

    // The state of one packed row of one kv head.
    struct Row {
        float* q;     // query_features, zero-padded
        float* o;     // head_dim_v, padded
        float m;      // running maximum, log2 units
        float l;      // running sum of p
        float slope;  // ALiBi
        int32_t position;
        KeyRange keys;  // that the row sees
    };

    static size_t row_floats(const Forward& p) { return padded(query_features(p)) + padded(p.head_dim_v); }

    static size_t scratch_bytes(const Forward& p, int32_t rows_per_item) {
        return size_t{1} * p.num_heads_kv * rows_per_item * (row_floats(p) * sizeof(float) + sizeof(Row));
    }

    static Kernel kernel(const Forward&) { return Kernel{TileShape{kPlanRows, kChunkKeys}, scratch_bytes, attend}; }

    static void attend(const Forward& p, const Plan& plan, const Partials& partials, const WorkItem& item,
                       void* scratch) {
        with_dtype(p.dtype, [&](auto tag) {
            RowAttention(p, plan, item, scratch).template run<decltype(tag)::kDType>(partials);
        });
    }

private:
    RowAttention(const Forward& p, const Plan& plan, const WorkItem& item, void* scratch)
        : p_(p),
          plan_(plan),
          item_(item),
          s_(p.sequence(item.n)),
          view_(p.kv_view(item.n)),
          mask_(p.mask_of(s_)),
          rows_(item.row_end - item.row_begin),
          heads_(item.kv_head_end - item.kv_head_begin),
          states_(static_cast<Row*>(scratch)) {
        float* memory = reinterpret_cast<float*>(states_ + size_t{1} * heads_ * rows_);
        const int32_t features = query_features(p);
        for (int32_t h = 0; h < heads_; ++h) {
            for (int32_t r = 0; r < rows_; ++r) {
                const PackedRow packed = plan.packed_row(item.kv_head_begin + h, item.row_begin + r);
                Row& row = state(h, r);
                row.q = memory;
                row.o = memory + padded(features);
                memory += row_floats(p);
                for (int32_t i = features; i < padded(features); ++i) row.q[i] = 0.0f;
                load_query_row<S>(p, s_, packed, row.q);
                for (int32_t i = 0; i < padded(p.head_dim_v); ++i) row.o[i] = 0.0f;
                row.m = -INFINITY;
                row.l = 0.0f;
                row.slope = p.score.alibi_slopes.at(s_.n, packed.head_q, 0.0f);
                row.position = mask_.position(packed.i);
                row.keys = mask_.visible(packed.i);
            }
        }
    }

    Row& state(int32_t head, int32_t r) { return states_[head * rows_ + r]; }

    template <DType kType>
    void run(const Partials& partials) {
        const int32_t i_begin = plan_.packed_row(0, item_.row_begin).i;
        const int32_t i_end = plan_.packed_row(0, item_.row_end - 1).i + 1;
        const KeyRange keys = plan_.split_range(mask_.visible_to_any(i_begin, i_end), item_.split);
        if (!keys.empty()) {
            // Chunks lie on absolute multiples of kChunkKeys, so that a split does not move the others' boundaries.
            locate(next_, keys.begin, min_of(round_up(keys.begin + 1, kChunkKeys), keys.end));
            while (next_.count > 0) {
                chunk_ = next_;
                const int32_t begin = chunk_.begin + chunk_.count;
                locate(next_, begin, min_of(begin + kChunkKeys, keys.end));
                ahead_ = Prefetch(*this, sizeof(Storage<kType>));
                for (int32_t h = 0; h < heads_; ++h) attend_head<kType>(h);
            }
        }
        for (int32_t h = 0; h < heads_; ++h) {
            for (int32_t r = 0; r < rows_; ++r) {
                const Row& row = state(h, r);
                write_row<S>(p_, plan_, partials, s_, item_.kv_head_begin + h, item_.split, item_.row_begin + r, row.o,
                             row.m, row.l);
            }
        }
    }

    // Where the keys of a chunk lie: element offsets of their rows of head 0.
    struct Chunk {
        int32_t begin = 0;
        int32_t count = 0;
        int64_t k[kChunkKeys];
        int64_t v[kChunkKeys];
    };

    void locate(Chunk& chunk, int32_t begin, int32_t end) const {
        chunk.begin = begin;
        chunk.count = max_of(0, end - begin);
        for (int32_t j = begin; j < end;) {
            const KvRun run = view_.run(j, end);
            for (int32_t i = 0; i < run.length; ++i, ++j) {
                chunk.k[j - begin] = p_.k_cache.offset(run.block, run.row + i, 0);
                chunk.v[j - begin] = p_.v_cache.offset(run.block, run.row + i, 0);
            }
        }
    }

    // Walks over the lines of the next chunk's rows, each row complete over the item's heads, K and V in turn.
    class Prefetch {
    public:
        Prefetch() = default;
        Prefetch(const RowAttention& a, int32_t element_size)
            : owner_(&a),
              element_size_(element_size),
              k_span_(span(a, a.p_.k_cache, a.p_.head_dim)),
              v_span_(span(a, a.p_.v_cache, a.p_.head_dim_v)),
              // Evenly over the chunk, with one share to spare.
              lines_per_step_(static_cast<int32_t>(
                  ceil_div(int64_t{a.next_.count} * (k_span_ + v_span_) / kLine, int64_t{a.steps_per_chunk() - 1}))) {}

        FA_HOST_DEVICE void step() {
            for (int32_t i = 0; i < lines_per_step_; ++i) {
                if (at_ >= end_ && !next_row()) return;
                S::prefetch_l2(at_);
                at_ += kLine;
            }
        }

    private:
        static constexpr int32_t kLine = 64;

        // Bytes from the first to the last of the item's heads in one cache row.
        int64_t span(const RowAttention& a, const KvTensor& t, int32_t features) const {
            return ((a.heads_ - 1) * t.stride_head + features) * element_size_;
        }

        bool next_row() {
            const Chunk& chunk = owner_->next_;
            if (row_ == 2 * chunk.count) return false;
            const int32_t j = row_ / 2;
            const bool is_v = row_ % 2 == 1;
            const KvTensor& t = is_v ? owner_->p_.v_cache : owner_->p_.k_cache;
            const int64_t element = (is_v ? chunk.v[j] : chunk.k[j]) + owner_->item_.kv_head_begin * t.stride_head;
            at_ = static_cast<const char*>(t.data) + element * element_size_;
            end_ = at_ + (is_v ? v_span_ : k_span_);
            ++row_;
            return true;
        }

        const RowAttention* owner_ = nullptr;
        int32_t element_size_ = 0;
        int64_t k_span_ = 0;
        int64_t v_span_ = 0;
        int32_t lines_per_step_ = 0;
        int32_t row_ = 0;
        const char* at_ = nullptr;
        const char* end_ = nullptr;
    };

    // How often the arithmetic of a chunk calls ahead_.step().
    int32_t steps_per_chunk() const {
        const int32_t blocks = rows_ / kRowBlock + rows_ % kRowBlock;
        return heads_ * blocks * (ceil_div(chunk_.count, kKeyBlock) + chunk_.count);
    }

    template <DType kType>
    void attend_head(int32_t h) {
        const int32_t kv_head = item_.kv_head_begin + h;
        const Logits<S> logits(p_.score, s_.n, kv_head);
        const Storage<kType>* k = element<kType>(p_.k_cache.data, kv_head * p_.k_cache.stride_head);
        const Storage<kType>* v = element<kType>(p_.v_cache.data, kv_head * p_.v_cache.stride_head);
        int32_t r = 0;
        for (; r + kRowBlock <= rows_; r += kRowBlock) attend_block<kType, kRowBlock>(&state(h, r), k, v, logits);
        for (; r < rows_; ++r) attend_block<kType, 1>(&state(h, r), k, v, logits);
    }

    // kRows rows of one kv head against the chunk.
    template <DType kType, int32_t kRows>
    void attend_block(Row* rows, const Storage<kType>* k, const Storage<kType>* v, const Logits<S>& logits) {
        alignas(64) float p[kRows][kChunkKeys];
        float correction[kRows];
        for (int32_t j = 0; j < chunk_.count; j += kKeyBlock) {
            dot_products<kType, kRows>(rows, k, v, j, p);
            ahead_.step();
        }
        for (int32_t r = 0; r < kRows; ++r) correction[r] = softmax(rows[r], p[r], logits);
        const int32_t dv = p_.head_dim_v;
        int32_t column = 0;
        for (; column + kColumnBlock * S::kWidth <= dv; column += kColumnBlock * S::kWidth) {
            accumulate<kType, kRows, kColumnBlock>(rows, v + column, column, S::kWidth, p, correction);
        }
        for (; column < dv; column += S::kWidth) {
            accumulate<kType, kRows, 1>(rows, v + column, column, min_of(S::kWidth, dv - column), p, correction);
        }
    }

    // p[r][j .. j + kKeyBlock) = q_r . k_j (+ qv_r . v_j). Keys beyond the chunk repeat its last one; softmax drops
    // them.
    template <DType kType, int32_t kRows>
    void dot_products(const Row* rows, const Storage<kType>* k, const Storage<kType>* v, int32_t j,
                      float (*p)[kChunkKeys]) const {
        F sum[kRows][kKeyBlock];
        for (int32_t r = 0; r < kRows; ++r) {
            for (int32_t b = 0; b < kKeyBlock; ++b) sum[r][b] = S::zero();
        }
        const Storage<kType>* row[kKeyBlock];
        for (int32_t b = 0; b < kKeyBlock; ++b) row[b] = k + chunk_.k[min_of(j + b, chunk_.count - 1)];
        multiply_add<kType, kRows>(rows, 0, row, p_.head_dim, sum);
        if (p_.qv.data) {
            for (int32_t b = 0; b < kKeyBlock; ++b) row[b] = v + chunk_.v[min_of(j + b, chunk_.count - 1)];
            multiply_add<kType, kRows>(rows, p_.head_dim, row, p_.head_dim_v, sum);
        }
        for (int32_t r = 0; r < kRows; ++r) S::reduce_add4(sum[r][0], sum[r][1], sum[r][2], sum[r][3], p[r] + j);
    }

    template <DType kType, int32_t kRows>
    FA_HOST_DEVICE static void multiply_add(const Row* rows, int32_t first_feature, const Storage<kType>* const* keys,
                                            int32_t features, F (*sum)[kKeyBlock]) {
        int32_t i = 0;
        for (; i + S::kWidth <= features; i += S::kWidth) {
            F key[kKeyBlock];
            for (int32_t b = 0; b < kKeyBlock; ++b) key[b] = S::template load_as_f32<kType>(keys[b] + i);
            for (int32_t r = 0; r < kRows; ++r) {
                const F q = S::load(rows[r].q + first_feature + i);
                for (int32_t b = 0; b < kKeyBlock; ++b) sum[r][b] = S::fma(q, key[b], sum[r][b]);
            }
        }
        if (i == features) return;
        const int32_t rest = features - i;
        F key[kKeyBlock];
        for (int32_t b = 0; b < kKeyBlock; ++b) key[b] = S::template load_as_f32_n<kType>(keys[b] + i, rest);
        for (int32_t r = 0; r < kRows; ++r) {
            const F q = S::load_n(rows[r].q + first_feature + i, rest);
            for (int32_t b = 0; b < kKeyBlock; ++b) sum[r][b] = S::fma(q, key[b], sum[r][b]);
        }
    }

    // Turns dot products into probabilities relative to the row's new maximum; returns what the old sums shrink by.
    float softmax(Row& row, float* p, const Logits<S>& logits) const {
        const F hidden = S::set1(-INFINITY);
        const F slope = S::set1(row.slope);
        F x[kKeyVectors];
        F max = hidden;
        for (int32_t i = 0; i < kKeyVectors; ++i) {
            const int32_t offset = i * S::kWidth;
            const auto j = S::add_i(S::set1_i(chunk_.begin + offset), S::iota_i());
            x[i] = S::load(p + offset);
            if (!logits.plain) {
                x[i] = logits(x[i], slope, S::sub(S::set1(static_cast<float>(row.position)), S::to_f32(j)));
            }
            const auto seen = S::both(S::ge(j, S::set1_i(row.keys.begin)), S::lt(j, S::set1_i(chunk_end(row))));
            x[i] = S::select(seen, x[i], hidden);
            max = S::max(max, x[i]);
        }
        const float m = max_of(row.m, S::reduce_max(max) * logits.to_log2);
        // While nothing was seen, -inf - -inf must not become NaN.
        const F minus_m = S::set1(m == -INFINITY ? 0.0f : -m);
        F sum = S::zero();
        for (int32_t i = 0; i < kKeyVectors; ++i) {
            const F e = S::template exp2<5>(S::fma(x[i], S::set1(logits.to_log2), minus_m));
            S::store(p + i * S::kWidth, e);
            sum = S::add(sum, e);
        }
        const float correction = row.m == m ? 1.0f : ::exp2f(row.m - m);
        row.m = m;
        row.l = row.l * correction + S::reduce_add(sum);
        return correction;
    }

    int32_t chunk_end(const Row& row) const { return min_of(row.keys.end, chunk_.begin + chunk_.count); }

    // O[r][column .. ) = O * correction + P V for kVectors vectors of columns, the last of them `lanes` wide.
    template <DType kType, int32_t kRows, int32_t kVectors>
    void accumulate(Row* rows, const Storage<kType>* v, int32_t column, int32_t lanes, const float (*p)[kChunkKeys],
                    const float* correction) {
        F o[kRows][kVectors];
        for (int32_t r = 0; r < kRows; ++r) {
            for (int32_t c = 0; c < kVectors; ++c) {
                o[r][c] = S::mul(S::load(rows[r].o + column + c * S::kWidth), S::set1(correction[r]));
            }
        }
        for (int32_t j = 0; j < chunk_.count; ++j) {
            if (column == 0) ahead_.step();
            const Storage<kType>* row = v + chunk_.v[j];
            F value[kVectors];
            if (lanes == S::kWidth) {
                for (int32_t c = 0; c < kVectors; ++c) value[c] = S::template load_as_f32<kType>(row + c * S::kWidth);
            } else {
                value[0] = S::template load_as_f32_n<kType>(row, lanes);
            }
            for (int32_t r = 0; r < kRows; ++r) {
                const F weight = S::set1(p[r][j]);
                for (int32_t c = 0; c < kVectors; ++c) o[r][c] = S::fma(weight, value[c], o[r][c]);
            }
        }
        for (int32_t r = 0; r < kRows; ++r) {
            for (int32_t c = 0; c < kVectors; ++c) S::store(rows[r].o + column + c * S::kWidth, o[r][c]);
        }
    }

    const Forward& p_;
    const Plan& plan_;
    const WorkItem& item_;
    const Sequence s_;
    const KvView view_;
    const Mask mask_;
    const int32_t rows_;
    const int32_t heads_;
    Row* const states_;
    Chunk chunk_;
    Chunk next_;
    Prefetch ahead_;
};

}  // namespace
}  // namespace flash_attn_npu::cpu
