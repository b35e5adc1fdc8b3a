// Which tasks an AI core works on, and in which order: planned by every core for itself from the lengths in global
// memory, so that a launch needs neither a host read nor a planning kernel.
#pragma once

#include "kernel/arguments.h"

namespace flash_attn_npu::ascend::kernel {

// Packed rows [row_begin, row_end) of one kv head of one sequence, against `keys`: what at least one of the rows sees,
// cut to the split. Empty keys are a task too: somebody has to write zeros.
struct Task {
    Sequence s;
    int32_t kv_head;
    int32_t row_begin;
    int32_t row_end;
    int32_t split;
    KeyRange keys;

    __aicore__ inline int32_t rows() const { return row_end - row_begin; }
};

// The tasks of one AI core. Its AIC and its AIVs each make one and get the same tasks in the same order.
class Schedule {
public:
    __aicore__ inline Schedule(const AttentionArguments& arguments, uint32_t core, uint32_t cores)
        : a_(arguments), next_(core), cores_(cores) {}

    // False when there is no further task.
    __aicore__ inline bool Next(Task& task) {
        const Problem& p = a_.problem;
        const Plan& plan = a_.plan;
        for (; n_ < p.batch; ++n_) {
            const Sequence s = p.bounded_sequence(n_);
            const int32_t rows = plan.packed_rows(s);
            const int32_t tiles = ceil_div(rows, plan.tile.rows);
            const int64_t tasks = int64_t{tiles} * p.num_heads_kv * plan.num_splits;
            if (next_ < first_ + tasks) {
                const int64_t index = next_ - first_;
                const int32_t tile = static_cast<int32_t>(index / plan.num_splits / p.num_heads_kv);
                task.s = s;
                task.split = static_cast<int32_t>(index % plan.num_splits);
                task.kv_head = static_cast<int32_t>(index / plan.num_splits % p.num_heads_kv);
                task.row_begin = tile * plan.tile.rows;
                task.row_end = min_of(rows, task.row_begin + plan.tile.rows);
                const int32_t i_end = (task.row_end - 1) / plan.group + 1;
                const KeyRange visible = p.mask_of(s).visible_to_any(task.row_begin / plan.group, i_end);
                task.keys = plan.split_range(visible, task.split);
                next_ += cores_;
                return true;
            }
            first_ += tasks;
        }
        return false;
    }

private:
    const AttentionArguments& a_;
    int64_t next_;       // number of the task to hand out, over all sequences
    int64_t first_ = 0;  // number of the first task of sequence n_
    int32_t n_ = 0;
    uint32_t cores_;
};

}  // namespace flash_attn_npu::ascend::kernel
