// SPDX-License-Identifier: BSD-3-Clause
// Which keys an AI core works on in decode: all keys of all tasks lie on one line, and every core gets an equal length
// of it, planned by each core for itself from the lengths in global memory. A task that a cut falls into is computed in
// pieces, whose results are merged at the end of the kernel.
#pragma once

#include "contract/decode.h"

namespace flash_attn_npu::ascend::decode {

// The part of one task that one core computes.
struct Piece {
    Sequence s;
    int32_t head_begin;  // kv heads [head_begin, head_begin + heads)
    int32_t heads;
    int32_t head_rows;   // packed rows of each of them
    int32_t split;       // of the caller
    KeyRange task_keys;  // of the task
    KeyRange keys;       // of this core; empty: only zeros have to be written
    int32_t first_core;  // the cores that share the task
    int32_t last_core;
    int64_t begin;  // of the task on the line

    __aicore__ inline int32_t rows() const { return heads * head_rows; }
    __aicore__ inline bool shared() const { return first_core != last_core; }
    // Row `row` of the task belongs to this query position, as do all rows up to position_end.
    __aicore__ inline int32_t position(int32_t row, int32_t group) const { return row % head_rows / group; }
    __aicore__ inline int32_t position_end(int32_t row, int32_t group) const {
        return head_rows == group ? rows() : (row / group + 1) * group;
    }
};

class Partition {
public:
    // Pieces that a vector core can merge at a time.
    static constexpr int32_t kMaxCores = 32;

    __aicore__ inline Partition(const AttentionArguments& arguments, const DecodeShape& shape, int32_t core,
                                int32_t cores)
        : request_(arguments.request), plan_(arguments.plan), shape_(shape) {
        int64_t shortest = 0, longest = 0;  // task
        for (; n_ < request_.batch; ++n_) {
            ReadSequence();
            for (split_ = 0; split_ < plan_.num_splits; ++split_) {
                const int64_t length = TaskLength();
                if (length == 0) continue;
                shortest = length_ == 0 ? length : min_of(shortest, length);
                longest = max_of(longest, length);
                length_ += shape_.groups * length;
            }
        }
        // A core with an empty share would have to be skipped when pieces are merged.
        cores_ = static_cast<int32_t>(clamp<int64_t>(length_, 1, min_of(cores, kMaxCores)));
        core_ = core;
        // The caller may have fixed the number of splits. Nor is it worthwhile when every core has at most one task and
        // none of them is much longer than a core's share.
        const bool even = shortest * cores_ >= length_ && (longest - kMergeTiles) * cores_ <= length_;
        cuts_ = request_.num_splits == 0 && cores_ > 1 && !even;
        n_ = split_ = 0;
        ReadSequence();
    }

    // False when there is no further piece for this core.
    __aicore__ inline bool Next(Piece& piece) {
        if (core_ >= cores_) return false;
        for (; n_ < request_.batch; NextSequence()) {
            for (; split_ < plan_.num_splits; ++split_, group_ = 0) {
                const int64_t length = TaskLength();
                for (; group_ < shape_.groups; ++group_, position_ += length) {
                    if (position_ >= Share(core_ + 1)) return false;
                    if (length == 0 || !TakePart(piece)) continue;
                    ++group_;
                    position_ += length;
                    return true;
                }
            }
        }
        return false;
    }

    // Whether a task may be cut into pieces.
    __aicore__ inline bool cuts() const { return cuts_; }
    // Where the part of the line that belongs to a core begins.
    __aicore__ inline int64_t Share(int32_t core) const { return length_ * core / cores_; }

private:
    // What a task costs besides its keys, in tiles.
    static constexpr int32_t kTaskTiles = 1;
    // What merging pieces costs a core.
    static constexpr int32_t kMergeTiles = 2;

    __aicore__ inline void ReadSequence() {
        if (n_ >= request_.batch) return;
        s_ = request_.bounded_sequence(n_);
        visible_ = KeyRange{0, 0};
        if (s_.seqlen_q > 0) visible_ = request_.mask_of(s_).visible_to_any(0, s_.seqlen_q);
    }
    __aicore__ inline void NextSequence() {
        ++n_;
        split_ = group_ = 0;
        ReadSequence();
    }
    __aicore__ inline KeyRange TaskKeys() const { return plan_.split_range(visible_, split_); }
    __aicore__ inline int32_t TaskTiles() const { return ceil_div(TaskKeys().size(), shape_.tile_keys); }
    // Sequences without queries have no tasks.
    __aicore__ inline int64_t TaskLength() const { return s_.seqlen_q > 0 ? kTaskTiles + TaskTiles() : 0; }
    // The core to which a point of the line belongs: the last one whose share begins at it or before.
    __aicore__ inline int32_t CoreOf(int64_t point) const {
        return static_cast<int32_t>(((point + 1) * cores_ - 1) / length_);
    }

    // The task at position_; false when this core has no part of it.
    __aicore__ inline bool TakePart(Piece& piece) const {
        const int32_t tiles = TaskTiles();
        const int64_t tiles_begin = position_ + kTaskTiles;
        const int64_t begin = Share(core_), end = Share(core_ + 1);
        KeyRange part{0, tiles};
        piece.first_core = piece.last_core = core_;
        if (cuts_ && tiles > 0) {
            part.begin = static_cast<int32_t>(clamp<int64_t>(begin - tiles_begin, 0, tiles));
            part.end = static_cast<int32_t>(clamp<int64_t>(end - tiles_begin, 0, tiles));
            if (part.empty()) return false;
            piece.first_core = CoreOf(tiles_begin);
            piece.last_core = CoreOf(tiles_begin + tiles - 1);
        } else if (position_ < begin) {
            return false;
        }
        piece.s = s_;
        piece.head_begin = group_ * shape_.heads;
        piece.heads = min_of(shape_.heads, request_.num_heads_kv - piece.head_begin);
        piece.head_rows = plan_.packed_rows(s_);
        piece.split = split_;
        piece.task_keys = TaskKeys();
        piece.keys = KeyRange{piece.task_keys.begin + part.begin * shape_.tile_keys,
                              min_of(piece.task_keys.end, piece.task_keys.begin + part.end * shape_.tile_keys)};
        piece.begin = position_;
        return true;
    }

    const Forward& request_;
    const Plan& plan_;
    const DecodeShape& shape_;
    int64_t length_ = 0;  // of the line, in tiles
    int32_t core_ = 0;
    int32_t cores_ = 1;  // that have a share
    bool cuts_ = false;
    // The next task to look at.
    int64_t position_ = 0;
    int32_t n_ = 0, split_ = 0, group_ = 0;
    Sequence s_{};
    KeyRange visible_{0, 0};
};

// Keys of a piece that go through softmax together.
struct Step {
    Piece piece;
    KeyRange keys;         // empty: the only step of a piece without keys
    int32_t number;        // of the step, over all steps of this core that have keys
    int32_t piece_number;  // likewise
    bool first;            // of its piece
    bool last;

    __aicore__ inline int32_t slot() const { return number % static_cast<int32_t>(DecodeWorkspace::kSlots); }
};

// The steps of an AI core in order: one sequence over all its pieces, so that the pipeline never drains between them.
// Its AIC and its AIVs each make one.
class Steps {
public:
    __aicore__ inline Steps(const DecodeShape& shape, const Partition& partition)
        : step_keys_(shape.step_keys), partition_(partition) {}

    // False when there is no further step.
    __aicore__ inline bool Next(Step& step) {
        if (begin_ >= piece_.keys.end) {
            if (!partition_.Next(piece_)) return false;
            if (!piece_.keys.empty()) ++piece_number_;
            begin_ = piece_.keys.begin;
        }
        const int32_t end = min_of(piece_.keys.end, begin_ + step_keys_);
        step.piece = piece_;
        step.keys = KeyRange{begin_, end};
        step.number = step.keys.empty() ? number_ : number_++;
        step.piece_number = piece_number_;
        step.first = begin_ == piece_.keys.begin;
        step.last = end == piece_.keys.end;
        begin_ = end;
        return true;
    }

private:
    const int32_t step_keys_;
    Partition partition_;
    Piece piece_{};
    int32_t begin_ = 0;  // first key of the next step
    int32_t number_ = 0;
    int32_t piece_number_ = -1;
};

}  // namespace flash_attn_npu::ascend::decode
