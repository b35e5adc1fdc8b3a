// SPDX-License-Identifier: BSD-3-Clause
// Scalar odds and ends: control registers, kernel-side printing, traps, pipe objects.
#include <atomic>

#include "machine/cores.h"

namespace twin {

void set_ctrl_bit(int bit, bool on, const Loc& loc) {
    Core& core = current();
    core.ctrl = on ? core.ctrl | 1ull << bit : core.ctrl & ~(1ull << bit);
    if (core.recorder) core.recorder->scalar(loc);
}
uint64_t get_ctrl() { return current().ctrl; }

void scalar_note(const Loc& loc) {
    Core& core = current();
    if (core.recorder) core.recorder->scalar(loc);
}

uint16_t atomic_config() {
    const Core& core = current();
    if (core.atomic == Atomic::kNone) return 0;
    switch (core.atomic_type) {
        case DType::kFloat: return 1;
        case DType::kHalf: return 2;
        case DType::kInt16: return 3;
        case DType::kInt32: return 4;
        case DType::kInt8: return 5;
        default: return 6;
    }
}

const void* dump_access(const Ref& ref, uint32_t bytes, const Loc& loc) {
    Core& core = current();
    Ref aligned = ref;
    if (ref.memory != Memory::kGm) aligned.address -= ref.address % alignment_of(ref.memory);
    const uint8_t* data = core.resolve(aligned, ref.address - aligned.address + bytes, "tensor", loc);
    return data ? static_cast<const void*>(data + (ref.address - aligned.address)) : core.scratch;
}

namespace {
uint64_t chosen_key = ~0ull;
}
uint64_t tiling_key() { return chosen_key; }
void set_tiling_key(uint64_t key) { chosen_key = key; }

int64_t system_cycle() {
    static std::atomic<int64_t> ticks{0};
    return ++ticks;
}

void user_trap(const char* text, const Loc& loc) { current().error("trap", std::string(loc.api) + ": " + text, loc); }

void user_print(const char* text) {
    Device& device = Device::get();
    std::lock_guard<std::mutex> lock(device.mutex);
    device.output += text;
}

void* core_slot(int index) { return current().slots[index]; }
void set_core_slot(int index, void* value) { current().slots[index] = value; }

void report(const char* error_class, const char* message, const Loc& loc) {
    current().error(error_class, message, loc);
}

}  // namespace twin
