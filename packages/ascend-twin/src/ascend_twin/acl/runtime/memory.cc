// SPDX-License-Identifier: BSD-3-Clause
#include "memory.h"

#include <signal.h>
#include <sys/mman.h>

#include <cstdlib>
#include <cstring>

#include "fatal.h"
#include "settings.h"

namespace acl_emulation {

namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kAlign = 32;                // of the first byte: the least that aclrtMallocAlign32 promises
constexpr uint64_t kArena = 1ull << 38;        // address space taken from the system at a time
constexpr uint64_t kPoisonLimit = 256u << 20;  // larger allocations start as zeros: writing them would cost seconds
constexpr uint8_t kUnwritten = 0xFF;           // NaN in every floating type, out of range as an index
constexpr uint8_t kFence = 0xA5;

uint64_t round_up(uint64_t value, uint64_t to) { return (value + to - 1) / to * to; }

std::string hex(uint64_t value) {
    char text[32];
    std::snprintf(text, sizeof(text), "0x%llx", static_cast<unsigned long long>(value));
    return text;
}

std::string describe(const Allocation& a) {
    return "allocation of " + std::to_string(a.bytes) + " bytes at " + hex(a.begin) + " on device " +
           std::to_string(a.device);
}

void set_access(uint64_t begin, uint64_t end, int access) {
    if (mprotect(reinterpret_cast<void*>(begin), end - begin, access) != 0) {
        fatal("mprotect of device memory failed: " + std::string(std::strerror(errno)));
    }
}

struct sigaction previous_action[2];

void on_fault(int signal, siginfo_t* info, void* context) {
    const auto address = reinterpret_cast<uint64_t>(info->si_addr);
    if (Memory::get().owns(address)) {
        std::string who = "host code";
        if (const char* helped = any_running_task())
            who += ", or a helper thread of task '" + std::string(helped) + "',";
        if (const char* task = running_task()) who = "task '" + std::string(task) + "'";
        fatal(who + " touched " + hex(address) + ": " + Memory::get().explain(address));
    }
    const struct sigaction& previous = previous_action[signal == SIGBUS];
    if (previous.sa_flags & SA_SIGINFO) {
        previous.sa_sigaction(signal, info, context);
    } else if (previous.sa_handler != SIG_DFL && previous.sa_handler != SIG_IGN) {
        previous.sa_handler(signal);
    } else {
        sigaction(signal, &previous, nullptr);  // the access is repeated and ends the process
    }
}

void install_fault_handler() {
    struct sigaction action = {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigaction(SIGSEGV, &action, &previous_action[0]);
    sigaction(SIGBUS, &action, &previous_action[1]);
}

}  // namespace

const char*& running_task() {
    static thread_local const char* task = nullptr;
    return task;
}

std::atomic<const char*>& any_running_task() {
    static std::atomic<const char*> task{nullptr};
    return task;
}

Memory& Memory::get() {
    static Memory* const memory = new Memory();  // leaked: stream threads outlive static destructors
    return *memory;
}

uint64_t Memory::take_addresses(uint64_t bytes) {
    bytes += kPage;  // the page after every allocation stays unreadable
    if (arena_count_ == 0 || next_ + bytes > arenas_[arena_count_ - 1].end) {
        if (arena_count_ == static_cast<int>(arenas_.size())) fatal("out of address space for device memory");
        const uint64_t size = bytes > kArena ? round_up(bytes, kArena) : kArena;
        void* base = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (base == MAP_FAILED) fatal("cannot reserve address space for device memory: " + hex(size) + " bytes");
        if (arena_count_ == 0) install_fault_handler();
        const auto begin = reinterpret_cast<uint64_t>(base);
        arenas_[arena_count_++] = {begin, begin + size};
        next_ = begin + kPage;
    }
    const uint64_t begin = next_;
    next_ += bytes;
    return begin;
}

bool Memory::owns(uint64_t address) const {
    for (int i = 0; i < arena_count_; ++i) {
        if (address >= arenas_[i].begin && address < arenas_[i].end) return true;
    }
    return false;
}

void Memory::protect(const Allocation& a, bool accessible) {
    set_access(a.first_page, a.end_page, accessible ? PROT_READ | PROT_WRITE : PROT_NONE);
}

void Memory::protect_device(int device, bool accessible) {
    for (const auto& [begin, allocation] : live_) {
        if (allocation.device == device) protect(allocation, accessible);
    }
}

void Memory::add(const Allocation& a) {
    live_[a.begin] = a;
    used_[a.device] += a.bytes;
    if (Settings::get().host_guard && accesses_[a.device] == 0) protect(a, false);
    if (live_callback_) live_callback_(a.begin, a.bytes, "device memory", 1, 0);
}

void Memory::remove(std::map<uint64_t, Allocation>::iterator it) {
    const Allocation a = it->second;
    if (dead_callback_) dead_callback_(a.begin);
    live_.erase(it);
    used_[a.device] -= a.bytes;
    madvise(reinterpret_cast<void*>(a.first_page), a.end_page - a.first_page, MADV_DONTNEED);
    protect(a, false);
    freed_[a.begin] = a;
}

void* Memory::allocate(int device, uint64_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (bytes == 0 || used_[device] + bytes > Settings::get().memory) return nullptr;
    // Against the end of the pages: what runs over the end is found at once.
    const uint64_t pages = round_up(bytes, kPage);
    const uint64_t first = take_addresses(pages);
    const Allocation a{first + pages - round_up(bytes, kAlign), bytes, first, first + pages, device};
    protect(a, true);
    std::memset(reinterpret_cast<void*>(a.first_page), kFence, a.begin - a.first_page);
    std::memset(reinterpret_cast<void*>(a.begin + a.bytes), kFence, a.end_page - a.begin - a.bytes);
    if (Settings::get().poison && bytes <= kPoisonLimit) {
        std::memset(reinterpret_cast<void*>(a.begin), kUnwritten, bytes);
    }
    add(a);
    return reinterpret_cast<void*>(a.begin);
}

void Memory::free(void* address) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto it = live_.find(reinterpret_cast<uint64_t>(address));
    if (it == live_.end()) {
        fatal("aclrtFree of " + hex(reinterpret_cast<uint64_t>(address)) + ", which is not a live allocation");
    }
    const Allocation a = it->second;
    protect(a, true);
    for (uint64_t p = a.first_page; p < a.end_page; ++p) {
        if (p == a.begin) p += a.bytes;
        if (p < a.end_page && *reinterpret_cast<const uint8_t*>(p) != kFence) {
            fatal("byte " + std::to_string(static_cast<int64_t>(p - a.begin)) + " of an " + describe(a) +
                  " was written: found when it was freed");
        }
    }
    remove(it);
}

void* Memory::reserve(uint64_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    bytes = round_up(bytes, kPage);
    const uint64_t begin = take_addresses(bytes + (2u << 20));
    const uint64_t aligned = round_up(begin, 2u << 20);
    reserved_[aligned] = bytes;
    return reinterpret_cast<void*>(aligned);
}

void Memory::release(void* address) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (reserved_.erase(reinterpret_cast<uint64_t>(address)) == 0) {
        fatal("aclrtReleaseMemAddress of " + hex(reinterpret_cast<uint64_t>(address)) + ", which was not reserved");
    }
}

bool Memory::map(int device, void* address, uint64_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto begin = reinterpret_cast<uint64_t>(address);
    if (begin % kPage != 0 || bytes % kPage != 0) return false;
    const Allocation a{begin, bytes, begin, begin + bytes, device};
    protect(a, true);
    if (Settings::get().poison && bytes <= kPoisonLimit) std::memset(address, kUnwritten, bytes);
    add(a);
    return true;
}

void Memory::unmap(void* address) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto it = live_.find(reinterpret_cast<uint64_t>(address));
    if (it == live_.end()) {
        fatal("aclrtUnmapMem of " + hex(reinterpret_cast<uint64_t>(address)) + ", which is not mapped");
    }
    remove(it);
}

uint64_t Memory::used(int device) {
    std::lock_guard<std::mutex> lock(mutex_);
    return used_[device];
}

bool Memory::find(const void* address, Allocation* found) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto at = reinterpret_cast<uint64_t>(address);
    auto it = live_.upper_bound(at);
    if (it == live_.begin()) return false;
    const Allocation& a = (--it)->second;
    if (at >= a.begin + a.bytes) return false;
    *found = a;
    return true;
}

void Memory::watch(Live live, Dead dead) {
    std::lock_guard<std::mutex> lock(mutex_);
    live_callback_ = live;
    dead_callback_ = dead;
    for (const auto& [begin, a] : live_) live(a.begin, a.bytes, "device memory", 1, 0);
}

std::string Memory::explain(uint64_t address) {
    // The fault may have happened under the lock; then the maps are not readable.
    std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
    if (!lock) return "device memory";
    const auto before = [address](std::map<uint64_t, Allocation>& map) -> const Allocation* {
        auto it = map.upper_bound(address);
        return it == map.begin() ? nullptr : &(--it)->second;
    };
    const Allocation* live = before(live_);
    if (live && address < live->begin + live->bytes) {
        if (running_task()) return "memory of another device, " + describe(*live);
        return "device memory that the host cannot access, byte " + std::to_string(address - live->begin) + " of an " +
               describe(*live);
    }
    const Allocation* freed = before(freed_);
    if (freed && address < freed->begin + freed->bytes) {
        return "use after free, byte " + std::to_string(address - freed->begin) + " of an " + describe(*freed);
    }
    const Allocation* nearest = live;
    if (freed && (!nearest || freed->begin > nearest->begin)) nearest = freed;
    const auto after = live_.upper_bound(address);
    const uint64_t past = nearest ? address - nearest->begin - nearest->bytes : UINT64_MAX;
    if (after != live_.end() && after->first - address < past) {
        return "out of bounds, " + std::to_string(after->first - address) + " bytes before an " +
               describe(after->second);
    }
    if (!nearest) return "no device memory was ever allocated there";
    return "out of bounds, " + std::to_string(past) + " bytes past the end of an " + describe(*nearest) +
           (nearest == freed ? " (freed)" : "");
}

void DeviceAccess::acquire() {
    Memory& memory = Memory::get();
    std::lock_guard<std::mutex> lock(memory.mutex_);
    for (const int device : devices_) {
        if (device < 0 || memory.accesses_[device]++ != 0) continue;
        if (Settings::get().host_guard) memory.protect_device(device, true);
    }
}

DeviceAccess::~DeviceAccess() {
    Memory& memory = Memory::get();
    std::lock_guard<std::mutex> lock(memory.mutex_);
    for (const int device : devices_) {
        if (device < 0 || --memory.accesses_[device] != 0) continue;
        if (Settings::get().host_guard) memory.protect_device(device, false);
    }
}

}  // namespace acl_emulation
