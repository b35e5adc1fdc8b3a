// SPDX-License-Identifier: BSD-3-Clause
// What the cube core multiplies in decode, in order: q (when a piece begins), K of step g, then V of step g - 1.
#pragma once
#include "decode/schedule.h"
#include "tile/layout.h"

namespace flash_attn_npu::ascend::decode {

enum class Operand : uint8_t { kQ, kK, kV };

struct Tile {
    Operand operand;
    bool first, last;    // of its operand in the step
    bool last_of_piece;  // and no further step of the piece follows
    uint32_t heads, head_rows;
    uint32_t keys;    // of the tile
    uint32_t offset;  // of its first key in the step
    uint32_t step_keys;
    int32_t step;  // its number
    int32_t slot;  // of the workspace

    /// Columns of P in L1: zeros follow the keys.
    __aicore__ inline uint32_t PCols() const { return RoundUp<DecodeShape::kStrip>(step_keys); }
};

/// The order of the tiles.
class TileOrder {
public:
    __aicore__ inline TileOrder(const AttentionArguments& arguments, const DecodeShape& shape, int32_t core,
                                int32_t cores)
        : tile_keys_(shape.tile_keys), steps_(shape, Partition(arguments, shape, core, cores)) {
        NextRound();
    }

    /// False when there is no further tile. `step` is the one it belongs to, until the next call.
    __aicore__ inline bool Next(Tile& tile, const Step*& step) {
        while (!CutTile(tile, step)) {
            if (operand_ == Operand::kV) {
                if (!has_k_) return false;
                NextRound();
            } else {
                operand_ = operand_ == Operand::kQ ? Operand::kK : Operand::kV;
                offset_ = 0;
            }
        }
        return true;
    }

    /// Steps whose K comes before the V of `tile`.
    __aicore__ inline int32_t StepsBefore(const Tile& tile) const { return tile.step + (has_k_ ? 2 : 1); }

private:
    // The next step begins; the one before it becomes the one whose V is due.
    __aicore__ inline void NextRound() {
        has_v_ = has_k_;
        current_ = 1 - current_;
        do {
            has_k_ = steps_.Next(step_[current_]);
        } while (has_k_ && step_[current_].keys.empty());
        operand_ = Operand::kQ;
        offset_ = 0;
    }

    // The next tile of the operand that is due; false when there is none left.
    __aicore__ inline bool CutTile(Tile& tile, const Step*& step) {
        const bool of_v = operand_ == Operand::kV;
        if (!(of_v ? has_v_ : has_k_)) return false;
        step = &step_[of_v ? 1 - current_ : current_];
        const bool of_q = operand_ == Operand::kQ;
        if (of_q && !step->first) return false;
        const int32_t step_keys = step->keys.size();
        if (offset_ >= step_keys) return false;
        tile.operand = operand_;
        tile.first = offset_ == 0;
        tile.offset = static_cast<uint32_t>(offset_);
        tile.keys = static_cast<uint32_t>(of_q ? 0 : min_of(tile_keys_, step_keys - offset_));
        offset_ = of_q ? step_keys : offset_ + static_cast<int32_t>(tile.keys);
        tile.last = offset_ == step_keys;
        tile.last_of_piece = tile.last && step->last;
        tile.heads = static_cast<uint32_t>(step->piece.heads);
        tile.head_rows = static_cast<uint32_t>(step->piece.head_rows);
        tile.step_keys = static_cast<uint32_t>(step_keys);
        tile.step = step->number;
        tile.slot = step->slot();
        return true;
    }

    const int32_t tile_keys_;
    Steps steps_;
    Step step_[2];
    int32_t current_ = 0;  // whose K is due
    bool has_k_ = false, has_v_ = false;
    Operand operand_ = Operand::kQ;
    int32_t offset_ = 0;
};

}  // namespace flash_attn_npu::ascend::decode
