// SPDX-License-Identifier: BSD-3-Clause
// fp8 caches in decode: the vector cores convert K and V to half, tile by tile in the order in which the cube core
// wants them, into a ring in workspace. Both convert half the keys of every tile. The halves are Fp8ToHalf::kFactor
// times the values; softmax and the end of a row take it back.
#pragma once
#include "decode/loader.h"
#include "decode/ub.h"
#include "tile/load_fp8_rows.h"

namespace flash_attn_npu::ascend::decode {

/// The cube core reads the caches: nothing to do.
struct CachedKeys {
    __aicore__ inline void Keys() {}
    __aicore__ inline void Values() {}
};

template <class ArchTag>
class StagedKeys {
public:
    __aicore__ inline StagedKeys(Buffers<ArchTag, true>& ub, const AttentionArguments& arguments,
                                 const DecodeShape& shape, int32_t core, int32_t cores, GM_ADDR workspace, Flags flags,
                                 int32_t sub_block)
        : ub_(ub),
          request_(arguments.request),
          shape_(shape),
          flags_(flags),
          sub_block_(sub_block),
          order_(arguments, shape, core, cores),
          convert_(ub.fp8_constants) {
        AscendC::SetCtrlSpr<48, 48>(1);  // infinities and NaN stay
        gm_.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(workspace + DecodeWorkspace::kStaged));
        more_ = NextChunk();
        if (more_) Load(next_);
    }
    __aicore__ inline ~StagedKeys() {
        for (int32_t i = 0; i < min_of(tiles_, kRing); ++i) AscendC::CrossCoreWaitFlag(flags_.keys_free);
    }

    /// K of the next step, if there is one; to be called before the V of the step before it.
    __aicore__ inline void Keys() {
        if (more_ && next_.operand == Operand::kK) StageOperand();
    }
    /// V of the oldest step whose K was staged.
    __aicore__ inline void Values() { StageOperand(); }

private:
    using Ub = Buffers<ArchTag, true>;
    using Event = AscendC::HardEvent;
    static constexpr int32_t kRing = DecodeWorkspace::kStagedTiles;
    // Keys of a tile that are converted at a time. In UB every head has `pitch` columns.
    struct Chunk {
        Operand operand;
        int32_t n, head_begin;  // sequence, first kv head
        uint32_t heads;
        KeyRange keys;
        int32_t tile_begin;  // first key of the tile
        bool last_of_tile, last;

        __aicore__ inline bool of_v() const { return operand == Operand::kV; }
    };

    __aicore__ inline uint32_t Dim(bool of_v) const {
        return static_cast<uint32_t>(of_v ? request_.head_dim_v : request_.head_dim);
    }
    __aicore__ inline uint32_t Pitch(bool of_v) const { return RoundUp<tile::LoadFp8Rows::kBlock>(Dim(of_v)); }

    // The loads are one chunk ahead of the conversion, across operands and steps.
    __aicore__ inline void StageOperand() {
        for (bool last = false; !last;) {
            const Chunk chunk = next_;
            more_ = NextChunk();
            if (more_) Load(next_);
            Convert(chunk);
            if (tile_starts_) WaitForSlot();
            Store(chunk);
            tile_starts_ = chunk.last_of_tile;
            if (chunk.last_of_tile) {
                AscendC::CrossCoreSetFlag<2, PIPE_MTE3>(flags_.keys_ready);
                ++tiles_;
            }
            last = chunk.last;
        }
    }

    // Makes next_; false when there is none left.
    __aicore__ inline bool NextChunk() {
        if (key_ >= share_.end) {
            const Step* step = nullptr;
            do {
                if (!order_.Next(tile_, step)) return false;
            } while (tile_.operand == Operand::kQ);
            next_.operand = tile_.operand;
            next_.n = step->piece.s.n;
            next_.head_begin = step->piece.head_begin;
            next_.heads = tile_.heads;
            const int32_t begin = step->keys.begin + static_cast<int32_t>(tile_.offset);
            const int32_t keys = static_cast<int32_t>(tile_.keys), half_way = begin + (keys + 1) / 2;
            next_.tile_begin = begin;
            share_ = sub_block_ == 0 ? KeyRange{begin, half_way} : KeyRange{half_way, begin + keys};
            key_ = share_.begin;
            const int32_t most = static_cast<int32_t>(Ub::kChunkElements / (next_.heads * Pitch(next_.of_v())));
            const int32_t chunks = max_of(1, ceil_div(share_.size(), most));
            chunk_keys_ = ceil_div(share_.size(), chunks);
        }
        next_.keys = KeyRange{key_, min_of(key_ + chunk_keys_, share_.end)};
        key_ = next_.keys.end;
        next_.last_of_tile = key_ == share_.end;
        next_.last = next_.last_of_tile && tile_.last;
        return true;
    }

    __aicore__ inline void Load(const Chunk& chunk) {
        if (chunk.keys.empty()) return;
        load_rows_(ub_.codes[codes_ring_.BeginFill()], chunk.of_v() ? request_.v_cache : request_.k_cache,
                   request_.kv_view(chunk.n), chunk.head_begin, chunk.heads, chunk.keys, Dim(chunk.of_v()));
        codes_ring_.EndFill();
    }

    __aicore__ inline void Convert(const Chunk& chunk) {
        if (chunk.keys.empty()) return;
        const uint32_t elements = static_cast<uint32_t>(chunk.keys.size()) * chunk.heads * Pitch(chunk.of_v());
        const uint32_t codes = codes_ring_.BeginUse();
        const uint32_t halves = halves_ring_.BeginFill();
        convert_.Scaled(ub_.halves[halves], ub_.codes[codes], elements);
        codes_ring_.EndUse();
        halves_ring_.EndFill();
    }

    // The cube core has loaded the tile that was in the ring before.
    __aicore__ inline void WaitForSlot() const {
        if (tiles_ >= kRing) AscendC::CrossCoreWaitFlag(flags_.keys_free);
    }
    // In the ring, a key's heads have whole fractals.
    __aicore__ inline void Store(const Chunk& chunk) {
        if (chunk.keys.empty()) return;
        constexpr uint32_t kC0 = ArchTag::kBytesPerC0 / sizeof(half);
        const uint32_t cols = static_cast<uint32_t>(chunk.of_v() ? shape_.v_cols : shape_.k_cols);
        const uint32_t keys = static_cast<uint32_t>(chunk.keys.size());
        const uint32_t first = static_cast<uint32_t>(chunk.keys.begin - chunk.tile_begin) * chunk.heads * cols;
        const uint32_t slot = static_cast<uint32_t>(tiles_ % kRing) * DecodeShape::kStagedTileElements;
        const uint32_t gap = (Pitch(chunk.of_v()) - cols) / kC0;
        const auto& halves = ub_.halves[halves_ring_.BeginUse()];
        if (gap == 0) {
            AscendC::DataCopy(gm_[slot + first], halves, keys * chunk.heads * cols);
        } else {
            AscendC::DataCopy(
                gm_[slot + first], halves,
                AscendC::DataCopyParams(static_cast<uint16_t>(keys * chunk.heads), static_cast<uint16_t>(cols / kC0),
                                        static_cast<uint16_t>(gap), 0));
        }
        halves_ring_.EndUse();
    }

    Ub& ub_;
    const Forward& request_;
    const DecodeShape& shape_;
    const Flags flags_;
    const int32_t sub_block_;
    TileOrder order_;
    tile::LoadFp8Rows load_rows_;
    tile::Fp8ToHalf convert_;
    AscendC::GlobalTensor<half> gm_;
    Tile tile_{};           // that next_ is cut from
    KeyRange share_{0, 0};  // of its keys, this vector core's
    int32_t key_ = 0;       // first one of the chunk after next_
    int32_t chunk_keys_ = 0;
    Chunk next_{};  // loaded, not yet converted
    bool more_ = false;
    bool tile_starts_ = true;
    int32_t tiles_ = 0;  // staged
    arch::BufferRing<Event::MTE2_V, Event::V_MTE2, 2, 2> codes_ring_;
    arch::BufferRing<Event::V_MTE3, Event::MTE3_V, 2, 1> halves_ring_;
};

}  // namespace flash_attn_npu::ascend::decode
