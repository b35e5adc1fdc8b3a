// SPDX-License-Identifier: BSD-3-Clause
// The tasks of an AI core, cut into steps of tile.keys keys: one sequence of steps over all tasks, so that the pipeline
// of cube and vector cores never drains between tasks.
#pragma once

#include "shared/schedule.h"

namespace flash_attn_npu::ascend::general {

struct Step {
    Task task;
    KeyRange keys;        // empty: the only step of a task without keys
    int32_t number;       // of the step, over all tasks of this core
    int32_t task_number;  // of the task, likewise
    bool first;           // of its task
    bool last;

    __aicore__ inline int32_t slot(int32_t slots) const { return number % slots; }
};

class Steps {
public:
    __aicore__ inline Steps(const AttentionArguments& arguments, uint32_t core, uint32_t cores)
        : a_(arguments), schedule_(arguments, core, cores, 1, arguments.redo) {}

    // False when there is no further step.
    __aicore__ inline bool Next(Step& step) {
        if (begin_ >= task_.keys.end && !NextTask()) return false;
        // Steps lie on multiples of tile.keys, so that they cut pages as rarely as possible.
        const int32_t end = min_of(task_.keys.end, (begin_ / a_.plan.tile.keys + 1) * a_.plan.tile.keys);
        step.task = task_;
        step.keys = task_.keys.empty() ? KeyRange{0, 0} : KeyRange{begin_, end};
        step.number = number_++;
        step.task_number = task_number_;
        step.first = begin_ == task_.keys.begin;
        step.last = task_.keys.empty() || end == task_.keys.end;
        begin_ = step.last ? task_.keys.end : end;
        return true;
    }

private:
    __aicore__ inline bool NextTask() {
        if (!schedule_.Next(task_)) return false;
        ++task_number_;
        begin_ = task_.keys.begin;
        return true;
    }

    const AttentionArguments& a_;
    Schedule schedule_;
    Task task_{};
    int32_t begin_ = 0;  // first key of the next step
    int32_t number_ = 0;
    int32_t task_number_ = -1;
};

/// Steps as a pipeline of two stages sees them: each one comes first as Ahead() and LOOK_AHEAD advances later as
/// Behind(), also across tasks.
template <int32_t LOOK_AHEAD>
class Pipeline {
public:
    __aicore__ inline Pipeline(const AttentionArguments& arguments, uint32_t core, uint32_t cores)
        : steps_(arguments, core, cores) {}

    // False when both stages have seen every step.
    __aicore__ inline bool Advance() {
        more_ = more_ && steps_.Next(ring_[produced_ % (LOOK_AHEAD + 1)]);
        ahead_ = more_ ? &ring_[produced_++ % (LOOK_AHEAD + 1)] : nullptr;
        const bool due = more_ ? produced_ - consumed_ > LOOK_AHEAD : consumed_ < produced_;
        behind_ = due ? &ring_[consumed_++ % (LOOK_AHEAD + 1)] : nullptr;
        return ahead_ != nullptr || behind_ != nullptr;
    }

    // Null: nothing to do for this stage.
    __aicore__ inline const Step* Ahead() const { return ahead_; }
    __aicore__ inline const Step* Behind() const { return behind_; }

private:
    Steps steps_;
    Step ring_[LOOK_AHEAD + 1];
    const Step* ahead_ = nullptr;
    const Step* behind_ = nullptr;
    int32_t produced_ = 0, consumed_ = 0;
    bool more_ = true;
};

}  // namespace flash_attn_npu::ascend::general
