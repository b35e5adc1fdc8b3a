// SPDX-License-Identifier: BSD-3-Clause
// ACL: memory and copies.
#include <sys/mman.h>

#include <cstring>
#include <map>
#include <mutex>

#include "acl_types.h"
#include "device.h"
#include "fatal.h"
#include "memory.h"
#include "settings.h"
#include "stream.h"

namespace acl_emulation {

namespace {

// Page-locked host memory, which PointerGetAttributes (torch's is_pinned) has to know.
class HostMemory {
public:
    static HostMemory& get() {
        static HostMemory* const memory = new HostMemory();
        return *memory;
    }
    void add(void* address, uint64_t bytes) {
        std::lock_guard<std::mutex> lock(mutex_);
        ranges_[reinterpret_cast<uint64_t>(address)] = bytes;
    }
    uint64_t remove(void* address) {
        std::lock_guard<std::mutex> lock(mutex_);
        const auto it = ranges_.find(reinterpret_cast<uint64_t>(address));
        if (it == ranges_.end()) fatal("aclrtFreeHost of an address that aclrtMallocHost did not give");
        const uint64_t bytes = it->second;
        ranges_.erase(it);
        return bytes;
    }
    bool contains(const void* address) {
        std::lock_guard<std::mutex> lock(mutex_);
        auto it = ranges_.upper_bound(reinterpret_cast<uint64_t>(address));
        if (it == ranges_.begin()) return false;
        --it;
        return reinterpret_cast<uint64_t>(address) < it->first + it->second;
    }

private:
    std::mutex mutex_;
    std::map<uint64_t, uint64_t> ranges_;
};

// The device of an address, -1 for host memory. Fatal when device memory is named that does not hold `bytes`.
int device_of(const void* address, uint64_t bytes, const char* function) {
    Allocation a;
    const auto at = reinterpret_cast<uint64_t>(address);
    if (!Memory::get().owns(at)) return -1;
    if (!Memory::get().find(address, &a)) fatal(std::string(function) + ": " + Memory::get().explain(at));
    // Expandable segments map one tensor's memory in several pieces, so that the next piece may go on.
    if (at + bytes > a.begin + a.bytes && !Memory::get().find(reinterpret_cast<void*>(at + bytes - 1), &a)) {
        fatal(std::string(function) + " of " + std::to_string(bytes) +
              " bytes: " + Memory::get().explain(a.begin + a.bytes));
    }
    return a.device;
}

struct Places {
    int dst, src;
};

// Fatal unless the addresses are what `kind` says.
Places places(void* dst, const void* src, size_t count, aclrtMemcpyKind kind, const char* function) {
    const Places p{device_of(dst, count, function), device_of(src, count, function)};
    bool right = true;
    switch (kind) {
        case ACL_MEMCPY_HOST_TO_HOST: right = p.dst < 0 && p.src < 0; break;
        case ACL_MEMCPY_HOST_TO_DEVICE:
        case ACL_MEMCPY_HOST_TO_BUF_TO_DEVICE: right = p.dst >= 0 && p.src < 0; break;
        case ACL_MEMCPY_DEVICE_TO_HOST: right = p.dst < 0 && p.src >= 0; break;
        case ACL_MEMCPY_DEVICE_TO_DEVICE:
        case ACL_MEMCPY_INNER_DEVICE_TO_DEVICE:
        case ACL_MEMCPY_INTER_DEVICE_TO_DEVICE: right = p.dst >= 0 && p.src >= 0; break;
        case ACL_MEMCPY_DEFAULT: break;
    }
    if (!right) {
        fatal(std::string(function) + ": kind " + std::to_string(kind) + " with a destination on device " +
              std::to_string(p.dst) + " and a source on device " + std::to_string(p.src) + " (-1: the host)");
    }
    return p;
}

}  // namespace

}  // namespace acl_emulation

using namespace acl_emulation;

ACL_EXPORT aclError aclrtMalloc(void** address, size_t bytes, int) {
    if (current_device() < 0) return error(ACL_ERROR_RT_CONTEXT_NULL, "aclrtMalloc: no device was set");
    *address = Memory::get().allocate(current_device(), bytes);
    return *address ? ACL_SUCCESS : error(ACL_ERROR_RT_MEMORY_ALLOCATION, "aclrtMalloc: the device has no room");
}

ACL_EXPORT aclError aclrtMallocAlign32(void** address, size_t bytes, int policy) {
    return aclrtMalloc(address, bytes, policy);
}

ACL_EXPORT aclError aclrtFree(void* address) {
    if (address) Memory::get().free(address);
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtGetMemInfo(int, size_t* free, size_t* total) {
    if (current_device() < 0) return error(ACL_ERROR_RT_CONTEXT_NULL, "aclrtGetMemInfo: no device was set");
    *total = Settings::get().memory;
    *free = *total - Memory::get().used(current_device());
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtMallocHost(void** address, size_t bytes) {
    void* pages = mmap(nullptr, bytes ? bytes : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) return ACL_ERROR_RT_MEMORY_ALLOCATION;
    HostMemory::get().add(pages, bytes ? bytes : 1);
    *address = pages;
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtMallocHostWithCfg(void** address, uint64_t bytes, void*) {
    return aclrtMallocHost(address, bytes);
}

ACL_EXPORT aclError aclrtFreeHost(void* address) {
    if (address) munmap(address, HostMemory::get().remove(address));
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtPointerGetAttributes(const void* address, aclrtPtrAttributes* attributes) {
    *attributes = {};
    Allocation a;
    if (Memory::get().find(address, &a)) {
        attributes->location = {static_cast<uint32_t>(a.device), ACL_MEM_LOCATION_TYPE_DEVICE};
    } else if (HostMemory::get().contains(address)) {
        attributes->location.type = ACL_MEM_LOCATION_TYPE_HOST;
    } else {
        attributes->location.type = ACL_MEM_LOCATION_TYPE_UNREGISTERED;
    }
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtMemcpy(void* dst, size_t room, const void* src, size_t count, aclrtMemcpyKind kind) {
    if (count > room) return error(ACL_ERROR_INVALID_PARAM, "aclrtMemcpy: more bytes than the destination holds");
    const Places p = places(dst, src, count, kind, "aclrtMemcpy");
    const DeviceAccess access(p.dst, p.src);
    std::memcpy(dst, src, count);
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtMemcpyAsync(void* dst, size_t room, const void* src, size_t count, aclrtMemcpyKind kind,
                                     aclrtStream handle) {
    if (count > room) return error(ACL_ERROR_INVALID_PARAM, "aclrtMemcpyAsync: more bytes than the destination holds");
    Stream* stream = Streams::get().find(handle, "aclrtMemcpyAsync");
    const Places p = places(dst, src, count, kind, "aclrtMemcpyAsync");
    const int other = p.dst >= 0 && p.dst != stream->device() ? p.dst : p.src;
    stream->enqueue({"aclrtMemcpyAsync",
                     [=] {
                         std::memcpy(dst, src, count);
                         return 0.0;
                     },
                     true, other});
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtMemcpyAsyncWithCondition(void* dst, size_t room, const void* src, size_t count,
                                                  aclrtMemcpyKind kind, aclrtStream handle) {
    // From and to pageable host memory the device's runtime copies before it returns.
    const bool pageable = (kind == ACL_MEMCPY_HOST_TO_DEVICE && !HostMemory::get().contains(src)) ||
                          (kind == ACL_MEMCPY_DEVICE_TO_HOST && !HostMemory::get().contains(dst));
    const aclError status = aclrtMemcpyAsync(dst, room, src, count, kind, handle);
    if (pageable && status == ACL_SUCCESS) Streams::get().find(handle, "aclrtMemcpyAsync")->synchronise(-1);
    return status;
}

ACL_EXPORT aclError aclrtMemset(void* dst, size_t room, int32_t value, size_t count) {
    if (count > room) return error(ACL_ERROR_INVALID_PARAM, "aclrtMemset: more bytes than the destination holds");
    const DeviceAccess access(device_of(dst, count, "aclrtMemset"));
    std::memset(dst, value, count);
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtMemsetAsync(void* dst, size_t room, int32_t value, size_t count, aclrtStream handle) {
    if (count > room) return error(ACL_ERROR_INVALID_PARAM, "aclrtMemsetAsync: more bytes than the destination holds");
    device_of(dst, count, "aclrtMemsetAsync");
    Streams::get().find(handle, "aclrtMemsetAsync")->enqueue({"aclrtMemsetAsync", [=] {
                                                                  std::memset(dst, value, count);
                                                                  return 0.0;
                                                              }});
    return ACL_SUCCESS;
}

// Expandable segments: address space first, memory for parts of it later.
struct PhysicalMemory {
    int device;
    uint64_t bytes;
};

ACL_EXPORT aclError aclrtReserveMemAddress(void** address, size_t bytes, size_t, void*, uint64_t) {
    *address = Memory::get().reserve(bytes);
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtReleaseMemAddress(void* address) {
    Memory::get().release(address);
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtMallocPhysical(aclrtDrvMemHandle* handle, size_t bytes, const void*, uint64_t) {
    if (current_device() < 0) return error(ACL_ERROR_RT_CONTEXT_NULL, "aclrtMallocPhysical: no device was set");
    if (Memory::get().used(current_device()) + bytes > Settings::get().memory) {
        return error(ACL_ERROR_RT_MEMORY_ALLOCATION, "aclrtMallocPhysical: the device has no room");
    }
    *handle = new PhysicalMemory{current_device(), bytes};
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtFreePhysical(aclrtDrvMemHandle handle) {
    delete static_cast<PhysicalMemory*>(handle);
    return ACL_SUCCESS;
}

ACL_EXPORT aclError aclrtMapMem(void* address, size_t bytes, size_t, aclrtDrvMemHandle handle, uint64_t) {
    const auto* memory = static_cast<PhysicalMemory*>(handle);
    return Memory::get().map(memory->device, address, bytes) ? ACL_SUCCESS : ACL_ERROR_INVALID_PARAM;
}

ACL_EXPORT aclError aclrtUnmapMem(void* address) {
    Memory::get().unmap(address);
    return ACL_SUCCESS;
}

// For device libraries and tests.
ACL_EXPORT int acl_emulated_find(const void* address, uint64_t* begin, uint64_t* bytes) {
    Allocation a;
    if (!Memory::get().find(address, &a)) return 0;
    *begin = a.begin;
    *bytes = a.bytes;
    return 1;
}

ACL_EXPORT void acl_emulated_watch_memory(Memory::Live live, Memory::Dead dead) { Memory::get().watch(live, dead); }
