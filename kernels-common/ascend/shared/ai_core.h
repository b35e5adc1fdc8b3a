// SPDX-License-Identifier: BSD-3-Clause
// Where the running core stands in a launch of attention kernels: the same on the AIC and the AIVs of an AI core.
#pragma once
#include "arch/resource.h"
#include "contract/arguments.h"

namespace flash_attn_npu::ascend {

struct AiCore {
    int32_t index;
    int32_t count;      // AI cores of the launch
    GM_ADDR workspace;  // of this AI core

    __aicore__ inline explicit AiCore(const AttentionArguments& arguments)
        : index(static_cast<int32_t>(AscendC::GetBlockIdx())), count(static_cast<int32_t>(AscendC::GetBlockNum())) {
        AscendC::SetSyncBaseAddr(arguments.ffts);
        if ASCEND_IS_AIV {
            index /= static_cast<int32_t>(AscendC::GetSubBlockNum());
        }
        workspace = arguments.core_workspace + index * arguments.core_workspace_bytes;
    }
};

}  // namespace flash_attn_npu::ascend
