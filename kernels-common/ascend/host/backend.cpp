// SPDX-License-Identifier: BSD-3-Clause
// The C ABI of the device library.
#include <cstdio>
#include <exception>

#include "host/device.h"
#include "host/launch_plan.h"

namespace flash_attn_npu::ascend::host {

namespace {

void set(BackendStatus* status, BackendStatus::Code code, const char* message) {
    status->code = code;
    std::snprintf(status->message, sizeof(status->message), "%s", message);
}

// Runs `body`; what it throws becomes the status: exceptions do not cross the C ABI.
template <class Body>
void guarded(BackendStatus* status, Body body) {
    try {
        body();
    } catch (const std::exception& error) {
        set(status, BackendStatus::kRuntimeError, error.what());
    }
}

bool nothing_to_do(const Forward& p) { return p.batch == 0 || p.total_q == 0; }

uint64_t workspace_bytes(const Forward* request, BackendStatus* status) {
    uint64_t bytes = 0;
    guarded(status, [&] {
        if (!nothing_to_do(*request)) bytes = LaunchPlan(*request, core_count()).workspace_bytes();
    });
    return bytes;
}

void check(const Forward* request, BackendStatus* status) {
    if (request->dtype != DType::kFloat32) return;
    set(status, BackendStatus::kNotImplemented,
        "q: got dtype torch.float32, expected torch.float16, torch.bfloat16 or (v3) torch.float8_e4m3fn: "
        "the cube of the Ascend 910B has no float32 attention");
}

void forward(const Forward* request, const Execution* execution, BackendStatus* status) {
    guarded(status, [&] {
        check(request, status);
        if (status->code != BackendStatus::kOk || nothing_to_do(*request)) return;
        const LaunchPlan launches(*request, core_count());
        if (execution->workspace_bytes < launches.workspace_bytes()) {
            return set(status, BackendStatus::kRuntimeError, "the workspace is smaller than workspace_bytes() said");
        }
        submit(launches, *execution);
    });
}

const Backend kBackend{kBackendAbiVersion, kName, kHostMemory, workspace_bytes, check, forward, describe};

}  // namespace

}  // namespace flash_attn_npu::ascend::host

extern "C" __attribute__((visibility("default"))) const flash_attn_npu::Backend* flash_attn_npu_backend(
    uint32_t abi_version) {
    return abi_version == flash_attn_npu::kBackendAbiVersion ? &flash_attn_npu::ascend::host::kBackend : nullptr;
}

extern "C" __attribute__((visibility("default"))) uint32_t flash_attn_npu_backend_abi_version() {
    return flash_attn_npu::kBackendAbiVersion;
}
