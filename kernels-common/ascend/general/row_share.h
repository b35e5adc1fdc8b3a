// SPDX-License-Identifier: BSD-3-Clause
// The rows of a task that belong to one of the two vector cores.
#pragma once

#include "shared/schedule.h"

namespace flash_attn_npu::ascend::general {

struct RowShare {
    int32_t begin;  // packed rows of the kv head
    int32_t end;
    int32_t offset;  // of the first one in the row tile

    __aicore__ inline RowShare(const Task& task, int32_t sub_block) {
        const int32_t half = (task.rows() + 1) / 2;
        offset = sub_block == 0 ? 0 : half;
        begin = task.row_begin + offset;
        end = sub_block == 0 ? begin + half : task.row_end;
    }
    __aicore__ inline int32_t rows() const { return end - begin; }
};

}  // namespace flash_attn_npu::ascend::general
