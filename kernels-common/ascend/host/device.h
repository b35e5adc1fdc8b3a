// SPDX-License-Identifier: BSD-3-Clause
// What the host half needs to know of the machine that the kernels run on, and how a call is handed to it:
// device_acl.cpp for an NPU, device_twin.cpp for the twin.
#pragma once

#include <cstdint>

#include "flash_attn_npu/backend.h"
#include "host/launch_plan.h"

namespace flash_attn_npu::ascend::host {

// All of these throw std::runtime_error when the runtime does not answer.

// AI cores (one AIC and two AIVs each) of the current device.
uint32_t core_count();
// Base address of the flags between the cores of an AI core: a kernel argument.
uint64_t cross_core_flags();

// Zeroes device memory in stream order.
void set_zero(void* memory, uint64_t bytes, void* stream);

// Puts the launches on the stream of `execution`; on the twin without a stream, runs them.
void submit(const LaunchPlan& launches, const Execution& execution);

extern const char* const kName;
extern const bool kHostMemory;
const char* describe();

}  // namespace flash_attn_npu::ascend::host
