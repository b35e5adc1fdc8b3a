// SPDX-License-Identifier: BSD-3-Clause
// Counter mode of the vector mask for a scope: one instruction over `count` lanes, however many repeats that takes.
#pragma once
#include "kernel_operator.h"

namespace flash_attn_npu::ascend::tile {

/// While it lives, vector instructions with is_set_mask = false work on the first `count` lanes of their operands.
class CountedLanes {
public:
    __aicore__ inline explicit CountedLanes(uint32_t count) {
        AscendC::SetMaskCount();
        AscendC::SetVectorMask<half, AscendC::MaskMode::COUNTER>(0, count);
    }
    __aicore__ inline ~CountedLanes() {
        AscendC::SetMaskNorm();
        AscendC::ResetMask();
    }
};

}  // namespace flash_attn_npu::ascend::tile
