// SPDX-License-Identifier: BSD-3-Clause
// shared/schedule.h on the host: the tasks of one core.
#include "shared/schedule.h"

#include "driver.h"

namespace {

struct FlatTask {
    int32_t n, kv_head, row_begin, row_end, split, key_begin, key_end;
};

}  // namespace

/// Fills `tasks` (room for `room`) with the tasks of `core`, those marked in `redo` if it is given, and returns how
/// many there are.
extern "C" __attribute__((visibility("default"))) int64_t schedule(const twin_test::Call* call, uint32_t core,
                                                                   uint32_t cores, int32_t tiles_per_task,
                                                                   FlatTask* tasks, int64_t room) {
    using namespace flash_attn_npu::ascend;
    AttentionArguments arguments;
    twin_test::arguments_of(*call, arguments);
    Schedule schedule(arguments, core, cores, tiles_per_task, call->redo);
    Task task;
    int64_t count = 0;
    for (; schedule.Next(task); ++count) {
        if (count >= room) return -1;
        tasks[count] =
            FlatTask{task.s.n, task.kv_head, task.row_begin, task.row_end, task.split, task.keys.begin, task.keys.end};
    }
    return schedule.Next(task) ? -2 : count;
}
