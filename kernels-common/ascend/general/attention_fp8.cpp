// SPDX-License-Identifier: BSD-3-Clause
// General attention, fp8 (e4m3) caches: the arithmetic is fp16, out is bf16; queries arrive converted, see prepare.
#include "contract/launcher.h"
#include "general/kernel.h"

using namespace flash_attn_npu::ascend;

extern "C" __global__ __aicore__ void flash_attn_attention_fp8(AttentionArguments arguments) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_MIX_AIC_1_2);
    using Arch = arch::AtlasA2;
    general::Attention<Arch, half, bfloat16_t, general::StagedKeys<Arch, half>> attention(arguments);
    attention();
}

FLASH_ATTN_NPU_LAUNCHER(flash_attn_attention_fp8, AttentionArguments)
