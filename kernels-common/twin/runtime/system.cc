// Scalar odds and ends: control registers, kernel-side printing, traps, pipe objects.
#include <atomic>

#include "cores.h"

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
