// SPDX-License-Identifier: BSD-3-Clause
// The two matmuls of attention on a cube core, S = q k^T and O = P v, both built of one step: 128 x 128 tiles of A and
// B from L1 through L0 into an accumulator.
#pragma once
#include "arch/buffer_ring.h"
#include "contract/general.h"
#include "general/steps.h"
#include "tile/copy_attention_to_l1.h"
#include "tile/copy_l0c_to_gm.h"
#include "tile/copy_l1_to_l0.h"
#include "tile/tile_mmad.h"

namespace flash_attn_npu::ascend::general {

/// KeySource: where rows of K and V come from; see general/key_source.h.
template <class ArchTag, class Element, class KeySource>
class Mmad {
public:
    __aicore__ inline Mmad(arch::Resource<ArchTag>& resource, const AttentionArguments& arguments,
                           const KeySource& key_source)
        : request_(arguments.request), plan_(arguments.plan), key_source_(key_source) {
        for (uint32_t i = 0; i < 2; ++i) {
            l1_q_[i] = resource.l1Buf.template GetBufferByByte<Element>(kQBytes * i);
            l0a_[i] = resource.l0ABuf.template GetBufferByByte<Element>(kTileBytes * i);
            l0b_[i] = resource.l0BBuf.template GetBufferByByte<Element>(kTileBytes * i);
            l0c_[i] = resource.l0CBuf.template GetBufferByByte<float>(kL0CBytes * i);
        }
        l1_p_ = resource.l1Buf.template GetBufferByByte<Element>(kQBytes * 2);
        for (uint32_t i = 0; i < kKVStages; ++i) {
            l1_kv_[i] = resource.l1Buf.template GetBufferByByte<Element>(kQBytes * 2 + kPBytes + kTileBytes * i);
        }
    }

    /// S[rows, keys] = q k^T (+ qv v^T), to gm_s with `stride` elements from row to row.
    __aicore__ inline void MultiplyQK(const Step& step, const AscendC::GlobalTensor<float>& gm_s, uint32_t stride) {
        if (step.first) LoadQueries(step.task);
        const Tile size{RowsOf(step), static_cast<uint32_t>(step.keys.size()), 0};
        const uint32_t feature_tiles = QkFeatureTiles();
        const auto load = [&](uint32_t tile) {
            LoadKeyTile(step, tile / feature_tiles, FeaturesOf(tile % feature_tiles));
        };
        const uint32_t tiles = CeilDiv<kTile>(size.n) * feature_tiles;
        Preload(tiles, load);
        for (uint32_t tile = 0; tile < tiles; ++tile) {
            const uint32_t col = tile / feature_tiles * kTile;
            const Features features = FeaturesOf(tile % feature_tiles);
            const layout::zN layout_q{RoundUp<16>(size.m)};
            const Tile shape{size.m, Min(kTile, size.n - col), features.cols};
            const bool last = tile % feature_tiles + 1 == feature_tiles;
            MultiplyTile<true>(l1_q_[q_][layout_q.template GetOffset<Element>(0, features.l1_col)], layout_q, shape,
                               tile % feature_tiles == 0, last);
            if (last) Store(gm_s[col], shape, stride);
            if (tile + kKVStages < tiles) load(tile + kKVStages);
        }
        if (step.last) q_ring_.EndUse();
    }

    /// What MultiplyPV needs besides P: call it before waiting for P.
    __aicore__ inline void PreloadValues(const Step& step) {
        Preload(ValueTiles(step), [&](uint32_t tile) { LoadValueTile(step, tile); });
    }

    /// O[rows, head_dim_v] = P v, to gm_o with stride_o; P from gm_p with stride_p elements from row to row.
    __aicore__ inline void MultiplyPV(const Step& step, const AscendC::GlobalTensor<Element>& gm_p, uint32_t stride_p,
                                      const AscendC::GlobalTensor<float>& gm_o, uint32_t stride_o) {
        const uint32_t rows = RowsOf(step), keys = static_cast<uint32_t>(step.keys.size());
        const layout::zN layout_p{RoundUp<16>(rows)};
        p_ring_.BeginFill();
        copy_gm_to_l1_(l1_p_, gm_p, layout_p, layout::RowMajor{rows, keys, stride_p});
        p_ring_.EndFill();
        p_ring_.BeginUse();
        const uint32_t key_tiles = CeilDiv<kTile>(keys), tiles = ValueTiles(step);
        for (uint32_t tile = 0; tile < tiles; ++tile) {
            const uint32_t key = tile % key_tiles * kTile, col = tile / key_tiles * kTile;
            const Tile shape{rows, Min(kTile, static_cast<uint32_t>(request_.head_dim_v) - col),
                             Min(kTile, keys - key)};
            const bool last = tile % key_tiles + 1 == key_tiles;
            MultiplyTile<false>(l1_p_[layout_p.template GetOffset<Element>(0, key)], layout_p, shape, key == 0, last);
            if (last) Store(gm_o[col], shape, stride_o);
            if (tile + kKVStages < tiles) LoadValueTile(step, tile + kKVStages);
        }
        p_ring_.EndUse();
    }

private:
    static constexpr uint32_t kTile = 128;
    static constexpr uint32_t kTileBytes = kTile * kTile * sizeof(Element);
    static constexpr uint32_t kKVStages = 4;
    static constexpr uint32_t kQBytes = 128 * 1024;  // 128 rows of 512 features (q and qv), or 64 of 768
    static constexpr uint32_t kPBytes = 128 * 1024;  // 128 rows of 512 keys
    static constexpr uint32_t kL0CBytes = kTile * kTile * sizeof(float);
    static constexpr int32_t kQEvent = kKVStages, kPEvent = kQEvent + 2;
    static_assert(2 * kQBytes + kPBytes + kKVStages * kTileBytes <= ArchTag::kL1Bytes, "L1 overflows");
    static_assert(2 * kTileBytes <= ArchTag::kL0ABytes && 2 * kL0CBytes <= ArchTag::kL0CBytes, "L0 overflows");

    using Tile = GemmCoord;

    // A block of up to 128 columns of (q, qv), which meets the same columns of (k, v).
    struct Features {
        bool of_v;
        uint32_t col, cols;  // in k or v
        uint32_t l1_col;     // in L1, where qv follows q
    };

    __aicore__ inline uint32_t RowsOf(const Step& step) const { return static_cast<uint32_t>(step.task.rows()); }
    __aicore__ inline uint32_t QkFeatureTiles() const {
        return CeilDiv<kTile>(request_.head_dim) + (request_.qv.data ? CeilDiv<kTile>(request_.head_dim_v) : 0);
    }
    __aicore__ inline Features FeaturesOf(uint32_t tile) const {
        const uint32_t dim = request_.head_dim, tiles_of_k = CeilDiv<kTile>(dim);
        if (tile < tiles_of_k) return Features{false, tile * kTile, Min(kTile, dim - tile * kTile), tile * kTile};
        const uint32_t col = (tile - tiles_of_k) * kTile;
        return Features{true, col, Min(kTile, request_.head_dim_v - col), RoundUp<16>(dim) + col};
    }
    __aicore__ inline uint32_t ValueTiles(const Step& step) const {
        return CeilDiv<kTile>(static_cast<uint32_t>(step.keys.size())) * CeilDiv<kTile>(request_.head_dim_v);
    }

    __aicore__ inline void LoadQueries(const Task& task) {
        q_ = q_ring_.BeginFill();
        const layout::zN layout_q{RoundUp<16>(static_cast<uint32_t>(task.rows()))};
        LoadQueryPart(l1_q_[q_], layout_q, request_.q, task, request_.head_dim);
        if (request_.qv.data) {
            const uint32_t offset = layout_q.template GetOffset<Element>(0, RoundUp<16>(request_.head_dim));
            LoadQueryPart(l1_q_[q_][offset], layout_q, request_.qv, task, request_.head_dim_v);
        }
        q_ring_.EndFill();
        q_ring_.BeginUse();
    }
    __aicore__ inline void LoadQueryPart(const AscendC::LocalTensor<Element>& dst, const layout::zN& layout_q,
                                         const RowTensor& q, const Task& task, uint32_t cols) {
        AscendC::GlobalTensor<Element> gm;
        gm.SetGlobalBuffer(reinterpret_cast<__gm__ Element*>(q.data));
        copy_rows_to_l1_(dst, layout_q, gm[q.offset(task.s.n, task.s.q_row, task.kv_head * plan_.group)], q.stride_row,
                         q.stride_head, plan_.group, task.row_begin, task.row_end, cols);
    }

    template <class Load>
    __aicore__ inline void Preload(uint32_t tiles, const Load& load) {
        for (uint32_t tile = 0; tile < Min(tiles, kKVStages); ++tile) load(tile);
    }
    __aicore__ inline void LoadKeyTile(const Step& step, uint32_t key_tile, const Features& features) {
        const uint32_t stage = kv_ring_.BeginFill();
        key_source_.Load(l1_kv_[stage], layout::zN{kTile}, features.of_v, step, KeysOf(step, key_tile), features.col,
                         features.cols);
        kv_ring_.EndFill();
    }
    // Value tiles are numbered key by key, then column block by column block.
    __aicore__ inline void LoadValueTile(const Step& step, uint32_t tile) {
        const uint32_t key_tiles = CeilDiv<kTile>(static_cast<uint32_t>(step.keys.size()));
        const uint32_t col = tile / key_tiles * kTile;
        const uint32_t stage = kv_ring_.BeginFill();
        key_source_.Load(l1_kv_[stage], layout::zN{kTile}, true, step, KeysOf(step, tile % key_tiles), col,
                         Min(kTile, static_cast<uint32_t>(request_.head_dim_v) - col));
        kv_ring_.EndFill();
    }
    __aicore__ inline KeyRange KeysOf(const Step& step, uint32_t key_tile) const {
        const int32_t begin = step.keys.begin + static_cast<int32_t>(key_tile * kTile);
        return KeyRange{begin, min_of(step.keys.end, begin + static_cast<int32_t>(kTile))};
    }

    // Accumulates A times the oldest tile of the K/V ring. B_TRANSPOSED: the ring's tile is N x K (keys), else K x N.
    template <bool B_TRANSPOSED>
    __aicore__ inline void MultiplyTile(const AscendC::LocalTensor<Element>& a, const layout::zN& layout_a,
                                        const Tile& shape, bool init, bool last) {
        const uint32_t kv = kv_ring_.BeginUse();
        const uint32_t l0 = l0_ring_.BeginFill();
        copy_l1_to_l0a_(l0a_[l0], a, layout_a, shape.m, shape.k);
        if constexpr (B_TRANSPOSED) {
            copy_keys_to_l0b_(l0b_[l0], l1_kv_[kv], layout::zN{kTile}, shape.k, shape.n);
        } else {
            copy_values_to_l0b_(l0b_[l0], l1_kv_[kv], layout::zN{kTile}, shape.k, shape.n);
        }
        kv_ring_.EndUse();
        l0_ring_.EndFill();
        l0_ring_.BeginUse();
        if (init) accumulator_ = l0c_ring_.BeginFill();
        tile_mmad_(l0c_[accumulator_], l0a_[l0], l0b_[l0], shape.m, shape.n, shape.k, init, /*unit_flag=*/0);
        l0_ring_.EndUse();
        if (last) l0c_ring_.EndFill();
    }

    __aicore__ inline void Store(const AscendC::GlobalTensor<float>& gm, const Tile& shape, uint32_t stride) {
        const uint32_t l0c = l0c_ring_.BeginUse();
        copy_l0c_to_gm_(gm, l0c_[l0c], layout::RowMajor{shape.m, shape.n, stride}, RoundUp<16>(shape.m),
                        /*unit_flag=*/0);
        l0c_ring_.EndUse();
    }

    using Event = AscendC::HardEvent;

    const Forward& request_;
    const Plan& plan_;
    const KeySource& key_source_;
    AscendC::LocalTensor<Element> l1_q_[2], l1_p_, l1_kv_[kKVStages], l0a_[2], l0b_[2];
    AscendC::LocalTensor<float> l0c_[2];
    uint32_t q_ = 0, accumulator_ = 0;
    arch::BufferRing<Event::MTE2_MTE1, Event::MTE1_MTE2, kKVStages> kv_ring_;
    arch::BufferRing<Event::MTE2_MTE1, Event::MTE1_MTE2, 2, kQEvent> q_ring_;
    arch::BufferRing<Event::MTE2_MTE1, Event::MTE1_MTE2, 1, kPEvent> p_ring_;
    arch::BufferRing<Event::MTE1_M, Event::M_MTE1, 2> l0_ring_;
    arch::BufferRing<Event::M_FIX, Event::FIX_M, 2> l0c_ring_;
    tile::CopyGmToL1<ArchTag, Element> copy_gm_to_l1_;
    tile::CopyPackedRowsToL1<ArchTag, Element> copy_rows_to_l1_;
    tile::CopyL1ToL0A<ArchTag, Element> copy_l1_to_l0a_;
    tile::CopyL1ToL0BTransposed<ArchTag, Element> copy_keys_to_l0b_;
    tile::CopyL1ToL0B<ArchTag, Element> copy_values_to_l0b_;
    tile::TileMmad<ArchTag, Element> tile_mmad_;
    tile::CopyL0CToGm<ArchTag, float> copy_l0c_to_gm_;
};

}  // namespace flash_attn_npu::ascend::general
