// SPDX-License-Identifier: BSD-3-Clause
// flash_attn_convert_kv: fp8 caches to half in workspace, for prefill. Vector cores only, any number of them; runs
// between prepare and attention on the same stream.
#include "passes/convert_kv.h"

#include "contract/launcher.h"

using namespace flash_attn_npu::ascend;

extern "C" __global__ __aicore__ void flash_attn_convert_kv(ConvertKvArguments arguments) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    if ASCEND_IS_AIV {
        AscendC::SetCtrlSpr<48, 48>(1);  // infinities and NaN stay
        arch::Resource<arch::Chip> resource;
        passes::ConvertKv<arch::Chip> convert(resource, arguments);
        convert();
    }
}

FLASH_ATTN_NPU_LAUNCHER(flash_attn_convert_kv, ConvertKvArguments)
