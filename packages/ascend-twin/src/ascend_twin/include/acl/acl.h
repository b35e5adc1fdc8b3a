// SPDX-License-Identifier: BSD-3-Clause
// The part of the ACL runtime that launches need, on host memory: device memory is registered with the checker.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <set>

#include "twin/abi.h"
#include "twin/c_api.h"

using aclError = int;
using aclrtStream = void*;
using aclrtContext = void*;
using aclrtEvent = void*;
constexpr aclError ACL_SUCCESS = 0;
constexpr aclError ACL_ERROR_NONE = 0;
constexpr aclError ACL_ERROR_BAD_ALLOC = 200000;
constexpr aclError ACL_ERROR_INVALID_PARAM = 100000;
enum aclrtMemMallocPolicy { ACL_MEM_MALLOC_HUGE_FIRST, ACL_MEM_MALLOC_HUGE_ONLY, ACL_MEM_MALLOC_NORMAL_ONLY };
enum aclrtMemcpyKind {
    ACL_MEMCPY_HOST_TO_HOST,
    ACL_MEMCPY_HOST_TO_DEVICE,
    ACL_MEMCPY_DEVICE_TO_HOST,
    ACL_MEMCPY_DEVICE_TO_DEVICE
};

namespace twin {
/// What the calls below gave out: freeing anything else is an error, not undefined.
inline std::set<void*>& acl_memory() {
    static std::set<void*> all;
    return all;
}
}  // namespace twin

inline aclError aclInit(const char*) { return ACL_SUCCESS; }
inline aclError aclFinalize() { return ACL_SUCCESS; }
inline aclError aclrtSetDevice(int32_t) { return ACL_SUCCESS; }
inline aclError aclrtResetDevice(int32_t) { return ACL_SUCCESS; }
inline aclError aclrtGetDevice(int32_t* device) {
    *device = 0;
    return ACL_SUCCESS;
}
inline aclError aclrtCreateContext(aclrtContext* context, int32_t) {
    *context = nullptr;
    return ACL_SUCCESS;
}
inline aclError aclrtDestroyContext(aclrtContext) { return ACL_SUCCESS; }
inline aclError aclrtCreateStream(aclrtStream* stream) {
    *stream = nullptr;
    return ACL_SUCCESS;
}
inline aclError aclrtDestroyStream(aclrtStream) { return ACL_SUCCESS; }
inline aclError aclrtSynchronizeStream(aclrtStream) { return ACL_SUCCESS; }
inline aclError aclrtSynchronizeDevice() { return ACL_SUCCESS; }
inline aclError aclrtMalloc(void** pointer, size_t bytes, aclrtMemMallocPolicy) {
    *pointer = std::aligned_alloc(512, (bytes + 511) / 512 * 512);
    if (!*pointer) return ACL_ERROR_BAD_ALLOC;
    twin::acl_memory().insert(*pointer);
    twin_register_gm(reinterpret_cast<uint64_t>(*pointer), bytes, "aclrtMalloc", 0, 0);
    return ACL_SUCCESS;
}
inline aclError aclrtFree(void* pointer) {
    if (!twin::acl_memory().erase(pointer)) return ACL_ERROR_INVALID_PARAM;
    twin_unregister_gm(reinterpret_cast<uint64_t>(pointer));
    std::free(pointer);
    return ACL_SUCCESS;
}
inline aclError aclrtMallocHost(void** pointer, size_t bytes) {
    *pointer = std::malloc(bytes);
    if (!*pointer) return ACL_ERROR_BAD_ALLOC;
    twin::acl_memory().insert(*pointer);
    return ACL_SUCCESS;
}
inline aclError aclrtFreeHost(void* pointer) {
    if (!twin::acl_memory().erase(pointer)) return ACL_ERROR_INVALID_PARAM;
    std::free(pointer);
    return ACL_SUCCESS;
}
inline aclError aclrtMemcpy(void* dst, size_t room, const void* src, size_t bytes, aclrtMemcpyKind kind) {
    if (bytes > room) return ACL_ERROR_INVALID_PARAM;
    std::memcpy(dst, src, bytes);
    if (kind == ACL_MEMCPY_HOST_TO_DEVICE || kind == ACL_MEMCPY_DEVICE_TO_DEVICE)
        twin_initialise_gm(reinterpret_cast<uint64_t>(dst), bytes);
    return ACL_SUCCESS;
}
inline aclError aclrtMemcpyAsync(void* dst, size_t room, const void* src, size_t bytes, aclrtMemcpyKind kind,
                                 aclrtStream) {
    return aclrtMemcpy(dst, room, src, bytes, kind);
}
inline aclError aclrtMemset(void* dst, size_t room, int32_t value, size_t bytes) {
    if (bytes > room) return ACL_ERROR_INVALID_PARAM;
    std::memset(dst, value, bytes);
    twin_initialise_gm(reinterpret_cast<uint64_t>(dst), bytes);
    return ACL_SUCCESS;
}
inline aclError aclrtMemsetAsync(void* dst, size_t room, int32_t value, size_t bytes, aclrtStream) {
    return aclrtMemset(dst, room, value, bytes);
}
inline aclError aclrtGetHardwareSyncAddr(void** address) {
    *address = reinterpret_cast<void*>(0x1000);
    return ACL_SUCCESS;
}
inline const char* aclGetRecentErrMsg() { return ""; }
