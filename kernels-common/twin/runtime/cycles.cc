// The timeline: recorded programs on in-order pipes, flags between them, flows through shared memory.
#include "cycles.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <queue>
#include <sstream>
#include <stdexcept>
#include <unordered_map>

#include "cores.h"
#include "costs.h"
#include "l2.h"

namespace twin {
namespace {

constexpr double kNever = 1e300;

/// Transfer under way between a core and global memory.
struct Flow {
    double left, rate, cap, hbm;  // bytes, bytes per cycle, port limit, HBM bytes per byte moved
    int core;
    Pipe pipe;
    double latency;  // of the memory it came from, when longer than L2's
};

struct Interval {
    int core;
    Pipe pipe;
    double start, end;
    uint32_t record;
};

struct PipeState {
    struct Entry {
        uint32_t record;
        double issued;
    };
    std::deque<Entry> queue;
    bool busy = false;
    double complete = 0;  // results of everything started are visible
    double idle_since = 0;
    double busy_cycles = 0;
    double current_start = 0;
    uint32_t current = 0;  // what it executes
    double wake = kNever;  // a scheduled attempt, so that it is not scheduled twice
};

struct Stall {
    double cycles = 0;
    uint64_t times = 0;
};
enum Reason { kNothingIssued, kFlag, kBarrier, kUnitFlag, kScalarWaits, kReasons };
const char* name_of(Reason r) {
    static const char* names[] = {"nothing issued", "flag", "barrier", "unit flag", "scalar waits"};
    return names[r];
}

/// Share of the time that the computing pipe of each core is busy, in at most 256 equal steps; steps double as time goes on.
class Activity {
public:
    void resize(size_t cores) { busy_.assign(cores, std::vector<float>(kSteps, 0)); }
    void add(int core, double start, double end) {
        while (end > kSteps * width_) widen();
        for (auto step = static_cast<size_t>(start / width_); step < kSteps && step * width_ < end; ++step)
            busy_[core][step] +=
                static_cast<float>(std::min(end, (step + 1) * width_) - std::max(start, step * width_));
    }
    double width() const { return width_; }
    const std::vector<float>& of(int core) const { return busy_[core]; }

private:
    static constexpr size_t kSteps = 256;
    void widen() {
        for (auto& row : busy_) {
            for (size_t i = 0; i < kSteps / 2; ++i) row[i] = row[2 * i] + row[2 * i + 1];
            std::fill(row.begin() + kSteps / 2, row.end(), 0.0f);
        }
        width_ *= 2;
    }
    std::vector<std::vector<float>> busy_;
    double width_ = 64;
};

class Timeline {
public:
    Timeline(const RecordedLaunch& launch, const Costs& costs, const Chip& chip, int traced)
        : launch_(launch),
          costs_(costs),
          chip_(chip),
          traced_(traced),
          l2_(static_cast<uint64_t>(costs.l2_mbytes) << 20) {
        const double hz = chip.mhz * 1e6;
        l2_rate_ = costs.l2_tbps * chip.l2 * 1e12 / hz;
        hbm_rate_ = costs.hbm_tbps * costs.hbm_efficiency * chip.hbm * 1e12 / hz;
    }

    std::string run();

private:
    enum EventKind { kIssue, kPipe, kFlowStart, kFlows, kFinish, kCross };
    struct Event {
        double time;
        uint64_t order;
        EventKind kind;
        int core, pipe;
        uint64_t data;
        bool operator>(const Event& o) const { return time != o.time ? time > o.time : order > o.order; }
    };
    struct CoreState {
        const RecordedCore* source = nullptr;
        uint32_t pc = 0;
        double scalar = 0;           // when the scalar unit is free
        double next_issue = kNever;  // when it will look next
        bool started = false, done = false;
        int waits_queue = -1;  // scalar blocked: queue of this pipe is full
        int blocked = 0;       // 1: flag, 2: cross flag, 3: barrier all
        uint32_t blocked_record = 0;
        double blocked_since = 0;
        PipeState pipes[kPipes];
        std::deque<double> flags[kPipes][kPipes][kEvents];  // times at which set flags become visible
        int cross[kCrossFlags] = {};
        std::unordered_map<uint32_t, double> unit_done;     // unit-flag instructions that are finished
        std::unordered_map<uint32_t, uint32_t> unit_needs;  // instruction -> partner it waits for
        uint32_t last_mmad3 = ~0u;
        std::unordered_map<uint32_t, uint32_t> last_fix;  // L0C block -> Fixpipe record
        std::vector<Stall> stalls;                        // by record and reason
        double macs = 0, scalar_busy = 0;
        double began = 0, finished = 0;
    };

    void push(double time, EventKind kind, int core, int pipe = 0, uint64_t data = 0) {
        events_.push({time, order_++, kind, core, pipe, data});
    }
    const Record& record(int core, uint32_t i) const {
        const Recorder& program = cores_[core].source->program;
        return program.records[program.entries[i].record];
    }
    uint64_t address(int core, uint32_t i) const { return cores_[core].source->program.entries[i].address(); }
    /// Has the scalar unit of a core look again at `time`.
    void wake(int core, double time) {
        if (time + 1e-9 >= cores_[core].next_issue) return;
        cores_[core].next_issue = time;
        push(time, kIssue, core);
    }
    void start_block(int slot, double now);
    void issue(int core, double now);
    void advance_pipe(int core, int pipe, double now);
    /// Charges waiting to the line `at` of a core's program.
    void stall(int core, uint32_t at, Reason reason, double cycles) {
        if (cycles <= 0) return;
        CoreState& c = cores_[core];
        Stall& s = c.stalls[c.source->program.entries[at].record * kReasons + reason];
        s.cycles += cycles;
        ++s.times;
    }
    std::map<std::string, Stall> stalls_by_place() const;
    void begin(int core, int pipe, uint32_t index, double now);
    void finish(int core, int pipe, uint32_t index, double now);
    void deliver(int core, const Record& r, double now);
    void notify(int core, int flag, double now) { push(now + costs_.cross_flag_latency, kCross, core, flag); }
    double vector_cycles(const Cost& c) const;
    double issue_cost(const Record& r) const;
    void settle(double now);
    void share();
    std::string report(double total);

    const RecordedLaunch& launch_;
    const Costs& costs_;
    const Chip chip_;
    const int traced_;
    L2 l2_;
    double l2_rate_, hbm_rate_;
    std::vector<CoreState> cores_;
    std::priority_queue<Event, std::vector<Event>, std::greater<Event>> events_;
    uint64_t order_ = 0;
    std::vector<Flow> flows_;
    double flows_at_ = 0;
    uint64_t flow_version_ = 0;
    std::vector<int> open_, next_;  // scratch of share()
    std::vector<std::vector<int>> block_cores_;
    std::vector<int> slot_next_;
    int next_block_ = 0;
    std::map<std::pair<int, int>, std::vector<int>> pending_;  // cross-core contributions: (key, flag) -> counts
    std::map<std::string, double> moved_;
    std::vector<Interval> intervals_;
    Activity activity_;
    double hbm_bytes_ = 0, l2_bytes_ = 0;
};

double Timeline::vector_cycles(const Cost& c) const {
    const VecOp op = static_cast<VecOp>(c.b);
    const bool half_wide = c.c <= 2;
    double slope;
    switch (op) {
        case VecOp::kExp:
        case VecOp::kLn:
        case VecOp::kSqrt: slope = (half_wide ? costs_.vec_half_transcendental : costs_.vec_exp); break;
        case VecOp::kDiv: slope = (half_wide ? costs_.vec_half_transcendental : costs_.vec_div); break;
        case VecOp::kCast:
        case VecOp::kMulCast: slope = (c.gm.run_bytes ? costs_.vec_cast : costs_.vec_one_source); break;
        case VecOp::kAdd:
        case VecOp::kSub:
        case VecOp::kMul:
        case VecOp::kMax:
        case VecOp::kMin:
        case VecOp::kAnd:
        case VecOp::kOr:
        case VecOp::kAddRelu:
        case VecOp::kSubRelu:
        case VecOp::kMulAddDst:
        case VecOp::kFusedMulAdd:
        case VecOp::kFusedMulAddRelu: slope = costs_.vec_two_source; break;
        case VecOp::kBlockSum:
        case VecOp::kBlockMax:
        case VecOp::kBlockMin:
        case VecOp::kPairSum: slope = costs_.vec_reduce_block; break;
        case VecOp::kWholeSum:
        case VecOp::kWholeMax:
        case VecOp::kWholeMin:
        case VecOp::kTensorSum:
        case VecOp::kTensorMax:
        case VecOp::kTensorMin: slope = costs_.vec_reduce_whole; break;
        case VecOp::kCompare:
        case VecOp::kCompareScalar:
        case VecOp::kCompareToSpr:
        case VecOp::kSelect:
        case VecOp::kSelectScalar: slope = costs_.vec_select; break;
        case VecOp::kGather:
        case VecOp::kGatherb:
        case VecOp::kTranspose:
        case VecOp::kBrcb: slope = costs_.vec_gather; break;
        case VecOp::kGatherMask: slope = costs_.vec_gather_mask; break;
        default: slope = costs_.vec_one_source;
    }
    // A conflict costs only where the slope does not already contain it.
    const double cycles = std::max(slope * c.a, c.a + costs_.vec_conflict * c.d);
    return std::max(cycles, costs_.vec_interval) + (c.gm.runs ? costs_.vec_count_form : 0);
}

double Timeline::issue_cost(const Record& r) const {
    switch (r.kind) {
        case RecordKind::kInstruction: return (r.pipe == Pipe::kV ? costs_.issue_vector : costs_.issue_move);
        case RecordKind::kScalar: return costs_.issue_scalar;
        default: return costs_.issue_flag;
    }
}

std::map<std::string, Stall> Timeline::stalls_by_place() const {
    std::map<std::string, Stall> all;
    for (const CoreState& c : cores_)
        for (size_t i = 0; i < c.stalls.size(); ++i) {
            if (c.stalls[i].times == 0) continue;
            const Record& r = c.source->program.records[i / kReasons];
            const Reason reason = static_cast<Reason>(i % kReasons);
            const Loc& loc = c.source->program.places[r.place];
            const char* file = std::strrchr(loc.file, '/');
            const Pipe pipe = reason == kScalarWaits ? Pipe::kS : r.pipe;
            std::string key =
                std::string(c.source->cube ? "AIC " : "AIV ") + twin::name_of(pipe) + "|" + name_of(reason) + "|";
            if (r.kind == RecordKind::kWait)
                key += std::string(twin::name_of(r.other)) + "_" + twin::name_of(r.pipe) + " event " +
                       std::to_string(r.id);
            else if (r.kind == RecordKind::kCrossWait)
                key += "cross-core flag " + std::to_string(r.id);
            else
                key += loc.api;
            key += std::string("|") + (file ? file + 1 : loc.file) + ":" + std::to_string(loc.line);
            Stall& s = all[key];
            s.cycles += c.stalls[i].cycles;
            s.times += c.stalls[i].times;
        }
    return all;
}

// ------------------------------------------------------------------------------- shared bandwidth
void Timeline::settle(double now) {
    const double dt = now - flows_at_;
    if (dt > 0)
        for (Flow& f : flows_) f.left -= f.rate * dt;
    flows_at_ = now;
}

/// Max-min fair rates under port limits, L2 and HBM.
void Timeline::share() {
    ++flow_version_;
    if (flows_.empty()) return;
    double l2 = l2_rate_, hbm = hbm_rate_;
    std::vector<int>&open = open_, &next = next_;
    open.clear();
    for (size_t i = 0; i < flows_.size(); ++i) {
        flows_[i].rate = 0;
        open.push_back(static_cast<int>(i));
    }
    while (!open.empty()) {
        double weight = 0;
        for (int i : open) weight += flows_[i].hbm;
        double level = l2 / open.size();
        if (weight > 1e-12) level = std::min(level, hbm / weight);
        double room = kNever;
        for (int i : open) room = std::min(room, flows_[i].cap - flows_[i].rate);
        const double step = std::min(level, room);
        for (int i : open) flows_[i].rate += step;
        l2 -= step * open.size();
        hbm -= step * weight;
        next.clear();
        if (room <= level) {
            for (int i : open)
                if (flows_[i].cap - flows_[i].rate > 1e-9) next.push_back(i);
        } else if (l2 > 1e-9 * l2_rate_) {
            // HBM is used up: flows that hit in L2 go on.
            for (int i : open)
                if (flows_[i].hbm == 0) next.push_back(i);
        }
        if (next.size() == open.size()) break;
        open.swap(next);
    }
    double first = kNever;
    for (const Flow& f : flows_)
        if (f.rate > 0) first = std::min(first, std::max(0.0, f.left) / f.rate);
    if (first < kNever) push(flows_at_ + first, kFlows, 0, 0, flow_version_);
}

// ------------------------------------------------------------------------------- pipes
void Timeline::begin(int core, int pipe, uint32_t index, double now) {
    CoreState& c = cores_[core];
    PipeState& p = c.pipes[pipe];
    const Record& r = record(core, index);
    const Cost& cost = r.cost;
    p.busy = true;
    p.current_start = now;
    p.current = index;
    double duration = 0;
    switch (cost.kind) {
        case CostKind::kVector: duration = vector_cycles(cost); break;
        case CostKind::kMmad:
            duration = cost.a * costs_.mmad_tile + costs_.mmad_head;
            c.macs += static_cast<double>(cost.b) * cost.c * cost.d;
            break;
        case CostKind::kLoadL0A: duration = cost.a / costs_.load_l0a_rate + costs_.load_head; break;
        case CostKind::kLoadL0B: duration = cost.a / costs_.load_l0b_rate + costs_.load_head; break;
        case CostKind::kLoad3d:
            duration = cost.a / (cost.b ? costs_.load3d_b_rate : costs_.load3d_a_rate) + costs_.load_head;
            break;
        case CostKind::kFillL0:
        case CostKind::kFillL1: duration = cost.a / costs_.fill_rate; break;
        case CostKind::kTable: duration = cost.a / costs_.table_rate; break;
        case CostKind::kFixL1: duration = cost.a / costs_.fix_elements + costs_.fix_head; break;
        case CostKind::kFixGm: push(now + costs_.fix_head, kFlowStart, core, pipe, index); return;
        case CostKind::kGmRead:
        case CostKind::kGmWrite:
            duration = cost.b ? costs_.nz_head : costs_.copy_head + costs_.copy_run * cost.gm.runs;
            push(now + duration, kFlowStart, core, pipe, index);
            return;
        default: break;
    }
    switch (cost.kind) {
        case CostKind::kLoadL0A: moved_["L1->L0A"] += cost.a; break;
        case CostKind::kLoadL0B: moved_["L1->L0B"] += cost.a; break;
        case CostKind::kFixL1: moved_["L0C->L1"] += cost.b; break;
        default: break;
    }
    push(now + duration, kFinish, core, pipe, index);
}

void Timeline::finish(int core, int pipe, uint32_t index, double now) {
    CoreState& c = cores_[core];
    PipeState& p = c.pipes[pipe];
    const Record& r = record(core, index);
    double latency = 0;
    switch (r.cost.kind) {
        case CostKind::kVector: latency = costs_.vec_latency; break;
        case CostKind::kMmad: latency = costs_.mmad_latency; break;
        case CostKind::kLoadL0A:
        case CostKind::kLoadL0B: latency = costs_.load_latency; break;
        case CostKind::kLoad3d: latency = costs_.load3d_latency; break;
        case CostKind::kTable: latency = costs_.table_latency; break;
        case CostKind::kGmRead: latency = costs_.read_latency_l2; break;  // HBM misses add theirs at flow start
        case CostKind::kGmWrite:
        case CostKind::kFixGm: latency = costs_.write_latency; break;
        default: break;
    }
    p.busy = false;
    p.idle_since = now;
    p.busy_cycles += now - p.current_start;
    if (pipe == static_cast<int>(c.source->cube ? Pipe::kM : Pipe::kV)) activity_.add(core, p.current_start, now);
    p.complete = std::max(p.complete, now + latency);
    if (c.source->block < traced_) intervals_.push_back({core, static_cast<Pipe>(pipe), p.current_start, now, index});
    const bool unit = (r.cost.kind == CostKind::kMmad && r.cost.gm.runs) ||
                      ((r.cost.kind == CostKind::kFixGm || r.cost.kind == CostKind::kFixL1) && r.cost.c);
    if (unit) {
        c.unit_done[index] = now;
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
        const uint32_t index = p.queue.front().record;
        const double issued = p.queue.front().issued;
        const Record& r = record(core, index);
        double ready = now;
        Reason reason = kFlag;
        if (r.kind == RecordKind::kWait) {
            auto& times = c.flags[static_cast<int>(r.other)][pipe][r.id];
            if (times.empty()) return;  // woken when it is set
            ready = times.front();
        } else if (r.kind == RecordKind::kBarrier) {
            ready = p.complete;
            reason = kBarrier;
        } else if (r.kind == RecordKind::kInstruction) {
            auto need = c.unit_needs.find(index);
            if (need != c.unit_needs.end() && !c.unit_done.count(need->second)) return;
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
        p.queue.pop_front();
        // Idle time before the entry was issued is the scalar unit's, after that the entry's.
        if (r.kind != RecordKind::kSet && r.kind != RecordKind::kCrossSet) {
            stall(core, index, kNothingIssued, std::min(now, issued) - p.idle_since);
            stall(core, index, reason, now - std::max(issued, p.idle_since));
            p.idle_since = now;
        }
        if (c.waits_queue == pipe) {
            c.waits_queue = -1;
            wake(core, now);
        }
        switch (r.kind) {
            case RecordKind::kWait: c.flags[static_cast<int>(r.other)][pipe][r.id].pop_front(); break;
            case RecordKind::kBarrier: break;
            case RecordKind::kSet: {
                const int dst = static_cast<int>(r.other);
                const double visible = std::max(now, p.complete) + costs_.flag_latency;
                c.flags[pipe][dst][r.id].push_back(visible);
                if (dst == static_cast<int>(Pipe::kS)) {
                    if (c.blocked == 1) wake(core, visible);
                } else if (dst != pipe) {
                    advance_pipe(core, dst, now);
                }
                break;
            }
            case RecordKind::kCrossSet: {
                Record copy = r;
                deliver(core, copy, std::max(now, p.complete));
                break;
            }
            default: begin(core, pipe, index, now);
        }
    }
    if (!p.busy && p.queue.empty() && c.blocked == 3) wake(core, std::max(now, p.complete));
}

// ------------------------------------------------------------------------------- scalar unit
void Timeline::issue(int core, double now) {
    CoreState& c = cores_[core];
    if (c.done || !c.started || c.waits_queue >= 0) return;
    const auto& entries = c.source->program.entries;
    if (c.scalar > now + 1e-9) {
        wake(core, c.scalar);
        return;
    }
    while (c.pc < entries.size()) {
        const Record& r = record(core, c.pc);
        int pipe = static_cast<int>(r.pipe);
        switch (r.kind) {
            case RecordKind::kScalar: break;
            case RecordKind::kCrossWait:
                if (c.cross[r.id] == 0) {
                    if (!c.blocked) c.blocked_since = now;
                    c.blocked = 2;
                    return;
                }
                --c.cross[r.id];
                if (c.blocked) stall(core, c.pc, kScalarWaits, now - c.blocked_since);
                c.blocked = 0;
                break;
            case RecordKind::kBarrierAll: {
                double ready = now;
                for (const PipeState& p : c.pipes) {
                    if (p.busy || !p.queue.empty()) ready = kNever;
                    ready = std::max(ready, p.complete);
                }
                if (ready > now + 1e-9) {
                    if (!c.blocked) c.blocked_since = now;
                    c.blocked = 3;
                    if (ready < kNever) wake(core, ready);
                    return;
                }
                if (c.blocked) stall(core, c.pc, kScalarWaits, now - c.blocked_since);
                c.blocked = 0;
                break;
            }
            case RecordKind::kWait:
                if (r.pipe == Pipe::kS) {
                    auto& times = c.flags[static_cast<int>(r.other)][0][r.id];
                    if (times.empty() || times.front() > now + 1e-9) {
                        if (!c.blocked) c.blocked_since = now;
                        c.blocked = 1;
                        if (!times.empty()) wake(core, times.front());
                        return;
                    }
                    times.pop_front();
                    if (c.blocked) stall(core, c.pc, kScalarWaits, now - c.blocked_since);
                    c.blocked = 0;
                    break;
                }
                [[fallthrough]];
            default:
                if (r.kind == RecordKind::kSet && r.pipe == Pipe::kS) {
                    c.flags[0][static_cast<int>(r.other)][r.id].push_back(now + costs_.flag_latency);
                    advance_pipe(core, static_cast<int>(r.other), now);
                    break;
                }
                if (c.pipes[pipe].queue.size() >= costs_.queue_depth) {
                    c.waits_queue = pipe;
                    return;
                }
                if (r.kind == RecordKind::kInstruction) {
                    const Cost& cost = r.cost;
                    if (cost.kind == CostKind::kMmad && cost.gm.runs) {
                        const uint32_t block = static_cast<uint32_t>(address(core, c.pc) / 512);
                        auto fix = c.last_fix.find(block);
                        if (fix != c.last_fix.end()) c.unit_needs[c.pc] = fix->second;
                        if (cost.gm.runs == 3) c.last_mmad3 = c.pc;
                    } else if ((cost.kind == CostKind::kFixGm || cost.kind == CostKind::kFixL1) && cost.c &&
                               c.last_mmad3 != ~0u) {
                        c.unit_needs[c.pc] = c.last_mmad3;
                        c.last_fix[cost.d] = c.pc;
                    }
                }
                c.pipes[pipe].queue.push_back({c.pc, now});
                advance_pipe(core, pipe, now);
        }
        const double cost = issue_cost(r);
        c.scalar_busy += cost;
        ++c.pc;
        c.scalar = now + cost;
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
        c.blocked = 3;
        return;
    }
    if (end > now + 1e-9) {
        wake(core, end);
        return;
    }
    c.done = true;
    c.finished = now;
    for (int other : block_cores_[c.source->block])
        if (!cores_[other].done) return;
    if (next_block_ < static_cast<int>(block_cores_.size())) start_block(next_block_++, now);
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

std::string Timeline::run() {
    cores_.resize(launch_.cores.size());
    activity_.resize(cores_.size());
    for (size_t i = 0; i < launch_.cores.size(); ++i) {
        cores_[i].source = &launch_.cores[i];
        cores_[i].stalls.resize(launch_.cores[i].program.records.size() * kReasons);
        const int block = launch_.cores[i].block;
        if (block >= static_cast<int>(block_cores_.size())) block_cores_.resize(block + 1);
        block_cores_[block].push_back(static_cast<int>(i));
    }
    bool cube = false;
    for (const auto& core : launch_.cores) cube |= core.cube;
    const int slots = std::min<int>(static_cast<int>(block_cores_.size()), cube ? chip_.cores : chip_.cores * 2);
    const double skew = costs_.dispatch_us * chip_.mhz;
    for (; next_block_ < slots; ++next_block_) start_block(next_block_, skew * next_block_ / std::max(1, slots));

    double now = 0;
    while (!events_.empty()) {
        const Event e = events_.top();
        events_.pop();
        now = e.time;
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
            case kFinish: finish(e.core, e.pipe, static_cast<uint32_t>(e.data), now); break;
            case kFlowStart: {
                const Record& r = record(e.core, static_cast<uint32_t>(e.data));
                Cost cost = r.cost;
                cost.gm.address = address(e.core, static_cast<uint32_t>(e.data));
                const bool read = cost.kind == CostKind::kGmRead;
                const bool on_cube = cores_[e.core].source->cube;
                const double sector = costs_.sector;
                double bytes = 0;
                const double useful = static_cast<double>(cost.gm.runs) * cost.gm.run_bytes;
                if (cost.gm.stride == cost.gm.run_bytes || cost.gm.runs <= 1) {
                    bytes = std::ceil(useful / sector) * sector;
                } else {
                    for (uint32_t i = 0; i < cost.gm.runs; ++i) {
                        const uint64_t from = cost.gm.address + i * cost.gm.stride;
                        const uint64_t s = static_cast<uint64_t>(sector);
                        bytes += ((from + cost.gm.run_bytes - 1) / s - from / s + 1) * sector;
                    }
                }
                const L2::Result hit = l2_.touch(cost.gm, !read);
                if (cost.gm.atomic) bytes *= 2;
                l2_bytes_ += bytes;
                hbm_bytes_ += hit.hbm_bytes;
                double cap;
                if (cost.kind == CostKind::kFixGm) {
                    cap = std::min(costs_.fix_gm_rate, costs_.fix_elements * cost.b / std::max(1u, cost.a));
                    cap = std::min(cap, cost.gm.run_bytes / costs_.fix_row);
                    moved_["L0C->GM"] += useful;
                } else if (read) {
                    cap = (on_cube ? costs_.aic_read_rate : costs_.aiv_read_rate);
                    if (cost.b) cap = 1 / (1 / cap + costs_.nz_row / cost.gm.run_bytes);
                    moved_[on_cube ? "GM->L1" : "GM->UB"] += useful;
                } else {
                    cap = (on_cube ? costs_.aic_write_rate : costs_.aiv_write_rate);
                    moved_[on_cube ? "L1->GM" : "UB->GM"] += useful;
                }
                settle(now);
                flows_.push_back({bytes, 0, cap, hit.hbm_bytes / std::max(1.0, bytes), e.core,
                                  static_cast<Pipe>(e.pipe), read && hit.hbm_bytes > 0 ? costs_.read_latency_hbm : 0});
                cores_[e.core].pipes[e.pipe].wake = kNever;
                share();
                break;
            }
            case kFlows: {
                if (e.data != flow_version_) break;
                settle(now);
                std::vector<Flow> done;
                for (size_t i = 0; i < flows_.size();) {
                    if (flows_[i].left <= 1e-6 * (1 + flows_[i].rate)) {
                        done.push_back(flows_[i]);
                        flows_[i] = flows_.back();
                        flows_.pop_back();
                    } else {
                        ++i;
                    }
                }
                share();
                for (const Flow& f : done) {
                    PipeState& p = cores_[f.core].pipes[static_cast<int>(f.pipe)];
                    p.complete = std::max(p.complete, now + f.latency);
                    finish(f.core, static_cast<int>(f.pipe), p.current, now);
                }
                break;
            }
        }
        // A core that has issued everything looks again whenever one of its pipes moved.
        if ((e.kind == kFinish || e.kind == kPipe) && cores_[e.core].blocked == 3) issue(e.core, now);
        if (e.kind == kFlows)
            for (size_t i = 0; i < cores_.size(); ++i)
                if (cores_[i].blocked == 3 && !cores_[i].done) issue(static_cast<int>(i), now);
    }
    double total = 0;
    for (const CoreState& c : cores_) {
        if (!c.done) throw std::runtime_error("the timeline stopped before " + c.source->name + " was done");
        total = std::max(total, c.finished);
    }
    return report(total);
}

// ------------------------------------------------------------------------------- report
namespace json {
std::string text(const std::string& s) {
    std::string out = "\"";
    for (char c : s) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + "\"";
}
}  // namespace json

std::string Timeline::report(double total) {
    const double us = total / chip_.mhz;
    int cubes = 0, vectors = 0;
    double macs = 0, mac_cycles = 0, useful_bytes = 0;
    double busy[2][kPipes] = {};
    for (const CoreState& c : cores_) {
        (c.source->cube ? cubes : vectors)++;
        macs += c.macs;
        for (int p = 0; p < kPipes; ++p) busy[c.source->cube][p] += p == 0 ? c.scalar_busy : c.pipes[p].busy_cycles;
    }
    for (const auto& path : moved_)
        if (path.first.find("GM") != std::string::npos) useful_bytes += path.second;
    const int cube_cores = std::min(cubes, chip_.cores), vector_cores = std::min(vectors, 2 * chip_.cores);
    mac_cycles = macs / 4096;  // of half; other types are reported through busy M
    const double cube_bound = cube_cores ? mac_cycles / chip_.cores : 0;
    const double hbm_bound = hbm_bytes_ / hbm_rate_, l2_bound = l2_bytes_ / l2_rate_;
    const double bound = std::max(cube_bound, std::max(hbm_bound, l2_bound));
    std::ostringstream out;
    out.precision(10);
    out << "{\"kernel\":" << json::text(launch_.kernel) << ",\"chip\":" << json::text(chip_.name)
        << ",\"blocks\":" << launch_.blocks << ",\"cycles\":" << total << ",\"us\":" << us
        << ",\"task_us\":" << us + costs_.launch_us << ",\"mhz\":" << chip_.mhz
        << ",\"tflops\":" << (us > 0 ? 2 * macs / us * 1e-6 : 0)
        << ",\"cube_utilisation\":" << (total > 0 ? mac_cycles / total / chip_.cores : 0)
        << ",\"roofline\":{\"fraction\":" << (total > 0 ? bound / total : 0)
        << ",\"cube_us\":" << cube_bound / chip_.mhz << ",\"hbm_us\":" << hbm_bound / chip_.mhz
        << ",\"l2_us\":" << l2_bound / chip_.mhz << "}"
        << ",\"l2\":{\"bytes\":" << l2_bytes_ << ",\"hbm_bytes\":" << hbm_bytes_
        << ",\"hit_rate\":" << (l2_.hits + l2_.misses ? static_cast<double>(l2_.hits) / (l2_.hits + l2_.misses) : 0)
        << ",\"tbps\":" << (us > 0 ? l2_bytes_ / us * 1e-6 : 0)
        << ",\"hbm_tbps\":" << (us > 0 ? hbm_bytes_ / us * 1e-6 : 0) << "}";
    out << ",\"busy\":{";
    bool first = true;
    for (int cube = 1; cube >= 0; --cube)
        for (int p = 0; p < kPipes; ++p) {
            const int n = cube ? cube_cores : vector_cores;
            if (!n || busy[cube][p] == 0) continue;
            out << (first ? "" : ",") << "\"" << (cube ? "AIC " : "AIV ") << name_of(static_cast<Pipe>(p))
                << "\":" << busy[cube][p] / n / total;
            first = false;
        }
    out << "},\"bytes\":{";
    first = true;
    for (const auto& path : moved_) {
        out << (first ? "" : ",") << json::text(path.first) << ":" << path.second;
        first = false;
    }
    out << "},\"stalls\":[";
    const auto by_place = stalls_by_place();
    std::vector<std::pair<std::string, Stall>> all(by_place.begin(), by_place.end());
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.second.cycles > b.second.cycles; });
    for (size_t i = 0; i < all.size() && i < 20; ++i) {
        std::vector<std::string> parts;
        std::istringstream in(all[i].first);
        std::string part;
        while (std::getline(in, part, '|')) parts.push_back(part);
        parts.resize(4);
        const int n = parts[0].compare(0, 3, "AIC") == 0 ? cube_cores : vector_cores;
        out << (i ? "," : "") << "{\"pipe\":" << json::text(parts[0]) << ",\"reason\":" << json::text(parts[1])
            << ",\"on\":" << json::text(parts[2]) << ",\"where\":" << json::text(parts[3])
            << ",\"share\":" << all[i].second.cycles / std::max(1, n) / total << ",\"times\":" << all[i].second.times
            << "}";
    }
    // Every core: when it worked and how busy its computing pipe was; cores of programs that issued nothing are left out.
    out << "],\"cycles_per_step\":" << activity_.width() << ",\"cores\":[";
    first = true;
    out.precision(4);
    for (size_t i = 0; i < cores_.size(); ++i) {
        const CoreState& c = cores_[i];
        if (c.source->program.entries.empty()) continue;
        out << (first ? "" : ",") << "{\"name\":" << json::text(c.source->name)
            << ",\"start_us\":" << c.began / chip_.mhz << ",\"end_us\":" << c.finished / chip_.mhz << ",\"busy\":[";
        const auto steps = static_cast<size_t>(std::ceil(total / activity_.width()));
        for (size_t s = 0; s < std::min(steps, activity_.of(static_cast<int>(i)).size()); ++s)
            out << (s ? "," : "") << activity_.of(static_cast<int>(i))[s] / activity_.width();
        out << "]}";
        first = false;
    }
    out << "],\"intervals\":[";
    out.precision(9);
    for (size_t i = 0; i < intervals_.size(); ++i) {
        const Interval& v = intervals_[i];
        const Record& r = record(v.core, v.record);
        const Loc& loc = cores_[v.core].source->program.places[r.place];
        out << (i ? "," : "") << "[" << json::text(cores_[v.core].source->name) << ",\"" << name_of(v.pipe) << "\","
            << v.start << "," << v.end << "," << json::text(loc.api) << "," << loc.line << "]";
    }
    out << "]}";
    return out.str();
}

}  // namespace

/// The timeline of a recorded launch as a JSON report; blocks below `traced` contribute their intervals.
std::string simulate(const RecordedLaunch& launch, const std::string& chip, const std::string& changes, int traced) {
    const Costs costs = Costs::with(changes);
    return Timeline(launch, costs, Chip::named(chip), traced).run();
}

}  // namespace twin
