// SPDX-License-Identifier: BSD-3-Clause
// What has to happen to the operands before attention, on the vector cores: new keys and values go into the caches
// (keys rotated), queries are rotated and, for fp8, converted to half.
//
// Every core takes a run of neighbouring tokens with all their heads, so that the rows of a token, which may share a
// 32-byte block of memory, have one writer. Stores are byte exact.
#pragma once
#include "arch/buffer_ring.h"
#include "arch/memory_plan.h"
#include "contract/prepare.h"
#include "passes/rotary.h"
#include "passes/row_ranges.h"
#include "tile/fp8.h"
#include "tile/strided_rows.h"

namespace flash_attn_npu::ascend::passes {

/// The element of a dtype in memory, the 16-bit one it is computed from, and how a rotated value is rounded to that.
template <DType kDType>
struct PreparedType {
    using Stored = half;
    using Wide = half;
};
template <>
struct PreparedType<DType::kBFloat16> {
    using Stored = bfloat16_t;
    using Wide = bfloat16_t;
};
template <>
struct PreparedType<DType::kFloat8E4M3> {
    using Stored = uint8_t;
    using Wide = half;
};

template <class Stored, class Wide>
struct PrepareUbPlan : arch::MemoryPlan {
    static constexpr bool kFp8 = sizeof(Stored) == 1;
    static constexpr int32_t kSlots = 3;
    static constexpr uint32_t kSlotBytes = 16384;
    static constexpr int32_t kTileElements = 4096;  // of a tile that is computed on
    using Rotate = RotateRows<Wide, kTileElements>;

    arch::Place<uint8_t> slots = Take<uint8_t, kSlots * kSlotBytes>();
    arch::Place<float> tables = Take<float, Rotate::kTableBytes / sizeof(float)>();
    arch::Place<uint8_t> work = Take<uint8_t, Rotate::kWorkBytes>();
    arch::Place<int32_t> rotary_constants = Take<int32_t, Rotate::kConstantBytes / sizeof(int32_t)>();
    arch::Place<int16_t> to_half = Take<int16_t, tile::Fp8ToHalf::kConstantBytes / sizeof(int16_t)>();
    arch::Place<int16_t> to_fp8 = Take<int16_t, tile::HalfToFp8::kConstantBytes / sizeof(int16_t)>();
    arch::Place<Stored> raw_tables[2] = {Take<Stored, kTileElements>(), Take<Stored, kTileElements>()};
    arch::Place<half> half_tables[2] = {Take<half, kFp8 ? kTileElements : 0>(), Take<half, kFp8 ? kTileElements : 0>()};
};

template <class ArchTag, DType kDType>
class Prepare {
public:
    using Stored = typename PreparedType<kDType>::Stored;
    using Wide = typename PreparedType<kDType>::Wide;

    __aicore__ inline Prepare(arch::Resource<ArchTag>& resource, const PrepareArguments& arguments)
        : p_(arguments.request),
          folded_scale_(arguments.folded_scale),
          prepared_q_(prepared_q(arguments.request, arguments.prepared_q)),
          rotary_dim_(p_.rotary.enabled() && p_.rotary.seqlen > 0 ? p_.rotary.dim : 0),
          ub_(resource.ubBuf),
          rotate_(At(kPlan.tables), Work<float>(), At(kPlan.rotary_constants), static_cast<uint32_t>(rotary_dim_),
                  p_.rotary.interleaved),
          to_half_(At(kPlan.to_half)),
          to_fp8_(At(kPlan.to_fp8)) {}

    __aicore__ inline void operator()() {
        const int64_t core = AscendC::GetBlockIdx(), cores = AscendC::GetBlockNum();
        // From the other end than the new keys: when there are fewer rows than cores, both get cores of their own.
        if (prepares_q(p_)) PrepareQueries(share_of_core(QueryRows(), cores - 1 - core, cores));
        if (p_.k_new.data != nullptr) Append(share_of_core(NewRows(), core, cores));
    }

private:
    static constexpr bool kFp8 = kDType == DType::kFloat8E4M3;
    using Plan = PrepareUbPlan<Stored, Wide>;
    static constexpr Plan kPlan{};
    static_assert(kPlan.end() <= ArchTag::kUbBytes, "UB overflows");
    static constexpr int32_t kSlots = Plan::kSlots, kTileElements = Plan::kTileElements;
    static constexpr uint32_t kSlotBytes = Plan::kSlotBytes;
    static constexpr int32_t kMostRows = 255;  // repeats of one instruction

    using Rotate = typename Plan::Rotate;
    // In a slot of fp8 elements their halves come after them.
    static constexpr uint32_t kHalfInSlot = kTileElements;

    template <class T>
    __aicore__ inline AscendC::LocalTensor<T> At(arch::Place<T> place, uint32_t first = 0) const {
        return arch::TensorAt(ub_, place, first);
    }
    template <class T>
    __aicore__ inline AscendC::LocalTensor<T> Work() const {
        return At(kPlan.work).template ReinterpretCast<T>();
    }

    /// Rows (token, head) on their way: `token`, `head` strides in elements.
    struct Side {
        int64_t offset;
        int64_t token;
        int64_t head;
    };
    struct Move {
        Side from;
        Side to;
        int32_t tokens;
        int32_t heads;
        int32_t dim;
        int32_t position;  // in the rotary tables, of the first token
        bool per_token;    // the following tokens stand at the following positions
        int32_t n = 0;     // sequence and first head, of queries
        int32_t head = 0;
    };
    enum class Kind { kCopy, kKey, kQuery };

    __aicore__ inline int64_t QueryRows() const {
        return p_.cu_seqlens_q ? p_.total_q : int64_t{p_.batch} * p_.max_seqlen_q;
    }
    __aicore__ inline int64_t NewRows() const {
        return p_.cu_seqlens_k_new ? p_.total_new : int64_t{p_.batch} * p_.seqlen_new;
    }

    __aicore__ inline void PrepareQueries(RowRange range) {
        SequenceWalk<&Sequence::q_row, &Sequence::seqlen_q> walk(p_, p_.cu_seqlens_q, p_.q_row_base(), p_.max_seqlen_q,
                                                                 range);
        SequenceRows next;
        while (walk.Next(next)) {
            const Sequence& s = next.s;
            Move move;
            move.from = Side{p_.q.offset(s.n, s.q_row + next.i, 0), p_.q.stride_row, p_.q.stride_head};
            move.to =
                Side{prepared_q_.offset(s.n, s.q_row + next.i, 0), prepared_q_.stride_row, prepared_q_.stride_head};
            move.tokens = next.rows;
            move.heads = p_.num_heads_q;
            move.dim = p_.head_dim;
            move.position = p_.rotary.q_position(s.rotary_start, next.i);
            move.per_token = p_.rotary.q_per_row;
            move.n = s.n;
            Run<Kind::kQuery, Wide>(p_.q.data, prepared_q_.data, move);
        }
    }

    __aicore__ inline void Append(RowRange range) {
        SequenceWalk<&Sequence::new_row, &Sequence::seqlen_new> walk(p_, p_.cu_seqlens_k_new, 0, p_.seqlen_new, range);
        SequenceRows next;
        while (walk.Next(next)) {
            const Sequence& s = next.s;
            const KvView view = p_.kv_view(s.n);
            for (int32_t t = next.i; t < next.i + next.rows;) {
                const KvRun run = view.run(s.seqlen_old + t, s.seqlen_old + next.i + next.rows);
                Move k;
                k.from = Side{p_.k_new.offset(s.n, s.new_row + t, 0), p_.k_new.stride_row, p_.k_new.stride_head};
                k.to = Side{p_.k_cache.offset(run.block, run.row, 0), p_.k_cache.stride_row, p_.k_cache.stride_head};
                k.tokens = run.length;
                k.heads = p_.num_heads_kv;
                k.dim = p_.head_dim;
                k.position = p_.rotary.k_position(s.rotary_start, t);
                k.per_token = true;
                if (rotary_dim_ > 0) {
                    Run<Kind::kKey, Stored>(p_.k_new.data, p_.k_cache.data, k);
                } else {
                    Run<Kind::kCopy, Stored>(p_.k_new.data, p_.k_cache.data, k);
                }
                Move v = k;
                v.from = Side{p_.v_new.offset(s.n, s.new_row + t, 0), p_.v_new.stride_row, p_.v_new.stride_head};
                v.to = Side{p_.v_cache.offset(run.block, run.row, 0), p_.v_cache.stride_row, p_.v_cache.stride_head};
                v.dim = p_.head_dim_v;
                Run<Kind::kCopy, Stored>(p_.v_new.data, p_.v_cache.data, v);
                t += run.length;
            }
        }
    }

    /// Cuts a move into tiles. The longer of tokens and heads is the inner dimension of a tile, because instructions
    /// repeat over it.
    template <Kind kKind, class To>
    __aicore__ inline void Run(__gm__ void* from, __gm__ void* to, const Move& move) {
        AscendC::GlobalTensor<Stored> src;
        AscendC::GlobalTensor<To> dst;
        src.SetGlobalBuffer(static_cast<__gm__ Stored*>(from));
        dst.SetGlobalBuffer(static_cast<__gm__ To*>(to));
        const bool inner_is_token = move.tokens >= move.heads;
        const int32_t inner_all = inner_is_token ? move.tokens : move.heads;
        const int32_t outer_all = inner_is_token ? move.heads : move.tokens;
        const int32_t pitch = round_up(move.dim, static_cast<int32_t>(32 / sizeof(Stored)));
        constexpr int32_t kElements = kKind == Kind::kCopy ? kSlotBytes / sizeof(Stored) : kTileElements;
        const int32_t rows = min_of(kElements / pitch, kMostRows);
        const int32_t inner_most = min_of(inner_all, rows);
        const int32_t outer_most = min_of(outer_all, rows / inner_most);
        for (int32_t inner = 0; inner < inner_all; inner += inner_most) {
            for (int32_t outer = 0; outer < outer_all; outer += outer_most) {
                const int32_t token = inner_is_token ? inner : outer;
                const int32_t head = inner_is_token ? outer : inner;
                Move tile = move;
                tile.head = head;
                tile.from.offset += token * move.from.token + head * move.from.head;
                tile.to.offset += token * move.to.token + head * move.to.head;
                tile.tokens = min_of(inner_is_token ? inner_most : outer_most, move.tokens - token);
                tile.heads = min_of(inner_is_token ? outer_most : inner_most, move.heads - head);
                tile.position = move.per_token ? p_.rotary.row(move.position + token) : move.position;
                Tile<kKind>(dst, src, tile, inner_is_token, static_cast<uint32_t>(pitch));
            }
        }
    }

    template <Kind kKind, class To>
    __aicore__ inline void Tile(const AscendC::GlobalTensor<To>& dst, const AscendC::GlobalTensor<Stored>& src,
                                const Move& tile, bool inner_is_token, uint32_t pitch) {
        using namespace AscendC;
        const uint32_t slot = slot_;
        slot_ = slot_ + 1 == kSlots ? 0 : slot_ + 1;
        const LocalTensor<Stored> in = At(kPlan.slots, slot * kSlotBytes).template ReinterpretCast<Stored>();
        const LocalTensor<Wide> wide =
            At(kPlan.slots, slot * kSlotBytes + (kFp8 ? kHalfInSlot : 0)).template ReinterpretCast<Wide>();
        const RotaryRows rows{static_cast<uint32_t>(inner_is_token ? tile.heads : tile.tokens),
                              static_cast<uint32_t>(inner_is_token ? tile.tokens : tile.heads),
                              !inner_is_token && tile.per_token, inner_is_token && tile.per_token};
        if (kKind != Kind::kCopy && rotary_dim_ > 0) LoadTables(tile.position, tile.per_token ? tile.tokens : 1);
        slots_.BeginFill(slot);
        ForGroups(tile.from, rows, inner_is_token, [&](uint32_t row, uint32_t count, int64_t offset, int64_t stride) {
            tile::LoadRows<kFp8>(in[row * pitch], src[offset],
                                 tile::RowsShape{count, static_cast<uint32_t>(tile.dim), stride, pitch});
        });
        if constexpr (kKind == Kind::kCopy) {
            arch::HandOver<HardEvent::MTE2_MTE3>(slot);
        } else {
            slots_.EndFill(slot);
            slots_.BeginUse(slot);
            Compute<kKind>(in, wide, rows, pitch);
            if constexpr (kFp8 && kKind == Kind::kQuery) {
                if (folded_scale_) ScaleQueries(wide, tile, inner_is_token, pitch);
            }
            arch::HandOver<HardEvent::V_MTE3>(slot);
        }
        const LocalTensor<To> out = SelectOut<To>(in, wide);
        ForGroups(tile.to, rows, inner_is_token, [&](uint32_t row, uint32_t count, int64_t offset, int64_t stride) {
            tile::StoreRows(dst[offset], out[row * pitch],
                            tile::RowsShape{count, static_cast<uint32_t>(tile.dim), stride, pitch});
        });
        slots_.EndUse(slot);
    }

    /// What is stored: fp8 queries leave as halves, everything else as it came.
    template <class To>
    __aicore__ inline AscendC::LocalTensor<To> SelectOut(const AscendC::LocalTensor<Stored>& in,
                                                         const AscendC::LocalTensor<Wide>& wide) const {
        if constexpr (kFp8 && sizeof(To) == 2) {
            return wide;
        } else {
            return in.template ReinterpretCast<To>();
        }
    }

    /// Calls move(row in the tile, rows, offset, stride) for the tile's rows, as many at a time as lie evenly.
    template <class MoveRows>
    __aicore__ inline void ForGroups(const Side& side, const RotaryRows& rows, bool inner_is_token, MoveRows move) {
        const int64_t inner = inner_is_token ? side.token : side.head;
        const int64_t outer = inner_is_token ? side.head : side.token;
        if (outer == inner * rows.inner) {
            move(0u, rows.outer * rows.inner, side.offset, inner);
            return;
        }
        for (uint32_t group = 0; group < rows.outer; ++group) {
            move(group * rows.inner, rows.inner, side.offset + group * outer, inner);
        }
    }

    template <Kind kKind>
    __aicore__ inline void Compute(const AscendC::LocalTensor<Stored>& in, const AscendC::LocalTensor<Wide>& wide,
                                   const RotaryRows& rows, uint32_t pitch) {
        using namespace AscendC;
        const uint32_t count = rows.outer * rows.inner * pitch;
        if constexpr (kFp8) ToHalf(wide, in, count);
        if (rotary_dim_ == 0) return;
        // A rotated fp8 key is rounded once, to 8 bits: half in between must not lose a bit that decides the rounding.
        constexpr RoundMode kRound = kFp8 && kKind == Kind::kKey ? RoundMode::CAST_ODD : RoundMode::CAST_RINT;
        rotate_(wide, pitch, rows, kRound);
        if constexpr (kFp8 && kKind == Kind::kKey) {
            to_fp8_(in, wide, Work<int16_t>(), count);
        }
    }
    __aicore__ inline void ToHalf(const AscendC::LocalTensor<half>& dst, const AscendC::LocalTensor<uint8_t>& src,
                                  uint32_t count) {
        to_half_(dst, src, Work<half>(), count);
        tile::VectorBarrier();
    }

    /// Queries times FoldedScale::q of their heads.
    __aicore__ inline void ScaleQueries(const AscendC::LocalTensor<half>& q, const Move& tile, bool inner_is_token,
                                        uint32_t pitch) const {
        const int32_t group = p_.heads_per_kv_head(), head_end = tile.head + tile.heads;
        tile::VectorBarrier();
        for (int32_t head = tile.head, end; head < head_end; head = end) {
            end = min_of(head_end, (head / group + 1) * group);
            const half factor = static_cast<half>(FoldedScale(p_, tile.n, head / group).q);
            const int32_t first = head - tile.head, heads = end - head;
            if (inner_is_token) {
                const auto rows = q[static_cast<uint32_t>(first * tile.tokens) * pitch];
                AscendC::Muls(rows, rows, factor, heads * tile.tokens * static_cast<int32_t>(pitch));
                continue;
            }
            for (int32_t token = 0; token < tile.tokens; ++token) {
                const auto rows = q[static_cast<uint32_t>(token * tile.heads + first) * pitch];
                AscendC::Muls(rows, rows, factor, heads * static_cast<int32_t>(pitch));
            }
        }
    }

    /// The rotary tables of `rows` positions; kept when they are those of the last tile.
    __aicore__ inline void LoadTables(int32_t position, int32_t rows) {
        using namespace AscendC;
        if (position == table_position_ && rows == table_rows_) return;
        table_position_ = position;
        table_rows_ = rows;
        const uint32_t elements = static_cast<uint32_t>(rotary_dim_ / 2);
        const uint32_t pitch = round_up(elements, static_cast<uint32_t>(32 / sizeof(Stored)));
        const LocalTensor<Stored> cos = At(kPlan.raw_tables[0]);
        const LocalTensor<Stored> sin = At(kPlan.raw_tables[1]);
        raw_tables_.BeginFill();
        LoadTable(cos, p_.rotary.cos, p_.rotary.stride_cos, position, rows, elements, pitch);
        LoadTable(sin, p_.rotary.sin, p_.rotary.stride_sin, position, rows, elements, pitch);
        raw_tables_.EndFill();
        raw_tables_.BeginUse();
        if constexpr (kFp8) {
            const LocalTensor<half> half_cos = At(kPlan.half_tables[0]);
            const LocalTensor<half> half_sin = At(kPlan.half_tables[1]);
            ToHalf(half_cos, cos, static_cast<uint32_t>(rows) * pitch);
            ToHalf(half_sin, sin, static_cast<uint32_t>(rows) * pitch);
            rotate_.SetTables(half_cos, half_sin, rows, pitch);
        } else {
            rotate_.SetTables(cos, sin, rows, pitch);
        }
        raw_tables_.EndUse();
    }

    /// Positions beyond the table (only wrong arguments lead there) take its last row.
    __aicore__ inline void LoadTable(const AscendC::LocalTensor<Stored>& dst, __gm__ const void* table, int64_t stride,
                                     int32_t position, int32_t rows, uint32_t elements, uint32_t pitch) {
        AscendC::GlobalTensor<Stored> src;
        src.SetGlobalBuffer(static_cast<__gm__ Stored*>(const_cast<__gm__ void*>(table)));
        const int32_t inside = min_of(rows, p_.rotary.seqlen - position);
        tile::LoadRows<kFp8>(dst, src[position * stride],
                             tile::RowsShape{static_cast<uint32_t>(inside), elements, stride, pitch});
        if (inside == rows) return;
        tile::LoadRows<kFp8>(dst[inside * pitch], src[(p_.rotary.seqlen - 1) * stride],
                             tile::RowsShape{static_cast<uint32_t>(rows - inside), elements, 0, pitch});
    }

    const Forward& p_;
    const bool folded_scale_;
    const RowTensor prepared_q_;
    const int32_t rotary_dim_;
    const arch::LocalTensorBuffer<AscendC::TPosition::VECCALC, ArchTag::kUbBytes>& ub_;
    uint32_t slot_ = 0;
    int32_t table_position_ = -1;
    int32_t table_rows_ = 0;
    Rotate rotate_;
    tile::Fp8ToHalf to_half_;
    tile::HalfToFp8 to_fp8_;
    using Event = AscendC::HardEvent;
    arch::BufferSet<Event::MTE2_V, Event::MTE3_MTE2, kSlots> slots_;
    arch::BufferRing<Event::MTE2_V, Event::V_MTE2, 1, kSlots> raw_tables_;
};

}  // namespace flash_attn_npu::ascend::passes
