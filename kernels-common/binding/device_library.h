// SPDX-License-Identifier: BSD-3-Clause
// The device library (_ascend910b.so, _twin.so): looked for when a call needs it and not before, so that importing
// costs nothing and works without CANN.
#pragma once

#include <string>

#include "flash_attn_npu/backend.h"

namespace flash_attn_npu::binding {

struct DeviceLibrary {
    std::string path;
    const Backend* backend;
};

// The library that FLASH_ATTN_NPU_DEVICE_LIB names, else _ascend910b.so beside the extension module. Loaded once and
// kept. Throws std::runtime_error that says what was looked for, what was found and what is needed.
const DeviceLibrary& device_library();

}  // namespace flash_attn_npu::binding
