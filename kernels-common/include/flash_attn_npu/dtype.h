// SPDX-License-Identifier: BSD-3-Clause
// Element types that cross the API.
#pragma once

#include "flash_attn_npu/platform.h"

namespace flash_attn_npu {

enum class DType : int32_t { kFloat16 = 0, kBFloat16 = 1, kFloat32 = 2, kFloat8E4M3 = 3, kInt32 = 4, kOther = 5 };
constexpr int32_t kNumDTypes = static_cast<int32_t>(DType::kOther);  // that have a name

FA_HOST_DEVICE constexpr int32_t size_of(DType dtype) {
    return dtype == DType::kFloat8E4M3                             ? 1
           : dtype == DType::kFloat32 || dtype == DType::kInt32    ? 4
           : dtype == DType::kFloat16 || dtype == DType::kBFloat16 ? 2
                                                                   : 0;
}

}  // namespace flash_attn_npu
