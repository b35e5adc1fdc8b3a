// SPDX-License-Identifier: BSD-3-Clause
// The C ABI between an extension module and a backend: the cpu backend linked into the module, or a device library
// (_ascend910b.so, _twin.so) loaded at run time.
#pragma once

#include <cstddef>

#include "flash_attn_npu/plan.h"
#include "flash_attn_npu/request.h"

namespace flash_attn_npu {

// Raised with every change of the types below or of a request.
constexpr uint32_t kBackendAbiVersion = 4;

// What went wrong, if anything.
struct BackendStatus {
    enum Code : int32_t { kOk = 0, kRuntimeError = 1, kNotImplemented = 2 };

    int32_t code = kOk;
    char message[508] = {};
};

// What a call gets beside its tensors.
struct Execution {
    int32_t threads = 1;        // the caller's thread budget (cpu)
    void* stream = nullptr;     // the queue (npu)
    void* workspace = nullptr;  // at least Backend::workspace_bytes, in the memory of the tensors
    uint64_t workspace_bytes = 0;
};

struct Backend {
    uint32_t abi_version;
    const char* name;
    bool host_memory;  // works on tensors that the host can read: cpu, twin

    // Memory a call needs for itself; 0 on the cpu. Depends on the request's bounds only, not on tensor contents.
    uint64_t (*workspace_bytes)(const Forward* request, BackendStatus* status);

    // Whether the backend can compute the request at all; asked before anything is written.
    void (*check)(const Forward* request, BackendStatus* status);

    // Appends new keys and values (with rotary), attends, combines. Arguments were validated: the call cannot fail on
    // them. Device backends return when the work is queued.
    void (*forward)(const Forward* request, const Execution* execution, BackendStatus* status);

    // What the backend runs on, e.g. "avx512_bf16"; for diagnostics.
    const char* (*describe)();
};

// A device library exports these two functions with C linkage.
constexpr const char* kDeviceLibrarySymbol = "flash_attn_npu_backend";
constexpr const char* kDeviceLibraryVersionSymbol = "flash_attn_npu_backend_abi_version";
// Null when the library was built for another version.
using DeviceLibraryFunction = const Backend* (*)(uint32_t abi_version);
using DeviceLibraryVersionFunction = uint32_t (*)();

}  // namespace flash_attn_npu
