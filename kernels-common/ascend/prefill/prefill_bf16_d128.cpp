// SPDX-License-Identifier: BSD-3-Clause
// Long prefill, bf16, head dim 128.
#include "contract/launcher.h"
#include "prefill/kernel.h"

using namespace flash_attn_npu::ascend;

extern "C" __global__ __aicore__ void flash_attn_prefill_bf16_d128(AttentionArguments arguments) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_MIX_AIC_1_2);
    prefill::Prefill<arch::AtlasA2, bfloat16_t, bfloat16_t, 128, 128> prefill(arguments);
    if ASCEND_IS_AIC {
        prefill.Cube();
    }
    if ASCEND_IS_AIV {
        prefill.Vector();
    }
}

FLASH_ATTN_NPU_LAUNCHER(flash_attn_prefill_bf16_d128, AttentionArguments)
