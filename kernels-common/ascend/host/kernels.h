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
FLASH_ATTN_NPU_KERNEL(flash_attn_attention_f16, AttentionArguments);
FLASH_ATTN_NPU_KERNEL(flash_attn_attention_bf16, AttentionArguments);
FLASH_ATTN_NPU_KERNEL(flash_attn_attention_fp8, AttentionArguments);
FLASH_ATTN_NPU_KERNEL(flash_attn_decode_f16, AttentionArguments);
FLASH_ATTN_NPU_KERNEL(flash_attn_decode_bf16, AttentionArguments);
FLASH_ATTN_NPU_KERNEL(flash_attn_decode_fp8, AttentionArguments);
FLASH_ATTN_NPU_KERNEL(flash_attn_prefill_f16_d64, AttentionArguments);
FLASH_ATTN_NPU_KERNEL(flash_attn_prefill_f16_d128, AttentionArguments);
FLASH_ATTN_NPU_KERNEL(flash_attn_prefill_f16_d192, AttentionArguments);
FLASH_ATTN_NPU_KERNEL(flash_attn_prefill_f16_d256, AttentionArguments);
FLASH_ATTN_NPU_KERNEL(flash_attn_prefill_bf16_d64, AttentionArguments);
FLASH_ATTN_NPU_KERNEL(flash_attn_prefill_bf16_d128, AttentionArguments);
FLASH_ATTN_NPU_KERNEL(flash_attn_prefill_bf16_d192, AttentionArguments);
FLASH_ATTN_NPU_KERNEL(flash_attn_prefill_bf16_d256, AttentionArguments);
FLASH_ATTN_NPU_KERNEL(flash_attn_prefill_fp8_d64, AttentionArguments);
FLASH_ATTN_NPU_KERNEL(flash_attn_prefill_fp8_d128, AttentionArguments);
FLASH_ATTN_NPU_KERNEL(flash_attn_prefill_fp8_d192, AttentionArguments);
FLASH_ATTN_NPU_KERNEL(flash_attn_prefill_fp8_d256, AttentionArguments);
FLASH_ATTN_NPU_KERNEL(flash_attn_combine, AttentionArguments);

#undef FLASH_ATTN_NPU_KERNEL

}  // extern "C"
