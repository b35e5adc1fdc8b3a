// SPDX-License-Identifier: BSD-3-Clause
// Which kernels there are, from instances.def. Plain C++, so that the host includes it too.
#pragma once

#include "contract/arguments.h"

namespace flash_attn_npu::ascend {

// The rooms of attention kernels, by their directories' names.
enum class Room { general, decode, prefill };

// Whether a kernel for `head_dim`, 0: any, serves `asked`.
FA_HOST_DEVICE constexpr bool serves_head_dim(int32_t head_dim, int32_t asked) {
    return head_dim == 0 || head_dim == asked;
}

// Whether there is a kernel of `room` for these head dims, in some dtype.
FA_HOST_DEVICE constexpr bool has_instance(Room room, int32_t head_dim, int32_t head_dim_v) {
#define KERNEL(ROOM, SYMBOL, DTYPE, HEAD_DIM, HEAD_DIM_V)                                                     \
    if (room == Room::ROOM && serves_head_dim(HEAD_DIM, head_dim) && serves_head_dim(HEAD_DIM_V, head_dim_v)) \
        return true;
#include "contract/instances.def"
#undef KERNEL
    return false;
}

}  // namespace flash_attn_npu::ascend
