// SPDX-License-Identifier: BSD-3-Clause
// flash_attn_combine: partial results of KV splits -> out, softmax_lse. Vector cores only, any number of them.
#include "passes/combine.h"

#include "contract/launcher.h"

using namespace flash_attn_npu;
using namespace flash_attn_npu::ascend;

extern "C" __global__ __aicore__ void flash_attn_combine(AttentionArguments arguments) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    if ASCEND_IS_AIV {
        AscendC::SetCtrlSpr<48, 48>(1);  // infinities stay
        arch::Resource<arch::Chip> resource;
        if (arguments.request.out_dtype == DType::kBFloat16) {
            passes::Combine<arch::Chip, bfloat16_t> combine(resource, arguments);
            combine();
        } else {
            passes::Combine<arch::Chip, half> combine(resource, arguments);
            combine();
        }
    }
}

FLASH_ATTN_NPU_LAUNCHER(flash_attn_combine, AttentionArguments)
