// SPDX-License-Identifier: BSD-3-Clause
// ACL: initialisation, devices, contexts, versions, options.
#include <dlfcn.h>

#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>
#include <string>

#include "acl_types.h"
#include "device.h"
#include "fatal.h"
#include "memory.h"
#include "settings.h"
#include "stream.h"

namespace acl_emulation {

namespace {

std::string& recent_error() {
    static thread_local std::string text;
    return text;
}

bool valid(int32_t device) { return device >= 0 && device < Settings::get().devices && device < kMaxDevices; }

// A context is the address of its device's element.
char contexts[kMaxDevices];

std::mutex options_mutex;
std::map<int, int64_t>& options() {
    static auto* const map = new std::map<int, int64_t>();
    return *map;
}

// What a 910B2 answers; other chips of the family differ in the number of cores only, which torch_npu does not use.
constexpr int64_t kCubeCores = 24, kVectorCores = 48, kL2Bytes = 192ll << 20;

// torch_npu loads this library for itself alone; device libraries look up what they need of it by name.
__attribute__((constructor)) void become_visible() { dlopen("libascendcl.so", RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL); }

}  // namespace

int& current_device() {
    static thread_local int device = -1;
    return device;
}

int error(int code, const char* text) {
    recent_error() = text;
    return code;
}

}  // namespace acl_emulation

using namespace acl_emulation;

ACL_EXPORT aclError aclInit(const char*) {
    static bool done = false;
    if (done) return ACL_ERROR_REPEAT_INITIALIZE;
    done = true;
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclFinalize() { return ACL_SUCCESS; }

ACL_EXPORT const char* aclGetRecentErrMsg() {
    // The text is given once, as CANN does.
    static thread_local std::string given;
    given.swap(recent_error());
    recent_error().clear();
    return given.empty() ? nullptr : given.c_str();
}

ACL_EXPORT aclError aclrtGetDeviceCount(uint32_t* count) {
    *count = static_cast<uint32_t>(Settings::get().devices);
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtSetDevice(int32_t device) {
    if (!valid(device)) return error(ACL_ERROR_RT_INVALID_DEVICEID, "aclrtSetDevice: no such device");
    current_device() = device;
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtResetDevice(int32_t device) {
    for (Stream* stream : Streams::get().of_device(device)) stream->synchronise(-1);
    if (current_device() == device) current_device() = -1;
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtResetDeviceForce(int32_t device) { return aclrtResetDevice(device); }

ACL_EXPORT aclError aclrtGetDevice(int32_t* device) {
    if (current_device() < 0) return error(ACL_ERROR_RT_CONTEXT_NULL, "aclrtGetDevice: no device was set");
    *device = current_device();
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtGetCurrentContext(aclrtContext* context) {
    if (current_device() < 0) return error(ACL_ERROR_RT_CONTEXT_NULL, "aclrtGetCurrentContext: no device was set");
    *context = &contexts[current_device()];
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtSetCurrentContext(aclrtContext context) {
    const auto device = static_cast<int32_t>(static_cast<char*>(context) - contexts);
    if (!valid(device)) return error(ACL_ERROR_RT_CONTEXT_NULL, "aclrtSetCurrentContext: not a context");
    current_device() = device;
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtGetPrimaryCtxState(int32_t device, uint32_t* flags, int32_t* active) {
    if (!valid(device)) return error(ACL_ERROR_RT_INVALID_DEVICEID, "aclrtGetPrimaryCtxState: no such device");
    if (flags) *flags = 0;
    *active = current_device() == device;
    return ACL_SUCCESS;
}

ACL_EXPORT const char* aclrtGetSocName() { return Settings::get().soc.c_str(); }

ACL_EXPORT aclError aclrtGetDeviceInfo(uint32_t, aclrtDevAttr attribute, int64_t* value) {
    switch (attribute) {
        case ACL_DEV_ATTR_AICORE_CORE_NUM:
        case ACL_DEV_ATTR_CUBE_CORE_NUM: *value = kCubeCores; return ACL_SUCCESS;
        case ACL_DEV_ATTR_VECTOR_CORE_NUM: *value = kVectorCores; return ACL_SUCCESS;
        case ACL_DEV_ATTR_UBUF_PER_VECTOR_CORE: *value = 192 << 10; return ACL_SUCCESS;
        case ACL_DEV_ATTR_TOTAL_GLOBAL_MEM_SIZE:
            *value = static_cast<int64_t>(Settings::get().memory);
            return ACL_SUCCESS;
        case ACL_DEV_ATTR_L2_CACHE_SIZE: *value = kL2Bytes; return ACL_SUCCESS;
        case ACL_DEV_ATTR_NPU_ARCH: *value = 2201; return ACL_SUCCESS;
    }
    return error(ACL_ERROR_INVALID_PARAM, "aclrtGetDeviceInfo: an attribute the emulated device does not have");
}

ACL_EXPORT aclError aclGetDeviceCapability(uint32_t, aclDeviceInfo info, int64_t* value) {
    switch (info) {
        case ACL_DEVICE_INFO_AI_CORE_NUM: *value = kCubeCores; return ACL_SUCCESS;
        case ACL_DEVICE_INFO_VECTOR_CORE_NUM: *value = kVectorCores; return ACL_SUCCESS;
        case ACL_DEVICE_INFO_L2_SIZE: *value = kL2Bytes; return ACL_SUCCESS;
    }
    return error(ACL_ERROR_INVALID_PARAM, "aclGetDeviceCapability: an attribute the emulated device does not have");
}

ACL_EXPORT aclError aclrtDeviceCanAccessPeer(int32_t* can, int32_t, int32_t) {
    *can = 0;  // a kernel of one device that touches memory of another one is reported
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtGetLogicDevIdByUserDevId(int32_t device, int32_t* logical) {
    *logical = device;
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclsysGetCANNVersion(int, aclCANNPackageVersion* version) {
    std::memset(version, 0, sizeof(*version));
    std::snprintf(version->version, sizeof(version->version), "%s", Settings::get().cann.c_str());
    std::sscanf(version->version, "%63[^.].%63[^.].%63[^.]", version->major, version->minor, version->release);
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclsysGetVersionStr(char*, char* version) {
    std::strcpy(version, Settings::get().cann.c_str());
    return ACL_SUCCESS;
}

// Options of the process or context: kept and given back, without effect.
ACL_EXPORT aclError aclrtSetSysParamOpt(int option, int64_t value) {
    std::lock_guard<std::mutex> lock(options_mutex);
    options()[option] = value;
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtGetSysParamOpt(int option, int64_t* value) {
    std::lock_guard<std::mutex> lock(options_mutex);
    *value = options()[option];
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtCtxSetSysParamOpt(int option, int64_t value) { return aclrtSetSysParamOpt(option, value); }
ACL_EXPORT aclError aclrtSetDeviceSatMode(int) { return ACL_SUCCESS; }
ACL_EXPORT aclError aclrtSetOpExecuteTimeOut(uint32_t) { return ACL_SUCCESS; }
ACL_EXPORT aclError aclrtSetOpExecuteTimeOutV2(uint64_t timeout, uint64_t* actual) {
    *actual = timeout;
    return ACL_SUCCESS;
}
ACL_EXPORT aclError aclrtSetOpWaitTimeout(uint32_t) { return ACL_SUCCESS; }

// The operator compiler's options. "disable" is what a binary-only installation answers.
ACL_EXPORT aclError aclSetCompileopt(int, const char*) { return ACL_SUCCESS; }
ACL_EXPORT size_t aclGetCompileoptSize(int) { return sizeof("disable"); }
ACL_EXPORT aclError aclGetCompileopt(int, char* value, size_t size) {
    if (size < sizeof("disable")) return ACL_ERROR_INVALID_PARAM;
    std::strcpy(value, "disable");
    return ACL_SUCCESS;
}

// Dump, profiling and logging: switched off. aclAppLog is how torch_npu logs at every step.
ACL_EXPORT aclError aclmdlInitDump() { return ACL_SUCCESS; }
ACL_EXPORT aclError aclmdlSetDump(const char*) { return ACL_SUCCESS; }
ACL_EXPORT aclError aclmdlFinalizeDump() { return ACL_SUCCESS; }
ACL_EXPORT void aclAppLog(int, const char*, const char*, uint32_t, const char*, ...) {}
ACL_EXPORT int32_t MsprofRegisterCallback(uint32_t, void*) { return 0; }
ACL_EXPORT int32_t MsprofReportApi(uint32_t, const void*) { return 0; }
ACL_EXPORT int32_t MsprofReportCompactInfo(uint32_t, const void*, uint32_t) { return 0; }
ACL_EXPORT int32_t MsprofReportAdditionalInfo(uint32_t, const void*, uint32_t) { return 0; }
ACL_EXPORT uint64_t MsprofGetHashId(const char*, size_t) { return 0; }
ACL_EXPORT uint64_t MsprofSysCycleTime() { return 0; }

// What torch_npu calls for an operator that libopapi does not have.
ACL_EXPORT aclError aclopCompileAndExecute(const char* type, ...) {
    not_implemented("aclopCompileAndExecute", "operator " + std::string(type));
}
ACL_EXPORT aclError aclopCompileAndExecuteV2(const char* type, ...) {
    not_implemented("aclopCompileAndExecuteV2", "operator " + std::string(type));
}
