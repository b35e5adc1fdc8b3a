// SPDX-License-Identifier: BSD-3-Clause
// The timeline: recorded programs on in-order pipes, flags between them, flows through shared memory.
#pragma once
#include <iosfwd>
#include <list>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "machine/cores.h"
#include "timing/activity.h"
#include "timing/event_queue.h"
#include "timing/flows.h"
#include "timing/l2.h"
#include "timing/pipe_state.h"
#include "timing/progress.h"
#include "timing/step.h"

namespace twin {

struct Interval {
    int core;
    Pipe pipe;
    double start, end;
    uint32_t record;
};

struct Stall {
    double cycles = 0;
    uint64_t times = 0;
};
enum Reason { kNothingIssued, kFlag, kBarrier, kUnitFlag, kScalarWaits, kReasons };
inline const char* name_of(Reason r) {
    static const char* names[] = {"nothing issued", "flag", "barrier", "unit flag", "scalar waits"};
    return names[r];
}

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
    void move(int path, double bytes) {
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
    uint32_t unit_partner(CoreState& c, const Issued& what) const;
    void advance_pipe(int core, int pipe, double now);
    /// Charges waiting to a record.
    static void stall(CoreState& c, uint32_t record, Reason reason, double cycles) {
        if (cycles <= 0) return;
        Stall& s = c.stalls[record * kReasons + reason];
        s.cycles += cycles;
        ++s.times;
    }
    std::map<std::string, Stall> stalls_by_place() const;
    void report_totals(std::ostream&) const;
    void report_pipes(std::ostream&) const;
    void report_stalls(std::ostream&) const;
    void report_cores(std::ostream&) const;
    void report_intervals(std::ostream&) const;
    /// AICs and AIVs that work at once.
    std::pair<int, int> cores_at_once() const;
    void begin(int core, int pipe, const Issued& what, double now);
    void finish(int core, int pipe, double now);
    void start_flow(int core, int pipe, double now);
    void end_flows(double now);
    void share();
    void deliver(int core, const Record& r, double now);
    void notify(int core, int flag, double now) { push(now + costs_.cross_flag_latency, kCross, core, flag); }
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

}  // namespace twin
