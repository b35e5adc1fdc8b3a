// SPDX-License-Identifier: BSD-3-Clause
// Host code that every kernel source ends with: the function by which the host half launches the kernel. It stands
// beside the kernel because a launch must be compiled by the device compiler, which the rest of the host half is not.
#pragma once

#include <cstdint>

#include "flash_attn_npu/platform.h"

// Host pass of the device compiler, and the twin, which compiles host and device code in one go.
#if defined(ASCEND_TWIN) || !defined(FA_CORE_PASS)
#define FLASH_ATTN_NPU_LAUNCHER(KERNEL, ARGUMENTS)                                     \
    extern "C" __attribute__((visibility("default"))) void launch_##KERNEL(            \
        uint32_t blocks, void* stream, const ::flash_attn_npu::ascend::ARGUMENTS& a) { \
        KERNEL<<<blocks, nullptr, stream>>>(a);                                        \
    }
#else
#define FLASH_ATTN_NPU_LAUNCHER(KERNEL, ARGUMENTS)
#endif
