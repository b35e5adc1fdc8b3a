// SPDX-License-Identifier: BSD-3-Clause
// The kernels of the library as the host half calls them: FLASH_ATTN_NPU_LAUNCHER in each kernel's source defines them.
#pragma once

#include "contract/arguments.h"
#include "contract/convert_kv.h"
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

#define GENERAL(NAME, DTYPE) FLASH_ATTN_NPU_KERNEL(flash_attn_attention_##NAME, AttentionArguments);
#define DECODE(NAME, DTYPE) FLASH_ATTN_NPU_KERNEL(flash_attn_decode_##NAME, AttentionArguments);
#define PREFILL(NAME, DTYPE, HEAD_DIM) \
    FLASH_ATTN_NPU_KERNEL(flash_attn_prefill_##NAME##_d##HEAD_DIM, AttentionArguments);
#include "host/instances.def"

#undef FLASH_ATTN_NPU_KERNEL

}  // extern "C"
