// SPDX-License-Identifier: BSD-3-Clause
// Synchronisation of AIVs in software: words in global memory, each in a 32-byte block, written by one core and polled
// by others (IBSet, IBWait, SyncAll with a workspace, GroupBarrier, WaitPreBlock). The words are real; who waits for
// whom is known to the checker, which therefore takes no polling for a race.
#include <cstring>

#include "machine/cores.h"

namespace twin {
namespace {

int32_t load_word(const uint8_t* p) { return __atomic_load_n(reinterpret_cast<const int32_t*>(p), __ATOMIC_ACQUIRE); }

/// Waits until `ready` and learns what the writers of the words had done.
void wait_for(Core& core, const Ref& gm, uint32_t count, uint32_t stride, const std::function<bool()>& ready,
              const Loc& loc) {
    if (core.recorder) {
        const GmTransfer words{count, 32, static_cast<int64_t>(stride), false, false};
        core.recorder->instruction(Pipe::kMte2, loc, {GmCost{words}, gm.address});
    }
    if (!ready()) block_until(core, ready, format("words in global memory (%s)", loc.api), loc);
    if (!core.checker) return;
    Launch& launch = core.group.launch;
    std::lock_guard<std::mutex> lock(launch.mutex);
    for (uint32_t i = 0; i < count; ++i) {
        const auto found = launch.soft_clocks.find(gm.address + uint64_t(i) * stride);
        if (found != launch.soft_clocks.end()) core.checker->acquire_scalar(found->second);
    }
}

bool initialised(Core& core, const Ref& gm, uint32_t count, uint32_t stride, const Loc& loc) {
    for (uint32_t i = 0; core.checker && i < count; ++i) {
        Ref word = gm;
        word.address += uint64_t(i) * stride;
        const uint8_t* valid = core.resolve_valid(word, 4);
        if (!valid || !std::memchr(valid, 0, 4)) continue;
        core.error(
            "uninitialised_read",
            format("%s: the workspace must be zero before the kernel starts; word %u was never written", loc.api, i),
            loc);
        return false;
    }
    return true;
}

/// On MTE3, after what that pipe still has to do.
void store_word(Core& core, const Ref& gm, int32_t value, bool add, const Loc& loc) {
    const Cost cost{GmCost{{1, 32, 32, add, false}, true}, gm.address};
    core.issue(Pipe::kMte3, loc, cost, [gm, value, add](Core& c, const Loc&) {
        Launch& launch = c.group.launch;
        if (c.checker) {
            std::lock_guard<std::mutex> lock(launch.mutex);
            Clock& clock = launch.soft_clocks[gm.address];
            if (!add) clock = Clock();
            clock.join(c.checker->release(Pipe::kMte3));
            if (uint8_t* valid = c.resolve_valid(gm, 32)) std::memset(valid, 1, 32);
        }
        int32_t* word = reinterpret_cast<int32_t*>(gm.address);
        if (add)
            __atomic_add_fetch(word, value, __ATOMIC_ACQ_REL);
        else
            __atomic_store_n(word, value, __ATOMIC_RELEASE);
        ++launch.progress;
    });
}

/// UB that such a call uses for itself.
bool scratch(Core& core, const Ref& ub, uint64_t bytes, const Loc& loc) {
    uint8_t* data = core.resolve(ub, bytes, "ubWorkspace", loc);
    if (!data) return false;
    if (core.checker) {
        core.checker->access(Pipe::kMte2, ub, bytes, Touch::kWrite, Uninit::kCarry, loc);
        std::memset(core.resolve_valid(ub, bytes), 1, bytes);
    }
    std::memset(data, 0, bytes);
    return true;
}

/// The calls that synchronise AIVs do nothing on an AIC and start with a barrier of all pipes.
bool begin(Core& core, const Ref& gm, uint64_t gm_bytes, const Ref& ub, uint64_t ub_bytes, const Loc& loc) {
    if (core.cube) return false;
    pipe_barrier(Pipe::kAll, loc);
    if (core.stopping || !core.resolve(gm, gm_bytes, "gmWorkspace", loc)) return false;
    return ub_bytes == 0 || scratch(core, ub, ub_bytes, loc);
}

}  // namespace

void soft_exchange(const Ref& gm, const Ref& ub, int32_t expected, int32_t desired, const Loc& loc) {
    Core& core = current();
    if (!begin(core, gm, 32, ub, 32, loc) || !initialised(core, gm, 1, 32, loc)) return;
    const uint8_t* word = reinterpret_cast<const uint8_t*>(gm.address);
    wait_for(core, gm, 1, 32, [=] { return load_word(word) == expected; }, loc);
    if (core.stopping) return;
    store_word(core, gm, desired, false, loc);
    pipe_barrier(Pipe::kAll, loc);
}

void soft_sync_all(const Ref& gm, const Ref& ub, uint32_t cores, const Loc& loc) {
    Core& core = current();
    Launch& launch = core.group.launch;
    const uint32_t all = static_cast<uint32_t>(launch.blocks) * launch.vectors(), total = cores ? cores : all;
    const uint32_t me = core.group.block * launch.vectors() + core.sub;
    if (!begin(core, gm, uint64_t(total) * 32, ub, uint64_t(total) * 32, loc)) return;
    if (!initialised(core, gm, total, 32, loc)) return;
    if (me >= total)
        return core.error("illegal_parameter", format("%s: AIV %u is not among the %u used cores", loc.api, me, total),
                          loc);
    Ref mine = gm;
    mine.address += uint64_t(me) * 32;
    const uint8_t* words = reinterpret_cast<const uint8_t*>(gm.address);
    const int32_t round = load_word(words + uint64_t(me) * 32) + 1;
    store_word(core, mine, round, false, loc);
    // With all cores in it the timeline knows it as a barrier.
    if (core.recorder && total == all) {
        core.recorder->cross_set(Pipe::kMte3, 0, 14, loc);
        core.recorder->cross_wait(14, loc);
    }
    wait_for(
        core, gm, total, 32,
        [=] {
            for (uint32_t i = 0; i < total; ++i)
                if (load_word(words + uint64_t(i) * 32) < round) return false;
            return true;
        },
        loc);
}

void soft_order_init(const Ref& gm, const Ref& ub, const Loc& loc) {
    Core& core = current();
    const uint64_t count = core.group.launch.blocks;
    if (!begin(core, gm, count * 32, ub, count * 32 + 4, loc)) return;
    if (core.group.block * core.group.launch.vectors() + core.sub == 0)
        for (uint64_t i = 0; i < count; ++i) {
            Ref word = gm;
            word.address += i * 32;
            store_word(core, word, 0, false, loc);
        }
    const int32_t first = 1;
    std::memcpy(core.memory[static_cast<int>(Memory::kUb)].data.data() + ub.address + count * 32, &first, 4);
    pipe_barrier(Pipe::kAll, loc);
}

namespace {

/// The round an AIV is in, kept after its copy of the words.
int32_t* round_of(Core& core, const Ref& ub) {
    return reinterpret_cast<int32_t*>(core.memory[static_cast<int>(Memory::kUb)].data.data() + ub.address +
                                      core.group.launch.blocks * 32);
}

}  // namespace

void soft_order_wait(const Ref& gm, const Ref& ub, const Loc& loc) {
    Core& core = current();
    const uint64_t count = core.group.launch.blocks;
    if (!begin(core, gm, count * 32, ub, count * 32, loc)) return;
    const uint64_t me = core.group.block * core.group.launch.vectors() + core.sub;
    const int32_t round = *round_of(core, ub);
    const uint8_t* words = reinterpret_cast<const uint8_t*>(gm.address);
    wait_for(
        core, gm, static_cast<uint32_t>(count), 32,
        [=] {
            for (uint64_t i = 0; i < count; ++i)
                if (load_word(words + i * 32) != (i < me ? round : 0)) return false;
            return true;
        },
        loc);
    pipe_barrier(Pipe::kAll, loc);
}

void soft_order_notify(const Ref& gm, const Ref& ub, const Loc& loc) {
    Core& core = current();
    const uint64_t count = core.group.launch.blocks;
    if (!begin(core, gm, count * 32, ub, count * 32, loc)) return;
    const uint64_t me = core.group.block * core.group.launch.vectors() + core.sub;
    int32_t& round = *round_of(core, ub);
    const bool last = me + 1 == count;
    for (uint64_t i = last ? 0 : me; i < (last ? count : me + 1); ++i) {
        Ref word = gm;
        word.address += i * 32;
        store_word(core, word, last ? 0 : round, false, loc);
    }
    ++round;
    pipe_barrier(Pipe::kAll, loc);
}

void soft_add(const Ref& gm, uint32_t copies, uint32_t stride, int32_t value, const Loc& loc) {
    Core& core = current();
    if (core.cube || core.stopping || !core.resolve(gm, uint64_t(copies - 1) * stride + 32, "groupWorkspace", loc) ||
        !initialised(core, gm, copies, stride, loc))
        return;
    for (uint32_t i = 0; i < copies; ++i) {
        Ref word = gm;
        word.address += uint64_t(i) * stride;
        store_word(core, word, value, true, loc);
    }
}

void soft_wait_for(const Ref& gm, int32_t value, bool exactly, const Loc& loc) {
    Core& core = current();
    if (core.cube || core.stopping || !core.resolve(gm, 32, "groupWorkspace", loc) ||
        !initialised(core, gm, 1, 32, loc))
        return;
    const uint8_t* word = reinterpret_cast<const uint8_t*>(gm.address);
    wait_for(core, gm, 1, 32, [=] { return exactly ? load_word(word) == value : load_word(word) >= value; }, loc);
}

}  // namespace twin
