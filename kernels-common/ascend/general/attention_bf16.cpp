// SPDX-License-Identifier: BSD-3-Clause
// General attention, bf16.
#include "contract/launcher.h"
#include "general/kernel.h"

using namespace flash_attn_npu::ascend;

extern "C" __global__ __aicore__ void flash_attn_attention_bf16(AttentionArguments arguments) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_MIX_AIC_1_2);
    using Arch = arch::AtlasA2;
    general::Attention<Arch, bfloat16_t, bfloat16_t, general::CachedKeys<Arch, bfloat16_t>> attention(arguments);
    attention();
}

FLASH_ATTN_NPU_LAUNCHER(flash_attn_attention_bf16, AttentionArguments)
