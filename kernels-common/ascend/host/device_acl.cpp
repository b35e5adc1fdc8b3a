// SPDX-License-Identifier: BSD-3-Clause
// The NPU: launches go to a stream of the ACL runtime and return at once.
#include <stdexcept>
#include <string>

#include "acl/acl_rt.h"
#include "host/device.h"

namespace flash_attn_npu::ascend::host {

namespace {

void require(aclError error, const char* call) {
    if (error == ACL_SUCCESS) return;
    throw std::runtime_error(std::string(call) + " failed with ACL error " + std::to_string(error));
}

}  // namespace

const char* const kName = "ascend910b";
const bool kHostMemory = false;

uint32_t core_count() {
    int32_t device = 0;
    require(aclrtGetDevice(&device), "aclrtGetDevice");
    int64_t cores = 0;
    require(aclrtGetDeviceInfo(static_cast<uint32_t>(device), ACL_DEV_ATTR_CUBE_CORE_NUM, &cores),
            "aclrtGetDeviceInfo(ACL_DEV_ATTR_CUBE_CORE_NUM)");
    if (cores < 1) throw std::runtime_error("aclrtGetDeviceInfo: the device has no cube core");
    return static_cast<uint32_t>(cores);
}

uint64_t cross_core_flags() {
    void* address = nullptr;
    require(aclrtGetHardwareSyncAddr(&address), "aclrtGetHardwareSyncAddr");
    return reinterpret_cast<uint64_t>(address);
}

void set_zero(void* memory, uint64_t bytes, void* stream) {
    require(aclrtMemsetAsync(memory, bytes, 0, bytes, stream), "aclrtMemsetAsync");
}

void submit(const LaunchPlan& launches, const Execution& execution) {
    launches.launch(execution.workspace, execution.stream, cross_core_flags());
}

const char* describe() {
    const char* name = aclrtGetSocName();
    return name != nullptr ? name : "no Ascend device";
}

}  // namespace flash_attn_npu::ascend::host
