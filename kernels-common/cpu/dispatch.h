// SPDX-License-Identifier: BSD-3-Clause
// Which SIMD level this process uses.
#pragma once

#include <string>

#include "cpu/isa.h"

namespace flash_attn_npu::cpu {

// The best level that the CPU and the operating system offer, or the one FLASH_ATTN_NPU_CPU_ISA names. Null with
// `error` set when that variable names something unknown or unavailable. Decided once per process.
const IsaKernels* selected_isa(std::string& error);

}  // namespace flash_attn_npu::cpu
