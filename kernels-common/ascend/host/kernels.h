// The kernels of the library as the host half calls them: FLASH_ATTN_NPU_LAUNCHER in each kernel's source defines them.
#pragma once

#include "kernel/arguments.h"
#include "kernel/prepare_limits.h"

extern "C" {

#define FLASH_ATTN_NPU_KERNEL(KERNEL, ARGUMENTS)                              \
    __attribute__((weak)) void launch_##KERNEL(uint32_t blocks, void* stream, \
                                               const flash_attn_npu::ascend::kernel::ARGUMENTS& a)

FLASH_ATTN_NPU_KERNEL(flash_attn_prepare, PrepareArguments);
FLASH_ATTN_NPU_KERNEL(flash_attn_attention_f16, AttentionArguments);
FLASH_ATTN_NPU_KERNEL(flash_attn_attention_bf16, AttentionArguments);
FLASH_ATTN_NPU_KERNEL(flash_attn_attention_fp8, AttentionArguments);
FLASH_ATTN_NPU_KERNEL(flash_attn_combine, AttentionArguments);

#undef FLASH_ATTN_NPU_KERNEL

}  // extern "C"
