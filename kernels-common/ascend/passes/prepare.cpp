// SPDX-License-Identifier: BSD-3-Clause
// flash_attn_prepare: appends new keys and values, rotates keys and queries, converts fp8 queries. Vector cores only,
// any number of them; runs before attention on the same stream.
#include "passes/prepare.h"

#include "contract/launcher.h"

using namespace flash_attn_npu;
using namespace flash_attn_npu::ascend;

namespace {

template <DType kDType>
__aicore__ inline void prepare(const PrepareArguments& arguments) {
    AscendC::SetCtrlSpr<48, 48>(1);  // infinities and NaN stay
    arch::Resource<arch::Chip> resource;
    passes::Prepare<arch::Chip, kDType> prepare(resource, arguments);
    prepare();
}

}  // namespace

extern "C" __global__ __aicore__ void flash_attn_prepare(PrepareArguments arguments) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    if ASCEND_IS_AIV {
        switch (arguments.request.dtype) {
            case DType::kFloat16: prepare<DType::kFloat16>(arguments); break;
            case DType::kBFloat16: prepare<DType::kBFloat16>(arguments); break;
            case DType::kFloat8E4M3: prepare<DType::kFloat8E4M3>(arguments); break;
            default: break;
        }
    }
}

FLASH_ATTN_NPU_LAUNCHER(flash_attn_prepare, PrepareArguments)
