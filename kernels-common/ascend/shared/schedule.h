// SPDX-License-Identifier: BSD-3-Clause
// Which tasks an AI core works on, and in which order: planned by every core for itself from the lengths in global
// memory, so that a launch needs neither a host read nor a planning kernel.
//
// Long tasks first, each to the core with the least work so far. Sorting would need a list; instead tasks are visited
// in passes over the batch, one for each range of costs, the largest first. All cores make the same visits and count
// the same work, and each picks its own tasks out. Scalar cost of a core, in steps of about 100 cycles:
// batch * (1 + passes) + tasks / 3, with passes * batch <= 2048 or a single pass; both overlap with the pipes' work.
#pragma once

#include "contract/arguments.h"

namespace flash_attn_npu::ascend {

// Packed rows [row_begin, row_end) of one kv head of one sequence, against `keys`: what at least one of the rows sees,
// cut to the split. Empty keys are a task too: somebody has to write zeros.
struct Task {
    Sequence s;
    int32_t kv_head;
    int32_t row_begin;
    int32_t row_end;
    int32_t split;
    KeyRange keys;

    FA_HOST_DEVICE int32_t rows() const { return row_end - row_begin; }
};

// Where in `redo` the word of a task stands: (sequence, kv head, row tile, split).
FA_HOST_DEVICE int64_t redo_index_at(const AttentionArguments& a, int32_t n, int32_t kv_head, int32_t row_begin,
                                     int32_t split) {
    const int64_t head = int64_t{n} * a.request.num_heads_kv + kv_head;
    return (head * a.plan.row_tiles + row_begin / a.plan.tile.rows) * a.plan.num_splits + split;
}
FA_HOST_DEVICE int64_t redo_index(const AttentionArguments& a, const Task& task) {
    return redo_index_at(a, task.s.n, task.kv_head, task.row_begin, task.split);
}

// Who gets the next task: the core with the least work so far. Cores stand in a ring in the order of their work; as
// tasks come with falling costs, a core that took one goes back nearly to the end, so an insertion is short.
class CoreQueue {
public:
    static constexpr int32_t kMostCores = 64;  // cores beyond get no tasks

    FA_HOST_DEVICE explicit CoreQueue(uint32_t cores)
        : cores_(min_of<int32_t>(static_cast<int32_t>(cores), kMostCores)) {
        for (int32_t i = 0; i < cores_; ++i) {
            work_[i] = 0;
            core_[i] = static_cast<uint8_t>(i);
        }
    }

    // The core that takes a task of this cost.
    FA_HOST_DEVICE uint32_t Take(int64_t cost) {
        const uint8_t core = core_[head_];
        const int64_t work = work_[head_] + cost;
        int32_t free = head_;  // the slot of the taken one becomes the end of the ring
        head_ = head_ + 1 == cores_ ? 0 : head_ + 1;
        for (int32_t i = 1; i < cores_; ++i) {
            const int32_t before = free == 0 ? cores_ - 1 : free - 1;
            if (work_[before] <= work) break;
            work_[free] = work_[before];
            core_[free] = core_[before];
            free = before;
        }
        work_[free] = work;
        core_[free] = core;
        return core;
    }

private:
    int32_t cores_;
    int32_t head_ = 0;
    int64_t work_[kMostCores];
    uint8_t core_[kMostCores];
};

// The tasks of one AI core. Its AIC and its AIVs each make one and get the same tasks in the same order.
class Schedule {
public:
    // `tiles_per_task`: row tiles (plan.tile.rows) that a task spans at most. `marked`: hand out only the tasks whose
    // word there (redo_index) is not 0; null: all of them.
    FA_HOST_DEVICE Schedule(const AttentionArguments& arguments, uint32_t core, uint32_t cores,
                            int32_t tiles_per_task = 1, FA_GM const int32_t* marked = nullptr)
        : a_(arguments),
          p_(arguments.request),
          plan_(arguments.plan),
          rows_per_task_(arguments.plan.tile.rows * tiles_per_task),
          core_(static_cast<int32_t>(core)),
          cores_(static_cast<int32_t>(cores)),
          marked_(marked),
          queue_(cores),
          split_(arguments.plan.num_splits) {
        if (marked_ == nullptr) PlanPasses();
    }

    // False when there is no further task.
    FA_HOST_DEVICE bool Next(Task& task) {
        if (marked_ != nullptr) {
            while (NextOfDiagonal()) {
                if (marked_[redo_index_at(a_, n_, head_, tile_ * rows_per_task_, split_)] == 0) continue;
                visible_ = Visible(tile_);
                Fill(task);
                return true;
            }
            return false;
        }
        while (NextInOrder()) {
            if (static_cast<int32_t>(queue_.Take(cost_)) != core_) continue;
            Fill(task);
            return true;
        }
        return false;
    }

private:
    // Costs are in keys: what a task costs before its first key, and a step (plan.tile.keys) beside its keys. Fitted to
    // the general kernel on the twin, one core, head_dim 128: 300 + 1900 per step + 14 per key, in cycles.
    static constexpr int64_t kTaskCost = 32;
    static constexpr int64_t kStepCost = 128;
    // Visits of sequences that ordering may cost.
    static constexpr int64_t kVisits = 2048;
    // K and V of the heads that are worked on at a time should stay in L2, beside S, P and O.
    static constexpr int64_t kCacheBytes = arch::Chip::kL2Bytes / 3;

    FA_HOST_DEVICE void Fill(Task& task) const {
        task.s = s_;
        task.kv_head = head_;
        task.row_begin = tile_ * rows_per_task_;
        task.row_end = min_of(plan_.packed_rows(s_), task.row_begin + rows_per_task_);
        task.split = split_;
        task.keys = plan_.split_range(visible_, split_);
    }

    // ---- marked tasks: usually none, so that looking for them must be cheap. A core looks at its own only, which lie
    // on diagonals: marked ones come as all tiles of a head, or as one tile of all heads, and either way cores share
    // them.

    FA_HOST_DEVICE bool NextOfDiagonal() {
        if (done_) return false;
        if (++split_ < plan_.num_splits) return true;
        split_ = 0;
        tile_ += cores_;
        while (tile_ >= tiles_end_) {
            if (++head_ >= heads_end_) {
                if (++n_ >= p_.batch) {
                    done_ = true;
                    return false;
                }
                s_ = p_.bounded_sequence(n_);
                tiles_end_ = Tiles();
                heads_end_ = p_.num_heads_kv;
                head_ = 0;
            }
            tile_ = heads_end_ == 0 ? tiles_end_ : (core_ + cores_ - (n_ + head_) % cores_) % cores_;
        }
        return true;
    }

    // ---- the order: passes (falling costs), sequences, groups of heads that share L2, tiles, heads, splits

    // To the next task of the whole order.
    FA_HOST_DEVICE bool NextInOrder() {
        if (done_) return false;
        if (++split_ < plan_.num_splits) return true;
        split_ = 0;
        if (++head_ < heads_end_) return true;
        head_ = heads_end_ - heads_together_;
        if (--tile_ >= tiles_begin_) return EnterTile();
        if (EnterHeads(heads_end_)) return true;
        while (true) {
            while (++n_ < p_.batch) {
                if (EnterSequence()) return true;
            }
            if (low_ == 0) {
                done_ = true;
                return false;
            }
            high_ = low_;
            low_ = LowerEnd(high_);
            n_ = -1;
        }
    }

    // Sequence n_, if it has tasks in this pass.
    FA_HOST_DEVICE bool EnterSequence() {
        s_ = p_.bounded_sequence(n_);
        const int32_t tiles = Tiles();
        if (tiles == 0 || p_.num_heads_kv == 0) return false;
        if (monotone_) {
            // The later a row, the more keys it sees: the pass takes a run of tiles.
            tiles_end_ = TilesUpTo(high_, tiles);
            tiles_begin_ = TilesUpTo(low_, tiles_end_);
        } else {
            const int64_t cost = SequenceCosts().high;
            tiles_end_ = low_ < cost && cost <= high_ ? tiles : 0;
            tiles_begin_ = 0;
        }
        if (tiles_begin_ == tiles_end_) return false;
        const int64_t key_bytes = int64_t{p_.head_dim + p_.head_dim_v} * size_of(p_.dtype);
        const int64_t head_bytes = max_of<int64_t>(1, Visible(tiles_end_ - 1).size() * key_bytes);
        most_heads_ = static_cast<int32_t>(clamp<int64_t>(kCacheBytes / head_bytes, 1, p_.num_heads_kv));
        return EnterHeads(0);
    }

    // The next group of heads of the sequence, from its most expensive tile.
    FA_HOST_DEVICE bool EnterHeads(int32_t first) {
        if (n_ < 0 || first == p_.num_heads_kv) return false;
        head_ = first;
        heads_together_ = min_of(most_heads_, p_.num_heads_kv - first);
        heads_end_ = first + heads_together_;
        split_ = 0;
        tile_ = tiles_end_ - 1;
        return EnterTile();
    }

    FA_HOST_DEVICE bool EnterTile() {
        visible_ = Visible(tile_);
        cost_ = CostOf(visible_);
        return true;
    }

    // ---- costs

    struct CostRange {
        int64_t low;
        int64_t high;
    };

    FA_HOST_DEVICE int32_t Tiles() const { return ceil_div(plan_.packed_rows(s_), rows_per_task_); }

    FA_HOST_DEVICE KeyRange Visible(int32_t tile) const {
        const int32_t row_begin = tile * rows_per_task_;
        const int32_t row_end = min_of(plan_.packed_rows(s_), row_begin + rows_per_task_);
        return p_.mask_of(s_).visible_to_any(row_begin / plan_.group, (row_end - 1) / plan_.group + 1);
    }

    FA_HOST_DEVICE int64_t CostOf(KeyRange visible) const {
        const int32_t keys = visible.size() / plan_.num_splits;
        return kTaskCost + keys + kStepCost * ceil_div(keys, plan_.tile.keys);
    }
    FA_HOST_DEVICE int64_t CostOfTile(int32_t tile) const { return CostOf(Visible(tile)); }

    // How many of the first `tiles` tiles cost at most `cost`; their costs do not decrease.
    FA_HOST_DEVICE int32_t TilesUpTo(int64_t cost, int32_t tiles) const {
        if (tiles == 0 || CostOfTile(tiles - 1) <= cost) return tiles;
        int32_t first = 0;
        int32_t last = tiles - 1;
        while (first < last) {
            const int32_t middle = first + (last - first) / 2;
            if (CostOfTile(middle) <= cost) {
                first = middle + 1;
            } else {
                last = middle;
            }
        }
        return first;
    }

    // Of the cheapest and the most expensive tile. With a left window or chunks neither need be at an end, but then
    // tiles cost much the same and a sample is enough: it only decides about the pass.
    FA_HOST_DEVICE CostRange SequenceCosts() const {
        const int32_t last = Tiles() - 1;
        CostRange costs{CostOfTile(0), CostOfTile(last)};
        if (!monotone_) {
            costs.high = max_of(max_of(costs.low, costs.high), CostOfTile(last / 2));
            costs.low = costs.high;
        }
        return costs;
    }

    // ---- passes: the costs in (low_, high_]; the last one has low_ == 0

    FA_HOST_DEVICE void PlanPasses() {
        monotone_ = p_.mask.window_left < 0 && p_.mask.attention_chunk == 0;
        const bool alike =
            !p_.cu_seqlens_q && !p_.seqused_q && !p_.cache_seqlens && !p_.cu_seqlens_k_new && !p_.kv_index.leftpad;
        CostRange all{INT64_MAX, 1};
        for (int32_t n = 0; n < (alike ? min_of(p_.batch, 1) : p_.batch); ++n) {
            s_ = p_.bounded_sequence(n);
            if (Tiles() == 0) continue;
            const CostRange costs = SequenceCosts();
            all = CostRange{min_of(all.low, costs.low), max_of(all.high, costs.high)};
        }
        cheapest_ = all.low;
        // Each pass covers a factor of two; of four or sixteen in large batches; everything in the largest.
        for (shift_ = 1; shift_ <= 4; shift_ *= 2) {
            int64_t passes = 1;
            for (int64_t cost = all.high; cost > 0 && (cost = cost >> shift_) >= cheapest_;) ++passes;
            if (passes * p_.batch <= kVisits) break;
        }
        high_ = all.high;
        low_ = LowerEnd(high_);
    }

    FA_HOST_DEVICE int64_t LowerEnd(int64_t high) const {
        const int64_t low = shift_ > 4 ? 0 : high >> shift_;
        return low < cheapest_ ? 0 : low;
    }

    const AttentionArguments& a_;
    const Forward& p_;
    const Plan& plan_;
    const int32_t rows_per_task_;
    const int32_t core_;
    const int32_t cores_;
    FA_GM const int32_t* marked_;
    CoreQueue queue_;

    bool monotone_ = true;
    bool done_ = false;
    int64_t cheapest_ = 1;
    int32_t shift_ = 1;
    int64_t low_ = 0;
    int64_t high_ = 0;

    // The task that NextInOrder or NextOfDiagonal came to; at first, the end of a sequence before the first.
    int32_t n_ = -1;
    Sequence s_{};
    int32_t most_heads_ = 1;
    int32_t heads_together_ = 0;
    int32_t heads_end_ = 0;
    int32_t head_ = 0;
    int32_t tiles_begin_ = 0;
    int32_t tiles_end_ = 0;
    int32_t tile_ = 0;
    int32_t split_;
    KeyRange visible_{0, 0};
    int64_t cost_ = 0;
};

}  // namespace flash_attn_npu::ascend
