// SPDX-License-Identifier: BSD-3-Clause
// The timeline: recorded programs on in-order pipes, flags between them, flows through shared memory.
#include "cycles.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <tuple>

#include "cores.h"
#include "costs.h"
#include "event_queue.h"
#include "flows.h"
#include "l2.h"
#include "progress.h"

namespace twin {
namespace {

struct Interval {
    int core;
    Pipe pipe;
    double start, end;
    uint32_t record;
};

/// What a record costs on this chip, worked out once, and what the timeline asks of it at every line.
struct Step {
    double issue = 0, duration = 0, latency = 0;  // cycles; of a transfer: before its bytes flow
    RecordKind kind;
    CostKind cost;
    uint8_t pipe, other, id;
    bool has_address, unit_flag, transfer;

    auto fields() const {
        return std::tie(issue, duration, latency, kind, cost, pipe, other, id, has_address, unit_flag, transfer);
    }
    bool operator==(const Step& o) const { return fields() == o.fields(); }
};
using Steps = std::vector<Step>;

/// Something that was issued to a pipe.
struct Queued {
    uint32_t record = 0;
    uint32_t line = 0;   // counted from 1
    uint32_t needs = 0;  // line of the partner it waits for by unit flag, 0: none
    uint64_t address = 0;
    double issued = 0;
};

/// A queue in a ring; grows when it has to.
class PipeQueue {
public:
    bool empty() const { return first_ == last_; }
    size_t size() const { return last_ - first_; }
    const Queued& front() const { return ring_[first_ & mask_]; }
    void pop() { ++first_; }
    void push(const Queued& q) {
        if (size() == ring_.size()) grow();
        ring_[last_++ & mask_] = q;
    }

private:
    void grow() {
        std::vector<Queued> larger(std::max<size_t>(8, 2 * ring_.size()));
        for (size_t i = 0; i < ring_.size(); ++i) larger[i] = ring_[(first_ + i) & mask_];
        last_ = size();
        first_ = 0;
        ring_.swap(larger);
        mask_ = ring_.size() - 1;
    }
    std::vector<Queued> ring_;  // as many as a power of two
    size_t first_ = 0, last_ = 0, mask_ = 0;
};

/// Times at which a flag becomes visible, once for every Set that no Wait took; nearly always one.
class FlagTimes {
public:
    bool empty() const { return count_ == 0; }
    double front() const { return first_; }
    void push(double time) {
        if (count_++ == 0) {
            first_ = time;
            return;
        }
        if (!more_) more_ = std::make_unique<std::deque<double>>();
        more_->push_back(time);
    }
    void pop() {
        if (--count_ == 0) return;
        first_ = more_->front();
        more_->pop_front();
    }

private:
    uint32_t count_ = 0;
    double first_ = 0;
    std::unique_ptr<std::deque<double>> more_;
};

struct PipeState {
    PipeQueue queue;
    bool busy = false;
    double complete = 0;  // results of everything started are visible
    double idle_since = 0;
    double busy_cycles = 0;
    double current_start = 0;
    Queued current;          // what it executes
    uint32_t unit_done = 0;  // last line with a unit flag that is finished
    double wake = kNever;    // a scheduled attempt, so that it is not scheduled twice
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

/// Share of the time that the computing pipe of each core is busy, in at most 256 equal steps; steps double as time
/// goes on.
class Activity {
public:
    void resize(size_t cores) { busy_.assign(cores, std::vector<float>(kSteps, 0)); }
    void add(int core, double start, double end) {
        while (end > kSteps * width_) widen();
        for (auto step = static_cast<size_t>(start * per_cycle_); step < kSteps && step * width_ < end; ++step)
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
        per_cycle_ /= 2;
    }
    std::vector<std::vector<float>> busy_;
    double width_ = 64, per_cycle_ = 1.0 / 64;
};

class Timeline {
public:
    Timeline(const RecordedLaunch& launch, const Costs& costs, const Chip& chip, L2& l2, int traced, double traced_us)
        : launch_(launch),
          costs_(costs),
          chip_(chip),
          traced_(traced),
          traced_until_(traced_us * chip.mhz),
          l2_(l2),
          l2_rate_(costs.l2_tbps * chip.l2 * 1e12 / (chip.mhz * 1e6)),
          hbm_rate_(costs.hbm_tbps * costs.hbm_efficiency * chip.hbm * 1e12 / (chip.mhz * 1e6)),
          flows_(l2_rate_, hbm_rate_) {
        l2_.hits = l2_.misses = 0;
    }

    /// Goes through to the end; what took place is in report().
    void run();
    /// Time of the launch with its overhead.
    double task_us() const { return total_ / chip_.mhz + costs_.launch_us; }
    std::string report() const;

private:
    enum EventKind { kIssue, kPipe, kFlowStart, kFlows, kFinish, kCross };
    enum Path { kGmL1, kGmUb, kL0cGm, kL0cL1, kL1Gm, kL1L0a, kL1L0b, kUbGm, kPaths };
    static const char* name_of_path(int path) {
        static const char* names[] = {"GM->L1", "GM->UB",  "L0C->GM", "L0C->L1",
                                      "L1->GM", "L1->L0A", "L1->L0B", "UB->GM"};
        return names[path];
    }
    struct Moved {
        bool used = false;
        double bytes = 0;
    };
    struct CoreState {
        const RecordedCore* source = nullptr;
        const Step* steps = nullptr;  // by record
        Lines::Reader program;
        uint32_t line = 0;           // lines issued
        double scalar = 0;           // when the scalar unit is free
        double next_issue = kNever;  // when it will look next
        bool started = false, done = false;
        int waits_queue = -1;  // scalar blocked: queue of this pipe is full
        int blocked = 0;       // 1: flag, 2: cross flag, 3: barrier all
        double blocked_since = 0;
        PipeState pipes[kPipes];
        FlagTimes flags[kPipes][kPipes][kEvents];
        int cross[kCrossFlags] = {};
        uint32_t last_mmad3 = 0;         // line of the last Mmad that ends a unit-flag tile, 0: none
        std::vector<uint32_t> last_fix;  // L0C block -> line of its last Fixpipe with a unit flag, 0: none
        std::vector<Stall> stalls;       // by record and reason
        double macs = 0, scalar_busy = 0;
        double began = 0, finished = 0;
    };

    void push(double time, EventKind kind, int core, int pipe = 0, uint32_t data = 0) {
        events_.push({time, data, static_cast<uint16_t>(core), static_cast<uint8_t>(kind), static_cast<uint8_t>(pipe)});
    }
    const Record& record(int core, uint32_t i) const { return cores_[core].source->program.records[i]; }
    void move(Path path, double bytes) {
        moved_[path].used = true;
        moved_[path].bytes += bytes;
    }
    /// Has the scalar unit of a core look again at `time`.
    void wake(int core, double time) {
        if (time + 1e-9 >= cores_[core].next_issue) return;
        cores_[core].next_issue = time;
        push(time, kIssue, core);
    }
    void start_block(int slot, double now);
    void issue(int core, double now);
    /// Sets what the scalar unit of a core is blocked by.
    void block(CoreState& c, int by) {
        wait_for_all_ += (by == 3) - (c.blocked == 3);
        c.blocked = by;
    }
    /// The line whose unit flag an instruction has to wait for; remembers the instruction as a partner of later ones.
    uint32_t unit_partner(CoreState& c, const Queued& what) const;
    void advance_pipe(int core, int pipe, double now);
    /// Charges waiting to a record.
    static void stall(CoreState& c, uint32_t record, Reason reason, double cycles) {
        if (cycles <= 0) return;
        Stall& s = c.stalls[record * kReasons + reason];
        s.cycles += cycles;
        ++s.times;
    }
    std::map<std::string, Stall> stalls_by_place() const;
    void begin(int core, int pipe, const Queued& what, double now);
    void finish(int core, int pipe, double now);
    void start_flow(int core, int pipe, double now);
    void end_flows(double now);
    void share();
    void deliver(int core, const Record& r, double now);
    void notify(int core, int flag, double now) { push(now + costs_.cross_flag_latency, kCross, core, flag); }
    double vector_cycles(const Cost& c) const;
    Step step_of(const Record& r) const;
    const Step* steps_of(const std::vector<Record>&);

    const RecordedLaunch& launch_;
    const Costs& costs_;
    const Chip chip_;
    const int traced_;
    const double traced_until_;  // cycles
    L2& l2_;
    const double l2_rate_, hbm_rate_;
    std::list<Steps> steps_;  // most cores have the same ones
    std::vector<CoreState> cores_;
    EventQueue events_;
    Flows flows_;
    uint32_t flow_version_ = 0;
    std::vector<Flows::Owner> done_;  // scratch of end_flows()
    std::vector<std::vector<int>> block_cores_;
    std::vector<int> slot_next_;
    int next_block_ = 0;
    int wait_for_all_ = 0;                                     // cores that are blocked until all their pipes are done
    std::map<std::pair<int, int>, std::vector<int>> pending_;  // cross-core contributions: (key, flag) -> counts
    Moved moved_[kPaths];
    std::vector<Interval> intervals_;
    Activity activity_;
    ProgressCounter progress_;
    double hbm_bytes_ = 0, l2_bytes_ = 0;
    double total_ = 0;  // cycles
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
        case VecOp::kCastDequant:
        case VecOp::kAddDeqRelu:
        case VecOp::kAddReluCast:
        case VecOp::kSubReluCast:
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
        case VecOp::kTransposeExt:
        case VecOp::kBrcb: slope = costs_.vec_gather; break;
        case VecOp::kSort32:
        case VecOp::kMergeSort: slope = costs_.vec_sort; break;
        case VecOp::kGatherMask: slope = costs_.vec_gather_mask; break;
        default: slope = costs_.vec_one_source;
    }
    // A conflict costs only where the slope does not already contain it.
    const double cycles = std::max(slope * c.a, c.a + costs_.vec_conflict * c.d);
    return std::max(cycles, costs_.vec_interval) + (c.gm.runs ? costs_.vec_count_form : 0);
}

Step Timeline::step_of(const Record& r) const {
    const Cost& cost = r.cost;
    Step s;
    s.kind = r.kind;
    s.cost = cost.kind;
    s.pipe = static_cast<uint8_t>(r.pipe);
    s.other = static_cast<uint8_t>(r.other);
    s.id = r.id;
    s.has_address = r.has_address();
    s.unit_flag = (cost.kind == CostKind::kMmad && cost.gm.runs) ||
                  ((cost.kind == CostKind::kFixGm || cost.kind == CostKind::kFixL1) && cost.c);
    s.transfer = cost.kind == CostKind::kGmRead || cost.kind == CostKind::kGmWrite || cost.kind == CostKind::kFixGm;
    switch (r.kind) {
        case RecordKind::kInstruction: s.issue = r.pipe == Pipe::kV ? costs_.issue_vector : costs_.issue_move; break;
        case RecordKind::kScalar: s.issue = costs_.issue_scalar; break;
        default: s.issue = costs_.issue_flag;
    }
    switch (cost.kind) {
        case CostKind::kVector:
            s.duration = vector_cycles(cost);
            s.latency = costs_.vec_latency;
            break;
        case CostKind::kMmad:
            s.duration = cost.a * costs_.mmad_tile + costs_.mmad_head;
            s.latency = costs_.mmad_latency;
            break;
        case CostKind::kLoadL0A:
            s.duration = cost.a / costs_.load_l0a_rate + costs_.load_head;
            s.latency = costs_.load_latency;
            break;
        case CostKind::kLoadL0B:
            s.duration = cost.a / costs_.load_l0b_rate + costs_.load_head;
            s.latency = costs_.load_latency;
            break;
        case CostKind::kLoad3d:
            s.duration = cost.a / (cost.b ? costs_.load3d_b_rate : costs_.load3d_a_rate) + costs_.load_head;
            s.latency = costs_.load3d_latency;
            break;
        case CostKind::kFillL0:
        case CostKind::kFillL1: s.duration = cost.a / costs_.fill_rate; break;
        case CostKind::kTable:
            s.duration = cost.a / costs_.table_rate;
            s.latency = costs_.table_latency;
            break;
        case CostKind::kFixL1: s.duration = cost.a / costs_.fix_elements + costs_.fix_head; break;
        case CostKind::kFixGm:
            s.duration = costs_.fix_head;
            s.latency = costs_.write_latency;
            break;
        case CostKind::kGmRead:  // HBM misses add their latency at the end of the flow
        case CostKind::kGmWrite:
            s.duration = cost.b ? costs_.nz_head : costs_.copy_head + costs_.copy_run * cost.gm.runs;
            s.latency = cost.kind == CostKind::kGmRead ? costs_.read_latency_l2 : costs_.write_latency;
            break;
        default: break;
    }
    return s;
}

const Step* Timeline::steps_of(const std::vector<Record>& records) {
    Steps steps;
    for (const Record& r : records) steps.push_back(step_of(r));
    auto same = std::find(steps_.begin(), steps_.end(), steps);
    if (same == steps_.end()) same = steps_.insert(same, std::move(steps));
    return same->data();
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
void Timeline::share() {
    ++flow_version_;
    const double next = flows_.share();
    if (next < kNever) push(next, kFlows, 0, 0, flow_version_);
}

/// A transfer has got through its port's start-up: from now on its bytes flow.
void Timeline::start_flow(int core, int pipe, double now) {
    CoreState& c = cores_[core];
    PipeState& p = c.pipes[pipe];
    const Cost& cost = record(core, p.current.record).cost;
    GmTransfer gm = cost.gm;
    gm.address = p.current.address;
    const bool read = cost.kind == CostKind::kGmRead, on_cube = c.source->cube;
    const double useful = static_cast<double>(gm.runs) * gm.run_bytes;
    double bytes = 0;  // in whole sectors
    const auto sector = static_cast<uint64_t>(costs_.sector);
    const auto sectors = [&](uint64_t from) { return (from + gm.run_bytes - 1) / sector - from / sector + 1; };
    if (gm.stride == gm.run_bytes || gm.runs <= 1) {
        bytes = std::ceil(useful / costs_.sector) * costs_.sector;
    } else if (gm.stride % static_cast<int64_t>(sector) == 0 && costs_.sector == sector) {
        bytes = gm.runs * (sectors(gm.address) * costs_.sector);  // every run lies alike
    } else {
        for (uint32_t i = 0; i < gm.runs; ++i) bytes += sectors(gm.address + i * gm.stride) * costs_.sector;
    }
    const auto hbm_bytes = static_cast<double>(l2_.touch(gm, !read));
    if (gm.atomic) bytes *= 2;
    l2_bytes_ += bytes;
    hbm_bytes_ += hbm_bytes;
    double cap;
    if (cost.kind == CostKind::kFixGm) {
        cap = std::min(costs_.fix_gm_rate, costs_.fix_elements * cost.b / std::max(1u, cost.a));
        cap = std::min(cap, gm.run_bytes / costs_.fix_row);
        move(kL0cGm, useful);
    } else if (read) {
        cap = (on_cube ? costs_.aic_read_rate : costs_.aiv_read_rate);
        if (cost.b && costs_.nz_hbm_rate < cap) {
            const double missed = std::min(1.0, hbm_bytes / std::max(1.0, bytes));
            cap = 1 / ((1 - missed) / cap + missed / costs_.nz_hbm_rate);
        }
        if (cost.b) cap = 1 / (1 / cap + costs_.nz_row / gm.run_bytes);
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
void Timeline::begin(int core, int pipe, const Queued& what, double now) {
    CoreState& c = cores_[core];
    PipeState& p = c.pipes[pipe];
    const Step& step = c.steps[what.record];
    p.busy = true;
    p.current_start = now;
    p.current = what;
    switch (step.cost) {
        case CostKind::kMmad: {
            const Cost& cost = record(core, what.record).cost;
            c.macs += static_cast<double>(cost.b) * cost.c * cost.d;
            break;
        }
        case CostKind::kLoadL0A: move(kL1L0a, record(core, what.record).cost.a); break;
        case CostKind::kLoadL0B: move(kL1L0b, record(core, what.record).cost.a); break;
        case CostKind::kFixL1: move(kL0cL1, record(core, what.record).cost.b); break;
        default: break;
    }
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
        const Queued& front = p.queue.front();
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
        const Queued what = front;
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
                Queued what{index, c.line + 1, 0, step.has_address ? c.program.address() : 0, now};
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

uint32_t Timeline::unit_partner(CoreState& c, const Queued& what) const {
    const Cost& cost = c.source->program.records[what.record].cost;
    if (cost.kind == CostKind::kMmad) {
        if (cost.gm.runs == 3) c.last_mmad3 = what.line;
        const uint64_t block = what.address / 512;
        return block < c.last_fix.size() ? c.last_fix[block] : 0;
    }
    if (c.last_mmad3 == 0) return 0;
    if (c.last_fix.size() <= cost.d) c.last_fix.resize(cost.d + 1);
    c.last_fix[cost.d] = what.line;
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

std::string Timeline::report() const {
    const double total = total_;
    const double us = total / chip_.mhz;
    int cubes = 0, vectors = 0;
    double macs = 0, mac_cycles = 0;
    double busy[2][kPipes] = {};
    for (const CoreState& c : cores_) {
        (c.source->cube ? cubes : vectors)++;
        macs += c.macs;
        for (int p = 0; p < kPipes; ++p) busy[c.source->cube][p] += p == 0 ? c.scalar_busy : c.pipes[p].busy_cycles;
    }
    const int cube_cores = std::min(cubes, chip_.cores), vector_cores = std::min(vectors, 2 * chip_.cores);
    mac_cycles = macs / 4096;  // of half; other types are reported through busy M
    const double cube_bound = cube_cores ? mac_cycles / chip_.cores : 0;
    const double hbm_bound = hbm_bytes_ / hbm_rate_, l2_bound = l2_bytes_ / l2_rate_;
    const double bound = std::max(cube_bound, std::max(hbm_bound, l2_bound));
    std::ostringstream out;
    out.precision(10);
    out << "{\"kernel\":" << json::text(launch_.kernel) << ",\"chip\":" << json::text(chip_.name)
        << ",\"blocks\":" << launch_.blocks << ",\"cycles\":" << total << ",\"us\":" << us
        << ",\"task_us\":" << task_us() << ",\"mhz\":" << chip_.mhz
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
    for (int path = 0; path < kPaths; ++path) {
        if (!moved_[path].used) continue;
        out << (first ? "" : ",") << json::text(name_of_path(path)) << ":" << moved_[path].bytes;
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
    // Every core: when it worked and how busy its computing pipe was; cores of programs that issued nothing are left
    // out.
    out << "],\"cycles_per_step\":" << activity_.width() << ",\"cores\":[";
    first = true;
    out.precision(4);
    for (size_t i = 0; i < cores_.size(); ++i) {
        const CoreState& c = cores_[i];
        if (c.source->program.lines.empty()) continue;
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
