// SPDX-License-Identifier: BSD-3-Clause
#include "timing/timeline.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace twin {

const Step* Timeline::steps_of(const std::vector<Record>& records) {
    Steps steps;
    for (const Record& r : records) steps.push_back(step_of(r, costs_));
    auto same = std::find(steps_.begin(), steps_.end(), steps);
    if (same == steps_.end()) same = steps_.insert(same, std::move(steps));
    return same->data();
}

// ------------------------------------------------------------------------------- shared bandwidth
void Timeline::share() {
    ++flow_version_;
    const double next = flows_.share();
    if (next < kNever) push(next, kFlows, 0, 0, flow_version_);
}

/// A transfer has got through its port's start-up: from now on its bytes flow.
void Timeline::start_flow(int core, int pipe, double now) {
    CoreState& c = cores_[core];
    PipeState& p = c.pipes[pipe];
    const Quantities& what = record(core, p.current.record).what;
    const auto* fix = std::get_if<FixpipeCost>(&what);
    const auto* copy = std::get_if<GmCost>(&what);
    const GmTransfer& gm = fix ? fix->gm : copy->gm;
    const uint64_t address = p.current.address;
    const bool read = copy && !copy->write, on_cube = c.source->cube;
    const double useful = static_cast<double>(gm.runs) * gm.run_bytes;
    double bytes = 0;  // in whole sectors
    const auto sector = static_cast<uint64_t>(costs_.sector);
    const auto sectors = [&](uint64_t from) { return (from + gm.run_bytes - 1) / sector - from / sector + 1; };
    if (gm.stride == gm.run_bytes || gm.runs <= 1) {
        bytes = std::ceil(useful / costs_.sector) * costs_.sector;
    } else if (gm.stride % static_cast<int64_t>(sector) == 0 && costs_.sector == sector) {
        bytes = gm.runs * (sectors(address) * costs_.sector);  // every run lies alike
    } else {
        for (uint32_t i = 0; i < gm.runs; ++i) bytes += sectors(address + i * gm.stride) * costs_.sector;
    }
    const auto hbm_bytes = static_cast<double>(l2_.touch(address, gm, !read));
    if (gm.atomic) bytes *= 2;
    l2_bytes_ += bytes;
    hbm_bytes_ += hbm_bytes;
    double cap;
    if (fix) {
        cap = std::min(costs_.fix_gm_rate, costs_.fix_elements * fix->bytes / std::max(1u, fix->elements));
        cap = std::min(cap, gm.run_bytes / costs_.fix_row);
        move(kL0cGm, useful);
    } else if (read) {
        cap = (on_cube ? costs_.aic_read_rate : costs_.aiv_read_rate);
        if (copy->to_nz && costs_.nz_hbm_rate < cap) {
            const double missed = std::min(1.0, hbm_bytes / std::max(1.0, bytes));
            cap = 1 / ((1 - missed) / cap + missed / costs_.nz_hbm_rate);
        }
        if (copy->to_nz) cap = 1 / (1 / cap + costs_.nz_row / gm.run_bytes);
        move(on_cube ? kGmL1 : kGmUb, useful);
    } else {
        cap = (on_cube ? costs_.aic_write_rate : costs_.aiv_write_rate);
        move(on_cube ? kL1Gm : kUbGm, useful);
    }
    flows_.settle(now);
    flows_.add(bytes, cap, hbm_bytes / std::max(1.0, bytes),
               {core, pipe, read && hbm_bytes > 0 ? costs_.read_latency_hbm : 0});
    p.wake = kNever;
    share();
}

void Timeline::end_flows(double now) {
    flows_.settle(now);
    done_.clear();
    flows_.take_finished(done_);
    share();
    for (const Flows::Owner& owner : done_) {
        PipeState& p = cores_[owner.core].pipes[owner.pipe];
        p.complete = std::max(p.complete, now + owner.latency);
        finish(owner.core, owner.pipe, now);
    }
}

// ------------------------------------------------------------------------------- pipes
void Timeline::begin(int core, int pipe, const Issued& what, double now) {
    CoreState& c = cores_[core];
    PipeState& p = c.pipes[pipe];
    const Step& step = c.steps[what.record];
    p.busy = true;
    p.current_start = now;
    p.current = what;
    c.macs += step.macs;
    if (step.path >= 0) move(step.path, step.moved);
    push(now + step.duration, step.transfer ? kFlowStart : kFinish, core, pipe);
}

void Timeline::finish(int core, int pipe, double now) {
    CoreState& c = cores_[core];
    PipeState& p = c.pipes[pipe];
    const Step& step = c.steps[p.current.record];
    p.busy = false;
    p.idle_since = now;
    p.busy_cycles += now - p.current_start;
    if (pipe == static_cast<int>(c.source->cube ? Pipe::kM : Pipe::kV)) activity_.add(core, p.current_start, now);
    p.complete = std::max(p.complete, now + step.latency);
    if (c.source->block < traced_ && p.current_start < traced_until_)
        intervals_.push_back({core, static_cast<Pipe>(pipe), p.current_start, now, p.current.record});
    if (step.unit_flag) {
        p.unit_done = p.current.line;
        for (int other : {static_cast<int>(Pipe::kM), static_cast<int>(Pipe::kFix)})
            if (other != pipe) advance_pipe(core, other, now);
    }
    advance_pipe(core, pipe, now);
}

void Timeline::deliver(int core, const Record& r, double now) {
    const CoreState& me = cores_[core];
    const int flag = r.id;
    const auto arrived = [&](int key, const std::vector<int>& members, const std::vector<int>& targets) {
        auto& counts = pending_[{key, flag}];
        counts.resize(members.size());
        for (size_t i = 0; i < members.size(); ++i)
            if (members[i] == core) ++counts[i];
        if (*std::min_element(counts.begin(), counts.end()) == 0) return;
        for (int& n : counts) --n;
        for (int t : targets) notify(t, flag, now);
    };
    const std::vector<int>& group = block_cores_[me.source->block];
    std::vector<int> cubes, vectors;
    for (int i : group) (cores_[i].source->cube ? cubes : vectors).push_back(i);
    if (r.mode == 0) {
        std::vector<int> all;
        for (size_t i = 0; i < cores_.size(); ++i)
            if (cores_[i].source->cube == me.source->cube) all.push_back(static_cast<int>(i));
        arrived(me.source->cube ? -1 : -2, all, all);
    } else if (me.source->cube) {
        for (int t : vectors) notify(t, flag, now);
    } else {
        arrived(me.source->block * 4 + r.mode, vectors, r.mode == 2 ? cubes : vectors);
    }
}

void Timeline::advance_pipe(int core, int pipe, double now) {
    CoreState& c = cores_[core];
    PipeState& p = c.pipes[pipe];
    while (!p.busy && !p.queue.empty()) {
        const Issued& front = p.queue.front();
        const Step& step = c.steps[front.record];
        double ready = now;
        Reason reason = kFlag;
        if (step.kind == RecordKind::kWait) {
            const FlagTimes& times = c.flags[step.other][pipe][step.id];
            if (times.empty()) return;  // woken when it is set
            ready = times.front();
        } else if (step.kind == RecordKind::kBarrier) {
            ready = p.complete;
            reason = kBarrier;
        } else if (step.kind == RecordKind::kInstruction) {
            // The pipes work in order: what a partner finished last tells whether it finished this one.
            constexpr int kM = static_cast<int>(Pipe::kM), kFix = static_cast<int>(Pipe::kFix);
            if (front.needs > c.pipes[pipe == kM ? kFix : kM].unit_done) return;
            reason = kUnitFlag;
        }
        if (ready > now + 1e-9) {
            if (p.wake > ready + 1e-9 || p.wake <= now) {
                p.wake = ready;
                push(ready, kPipe, core, pipe);
            }
            return;
        }
        p.wake = kNever;
        const Issued what = front;
        p.queue.pop();
        // Idle time before the entry was issued is the scalar unit's, after that the entry's.
        if (step.kind != RecordKind::kSet && step.kind != RecordKind::kCrossSet) {
            stall(c, what.record, kNothingIssued, std::min(now, what.issued) - p.idle_since);
            stall(c, what.record, reason, now - std::max(what.issued, p.idle_since));
            p.idle_since = now;
        }
        if (c.waits_queue == pipe) {
            c.waits_queue = -1;
            wake(core, now);
        }
        switch (step.kind) {
            case RecordKind::kWait: c.flags[step.other][pipe][step.id].pop(); break;
            case RecordKind::kBarrier: break;
            case RecordKind::kSet: {
                const double visible = std::max(now, p.complete) + costs_.flag_latency;
                c.flags[pipe][step.other][step.id].push(visible);
                if (step.other == static_cast<int>(Pipe::kS)) {
                    if (c.blocked == 1) wake(core, visible);
                } else if (step.other != pipe) {
                    advance_pipe(core, step.other, now);
                }
                break;
            }
            case RecordKind::kCrossSet: deliver(core, record(core, what.record), std::max(now, p.complete)); break;
            default: begin(core, pipe, what, now);
        }
    }
    if (!p.busy && p.queue.empty() && c.blocked == 3) wake(core, std::max(now, p.complete));
}

// ------------------------------------------------------------------------------- scalar unit
void Timeline::issue(int core, double now) {
    CoreState& c = cores_[core];
    if (c.done || !c.started || c.waits_queue >= 0) return;
    if (c.scalar > now + 1e-9) {
        wake(core, c.scalar);
        return;
    }
    if (!c.program.at_end()) {
        const uint32_t index = c.program.record();
        const Step& step = c.steps[index];
        const auto unblock = [&] {
            if (c.blocked) stall(c, index, kScalarWaits, now - c.blocked_since);
            block(c, 0);
        };
        const auto wait = [&](int what) {
            if (!c.blocked) c.blocked_since = now;
            block(c, what);
        };
        switch (step.kind) {
            case RecordKind::kScalar: break;
            case RecordKind::kCrossWait:
                if (c.cross[step.id] == 0) return wait(2);
                --c.cross[step.id];
                unblock();
                break;
            case RecordKind::kBarrierAll: {
                double ready = now;
                for (const PipeState& p : c.pipes) {
                    if (p.busy || !p.queue.empty()) ready = kNever;
                    ready = std::max(ready, p.complete);
                }
                if (ready > now + 1e-9) {
                    wait(3);
                    if (ready < kNever) wake(core, ready);
                    return;
                }
                unblock();
                break;
            }
            case RecordKind::kWait:
                if (step.pipe == static_cast<int>(Pipe::kS)) {
                    FlagTimes& times = c.flags[step.other][0][step.id];
                    if (times.empty() || times.front() > now + 1e-9) {
                        wait(1);
                        if (!times.empty()) wake(core, times.front());
                        return;
                    }
                    times.pop();
                    unblock();
                    break;
                }
                [[fallthrough]];
            default:
                if (step.kind == RecordKind::kSet && step.pipe == static_cast<int>(Pipe::kS)) {
                    c.flags[0][step.other][step.id].push(now + costs_.flag_latency);
                    advance_pipe(core, step.other, now);
                    break;
                }
                if (c.pipes[step.pipe].queue.size() >= costs_.queue_depth) {
                    c.waits_queue = step.pipe;
                    return;
                }
                Issued what{index, c.line + 1, 0, step.has_address ? c.program.address() : 0, now};
                if (step.unit_flag) what.needs = unit_partner(c, what);
                c.pipes[step.pipe].queue.push(what);
                advance_pipe(core, step.pipe, now);
        }
        c.scalar_busy += step.issue;
        c.program.next(step.has_address);
        ++c.line;
        progress_.line();
        c.scalar = now + step.issue;
        if (c.waits_queue >= 0) return;
        wake(core, c.scalar);
        return;
    }
    // The program is issued; the core is done when its pipes are.
    double end = now;
    for (const PipeState& p : c.pipes) {
        if (p.busy || !p.queue.empty()) end = kNever;
        end = std::max(end, p.complete);
    }
    if (end == kNever) {
        block(c, 3);
        return;
    }
    if (end > now + 1e-9) {
        wake(core, end);
        return;
    }
    block(c, 0);
    c.done = true;
    c.finished = now;
    for (int other : block_cores_[c.source->block])
        if (!cores_[other].done) return;
    if (next_block_ < static_cast<int>(block_cores_.size())) start_block(next_block_++, now);
}

uint32_t Timeline::unit_partner(CoreState& c, const Issued& what) const {
    const Quantities& done = c.source->program.records[what.record].what;
    if (const auto* mmad = std::get_if<MmadCost>(&done)) {
        if (mmad->unit_flag == 3) c.last_mmad3 = what.line;
        const uint64_t block = what.address / 512;
        return block < c.last_fix.size() ? c.last_fix[block] : 0;
    }
    if (c.last_mmad3 == 0) return 0;
    const uint32_t block = std::get<FixpipeCost>(done).block;
    if (c.last_fix.size() <= block) c.last_fix.resize(block + 1);
    c.last_fix[block] = what.line;
    return c.last_mmad3;
}

void Timeline::start_block(int block, double now) {
    for (int core : block_cores_[block]) {
        cores_[core].started = true;
        cores_[core].began = now;
        cores_[core].scalar = now;
        for (PipeState& p : cores_[core].pipes) p.idle_since = now;
        wake(core, now);
    }
}

void Timeline::run() {
    cores_.resize(launch_.cores.size());
    activity_.resize(cores_.size());
    for (size_t i = 0; i < launch_.cores.size(); ++i) {
        cores_[i].source = &launch_.cores[i];
        const Recorder& program = launch_.cores[i].program;
        cores_[i].program = Lines::Reader(program.lines);
        cores_[i].steps = steps_of(program.records);
        cores_[i].stalls.resize(program.records.size() * kReasons);
        const int block = launch_.cores[i].block;
        if (block >= static_cast<int>(block_cores_.size())) block_cores_.resize(block + 1);
        block_cores_[block].push_back(static_cast<int>(i));
    }
    bool cube = false;
    uint64_t lines = 0;
    for (const auto& core : launch_.cores) {
        cube |= core.cube;
        lines += core.program.lines.size();
    }
    progress_.begin(lines);
    const int slots = std::min<int>(static_cast<int>(block_cores_.size()), cube ? chip_.cores : chip_.cores * 2);
    const double skew = costs_.dispatch_us * chip_.mhz;
    for (; next_block_ < slots; ++next_block_) start_block(next_block_, skew * next_block_ / std::max(1, slots));

    while (!events_.empty()) {
        const EventQueue::Event e = events_.pop();
        const double now = e.time;
        switch (e.kind) {
            case kIssue:
                if (now + 1e-9 < cores_[e.core].next_issue || cores_[e.core].next_issue == kNever) break;
                cores_[e.core].next_issue = kNever;
                issue(e.core, now);
                break;
            case kPipe: advance_pipe(e.core, e.pipe, now); break;
            case kCross:
                ++cores_[e.core].cross[e.pipe];
                if (cores_[e.core].blocked == 2) issue(e.core, now);
                break;
            case kFinish: finish(e.core, e.pipe, now); break;
            case kFlowStart: start_flow(e.core, e.pipe, now); break;
            case kFlows:
                if (e.data == flow_version_) end_flows(now);
                break;
        }
        // A core that has issued everything looks again whenever one of its pipes moved.
        if ((e.kind == kFinish || e.kind == kPipe) && cores_[e.core].blocked == 3) issue(e.core, now);
        if (e.kind == kFlows && wait_for_all_ != 0)
            for (size_t i = 0; i < cores_.size(); ++i)
                if (cores_[i].blocked == 3 && !cores_[i].done) issue(static_cast<int>(i), now);
    }
    for (const CoreState& c : cores_) {
        if (!c.done) throw std::runtime_error("the timeline stopped before " + c.source->name + " was done");
        total_ = std::max(total_, c.finished);
    }
}

// ------------------------------------------------------------------------------- whole launches
namespace {

void must_be_whole(const RecordedLaunch& launch) {
    if (!launch.whole) throw std::runtime_error(launch.kernel + " ended in a deadlock: there is no timeline of it");
}

L2 empty_l2(const Costs& costs) { return L2(static_cast<uint64_t>(costs.l2_mbytes) << 20); }

}  // namespace

std::string simulate(const RecordedLaunch& launch, const std::string& chip, const std::string& changes, int traced,
                     double traced_us, int runs) {
    must_be_whole(launch);
    const Costs costs = Costs::with(changes);
    const Chip model = Chip::named(chip);
    L2 l2 = empty_l2(costs);
    for (int run = 1; run < runs; ++run) Timeline(launch, costs, model, l2, 0, 0).run();
    Timeline last(launch, costs, model, l2, traced, traced_us);
    last.run();
    return last.report();
}

double predicted_us(const RecordedLaunch& launch, const std::string& chip) {
    must_be_whole(launch);
    const Costs costs;
    L2 l2 = empty_l2(costs);
    Timeline timeline(launch, costs, Chip::named(chip), l2, 0, 0);
    timeline.run();
    return timeline.task_us();
}

}  // namespace twin
