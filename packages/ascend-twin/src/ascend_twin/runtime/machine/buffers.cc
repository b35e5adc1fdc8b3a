// SPDX-License-Identifier: BSD-3-Clause
// The memories: sizes, alignment, and the way from an operand to bytes.
#include <cstdarg>
#include <cstdio>

#include "machine/cores.h"
#include "machine/timing_only.h"

namespace twin {

const char* name_of(Pipe pipe) {
    static const char* names[] = {"S", "V", "M", "MTE1", "MTE2", "MTE3", "FIX", "?", "ALL"};
    return names[static_cast<int>(pipe)];
}

const char* name_of(Memory memory) {
    static const char* names[] = {"GM", "L1", "L0A", "L0B", "L0C", "UB", "BT", "FB", "?"};
    return names[static_cast<int>(memory)];
}

uint32_t alignment_of(Memory memory) {
    static const uint32_t bytes[] = {1, 32, 512, 512, 64, 32, 64, 64};
    return bytes[static_cast<int>(memory)];
}

uint32_t bits_of(DType type) {
    static const uint32_t bits[] = {16, 16, 32, 8, 8, 16, 16, 32, 32, 64, 64, 4, 0};
    return bits[static_cast<int>(type)];
}

std::string format(const char* text, ...) {
    char buffer[2048];
    va_list args;
    va_start(args, text);
    std::vsnprintf(buffer, sizeof(buffer), text, args);
    va_end(args);
    return buffer;
}

Core::Core(AiCore& group_, bool cube_, int sub_, int global_index)
    : group(group_), cube(cube_), sub(sub_), index(global_index) {
    const bool checking = Device::get().checking();
    for (int m = 1; m < kMemories; ++m) {
        const Memory which = static_cast<Memory>(m);
        if (cube == (which == Memory::kUb)) continue;
        // A NaN pattern, so that a read of bytes nobody wrote shows up in results as well.
        memory[m].data.assign(bytes_of(which), timing_only() ? 0 : 0xff);
        if (checking) {
            memory[m].valid.assign(bytes_of(which), 0);
            memory[m].blocks.resize(bytes_of(which));
        }
    }
    if (cube) {
        unit_flags.assign(bytes_of(Memory::kL0C) / 512, 0);
        sparse_index.assign(bytes_of(Memory::kL0B) / 4, 0xff);
        sparse_valid.assign(sparse_index.size(), 0);
    }
}

std::string Core::name() const {
    return cube ? format("block%d.AIC", group.block) : format("block%d.AIV%d", group.block, sub);
}

uint8_t* Core::resolve(const Ref& ref, uint64_t bytes, const char* role, const Loc& loc) {
    if (ref.memory == Memory::kGm) {
        Device& device = Device::get();
        if (ref.address == 0) {
            error("null_pointer", format("%s: %s is a null pointer", loc.api, role), loc);
            return nullptr;
        }
        if (device.any_gm() && !device.find_gm(ref.address, bytes)) {
            GmRange* start = device.find_gm(ref.address, 1);
            if (start)
                error("gm_out_of_bounds",
                      format("%s: %s touches bytes [%llu, %llu) of %s, which has %llu", loc.api, role,
                             (unsigned long long)(ref.address - start->begin),
                             (unsigned long long)(ref.address - start->begin + bytes), start->name.c_str(),
                             (unsigned long long)(start->end - start->begin)),
                      loc);
            else
                error("gm_out_of_bounds",
                      format("%s: %s at 0x%llx (%llu bytes) is in no registered tensor", loc.api, role,
                             (unsigned long long)ref.address, (unsigned long long)bytes),
                      loc);
            return nullptr;
        }
        return reinterpret_cast<uint8_t*>(ref.address);
    }
    LocalMemory& local = memory[static_cast<int>(ref.memory)];
    if (local.data.empty()) {
        error("wrong_core",
              format("%s: %s is in %s, which this core does not have", loc.api, role, name_of(ref.memory)), loc);
        return nullptr;
    }
    if (ref.address + bytes > local.data.size()) {
        error("buffer_overflow",
              format("%s: %s touches %s bytes [%llu, %llu), capacity %llu", loc.api, role, name_of(ref.memory),
                     (unsigned long long)ref.address, (unsigned long long)(ref.address + bytes),
                     (unsigned long long)local.data.size()),
              loc);
        return nullptr;
    }
    if (ref.address % alignment_of(ref.memory) != 0) {
        error("misaligned",
              format("%s: %s starts at %s byte %llu, which is not a multiple of %u", loc.api, role, name_of(ref.memory),
                     (unsigned long long)ref.address, alignment_of(ref.memory)),
              loc);
        return nullptr;
    }
    return local.data.data() + ref.address;
}

uint8_t* Core::resolve_valid(const Ref& ref, uint64_t bytes) {
    if (ref.memory == Memory::kGm) {
        GmRange* range = Device::get().find_gm(ref.address, bytes);
        return range && !range->valid.empty() ? range->valid.data() + (ref.address - range->begin) : nullptr;
    }
    LocalMemory& local = memory[static_cast<int>(ref.memory)];
    return local.valid.empty() ? nullptr : local.valid.data() + ref.address;
}

void* local_pointer(Memory which, uint64_t offset) {
    LocalMemory& local = current().memory[static_cast<int>(which)];
    return local.data.empty() ? nullptr : local.data.data() + offset;
}

uint64_t ub_offset(uint64_t host_address) {
    return host_address - reinterpret_cast<uint64_t>(local_pointer(Memory::kUb, 0));
}

void* scalar_access(const Ref& ref, uint32_t bytes, bool write, bool cached, const Loc& loc) {
    Core& core = current();
    if (core.recorder) core.recorder->scalar(loc);
    // A core may poll a word that another one writes.
    constexpr uint32_t kPollsPerTurn = 256;
    if (ref.memory == Memory::kGm && !write && ++core.polls % kPollsPerTurn == 0) let_others_run(core);
    if (ref.memory != Memory::kGm && ref.memory != Memory::kUb) {
        core.error("illegal_scalar_access", format("%s: scalar code cannot reach %s", loc.api, name_of(ref.memory)),
                   loc);
        return core.scratch;
    }
    Ref aligned = ref;
    aligned.address = ref.memory == Memory::kUb ? ref.address / 32 * 32 : ref.address;
    uint8_t* data = core.resolve(aligned, ref.address - aligned.address + bytes, "operand", loc);
    if (!data) return core.scratch;
    if (core.checker) {
        core.checker->scalar_access(ref, bytes, write, cached, loc);
        if (write)
            if (uint8_t* valid = core.resolve_valid(ref, bytes)) std::fill(valid, valid + bytes, 1);
    }
    return data + (ref.address - aligned.address);
}

void clean_data_cache(const Ref& ref, bool all, const Loc& loc) {
    Core& core = current();
    if (core.recorder) core.recorder->scalar(loc);
    if (core.checker && ref.memory == Memory::kGm) Device::get().caches.clean_and_invalid(core, ref.address, all);
}

}  // namespace twin
