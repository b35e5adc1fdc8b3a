// SPDX-License-Identifier: BSD-3-Clause
// Moves the cube core's operands from global memory to L1. The loader runs ahead of the consumer by as many tiles as
// L1 holds, across steps and pieces, so that the memory never waits for the cube.
#pragma once
#include "arch/buffer_ring.h"
#include "decode/copy_heads.h"
#include "decode/tile_order.h"

namespace flash_attn_npu::ascend::decode {

/// Cross-core flags of decode.
struct DecodeFlags {
    uint16_t s_ready, p_ready, o_ready;
    uint16_t keys_ready, keys_free;  // a tile in the ring of staged ones
};

/// L1: a ring of tiles, and P of two steps. STAGED: K and V come from the vector cores, tile by tile in the same order.
template <class ArchTag, class Element, bool STAGED>
class DecodeLoader {
public:
    __aicore__ inline DecodeLoader(arch::Resource<ArchTag>& resource, const AttentionArguments& arguments,
                                   const DecodeShape& shape, int32_t core, int32_t cores, GM_ADDR workspace,
                                   DecodeFlags flags)
        : request_(arguments.request),
          group_(arguments.plan.group),
          shape_(shape),
          order_(arguments, shape, core, cores),
          flags_(flags) {
        for (uint32_t i = 0; i < STAGES; ++i)
            l1Tile_[i] = resource.l1Buf.template GetBufferByByte<Element>(TILE_BYTES * i);
        for (uint32_t i = 0; i < P_STAGES; ++i)
            l1P_[i] = resource.l1Buf.template GetBufferByByte<Element>(TILE_BYTES * STAGES + P_BYTES * i);
        gmP_.SetGlobalBuffer(reinterpret_cast<__gm__ Element*>(workspace + DecodeWorkspace::kP));
        gmStaged_.SetGlobalBuffer(reinterpret_cast<__gm__ Element*>(workspace + DecodeWorkspace::kStaged));
        more_ = order_.Next(next_, step_);
    }

    /// The next tile in L1; false when there is none. Between Next and Release the consumer may use it.
    __aicore__ inline bool Next(DecodeTile& tile, AscendC::LocalTensor<Element>& l1) {
        LoadAhead();
        if (loaded_ == used_) return false;
        tile = tiles_[used_ % STAGES];
        l1 = l1Tile_[ring_.BeginUse()];
        return true;
    }
    __aicore__ inline void Release(const DecodeTile& tile) {
        ring_.EndUse();
        ++used_;
        if (tile.operand == DecodeOperand::kK && tile.last) scoredSteps_ = tile.step + 1;
        if (tile.operand == DecodeOperand::kV && tile.last) finishedSteps_ = tile.step + 1;
    }

    /// P of the step whose V tiles come next.
    __aicore__ inline AscendC::LocalTensor<Element> BeginP() { return l1P_[pRing_.BeginUse()]; }
    __aicore__ inline void EndP() { pRing_.EndUse(); }

private:
    // More tiles gain nothing: P would wait behind them, and event ids 6 and 7 are better left alone.
    static constexpr uint32_t STAGES = 4, P_STAGES = 2;
    static constexpr uint32_t TILE_ELEMENTS = STAGED ? DecodeShape::kStagedTileElements : DecodeShape::kTileElements;
    static constexpr uint32_t TILE_BYTES = TILE_ELEMENTS * sizeof(Element);
    static constexpr uint32_t P_BYTES = DecodeShape::kStepScores * DecodeShape::kRows * sizeof(Element);
    static_assert(STAGES * TILE_BYTES + P_STAGES * P_BYTES <= ArchTag::L1_SIZE, "L1 overflows");

    __aicore__ inline void LoadAhead() {
        while (true) {
            // Waiting for P stops the consumer too: not before it has given the vector cores the next S to work on.
            if (wantsP_ && scoredSteps_ >= stepsBeforeP_) LoadP();
            if (!more_ || loaded_ - used_ == STAGES) return;
            const bool needsP = next_.operand == DecodeOperand::kV && next_.first;
            if (needsP && wantsP_) return;
            if (STAGED && !MayWaitForTile()) return;
            if (needsP) {
                wantsP_ = true;
                tileOfP_ = next_;
                stepsBeforeP_ = order_.StepsBefore(next_);
            }
            const uint32_t stage = ring_.BeginFill();
            LoadTile(l1Tile_[stage]);
            ring_.EndFill();
            tiles_[loaded_++ % STAGES] = next_;
            more_ = order_.Next(next_, step_);
        }
    }

    // Waiting for a staged tile stops the consumer too: not before it has given the vector cores what they want next.
    // They stage K of step g, take S of g - 1, stage V of g - 1, take O of g - 2.
    __aicore__ inline bool MayWaitForTile() const {
        switch (next_.operand) {
            case DecodeOperand::kK: return scoredSteps_ >= next_.step;
            case DecodeOperand::kV: return scoredSteps_ > next_.step && finishedSteps_ >= next_.step;
            default: return true;
        }
    }

    __aicore__ inline void LoadP() {
        AscendC::CrossCoreWaitFlag(flags_.p_ready);
        CopyHeadsOfPToL1<ArchTag>(l1P_[pRing_.BeginFill()], gmP_[tileOfP_.slot * SLOT_ELEMENTS],
                                  static_cast<uint32_t>(shape_.pitch), tileOfP_.heads, tileOfP_.head_rows,
                                  tileOfP_.PCols());
        pRing_.EndFill();
        wantsP_ = false;
    }

    __aicore__ inline void LoadTile(const AscendC::LocalTensor<Element>& dst) {
        const DecodePiece& piece = step_->piece;
        if (next_.operand == DecodeOperand::kQ) {
            AscendC::GlobalTensor<Element> gm;
            gm.SetGlobalBuffer(reinterpret_cast<__gm__ Element*>(request_.q.data));
            copyQueriesToL1_(dst, gm[request_.q.offset(piece.s.n, piece.s.q_row, piece.head_begin * group_)],
                             request_.q, group_, piece.head_rows, next_.heads,
                             static_cast<uint32_t>(request_.head_dim));
            return;
        }
        const bool of_v = next_.operand == DecodeOperand::kV;
        if constexpr (STAGED) {
            LoadStagedTile(dst, next_.heads * static_cast<uint32_t>(of_v ? shape_.v_cols : shape_.k_cols));
            return;
        }
        const int32_t begin = step_->keys.begin + static_cast<int32_t>(next_.offset);
        copyKeysToL1_(dst, RoundUp<16>(next_.keys), of_v ? request_.v_cache : request_.k_cache,
                      request_.kv_view(piece.s.n), piece.head_begin, next_.heads,
                      KeyRange{begin, begin + static_cast<int32_t>(next_.keys)},
                      static_cast<uint32_t>(of_v ? request_.head_dim_v : request_.head_dim));
    }

    __aicore__ inline void LoadStagedTile(const AscendC::LocalTensor<Element>& dst, uint32_t cols) {
        AscendC::CrossCoreWaitFlag(flags_.keys_ready);
        copyGmToL1_(dst, gmStaged_[stagedTile_ * TILE_ELEMENTS], layout::zN{RoundUp<16>(next_.keys)},
                    layout::RowMajor{next_.keys, cols, cols});
        AscendC::CrossCoreSetFlag<2, PIPE_MTE2>(flags_.keys_free);
        stagedTile_ = (stagedTile_ + 1) % DecodeWorkspace::kStagedTiles;
    }

    using Event = AscendC::HardEvent;
    static constexpr int32_t SLOT_ELEMENTS = DecodeShape::kStepScores * DecodeShape::kRows;

    const Forward& request_;
    const int32_t group_;
    const DecodeShape& shape_;
    DecodeTileOrder order_;
    const DecodeFlags flags_;
    AscendC::LocalTensor<Element> l1Tile_[STAGES], l1P_[P_STAGES];
    AscendC::GlobalTensor<Element> gmP_, gmStaged_;
    DecodeTile tiles_[STAGES];          // in the ring
    DecodeTile next_{};                 // to load
    const DecodeStep* step_ = nullptr;  // of next_
    bool more_ = false;
    uint32_t loaded_ = 0, used_ = 0;
    int32_t scoredSteps_ = 0;    // whose S the consumer has made
    int32_t finishedSteps_ = 0;  // whose O
    bool wantsP_ = false;        // V tiles are in the ring, their P is not there yet
    DecodeTile tileOfP_{};       // the first of them
    int32_t stepsBeforeP_ = 0;   // whose S has to be made before waiting for it
    uint32_t stagedTile_ = 0;    // of the ring, that comes next
    arch::BufferRing<Event::MTE2_MTE1, Event::MTE1_MTE2, STAGES> ring_;
    arch::BufferRing<Event::MTE2_MTE1, Event::MTE1_MTE2, P_STAGES, STAGES> pRing_;
    CopyHeadsOfKeysToL1<ArchTag, Element> copyKeysToL1_;
    CopyHeadsOfQueriesToL1<ArchTag, Element> copyQueriesToL1_;
    tile::CopyGmToL1<ArchTag, Element> copyGmToL1_;
};

}  // namespace flash_attn_npu::ascend::decode
