// SPDX-License-Identifier: BSD-3-Clause
// The one name of the barrier between vector instructions.
#pragma once
#include "kernel_operator.h"

namespace flash_attn_npu::ascend::tile {

/// Vector instructions after it see what those before it wrote.
__aicore__ inline void VectorBarrier() { AscendC::PipeBarrier<PIPE_V>(); }

}  // namespace flash_attn_npu::ascend::tile
