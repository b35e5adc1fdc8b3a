// SPDX-License-Identifier: BSD-3-Clause
// SetFlag and WaitFlag inside a core; CrossCoreSetFlag and CrossCoreWaitFlag between cores.
#include <algorithm>

#include "machine/cores.h"

namespace twin {
namespace {

bool pipe_exists(const Core& core, Pipe pipe) {
    switch (pipe) {
        case Pipe::kV: return !core.cube;
        case Pipe::kM:
        case Pipe::kMte1:
        case Pipe::kFix: return core.cube;
        default: return true;
    }
}

/// False when the call is no event of this core (it compiles to nothing on the device) or its id is illegal.
bool legal_event(Core& core, Pipe src, Pipe dst, int32_t id, const Loc& loc) {
    if (!pipe_exists(core, src) || !pipe_exists(core, dst)) {
        core.warning("wrong_core", format("%s<%s_%s> has no effect on this core", loc.api, name_of(src), name_of(dst)),
                     loc);
        return false;
    }
    if (id < 0 || id >= kEvents) {
        core.error("illegal_event_id",
                   format("%s<%s_%s>(%d): event ids are 0 to %d", loc.api, name_of(src), name_of(dst), id, kEvents - 1),
                   loc);
        return false;
    }
    return true;
}

bool consume(Core& core, Flag& flag, Pipe dst) {
    if (!flag.set) return false;
    if (flag.more)
        --flag.more;
    else
        flag.set = false;
    if (core.checker) {
        core.checker->acquire(dst, flag.clock);
        // The wait itself is an entry of the destination's queue.
        core.checker->begin(dst);
        flag.waited_at = core.checker->issued(dst);
    }
    return true;
}

void raise(Core& core, Pipe src, Pipe dst, int32_t id, const Loc& loc) {
    Flag& flag = core.flags[static_cast<int>(src)][static_cast<int>(dst)][id];
    if (flag.set) {
        ++flag.more;
        core.error("duplicate_event",
                   format("%s<%s_%s>(%d): the flag is already set (%s:%d) and nobody has waited for it", loc.api,
                          name_of(src), name_of(dst), id, flag.where.file, flag.where.line),
                   loc);
    }
    if (core.checker) {
        // A set is issued by the scalar unit: after a barrier of all pipes it knows of the wait as well.
        if (flag.waited_at && src != Pipe::kS && dst != Pipe::kS &&
            std::max(core.checker->known(src, dst), core.checker->known(Pipe::kS, dst)) < flag.waited_at)
            core.warning(
                "event_reuse",
                format(
                    "%s<%s_%s>(%d): the source pipe may run ahead and set the flag again before the last wait took it",
                    loc.api, name_of(src), name_of(dst), id),
                loc);
        flag.clock = core.checker->release(src);
    }
    flag.set = true;
    flag.where = loc;
    core.drain(dst);
}

}  // namespace

void set_flag(Pipe src, Pipe dst, int32_t id, const Loc& loc) {
    Core& core = current();
    if (!legal_event(core, src, dst, id, loc)) return;
    if (core.recorder) core.recorder->set(src, dst, id, loc);
    const int p = static_cast<int>(src);
    if (!core.queue[p].empty()) {
        core.queue[p].push_back({[&core, src, dst, id, loc] {
                                     raise(core, src, dst, id, loc);
                                     return true;
                                 },
                                 loc, ""});
        return;
    }
    raise(core, src, dst, id, loc);
}

void wait_flag(Pipe src, Pipe dst, int32_t id, const Loc& loc) {
    Core& core = current();
    if (!legal_event(core, src, dst, id, loc)) return;
    if (core.recorder) core.recorder->wait(src, dst, id, loc);
    Flag& flag = core.flags[static_cast<int>(src)][static_cast<int>(dst)][id];
    const int p = static_cast<int>(dst);
    if (dst == Pipe::kS && flag.set) {
        consume(core, flag, dst);
        return;
    }
    if (dst != Pipe::kS && core.queue[p].empty() && consume(core, flag, dst)) return;
    const std::string what = format("%s_%s event %d", name_of(src), name_of(dst), id);
    if (dst == Pipe::kS) {
        block_until(core, [&flag] { return flag.set; }, what, loc);
        consume(core, flag, dst);
        return;
    }
    core.queue[p].push_back({[&core, &flag, dst] { return consume(core, flag, dst); }, loc, what});
}

int32_t alloc_event(Pipe src, Pipe dst, bool reserve, const Loc& loc) {
    Core& core = current();
    auto& flags = core.flags[static_cast<int>(src)][static_cast<int>(dst)];
    for (int id = 0; id < kEvents; ++id)
        if (!flags[id].allocated) {
            flags[id].allocated = reserve;
            return id;
        }
    core.error("no_free_event",
               format("%s: all %d %s_%s events are in use", loc.api, kEvents, name_of(src), name_of(dst)), loc);
    return 0;
}

void release_event(Pipe src, Pipe dst, int32_t id, const Loc&) {
    if (id >= 0 && id < kEvents) current().flags[static_cast<int>(src)][static_cast<int>(dst)][id].allocated = false;
}

void release_all_events() {
    for (auto& from : current().flags)
        for (auto& to : from)
            for (Flag& flag : to) flag.allocated = false;
}

// ------------------------------------------------------------------------------- between cores
namespace {

void notify(Core& target, int flag, const Clock& clock, Core& by, const Loc& loc) {
    const int count = ++target.cross_count[flag];
    if (count > 15)
        by.error("cross_flag_overflow",
                 format("%s(%d): %d notifications are pending on %s; the counter holds 15", loc.api, flag, count,
                        target.name().c_str()),
                 loc);
    if (target.checker) {
        target.cross_clocks[flag].push_back(clock);
        target.cross_where[flag] = loc;
    }
    ++target.group.launch.progress;
}

void deliver(Core& core, uint32_t mode, int flag, const Clock& clock, const Loc& loc) {
    AiCore& group = core.group;
    Launch& launch = group.launch;
    if (mode == 0) {
        std::lock_guard<std::mutex> lock(launch.mutex);
        auto& pending = launch.all_pending[core.cube][flag];
        auto& cores = launch.all_cores[core.cube];
        pending.resize(cores.size());
        for (size_t i = 0; i < cores.size(); ++i)
            if (cores[i] == &core) pending[i].push_back(clock);
        for (const auto& sets : pending)
            if (sets.empty()) return;
        if (cores.size() < launch.blocks * (core.cube ? 1 : launch.vectors())) return;
        Clock all;
        for (auto& sets : pending) {
            all.join(sets.front());
            sets.pop_front();
        }
        for (Core* target : cores) notify(*target, flag, all, core, loc);
        return;
    }
    if (core.cube) {
        for (auto& target : group.cores)
            if (!target->cube) notify(*target, flag, clock, core, loc);
        return;
    }
    auto& pending = group.pending[mode][flag];
    pending[core.sub].push_back(clock);
    for (int i = 0; i < group.vectors; ++i)
        if (pending[i].empty()) return;
    Clock both;
    for (int i = 0; i < group.vectors; ++i) {
        both.join(pending[i].front());
        pending[i].pop_front();
    }
    for (auto& target : group.cores)
        if (target->cube == (mode == 2)) notify(*target, flag, both, core, loc);
}

void cross_set_unchecked(Core& core, uint32_t mode, Pipe pipe, uint32_t flag, const Loc& loc) {
    if (core.recorder) core.recorder->cross_set(pipe, mode, flag, loc);
    const auto run = [&core, mode, pipe, flag, loc] {
        if (core.checker) core.checker->begin(pipe);
        deliver(core, mode, flag, core.checker ? core.checker->release(pipe) : Clock(), loc);
        return true;
    };
    const int p = static_cast<int>(pipe);
    if (!core.queue[p].empty())
        core.queue[p].push_back({run, loc, ""});
    else
        run();
}

void cross_wait_unchecked(Core& core, uint32_t flag, const Loc& loc) {
    if (core.recorder) core.recorder->cross_wait(flag, loc);
    if (core.cross_count[flag] == 0)
        block_until(
            core, [&core, flag] { return core.cross_count[flag] > 0; }, format("cross-core flag %u", flag), loc);
    if (core.cross_count[flag] == 0) return;  // giving up
    --core.cross_count[flag];
    if (core.checker && !core.cross_clocks[flag].empty()) {
        core.checker->acquire_scalar(core.cross_clocks[flag].front());
        core.cross_clocks[flag].pop_front();
    }
}

bool legal_cross(Core& core, uint32_t flag, const Loc& loc) {
    if (!core.group.launch.cross_core()) {
        core.error("no_cross_core_sync", format("%s: a kernel of one core kind has no cross-core flags", loc.api), loc);
        return false;
    }
    if (flag >= static_cast<uint32_t>(kCrossFlags)) {
        core.error("illegal_cross_flag", format("%s(%u): flags are 0 to 15", loc.api, flag), loc);
        return false;
    }
    if (flag >= 11 && flag <= 14)
        core.warning("reserved_cross_flag", format("%s(%u): flags 11 to 14 belong to SyncAll", loc.api, flag), loc);
    return true;
}

}  // namespace

void cross_core_set(uint32_t mode, Pipe pipe, uint32_t flag, const Loc& loc) {
    Core& core = current();
    if (!legal_cross(core, flag, loc)) return;
    if (mode > 2) {
        core.error("illegal_cross_mode", format("%s: mode %u; dav-2201 has 0, 1 and 2", loc.api, mode), loc);
        return;
    }
    if (mode == 1 && core.cube) {
        core.error("illegal_cross_mode", format("%s: mode 1 is between the AIVs of a core", loc.api), loc);
        return;
    }
    if (pipe == Pipe::kAll || pipe == Pipe::kS || !pipe_exists(core, pipe)) {
        core.error("illegal_cross_pipe", format("%s: this core cannot set a flag from %s", loc.api, name_of(pipe)),
                   loc);
        return;
    }
    cross_set_unchecked(core, mode, pipe, flag, loc);
}

void cross_core_wait(uint32_t flag, const Loc& loc) {
    Core& core = current();
    if (!legal_cross(core, flag, loc)) return;
    cross_wait_unchecked(core, flag, loc);
}

void sync_all(bool aiv_only, const Loc& loc) {
    Core& core = current();
    if (aiv_only && core.cube) return;
    if (!core.group.launch.cross_core() && !aiv_only) {
        core.error("no_cross_core_sync", "SyncAll<false>: the kernel runs on one kind of core", loc);
        return;
    }
    pipe_barrier(Pipe::kAll, loc);
    if (aiv_only) {
        cross_set_unchecked(core, 0, Pipe::kMte3, 14, loc);
        cross_wait_unchecked(core, 14, loc);
    } else if (!core.cube) {
        cross_set_unchecked(core, 2, Pipe::kMte3, 12, loc);
        cross_wait_unchecked(core, 13, loc);
    } else {
        cross_wait_unchecked(core, 12, loc);
        cross_set_unchecked(core, 0, Pipe::kFix, 11, loc);
        cross_wait_unchecked(core, 11, loc);
        cross_set_unchecked(core, 2, Pipe::kMte3, 13, loc);
    }
}

}  // namespace twin
