// SPDX-License-Identifier: BSD-3-Clause
// Moves the cube core's operands from global memory to L1. The loader runs ahead of the consumer by as many tiles as
// L1 holds, across steps and pieces, so that the memory never waits for the cube.
#pragma once
#include "arch/buffer_ring.h"
#include "decode/copy_heads.h"
#include "decode/tile_order.h"

namespace flash_attn_npu::ascend::decode {

/// Cross-core flags of decode.
struct Flags {
    uint16_t s_ready, p_ready, o_ready;
    uint16_t keys_ready, keys_free;  // a tile in the ring of staged ones
};

/// L1: a ring of tiles, and P of two steps. STAGED: K and V come from the vector cores, tile by tile in the same order.
template <class ArchTag, class Element, bool STAGED>
class Loader {
public:
    __aicore__ inline Loader(arch::Resource<ArchTag>& resource, const AttentionArguments& arguments,
                             const DecodeShape& shape, int32_t core, int32_t cores, GM_ADDR workspace, Flags flags)
        : request_(arguments.request),
          group_(arguments.plan.group),
          shape_(shape),
          order_(arguments, shape, core, cores),
          flags_(flags) {
        for (uint32_t i = 0; i < kStages; ++i)
            l1_tile_[i] = resource.l1Buf.template GetBufferByByte<Element>(kTileBytes * i);
        for (uint32_t i = 0; i < kPStages; ++i)
            l1_p_[i] = resource.l1Buf.template GetBufferByByte<Element>(kTileBytes * kStages + kPBytes * i);
        gm_p_.SetGlobalBuffer(reinterpret_cast<__gm__ Element*>(workspace + DecodeWorkspace::kP));
        gm_staged_.SetGlobalBuffer(reinterpret_cast<__gm__ Element*>(workspace + DecodeWorkspace::kStaged));
        more_ = order_.Next(next_, step_);
    }

    /// The next tile in L1; false when there is none. Between Next and Release the consumer may use it.
    __aicore__ inline bool Next(Tile& tile, AscendC::LocalTensor<Element>& l1) {
        LoadAhead();
        if (loaded_ == used_) return false;
        tile = tiles_[used_ % kStages];
        l1 = l1_tile_[ring_.BeginUse()];
        return true;
    }
    __aicore__ inline void Release(const Tile& tile) {
        ring_.EndUse();
        ++used_;
        if (tile.operand == Operand::kK && tile.last) scored_steps_ = tile.step + 1;
        if (tile.operand == Operand::kV && tile.last) finished_steps_ = tile.step + 1;
    }

    /// P of the step whose V tiles come next.
    __aicore__ inline AscendC::LocalTensor<Element> BeginP() { return l1_p_[p_ring_.BeginUse()]; }
    __aicore__ inline void EndP() { p_ring_.EndUse(); }

private:
    // More tiles gain nothing: P would wait behind them, and event ids 6 and 7 are better left alone.
    static constexpr uint32_t kStages = 4, kPStages = 2;
    static constexpr uint32_t kTileElements = STAGED ? DecodeShape::kStagedTileElements : DecodeShape::kTileElements;
    static constexpr uint32_t kTileBytes = kTileElements * sizeof(Element);
    static constexpr uint32_t kPBytes = DecodeShape::kStepScores * DecodeShape::kRows * sizeof(Element);
    static_assert(kStages * kTileBytes + kPStages * kPBytes <= ArchTag::kL1Bytes, "L1 overflows");

    __aicore__ inline void LoadAhead() {
        while (true) {
            // Waiting for P stops the consumer too: not before it has given the vector cores the next S to work on.
            if (wants_p_ && scored_steps_ >= steps_before_p_) LoadP();
            if (!more_ || loaded_ - used_ == kStages) return;
            const bool needs_p = next_.operand == Operand::kV && next_.first;
            if (needs_p && wants_p_) return;
            if (STAGED && !MayWaitForTile()) return;
            if (needs_p) {
                wants_p_ = true;
                tile_of_p_ = next_;
                steps_before_p_ = order_.StepsBefore(next_);
            }
            const uint32_t stage = ring_.BeginFill();
            LoadTile(l1_tile_[stage]);
            ring_.EndFill();
            tiles_[loaded_++ % kStages] = next_;
            more_ = order_.Next(next_, step_);
        }
    }

    // Waiting for a staged tile stops the consumer too: not before it has given the vector cores what they want next.
    // They stage K of step g, take S of g - 1, stage V of g - 1, take O of g - 2.
    __aicore__ inline bool MayWaitForTile() const {
        switch (next_.operand) {
            case Operand::kK: return scored_steps_ >= next_.step;
            case Operand::kV: return scored_steps_ > next_.step && finished_steps_ >= next_.step;
            default: return true;
        }
    }

    __aicore__ inline void LoadP() {
        AscendC::CrossCoreWaitFlag(flags_.p_ready);
        CopyHeadsOfPToL1<ArchTag>(l1_p_[p_ring_.BeginFill()], gm_p_[tile_of_p_.slot * kSlotElements],
                                  static_cast<uint32_t>(shape_.pitch), tile_of_p_.heads, tile_of_p_.head_rows,
                                  tile_of_p_.PCols());
        p_ring_.EndFill();
        wants_p_ = false;
    }

    __aicore__ inline void LoadTile(const AscendC::LocalTensor<Element>& dst) {
        const Piece& piece = step_->piece;
        if (next_.operand == Operand::kQ) {
            AscendC::GlobalTensor<Element> gm;
            gm.SetGlobalBuffer(reinterpret_cast<__gm__ Element*>(request_.q.data));
            copy_queries_to_l1_(dst, gm[request_.q.offset(piece.s.n, piece.s.q_row, piece.head_begin * group_)],
                                request_.q, group_, piece.head_rows, next_.heads,
                                static_cast<uint32_t>(request_.head_dim));
            return;
        }
        const bool of_v = next_.operand == Operand::kV;
        if constexpr (STAGED) {
            LoadStagedTile(dst, next_.heads * static_cast<uint32_t>(of_v ? shape_.v_cols : shape_.k_cols));
            return;
        }
        const int32_t begin = step_->keys.begin + static_cast<int32_t>(next_.offset);
        copy_keys_to_l1_(dst, RoundUp<16>(next_.keys), of_v ? request_.v_cache : request_.k_cache,
                         request_.kv_view(piece.s.n), piece.head_begin, next_.heads,
                         KeyRange{begin, begin + static_cast<int32_t>(next_.keys)},
                         static_cast<uint32_t>(of_v ? request_.head_dim_v : request_.head_dim));
    }

    __aicore__ inline void LoadStagedTile(const AscendC::LocalTensor<Element>& dst, uint32_t cols) {
        AscendC::CrossCoreWaitFlag(flags_.keys_ready);
        copy_gm_to_l1_(dst, gm_staged_[staged_tile_ * kTileElements], layout::zN{RoundUp<16>(next_.keys)},
                       layout::RowMajor{next_.keys, cols, cols});
        AscendC::CrossCoreSetFlag<2, PIPE_MTE2>(flags_.keys_free);
        staged_tile_ = (staged_tile_ + 1) % DecodeWorkspace::kStagedTiles;
    }

    using Event = AscendC::HardEvent;
    static constexpr int32_t kSlotElements = DecodeShape::kStepScores * DecodeShape::kRows;

    const Forward& request_;
    const int32_t group_;
    const DecodeShape& shape_;
    TileOrder order_;
    const Flags flags_;
    AscendC::LocalTensor<Element> l1_tile_[kStages], l1_p_[kPStages];
    AscendC::GlobalTensor<Element> gm_p_, gm_staged_;
    Tile tiles_[kStages];         // in the ring
    Tile next_{};                 // to load
    const Step* step_ = nullptr;  // of next_
    bool more_ = false;
    uint32_t loaded_ = 0, used_ = 0;
    int32_t scored_steps_ = 0;    // whose S the consumer has made
    int32_t finished_steps_ = 0;  // whose O
    bool wants_p_ = false;        // V tiles are in the ring, their P is not there yet
    Tile tile_of_p_{};            // the first of them
    int32_t steps_before_p_ = 0;  // whose S has to be made before waiting for it
    uint32_t staged_tile_ = 0;    // of the ring, that comes next
    arch::BufferRing<Event::MTE2_MTE1, Event::MTE1_MTE2, kStages> ring_;
    arch::BufferRing<Event::MTE2_MTE1, Event::MTE1_MTE2, kPStages, kStages> p_ring_;
    CopyHeadsOfKeysToL1<ArchTag, Element> copy_keys_to_l1_;
    CopyHeadsOfQueriesToL1<ArchTag, Element> copy_queries_to_l1_;
    tile::CopyGmToL1<ArchTag, Element> copy_gm_to_l1_;
};

}  // namespace flash_attn_npu::ascend::decode
