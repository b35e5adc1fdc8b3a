// The C ABI between an extension module and a backend: the cpu backend linked into the module, or a device library
// (_ascend910b.so, _twin.so) loaded at run time.
#pragma once

#include <cstddef>

#include "flash_attn_npu/plan.h"
#include "flash_attn_npu/problem.h"

namespace flash_attn_npu {

constexpr uint32_t kBackendAbiVersion = 1;

// 0 is success; otherwise `message` says what went wrong.
struct BackendStatus {
    int32_t code = 0;
    char message[252] = {};
};

struct Backend {
    uint32_t abi_version;
    const char* name;

    // Appends new keys and values (with rotary), attends, combines. `threads` is the caller's thread budget (cpu);
    // `stream` the device queue (npu). Arguments were validated: the call cannot fail on them.
    void (*forward)(const Problem* problem, int32_t threads, void* stream, BackendStatus* status);

    // What the backend runs on, e.g. "avx512_bf16"; for diagnostics.
    const char* (*describe)();
};

}  // namespace flash_attn_npu
