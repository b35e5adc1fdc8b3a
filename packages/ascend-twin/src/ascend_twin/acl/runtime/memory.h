// SPDX-License-Identifier: BSD-3-Clause
// Device memory: pages of this process, every allocation between unreadable pages, addresses never reused.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace acl_emulation {

constexpr int kMaxDevices = 16;

struct Allocation {
    uint64_t begin, bytes;
    uint64_t first_page, end_page;  // the pages that hold it; what they hold beside it is filled with a pattern
    int device;
};

class Memory {
public:
    static Memory& get();

    // Null when the device has no room.
    void* allocate(int device, uint64_t bytes);
    // Fatal for an address that is not the begin of a live allocation, and when a byte beside it was written.
    void free(void* address);

    // Address space without memory (aclrtReserveMemAddress), and parts of it that get and lose memory.
    void* reserve(uint64_t bytes);
    void release(void* address);
    bool map(int device, void* address, uint64_t bytes);
    void unmap(void* address);

    uint64_t used(int device);
    // The live allocation that contains `address`, if any.
    bool find(const void* address, Allocation* found);

    using Live = void (*)(uint64_t begin, uint64_t bytes, const char* name, int initialised, int read_only);
    using Dead = void (*)(uint64_t begin);
    // Tells a checker about every live allocation now and about each that comes and goes.
    void watch(Live live, Dead dead);

    // Whether `address` belongs to device memory that is or was; safe in a signal handler.
    bool owns(uint64_t address) const;
    // What is wrong with an access to `address` that faulted.
    std::string explain(uint64_t address);

private:
    friend class DeviceAccess;
    Memory() = default;

    uint64_t take_addresses(uint64_t bytes);
    void add(const Allocation&);
    void remove(std::map<uint64_t, Allocation>::iterator);
    void protect(const Allocation&, bool accessible);
    void protect_device(int device, bool accessible);

    struct Arena {
        uint64_t begin, end;
    };

    std::mutex mutex_;
    std::array<Arena, 64> arenas_{};
    int arena_count_ = 0;
    uint64_t next_ = 0;
    std::map<uint64_t, Allocation> live_;
    std::map<uint64_t, Allocation> freed_;
    std::map<uint64_t, uint64_t> reserved_;
    std::array<uint64_t, kMaxDevices> used_{};
    std::array<int, kMaxDevices> accesses_{};  // running tasks that may touch the device's memory
    Live live_callback_ = nullptr;
    Dead dead_callback_ = nullptr;
};

// While one exists, the device's memory may be touched. Nothing else may: host code that dereferences a device pointer
// works by accident here and not on a device, so the pages are unreadable whenever no task runs.
class DeviceAccess {
public:
    explicit DeviceAccess(int device) : devices_{device, -1} { acquire(); }
    DeviceAccess(int first, int second) : devices_{first, second == first ? -1 : second} { acquire(); }
    ~DeviceAccess();
    DeviceAccess(const DeviceAccess&) = delete;
    DeviceAccess& operator=(const DeviceAccess&) = delete;

private:
    void acquire();
    int devices_[2];
};

// What the calling thread executes, for reports of faults; null on host threads.
const char*& running_task();
// What some stream executes.
std::atomic<const char*>& any_running_task();

}  // namespace acl_emulation
