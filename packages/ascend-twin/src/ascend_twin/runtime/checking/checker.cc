// SPDX-License-Identifier: BSD-3-Clause
#include "checking/checker.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <tuple>

#include "machine/cores.h"

namespace twin {
namespace {

struct Places {
    std::vector<Loc> all;
    std::map<std::tuple<const void*, int, const void*>, uint32_t> index;
};
Places& places() {
    static Places p;
    return p;
}

uint32_t mask_of(uint32_t from, uint32_t to) {
    const uint32_t n = to - from;
    return (n >= 32 ? ~0u : ((1u << n) - 1)) << from;
}

}  // namespace

uint32_t place_of(const Loc& loc) {
    Places& p = places();
    auto found = p.index.emplace(std::make_tuple((const void*)loc.file, loc.line, (const void*)loc.api),
                                 static_cast<uint32_t>(p.all.size()));
    if (found.second) p.all.push_back(loc);
    return found.first->second;
}
Loc place_at(uint32_t index) { return places().all[index]; }
void clear_places() {
    places().all.clear();
    places().index.clear();
}

namespace {
std::vector<std::string>& core_names() {
    static std::vector<std::string> names;
    return names;
}
}  // namespace

std::string thread_name(uint32_t thread) {
    const uint32_t core = thread / 8;
    const std::string name = core < core_names().size() ? core_names()[core] : format("core%u", core);
    return name + " " + name_of(static_cast<Pipe>(thread % 8));
}

CoreChecker::CoreChecker(Core& core) : core_(core) {
    if (static_cast<int>(core_names().size()) <= core.index) core_names().resize(core.index + 1);
    core_names()[core.index] = core.name();
}

uint32_t CoreChecker::thread(Pipe pipe) const { return core_.index * 8 + static_cast<int>(pipe); }

uint32_t CoreChecker::known(Pipe by, Pipe of) const { return clocks_[static_cast<int>(by)][thread(of)]; }

void CoreChecker::begin(Pipe pipe) {
    const int p = static_cast<int>(pipe);
    ++issued_[p];
    if (p != 0 && seen_version_[p] != scalar_version_) {
        clocks_[p].join(clocks_[0]);
        seen_version_[p] = scalar_version_;
    }
}

void CoreChecker::begin(Pipe pipe, const Clock& at_issue) {
    const int p = static_cast<int>(pipe);
    ++issued_[p];
    if (p != 0) clocks_[p].join(at_issue);
}

Clock CoreChecker::release(Pipe pipe) {
    const int p = static_cast<int>(pipe);
    Clock clock = clocks_[p];
    if (p != 0) clock.join(clocks_[0]);
    clock.raise(thread(pipe), issued_[p]);
    return clock;
}

void CoreChecker::acquire(Pipe pipe, const Clock& clock) {
    if (pipe == Pipe::kS) return acquire_scalar(clock);
    clocks_[static_cast<int>(pipe)].join(clock);
}

void CoreChecker::acquire_scalar(const Clock& clock) {
    clocks_[0].join(clock);
    ++scalar_version_;
}

void CoreChecker::barrier(Pipe pipe) {
    clocks_[static_cast<int>(pipe)].raise(thread(pipe), issued_[static_cast<int>(pipe)]);
}

void CoreChecker::barrier_all() {
    for (int p = 1; p < kPipes; ++p) {
        barrier(static_cast<Pipe>(p));
        clocks_[0].join(clocks_[p]);
    }
    barrier(Pipe::kS);
    ++scalar_version_;
}

void CoreChecker::touch_block(std::vector<AccessEntry>& block, Pipe pipe, uint32_t mask, Touch touch, const Ref& ref,
                              uint64_t block_address, const Loc& loc, uint32_t place) {
    const int p = static_cast<int>(pipe);
    const uint32_t me = thread(pipe);
    const Clock& clock = clocks_[p];
    // Of several conflicts the one furthest apart is reported: cores before pipes before the order inside a pipe.
    const AccessEntry* worst = nullptr;
    int worst_rank = 0;
    for (const AccessEntry& entry : block) {
        if (!(entry.bytes & mask)) continue;
        if (entry.touch == Touch::kRead && touch == Touch::kRead) continue;
        if (entry.touch == Touch::kAtomic && touch == Touch::kAtomic) continue;
        if (clock[entry.thread] >= entry.epoch) continue;
        const Pipe other = static_cast<Pipe>(entry.thread % 8);
        const bool auto_sync = Device::get().options.auto_sync;
        int rank = 3;
        if (entry.thread == me) {
            if (entry.epoch == issued_[p]) continue;    // overlap inside one instruction is checked by its kind
            if (entry.touch == Touch::kRead) continue;  // in-order pipe: an older read is done before a younger write
            if (pipe == Pipe::kS) continue;
            if (pipe == Pipe::kV && auto_sync) continue;
            if (pipe == Pipe::kMte3 && touch == Touch::kRead) continue;
            rank = 2;
        } else if (entry.thread / 8 != me / 8) {
            rank = 4;
        } else if (!core_.cube && (other == Pipe::kS || pipe == Pipe::kS)) {
            if (auto_sync) continue;
            rank = 1;
        }
        if (rank > worst_rank) {
            worst_rank = rank;
            worst = &entry;
        }
    }
    if (worst) {
        const uint32_t common = worst->bytes & mask;
        const uint64_t byte = block_address + __builtin_ctz(common);
        const Loc where = place_at(worst->place);
        std::string memory = format("%s byte %llu", name_of(ref.memory), (unsigned long long)byte);
        if (ref.memory == Memory::kGm)
            if (GmRange* range = Device::get().find_gm(byte, 1))
                memory = format("GM %s byte %llu", range->name.c_str(), (unsigned long long)(byte - range->begin));
        static const char* kinds[] = {"", "scalar_sync", "missing_pipe_barrier", "pipe_race", "race_between_cores"};
        const std::string text = format("%s on %s %s %s, %s by %s on %s (%s:%d), with nothing that orders the two",
                                        loc.api, thread_name(me).c_str(), touch == Touch::kRead ? "reads" : "writes",
                                        memory.c_str(), worst->touch == Touch::kRead ? "read" : "written", where.api,
                                        thread_name(worst->thread).c_str(), where.file, where.line);
        if (worst_rank == 1)
            core_.warning(kinds[worst_rank], text, loc);
        else
            core_.error(kinds[worst_rank], text, loc);
    }
    // The new access supersedes what it is ordered after: writes clear the bytes, reads replace own older reads.
    for (size_t i = 0; i < block.size();) {
        AccessEntry& entry = block[i];
        if (touch == Touch::kWrite || (entry.thread == me && entry.touch == touch)) entry.bytes &= ~mask;
        if (!entry.bytes) {
            entry = block.back();
            block.pop_back();
        } else {
            ++i;
        }
    }
    block.push_back({static_cast<uint16_t>(me), touch, issued_[p], mask, place});
}

bool CoreChecker::access(Pipe pipe, const Ref& ref, uint64_t bytes, Touch touch, Uninit uninit, const Loc& loc) {
    if (bytes == 0) return true;
    bool initialised = true;
    BlockTable* table;
    uint64_t start = ref.address;
    uint64_t origin = 0;
    if (ref.memory == Memory::kGm) {
        GmRange* range = Device::get().find_gm(ref.address, bytes);
        if (!range) return true;
        if (range->read_only) {
            if (touch != Touch::kRead)
                core_.error(
                    "write_to_input",
                    format("%s writes %s, which the caller registered as read-only", loc.api, range->name.c_str()),
                    loc);
        }
        if (pipe != Pipe::kS) Device::get().caches.direct(core_, ref.address, bytes, touch != Touch::kRead, loc);
        table = range->blocks.get();
        origin = range->begin;
        start -= origin;
        if (range->read_only && touch == Touch::kRead) table = nullptr;
    } else {
        table = &core_.memory[static_cast<int>(ref.memory)].blocks;
    }
    if (touch != Touch::kWrite && uninit != Uninit::kCarry) {
        const uint8_t* valid = core_.resolve_valid(ref, bytes);
        if (valid) {
            const void* hole = std::memchr(valid, 0, bytes);
            if (hole) {
                initialised = false;
                const uint64_t offset = static_cast<const uint8_t*>(hole) - valid;
                const std::string text =
                    format("%s reads %s byte %llu, which nothing has written%s", loc.api,
                           ref.memory == Memory::kGm ? Device::get().find_gm(ref.address, 1)->name.c_str()
                                                     : name_of(ref.memory),
                           (unsigned long long)(start + offset), " or which was computed from such bytes");
                if (uninit == Uninit::kTaint)
                    core_.warning("uninitialised_lanes", text, loc);
                else
                    core_.error("uninitialised_read", text, loc);
            }
        }
    }
    if (!table) return initialised;
    if (last_loc_.file != loc.file || last_loc_.line != loc.line || last_loc_.api != loc.api) {
        last_loc_ = loc;
        last_place_ = place_of(loc);
    }
    const uint32_t place = last_place_;
    uint64_t at = start;
    const uint64_t end = start + bytes;
    while (at < end) {
        const uint64_t block = at / 32, next = std::min(end, (block + 1) * 32);
        touch_block((*table)[block], pipe, mask_of(at % 32, at % 32 + static_cast<uint32_t>(next - at)), touch, ref,
                    origin + block * 32, loc, place);
        at = next;
    }
    return initialised;
}

void CoreChecker::scalar_access(const Ref& ref, uint64_t bytes, bool write, bool cached, const Loc& loc) {
    begin(Pipe::kS);
    if (ref.memory == Memory::kGm) {
        DataCaches& caches = Device::get().caches;
        if (cached)
            caches.scalar(core_, ref.address, bytes, write, loc);
        else
            caches.direct(core_, ref.address, bytes, write, loc);
    }
    access(Pipe::kS, ref, bytes, write ? Touch::kWrite : Touch::kRead, Uninit::kReport, loc);
    // A scalar load is complete before anything younger is issued; a store is not.
    if (!write) {
        clocks_[0].raise(thread(Pipe::kS), issued_[0]);
        ++scalar_version_;
    }
}

}  // namespace twin
