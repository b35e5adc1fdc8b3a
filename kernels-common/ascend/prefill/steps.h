// SPDX-License-Identifier: BSD-3-Clause
// The tasks of an AI core in the prefill kernel, cut into steps: one sequence over all tasks, so that the pipeline of
// cube and vector cores never drains between tasks.
#pragma once

#include "contract/prefill.h"
#include "shared/schedule.h"

namespace flash_attn_npu::ascend::prefill {

/// Keys [keys.begin, keys.end) of one task: the cube works on tiles of kKeyTile of them, the vector cores on panels of
/// 16. A task without keys, or one that the kernel does not serve, has one step without keys.
struct Step {
    static constexpr int32_t kKeyTile = 128;
    static constexpr int32_t kPanel = 16;

    Task task;
    KeyRange keys;
    int32_t tile_rows;  // of a sub-block
    int32_t number;     // over all tasks of this core
    bool first;         // of its task
    bool last;
    float scale;    // of its scores, positive
    float v_scale;  // of its output

    __aicore__ inline int32_t SubBlocks() const { return task.rows() > tile_rows ? 2 : 1; }
    __aicore__ inline int32_t RowBegin(int32_t sub) const { return task.row_begin + sub * tile_rows; }
    __aicore__ inline int32_t Rows(int32_t sub) const { return min_of(tile_rows, task.row_end - RowBegin(sub)); }
    __aicore__ inline int32_t Tiles() const { return ceil_div(keys.size(), kKeyTile); }
    __aicore__ inline int32_t Panels() const { return ceil_div(keys.size(), kPanel); }
    __aicore__ inline KeyRange TileKeys(int32_t tile) const {
        const int32_t begin = keys.begin + tile * kKeyTile;
        return KeyRange{begin, min_of(begin + kKeyTile, keys.end)};
    }
    __aicore__ inline int32_t Slot() const { return number % kPrefillSlots; }
};

/// Steps by number, made on demand. The last kHistory steps can be asked for.
class Steps {
public:
    __aicore__ inline Steps(const AttentionArguments& arguments, int32_t step_keys, uint32_t core, uint32_t cores)
        : a_(arguments),
          schedule_(arguments, core, cores, TilesPerTask(arguments, cores)),
          tile_rows_(arguments.plan.tile.rows),
          step_keys_(step_keys) {}

    /// Null when this core has fewer steps, and for negative numbers. Valid until step number + kHistory is asked for.
    __aicore__ inline const Step* At(int32_t number) {
        while (number >= made_ && more_) {
            more_ = Make(ring_[made_ % kHistory]);
            made_ += more_ ? 1 : 0;
        }
        return number >= 0 && number < made_ ? &ring_[number % kHistory] : nullptr;
    }

private:
    static constexpr int32_t kHistory = 5;

    // Row tiles share keys and values, unless there are so few that each can have a core to itself.
    __aicore__ inline static int32_t TilesPerTask(const AttentionArguments& a, uint32_t cores) {
        const int64_t tiles = int64_t{a.request.batch} * a.request.num_heads_kv * a.plan.row_tiles;
        return tiles <= static_cast<int64_t>(cores) ? 1 : kPrefillSubBlocks;
    }

    __aicore__ inline bool Make(Step& step) {
        const bool first = begin_ >= task_.keys.end;
        if (first) {
            if (!schedule_.Next(task_)) return false;
            const bool served = SetScales();
            if (task_.keys.empty() || !served) task_.keys = KeyRange{0, 0};
            begin_ = task_.keys.begin;
        }
        step.task = task_;
        step.keys = KeyRange{begin_, min_of(task_.keys.end, begin_ + step_keys_)};
        step.tile_rows = tile_rows_;
        step.number = made_;
        step.first = first;
        step.scale = scale_;
        step.v_scale = v_scale_;
        step.last = step.keys.end == task_.keys.end;
        begin_ = step.keys.end;
        return true;
    }

    // False if half scores are not for the task.
    __aicore__ inline bool SetScales() {
        const Forward& p = a_.request;
        scale_ = p.score.scale;
        v_scale_ = 1.0f;
        if (!p.is_fp8()) return true;
        const FoldedScale folded(p, task_.s.n, task_.kv_head);
        scale_ = folded.rest;
        v_scale_ = p.score.v_scale_of(task_.s.n, task_.kv_head) / staged_factor(p);
        return folded.ok;
    }

    const AttentionArguments& a_;
    Schedule schedule_;
    int32_t tile_rows_, step_keys_;
    float scale_ = 1.0f, v_scale_ = 1.0f;
    Task task_{};
    int32_t begin_ = 0;  // first key of the next step
    Step ring_[kHistory];
    int32_t made_ = 0;
    bool more_ = true;
};

}  // namespace flash_attn_npu::ascend::prefill
