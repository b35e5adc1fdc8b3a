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
class BlockMmadAttention {
public:
    __aicore__ inline BlockMmadAttention(arch::Resource<ArchTag>& resource, const AttentionArguments& arguments,
                                         const KeySource& keySource)
        : request_(arguments.request), plan_(arguments.plan), keySource_(keySource) {
        for (uint32_t i = 0; i < 2; ++i) {
            l1Q_[i] = resource.l1Buf.template GetBufferByByte<Element>(Q_BYTES * i);
            l0A_[i] = resource.l0ABuf.template GetBufferByByte<Element>(TILE_BYTES * i);
            l0B_[i] = resource.l0BBuf.template GetBufferByByte<Element>(TILE_BYTES * i);
            l0C_[i] = resource.l0CBuf.template GetBufferByByte<float>(L0C_BYTES * i);
        }
        l1P_ = resource.l1Buf.template GetBufferByByte<Element>(Q_BYTES * 2);
        for (uint32_t i = 0; i < KV_STAGES; ++i) {
            l1Kv_[i] = resource.l1Buf.template GetBufferByByte<Element>(Q_BYTES * 2 + P_BYTES + TILE_BYTES * i);
        }
    }

    /// S[rows, keys] = q k^T (+ qv v^T), to gmS with `stride` elements from row to row.
    __aicore__ inline void MultiplyQK(const Step& step, const AscendC::GlobalTensor<float>& gmS, uint32_t stride) {
        if (step.first) LoadQueries(step.task);
        const Tile size{RowsOf(step), static_cast<uint32_t>(step.keys.size()), 0};
        const uint32_t featureTiles = QkFeatureTiles();
        const auto load = [&](uint32_t tile) {
            LoadKeyTile(step, tile / featureTiles, FeaturesOf(tile % featureTiles));
        };
        const uint32_t tiles = CeilDiv<TILE>(size.n) * featureTiles;
        Preload(tiles, load);
        for (uint32_t tile = 0; tile < tiles; ++tile) {
            const uint32_t col = tile / featureTiles * TILE;
            const Features features = FeaturesOf(tile % featureTiles);
            const layout::zN layoutQ{RoundUp<16>(size.m)};
            const Tile shape{size.m, Min(TILE, size.n - col), features.cols};
            const bool last = tile % featureTiles + 1 == featureTiles;
            MultiplyTile<true>(l1Q_[q_][layoutQ.template GetOffset<Element>(0, features.l1_col)], layoutQ, shape,
                               tile % featureTiles == 0, last);
            if (last) Store(gmS[col], shape, stride);
            if (tile + KV_STAGES < tiles) load(tile + KV_STAGES);
        }
        if (step.last) qRing_.EndUse();
    }

    /// What MultiplyPV needs besides P: call it before waiting for P.
    __aicore__ inline void PreloadValues(const Step& step) {
        Preload(ValueTiles(step), [&](uint32_t tile) { LoadValueTile(step, tile); });
    }

    /// O[rows, head_dim_v] = P v, to gmO with strideO; P from gmP with strideP elements from row to row.
    __aicore__ inline void MultiplyPV(const Step& step, const AscendC::GlobalTensor<Element>& gmP, uint32_t strideP,
                                      const AscendC::GlobalTensor<float>& gmO, uint32_t strideO) {
        const uint32_t rows = RowsOf(step), keys = static_cast<uint32_t>(step.keys.size());
        const layout::zN layoutP{RoundUp<16>(rows)};
        pRing_.BeginFill();
        copyGmToL1_(l1P_, gmP, layoutP, layout::RowMajor{rows, keys, strideP});
        pRing_.EndFill();
        pRing_.BeginUse();
        const uint32_t keyTiles = CeilDiv<TILE>(keys), tiles = ValueTiles(step);
        for (uint32_t tile = 0; tile < tiles; ++tile) {
            const uint32_t key = tile % keyTiles * TILE, col = tile / keyTiles * TILE;
            const Tile shape{rows, Min(TILE, static_cast<uint32_t>(request_.head_dim_v) - col), Min(TILE, keys - key)};
            const bool last = tile % keyTiles + 1 == keyTiles;
            MultiplyTile<false>(l1P_[layoutP.template GetOffset<Element>(0, key)], layoutP, shape, key == 0, last);
            if (last) Store(gmO[col], shape, strideO);
            if (tile + KV_STAGES < tiles) LoadValueTile(step, tile + KV_STAGES);
        }
        pRing_.EndUse();
    }

private:
    static constexpr uint32_t TILE = 128;
    static constexpr uint32_t TILE_BYTES = TILE * TILE * sizeof(Element);
    static constexpr uint32_t KV_STAGES = 4;
    static constexpr uint32_t Q_BYTES = 128 * 1024;  // 128 rows of 512 features (q and qv), or 64 of 768
    static constexpr uint32_t P_BYTES = 128 * 1024;  // 128 rows of 512 keys
    static constexpr uint32_t L0C_BYTES = TILE * TILE * sizeof(float);
    static constexpr int32_t Q_EVENT = KV_STAGES, P_EVENT = Q_EVENT + 2;
    static_assert(2 * Q_BYTES + P_BYTES + KV_STAGES * TILE_BYTES <= ArchTag::L1_SIZE, "L1 overflows");
    static_assert(2 * TILE_BYTES <= ArchTag::L0A_SIZE && 2 * L0C_BYTES <= ArchTag::L0C_SIZE, "L0 overflows");

    using Tile = GemmCoord;

    // A block of up to 128 columns of (q, qv), which meets the same columns of (k, v).
    struct Features {
        bool of_v;
        uint32_t col, cols;  // in k or v
        uint32_t l1_col;     // in L1, where qv follows q
    };

    __aicore__ inline uint32_t RowsOf(const Step& step) const { return static_cast<uint32_t>(step.task.rows()); }
    __aicore__ inline uint32_t QkFeatureTiles() const {
        return CeilDiv<TILE>(request_.head_dim) + (request_.qv.data ? CeilDiv<TILE>(request_.head_dim_v) : 0);
    }
    __aicore__ inline Features FeaturesOf(uint32_t tile) const {
        const uint32_t dim = request_.head_dim, tilesOfK = CeilDiv<TILE>(dim);
        if (tile < tilesOfK) return Features{false, tile * TILE, Min(TILE, dim - tile * TILE), tile * TILE};
        const uint32_t col = (tile - tilesOfK) * TILE;
        return Features{true, col, Min(TILE, request_.head_dim_v - col), RoundUp<16>(dim) + col};
    }
    __aicore__ inline uint32_t ValueTiles(const Step& step) const {
        return CeilDiv<TILE>(static_cast<uint32_t>(step.keys.size())) * CeilDiv<TILE>(request_.head_dim_v);
    }

    __aicore__ inline void LoadQueries(const Task& task) {
        q_ = qRing_.BeginFill();
        const layout::zN layoutQ{RoundUp<16>(static_cast<uint32_t>(task.rows()))};
        LoadQueryPart(l1Q_[q_], layoutQ, request_.q, task, request_.head_dim);
        if (request_.qv.data) {
            const uint32_t offset = layoutQ.template GetOffset<Element>(0, RoundUp<16>(request_.head_dim));
            LoadQueryPart(l1Q_[q_][offset], layoutQ, request_.qv, task, request_.head_dim_v);
        }
        qRing_.EndFill();
        qRing_.BeginUse();
    }
    __aicore__ inline void LoadQueryPart(const AscendC::LocalTensor<Element>& dst, const layout::zN& layoutQ,
                                         const RowTensor& q, const Task& task, uint32_t cols) {
        AscendC::GlobalTensor<Element> gm;
        gm.SetGlobalBuffer(reinterpret_cast<__gm__ Element*>(q.data));
        copyRowsToL1_(dst, layoutQ, gm[q.offset(task.s.n, task.s.q_row, task.kv_head * plan_.group)], q.stride_row,
                      q.stride_head, plan_.group, task.row_begin, task.row_end, cols);
    }

    template <class Load>
    __aicore__ inline void Preload(uint32_t tiles, const Load& load) {
        for (uint32_t tile = 0; tile < Min(tiles, KV_STAGES); ++tile) load(tile);
    }
    __aicore__ inline void LoadKeyTile(const Step& step, uint32_t keyTile, const Features& features) {
        const uint32_t stage = kvRing_.BeginFill();
        keySource_.Load(l1Kv_[stage], layout::zN{TILE}, features.of_v, step, KeysOf(step, keyTile), features.col,
                        features.cols);
        kvRing_.EndFill();
    }
    // Value tiles are numbered key by key, then column block by column block.
    __aicore__ inline void LoadValueTile(const Step& step, uint32_t tile) {
        const uint32_t keyTiles = CeilDiv<TILE>(static_cast<uint32_t>(step.keys.size()));
        const uint32_t col = tile / keyTiles * TILE;
        const uint32_t stage = kvRing_.BeginFill();
        keySource_.Load(l1Kv_[stage], layout::zN{TILE}, true, step, KeysOf(step, tile % keyTiles), col,
                        Min(TILE, static_cast<uint32_t>(request_.head_dim_v) - col));
        kvRing_.EndFill();
    }
    __aicore__ inline KeyRange KeysOf(const Step& step, uint32_t keyTile) const {
        const int32_t begin = step.keys.begin + static_cast<int32_t>(keyTile * TILE);
        return KeyRange{begin, min_of(step.keys.end, begin + static_cast<int32_t>(TILE))};
    }

    // Accumulates A times the oldest tile of the K/V ring. B_TRANSPOSED: the ring's tile is N x K (keys), else K x N.
    template <bool B_TRANSPOSED>
    __aicore__ inline void MultiplyTile(const AscendC::LocalTensor<Element>& a, const layout::zN& layoutA,
                                        const Tile& shape, bool init, bool last) {
        const uint32_t kv = kvRing_.BeginUse();
        const uint32_t l0 = l0Ring_.BeginFill();
        copyL1ToL0A_(l0A_[l0], a, layoutA, shape.m, shape.k);
        if constexpr (B_TRANSPOSED) {
            copyKeysToL0B_(l0B_[l0], l1Kv_[kv], layout::zN{TILE}, shape.k, shape.n);
        } else {
            copyValuesToL0B_(l0B_[l0], l1Kv_[kv], layout::zN{TILE}, shape.k, shape.n);
        }
        kvRing_.EndUse();
        l0Ring_.EndFill();
        l0Ring_.BeginUse();
        if (init) accumulator_ = l0CRing_.BeginFill();
        tileMmad_(l0C_[accumulator_], l0A_[l0], l0B_[l0], shape.m, shape.n, shape.k, init, /*unitFlag=*/0);
        l0Ring_.EndUse();
        if (last) l0CRing_.EndFill();
    }

    __aicore__ inline void Store(const AscendC::GlobalTensor<float>& gm, const Tile& shape, uint32_t stride) {
        const uint32_t l0C = l0CRing_.BeginUse();
        copyL0CToGm_(gm, l0C_[l0C], layout::RowMajor{shape.m, shape.n, stride}, RoundUp<16>(shape.m), /*unitFlag=*/0);
        l0CRing_.EndUse();
    }

    using Event = AscendC::HardEvent;

    const Forward& request_;
    const Plan& plan_;
    const KeySource& keySource_;
    AscendC::LocalTensor<Element> l1Q_[2], l1P_, l1Kv_[KV_STAGES], l0A_[2], l0B_[2];
    AscendC::LocalTensor<float> l0C_[2];
    uint32_t q_ = 0, accumulator_ = 0;
    arch::BufferRing<Event::MTE2_MTE1, Event::MTE1_MTE2, KV_STAGES> kvRing_;
    arch::BufferRing<Event::MTE2_MTE1, Event::MTE1_MTE2, 2, Q_EVENT> qRing_;
    arch::BufferRing<Event::MTE2_MTE1, Event::MTE1_MTE2, 1, P_EVENT> pRing_;
    arch::BufferRing<Event::MTE1_M, Event::M_MTE1, 2> l0Ring_;
    arch::BufferRing<Event::M_FIX, Event::FIX_M, 2> l0CRing_;
    tile::CopyGmToL1<ArchTag, Element> copyGmToL1_;
    tile::CopyPackedRowsToL1<ArchTag, Element> copyRowsToL1_;
    tile::CopyL1ToL0A<ArchTag, Element> copyL1ToL0A_;
    tile::CopyL1ToL0BTransposed<ArchTag, Element> copyKeysToL0B_;
    tile::CopyL1ToL0B<ArchTag, Element> copyValuesToL0B_;
    tile::TileMmad<ArchTag, Element> tileMmad_;
    tile::CopyL0CToGm<ArchTag, float> copyL0CToGm_;
};

}  // namespace flash_attn_npu::ascend::general
