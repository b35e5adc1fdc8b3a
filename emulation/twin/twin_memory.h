// SPDX-License-Identifier: BSD-3-Clause
// Which bytes of host memory a call may touch, registered with the twin for as long as the call runs: so an access
// outside of the tensors, and in check mode a read of anything that is not valid (cache rows beyond a sequence, gaps
// between strided rows, unwritten results), is found.
#pragma once

#include <vector>

#include "flash_attn_npu/request.h"

namespace flash_attn_npu::ascend::host {

class TwinMemory {
public:
    // `precise`: mark valid bytes one row at a time (check mode); else whole tensors.
    TwinMemory(const Forward& request, void* workspace, uint64_t workspace_bytes, bool precise);
    ~TwinMemory();
    TwinMemory(const TwinMemory&) = delete;
    TwinMemory& operator=(const TwinMemory&) = delete;

private:
    std::vector<uint64_t> registered_;
};

}  // namespace flash_attn_npu::ascend::host
