// SPDX-License-Identifier: BSD-3-Clause
// Merges the partial results of KV splits on the vector cores: lse = logsumexp_s(lse_s),
// out = sum_s exp(lse_s - lse) * out_s, in the order of the splits.
//
// Partial results of one split lie row after row in the order of Plan::accum_row, and those of the next split a fixed
// distance further: a tile is a run of neighbouring rows, whatever head or sequence they belong to.
#pragma once
#include "arch/buffer_ring.h"
#include "arch/memory_plan.h"
#include "contract/arguments.h"
#include "passes/row_ranges.h"
#include "tile/softmax.h"
#include "tile/strided_rows.h"

namespace flash_attn_npu::ascend::passes {

/// Query rows [i, i + rows) of one head of one sequence.
struct HeadRows {
    int32_t n;
    int32_t head_q;
    int32_t i;
    int32_t rows;
};

/// The rows of a split's partial results in the order in which they lie in memory, without those that belong to no
/// query
/// (beyond seqused_q, or between packed sequences).
class PartialRows {
public:
    __aicore__ inline PartialRows(const Forward& request, RowRange range)
        : p_(request), at_(range.begin), end_(range.end) {
        rows_per_head_ = p_.cu_seqlens_q ? p_.total_q : p_.max_seqlen_q;
    }

    /// The next rows, at most `most`; `row`: where they lie. False at the end.
    __aicore__ inline bool Next(int32_t most, HeadRows& piece, int64_t& row) {
        while (at_ < end_) {
            const int64_t head = at_ / rows_per_head_;
            const int64_t in_head = at_ - head * rows_per_head_;
            const bool packed = p_.cu_seqlens_q != nullptr;
            FindSequence(packed ? sequence_of_row(p_.cu_seqlens_q, p_.batch, p_.q_row_base(), in_head)
                                : static_cast<int32_t>(head / p_.num_heads_q));
            const int64_t i = in_head - s_.q_row;
            if (i >= 0 && i < s_.seqlen_q) {
                const int64_t rows = min_of<int64_t>(min_of<int64_t>(most, s_.seqlen_q - i), end_ - at_);
                piece = HeadRows{s_.n, static_cast<int32_t>(packed ? head : head % p_.num_heads_q),
                                 static_cast<int32_t>(i), static_cast<int32_t>(rows)};
                row = at_;
                at_ += rows;
                return true;
            }
            const int64_t next =
                packed ? row_after_gap(p_.cu_seqlens_q, p_.batch, p_.q_row_base(), n_, in_head, rows_per_head_)
                       : rows_per_head_;
            at_ += next - in_head;
        }
        return false;
    }

    /// Of the rows Next returned last.
    __aicore__ inline const Sequence& sequence() const { return s_; }

private:
    __aicore__ inline void FindSequence(int32_t n) {
        if (n == n_) return;
        n_ = n;
        s_ = p_.bounded_sequence(n);
    }

    const Forward& p_;
    int64_t at_;
    int64_t end_;
    int64_t rows_per_head_;
    int32_t n_ = -1;
    Sequence s_;
};

template <class ElementOut>
struct CombineUbPlan : arch::MemoryPlan {
    static constexpr int32_t kMostRows = 64;        // lanes of one float instruction
    static constexpr int32_t kPartElements = 8192;  // floats of a buffer of partial results
    static constexpr int32_t kWeights = 4096;       // splits x rows of a tile; 512 splits of 8 rows are the most

    arch::Place<float> part[2] = {Take<float, kPartElements>(), Take<float, kPartElements>()};
    arch::Place<float> sum_of_parts = Take<float, kPartElements>();
    arch::Place<ElementOut> out = Take<ElementOut, kPartElements>();
    arch::Place<float> weight = Take<float, kWeights>();
    arch::Place<float> broadcast[2] = {Take<float, kMostRows * 8>(), Take<float, kMostRows * 8>()};
    arch::Place<float> lse_blocks = Take<float, kMostRows * 8>();
    arch::Place<float> max = Take<float, kMostRows>();
    arch::Place<float> sum = Take<float, kMostRows>();
    arch::Place<float> lse = Take<float, kMostRows>();
    arch::Place<float> offset = Take<float, kMostRows>();
    arch::Place<float> masked = Take<float, kMostRows>();
    arch::Place<uint8_t> seen = Take<uint8_t, 32>();
};

template <class ArchTag, class ElementOut>
class Combine {
public:
    __aicore__ inline Combine(arch::Resource<ArchTag>& resource, const AttentionArguments& arguments)
        : p_(arguments.request), splits_(arguments.plan.num_splits) {
        rows_per_split_ = arguments.plan.accum_rows(p_) / splits_;
        pitch_ = round_up(p_.head_dim_v, 16);
        most_rows_ = min_of(kMostRows, min_of(kPartElements / pitch_, kWeights / splits_)) / 8 * 8;
        gm_part_.SetGlobalBuffer(p_.out_accum);
        gm_part_lse_.SetGlobalBuffer(p_.lse_accum);
        gm_out_.SetGlobalBuffer(static_cast<__gm__ ElementOut*>(p_.out.data));
        gm_lse_.SetGlobalBuffer(p_.lse);

        part_[0] = arch::TensorAt(resource.ubBuf, kPlan.part[0]);
        part_[1] = arch::TensorAt(resource.ubBuf, kPlan.part[1]);
        sum_of_parts_ = arch::TensorAt(resource.ubBuf, kPlan.sum_of_parts);
        out_ = arch::TensorAt(resource.ubBuf, kPlan.out);
        weight_ = arch::TensorAt(resource.ubBuf, kPlan.weight);
        broadcast_[0] = arch::TensorAt(resource.ubBuf, kPlan.broadcast[0]);
        broadcast_[1] = arch::TensorAt(resource.ubBuf, kPlan.broadcast[1]);
        lse_blocks_ = arch::TensorAt(resource.ubBuf, kPlan.lse_blocks);
        max_ = arch::TensorAt(resource.ubBuf, kPlan.max);
        sum_ = arch::TensorAt(resource.ubBuf, kPlan.sum);
        lse_ = arch::TensorAt(resource.ubBuf, kPlan.lse);
        offset_ = arch::TensorAt(resource.ubBuf, kPlan.offset);
        masked_ = arch::TensorAt(resource.ubBuf, kPlan.masked);
        seen_ = arch::TensorAt(resource.ubBuf, kPlan.seen);
    }

    __aicore__ inline void operator()() {
        using namespace AscendC;
        Duplicate(max_, 0.0f, kMostRows);  // lanes beyond the rows of a tile are compared too
        Duplicate(offset_, 0.0f, kMostRows);
        Duplicate(masked_, p_.lse_of_masked_row, kMostRows);
        Events events;
        PartialRows walk(p_, share_of_core(rows_per_split_, GetBlockIdx(), GetBlockNum()));
        HeadRows piece;
        int64_t row;
        bool more = walk.Next(most_rows_, piece, row);
        while (more) {
            // A tile: pieces that follow each other without a gap.
            pieces_ = 0;
            rows_ = 0;
            first_row_ = row;
            do {
                Place& place = place_[pieces_++];
                place.rows = piece.rows;
                place.out = p_.out.offset(piece.n, walk.sequence().q_row + piece.i, piece.head_q);
                place.lse =
                    piece.n * p_.lse_stride_batch + piece.head_q * p_.lse_stride_head + walk.sequence().q_row + piece.i;
                if (p_.score.alibi_lse_offset) SetOffsets(walk.sequence(), piece);
                rows_ += piece.rows;
                more = walk.Next(rows_ < most_rows_ ? most_rows_ - rows_ : most_rows_, piece, row);
            } while (more && rows_ < most_rows_ && row == first_row_ + rows_);
            Tile(events);
        }
    }

private:
    using Plan = CombineUbPlan<ElementOut>;
    static constexpr Plan kPlan{};
    static_assert(kPlan.end() <= ArchTag::kUbBytes, "UB overflows");
    static constexpr int32_t kMostRows = Plan::kMostRows, kPartElements = Plan::kPartElements;
    static constexpr int32_t kWeights = Plan::kWeights;
    static constexpr float kEmptyLse = -1e30f;  // stands for -inf, which must not meet -inf

    using Event = AscendC::HardEvent;
    /// Of the buffers: partial results, LSEs, results. A tile begins with the first buffer of partial results.
    struct Events {
        arch::BufferSet<Event::MTE2_V, Event::V_MTE2, 2, 0> parts;
        arch::BufferRing<Event::MTE2_V, Event::V_MTE2, 1, 2> weights;
        arch::BufferRing<Event::V_MTE3, Event::MTE3_V, 1, 0> out;
    };

    /// Where a piece's rows go.
    struct Place {
        int32_t rows;
        int64_t out;
        int64_t lse;
    };

    /// FlashAttention-2's ALiBi offset of the LSE, row by row: few calls need it.
    __aicore__ inline void SetOffsets(const Sequence& s, const HeadRows& piece) {
        using namespace AscendC;
        if (pieces_ == 1) {
            arch::HandOver<HardEvent::V_S>(0);
        }
        const float slope = p_.score.alibi_slopes.at(piece.n, piece.head_q, 0.0f);
        for (int32_t k = 0; k < piece.rows; ++k) {
            offset_.SetValue(rows_ + k, p_.score.lse_offset(slope, p_.mask_of(s).position(piece.i + k)));
        }
    }

    __aicore__ inline void Tile(Events& events) {
        lanes_ = round_up(rows_, 8);
        LoadLse(events);
        const int32_t splits_per_load = min_of(splits_, kPartElements / (rows_ * pitch_));
        LoadParts(events, 0, min_of(splits_per_load, splits_), 0);
        Weights(events);
        int32_t slot = 0;
        events.out.BeginFill();
        AscendC::Duplicate(sum_of_parts_, 0.0f, rows_ * pitch_);
        for (int32_t split = 0; split < splits_; split += splits_per_load) {
            const int32_t next = split + splits_per_load;
            if (next < splits_) LoadParts(events, next, min_of(splits_per_load, splits_ - next), 1 - slot);
            Accumulate(events, split, min_of(splits_per_load, splits_ - split), slot);
            slot = 1 - slot;
        }
        events.weights.EndUse();
        Round();
        events.out.EndFill();
        events.out.BeginUse();
        Store();
        events.out.EndUse();
    }

    /// weight_[split][lane] = the partial LSEs; lanes beyond the rows are 0.
    __aicore__ inline void LoadLse(Events& events) {
        using namespace AscendC;
        events.weights.BeginFill();
        const DataCopyPadExtParams<float> zeros(true, 0, static_cast<uint8_t>(lanes_ - rows_), 0.0f);
        const int64_t gap = (rows_per_split_ - rows_) * static_cast<int64_t>(sizeof(float));
        const uint32_t bytes = rows_ * sizeof(float);
        if (gap <= UINT32_MAX) {
            DataCopyPad(weight_, gm_part_lse_[first_row_],
                        DataCopyExtParams(static_cast<uint16_t>(splits_), bytes, static_cast<uint32_t>(gap), 0, 0),
                        zeros);
        } else {
            for (int32_t split = 0; split < splits_; ++split) {
                DataCopyPad(weight_[split * lanes_], gm_part_lse_[split * rows_per_split_ + first_row_],
                            DataCopyExtParams(1, bytes, 0, 0, 0), zeros);
            }
        }
        events.weights.EndFill();
    }

    __aicore__ inline void LoadParts(Events& events, int32_t split, int32_t splits, int32_t slot) {
        using namespace AscendC;
        events.parts.BeginFill(slot);
        const bool whole = p_.head_dim_v == pitch_;  // the tile's rows of a split are one run
        const tile::RowsShape runs{static_cast<uint32_t>(splits), static_cast<uint32_t>(rows_ * pitch_),
                                   rows_per_split_ * pitch_, static_cast<uint32_t>(rows_ * pitch_)};
        const tile::RowsShape rows{static_cast<uint32_t>(rows_), static_cast<uint32_t>(p_.head_dim_v), p_.head_dim_v,
                                   static_cast<uint32_t>(pitch_)};
        if (whole) {
            tile::LoadRows(part_[slot], gm_part_[(split * rows_per_split_ + first_row_) * pitch_], runs);
        } else {
            for (int32_t k = 0; k < splits; ++k) {
                const int64_t from = ((split + k) * rows_per_split_ + first_row_) * p_.head_dim_v;
                tile::LoadRows(part_[slot][k * rows_ * pitch_], gm_part_[from], rows);
            }
        }
        events.parts.EndFill(slot);
    }

    /// From partial LSEs to normalised weights, and the LSE of each row.
    __aicore__ inline void Weights(Events& events) {
        using namespace AscendC;
        const int32_t count = splits_ * lanes_;
        events.weights.BeginUse();
        Maxs(weight_, weight_, kEmptyLse, count);
        Duplicate(max_, kEmptyLse, lanes_);
        Duplicate(sum_, 0.0f, lanes_);
        tile::VectorBarrier();
        tile::WeightsFromLse(tile::PartTable{weight_, splits_, lanes_, lanes_}, max_, sum_,
                             [&] { Exp(weight_, weight_, count); });
        tile::VectorBarrier();
        Ln(sum_, sum_, lanes_);
        tile::VectorBarrier();
        Add(sum_, sum_, max_, lanes_);
        tile::VectorBarrier();
    }

    /// sum_of_parts_ += weight * part for `splits` splits, in their order.
    __aicore__ inline void Accumulate(Events& events, int32_t first_split, int32_t splits, int32_t slot) {
        using namespace AscendC;
        constexpr int32_t kLanes = 64;
        const uint8_t row_blocks = static_cast<uint8_t>(pitch_ / 8);
        events.parts.BeginUse(slot);
        for (int32_t k = 0; k < splits; ++k) {
            const LocalTensor<float>& weight = broadcast_[(first_split + k) % 2];
            Brcb(weight, weight_[(first_split + k) * lanes_], static_cast<uint8_t>(lanes_ / 8), BrcbRepeatParams(1, 8));
            tile::VectorBarrier();
            for (int32_t column = 0; column < p_.head_dim_v; column += kLanes) {
                MulAddDst(sum_of_parts_[column], part_[slot][k * rows_ * pitch_ + column], weight,
                          static_cast<uint64_t>(min_of(kLanes, p_.head_dim_v - column)), static_cast<uint8_t>(rows_),
                          BinaryRepeatParams(1, 1, 0, row_blocks, row_blocks, 1));
            }
        }
        tile::VectorBarrier();
        events.parts.EndUse(slot);
    }

    /// sum_of_parts_ -> out_, sum_ -> lse_blocks_ (one 32-byte block per row).
    __aicore__ inline void Round() {
        using namespace AscendC;
        constexpr int32_t kLanes = 64;
        for (int32_t column = 0; column < p_.head_dim_v; column += kLanes) {
            Cast(out_[column], sum_of_parts_[column], RoundMode::CAST_RINT,
                 static_cast<uint64_t>(min_of(kLanes, p_.head_dim_v - column)), static_cast<uint8_t>(rows_),
                 UnaryRepeatParams(1, 1, static_cast<uint8_t>(pitch_ / 16), static_cast<uint8_t>(pitch_ / 8)));
        }
        if (p_.score.alibi_lse_offset) {
            arch::HandOver<HardEvent::S_V>(0);
            Add(sum_, sum_, offset_, lanes_);
            tile::VectorBarrier();
        }
        Compares(seen_, max_, kEmptyLse, CMPMODE::GT, kMostRows);
        tile::VectorBarrier();
        Select(lse_, seen_, sum_, masked_, SELMODE::VSEL_CMPMASK_SPR, static_cast<uint64_t>(lanes_), 1,
               BinaryRepeatParams(1, 1, 1, 8, 8, 8));
        tile::VectorBarrier();
        Brcb(lse_blocks_, lse_, static_cast<uint8_t>(lanes_ / 8), BrcbRepeatParams(1, 8));
    }

    __aicore__ inline void Store() {
        StoreRuns<&Place::out>(gm_out_, out_, p_.head_dim_v, pitch_, p_.out.stride_row);
        if (p_.lse != nullptr) StoreRuns<&Place::lse>(gm_lse_, lse_blocks_, 1, 8, 1);
    }

    /// Stores the tile's rows, as many as lie evenly in one instruction: rows of a head are `stride` elements apart;
    /// single rows of several heads or sequences often are evenly apart too.
    template <int64_t Place::* kWhere, class Element>
    __aicore__ inline void StoreRuns(const AscendC::GlobalTensor<Element>& gm, const AscendC::LocalTensor<Element>& src,
                                     int32_t elements, int32_t pitch, int64_t stride) {
        int32_t row = 0;
        for (int32_t k = 0; k < pieces_;) {
            const int64_t begin = place_[k].*kWhere;
            int64_t step = stride;
            int32_t rows = place_[k].rows;
            int32_t next = k + 1;
            // A step backwards (from the last row of a head to the first of the next) is left to the next instruction.
            if (rows == 1 && next < pieces_ && place_[next].*kWhere > begin) step = place_[next].*kWhere - begin;
            while (next < pieces_ && place_[next].*kWhere == begin + rows * step &&
                   (place_[next].rows == 1 || step == stride)) {
                rows += place_[next++].rows;
            }
            tile::StoreRows(gm[begin], src[row * pitch],
                            tile::RowsShape{static_cast<uint32_t>(rows), static_cast<uint32_t>(elements), step,
                                            static_cast<uint32_t>(pitch)});
            row += rows;
            k = next;
        }
    }

    const Forward& p_;
    const int32_t splits_;
    int64_t rows_per_split_;
    int32_t pitch_;      // elements from row to row in UB
    int32_t most_rows_;  // of a tile

    // The tile.
    int64_t first_row_ = 0;
    int32_t rows_ = 0;
    int32_t lanes_ = 0;  // rows_, rounded up to whole blocks
    int32_t pieces_ = 0;
    Place place_[kMostRows];

    AscendC::GlobalTensor<float> gm_part_, gm_part_lse_, gm_lse_;
    AscendC::GlobalTensor<ElementOut> gm_out_;
    AscendC::LocalTensor<float> part_[2], sum_of_parts_, weight_, broadcast_[2], lse_blocks_;
    AscendC::LocalTensor<float> max_, sum_, lse_, offset_, masked_;
    AscendC::LocalTensor<ElementOut> out_;
    AscendC::LocalTensor<uint8_t> seen_;
};

}  // namespace flash_attn_npu::ascend::passes
