// SPDX-License-Identifier: BSD-3-Clause
// Decode, fp8 (e4m3) caches: the arithmetic is fp16, out is bf16; queries arrive converted, see prepare.
#include "contract/launcher.h"
#include "decode/kernel.h"

using namespace flash_attn_npu::ascend;

extern "C" __global__ __aicore__ void flash_attn_decode_fp8(AttentionArguments arguments) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_MIX_AIC_1_2);
    decode::Decode<arch::AtlasA2, half, bfloat16_t, /*STAGED=*/true> decode(arguments);
    if ASCEND_IS_AIC {
        decode.Cube();
    }
    if ASCEND_IS_AIV {
        decode.Vector();
    }
}

FLASH_ATTN_NPU_LAUNCHER(flash_attn_decode_fp8, AttentionArguments)
