// SPDX-License-Identifier: BSD-3-Clause
// A device library for tests of the host side: on the stream it is given, later, it computes with the cpu backend.
//
// The kernels are not what these tests are about, so they are replaced by ones that are proved elsewhere. In place of
// kernels' own needs it asks for a workspace, fills it, and finds out whether anybody wrote to it while the launch ran.
#include <dlfcn.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "cpu/backend.h"

namespace {

using namespace flash_attn_npu;

constexpr uint64_t kWorkspace = 1u << 20;
constexpr uint8_t kMark = 0x5A;

using LaunchFunction = int (*)(void*, const char*, double (*)(void*), void*, void (*)(void*));
using FailFunction = void (*)(const char*);

template <class Function>
Function runtime_function(const char* name) {
    return reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
}

struct Launch {
    Forward request;
    Execution execution;
};

double run(void* argument) {
    const auto& launch = *static_cast<Launch*>(argument);
    const auto fail = runtime_function<FailFunction>("acl_emulated_fail");
    auto* workspace = static_cast<uint8_t*>(launch.execution.workspace);
    std::fill_n(workspace, kWorkspace, kMark);
    BackendStatus status;
    cpu::backend().forward(&launch.request, &launch.execution, &status);
    if (status.code != BackendStatus::kOk) fail(status.message);
    // Another stream has time to do harm.
    if (const char* us = std::getenv("FLASH_ATTN_NPU_TEST_LAUNCH_US")) {
        std::this_thread::sleep_for(std::chrono::microseconds(std::atol(us)));
    }
    if (!std::all_of(workspace, workspace + kWorkspace, [](uint8_t byte) { return byte == kMark; })) {
        fail("the workspace was written by somebody else while the launch ran");
    }
    return 0.0;
}

uint64_t workspace_bytes(const Forward*, BackendStatus*) { return kWorkspace; }

void check(const Forward* request, BackendStatus* status) {
    if (request->dtype != DType::kFloat32) return;
    status->code = BackendStatus::kNotImplemented;
    std::snprintf(status->message, sizeof(status->message), "q: got torch.float32, expected float16 or bfloat16");
}

void forward(const Forward* request, const Execution* execution, BackendStatus* status) {
    const auto launch = runtime_function<LaunchFunction>("acl_emulated_launch");
    if (launch == nullptr || execution->workspace_bytes < kWorkspace) {
        status->code = BackendStatus::kRuntimeError;
        std::snprintf(status->message, sizeof(status->message), "%s",
                      launch ? "the workspace is too small" : "there is no emulated ACL runtime in this process");
        return;
    }
    auto* argument = new Launch{*request, *execution};
    const auto destroy = [](void* p) { delete static_cast<Launch*>(p); };
    if (const int error = launch(execution->stream, "cpu device", run, argument, destroy)) {
        destroy(argument);
        status->code = BackendStatus::kRuntimeError;
        std::snprintf(status->message, sizeof(status->message), "the launch failed with ACL's error %d", error);
    }
}

const char* describe() { return "the cpu backend in the place of an NPU"; }

const Backend kBackend{
    kBackendAbiVersion, "cpu_device", /*host_memory=*/false, workspace_bytes, check, forward, describe};

}  // namespace

extern "C" __attribute__((visibility("default"))) const Backend* flash_attn_npu_backend(uint32_t abi_version) {
    return abi_version == kBackendAbiVersion ? &kBackend : nullptr;
}

extern "C" __attribute__((visibility("default"))) uint32_t flash_attn_npu_backend_abi_version() {
    return kBackendAbiVersion;
}
