// SPDX-License-Identifier: BSD-3-Clause
// The kernels of the library as the host half calls them: FLASH_ATTN_NPU_LAUNCHER in each kernel's source defines them.
#pragma once

#include "contract/arguments.h"
#include "contract/convert_kv.h"
#include "contract/instances.h"
#include "contract/prepare.h"

namespace flash_attn_npu::ascend::host {

using AttentionLauncher = void (*)(uint32_t blocks, void* stream, const AttentionArguments& arguments);

}  // namespace flash_attn_npu::ascend::host

extern "C" {

#define FLASH_ATTN_NPU_KERNEL(KERNEL, ARGUMENTS) \
    void launch_##KERNEL(uint32_t blocks, void* stream, const flash_attn_npu::ascend::ARGUMENTS& arguments)

FLASH_ATTN_NPU_KERNEL(flash_attn_prepare, PrepareArguments);
FLASH_ATTN_NPU_KERNEL(flash_attn_convert_kv, ConvertKvArguments);
FLASH_ATTN_NPU_KERNEL(flash_attn_combine, AttentionArguments);

#define KERNEL(ROOM, SYMBOL, DTYPE, HEAD_DIM, HEAD_DIM_V) FLASH_ATTN_NPU_KERNEL(SYMBOL, AttentionArguments);
#include "contract/instances.def"
#undef KERNEL

#undef FLASH_ATTN_NPU_KERNEL

}  // extern "C"
