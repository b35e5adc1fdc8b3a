// SPDX-License-Identifier: BSD-3-Clause
// The cpu backend as a Backend: always present, linked into every extension module.
#pragma once

#include "flash_attn_npu/backend.h"

namespace flash_attn_npu::cpu {

const Backend& backend();

}  // namespace flash_attn_npu::cpu
