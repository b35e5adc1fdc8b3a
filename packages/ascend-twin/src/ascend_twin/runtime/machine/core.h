// SPDX-License-Identifier: BSD-3-Clause
// One AIC or AIV: local memories, pipes with their queues, flags, scalar state, and how an instruction is issued.
#pragma once
#include <atomic>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "checking/checker.h"
#include "machine/device.h"
#include "timing/program.h"
#include "twin/abi.h"

namespace twin {

constexpr int kPipes = static_cast<int>(Pipe::kCount);
constexpr int kMemories = static_cast<int>(Memory::kCount);
constexpr int kEvents = 8;
constexpr int kCrossFlags = 16;

const char* name_of(Pipe);
const char* name_of(Memory);
uint32_t alignment_of(Memory);
uint32_t bits_of(DType);
inline uint32_t bytes_of(DType t) { return bits_of(t) / 8; }

struct LocalMemory {
    std::vector<uint8_t> data, valid;
    BlockTable blocks;
};

/// An entry of a pipe's queue that could not run when it was issued.
struct Queued {
    std::function<bool()> try_run;  // false: still blocked
    Loc loc;
    std::string waits_for;
};

struct Flag {
    bool set = false;
    // Sets that came while it was set: an error, but CATLASS's gemv lives on the device counting them.
    uint32_t more = 0;
    Clock clock;
    Loc where{};
    uint32_t waited_at = 0;  // epoch of the last wait on the destination pipe
    bool allocated = false;
};

class AiCore;

class Core {
public:
    Core(AiCore& group, bool cube, int sub, int global_index);

    AiCore& group;
    const bool cube;
    const int sub;    // 0, 1 for AIVs
    const int index;  // among all AICs and AIVs of the launch: names its clocks
    std::string name() const;

    // ---- memories
    LocalMemory memory[kMemories];
    /// Host address of a byte range; null and a finding when it is out of bounds.
    uint8_t* resolve(const Ref&, uint64_t bytes, const char* role, const Loc&);
    uint8_t* resolve_valid(const Ref&, uint64_t bytes);

    // ---- pipes
    std::deque<Queued> queue[kPipes];
    /// Runs `op` on `pipe` now, or later when the pipe waits for a flag.
    template <typename Op>
    void issue(Pipe pipe, const Loc& loc, const Cost& cost, Op op) {
        if (recorder) recorder->instruction(pipe, loc, cost);
        const int p = static_cast<int>(pipe);
        if (!queue[p].empty()) {
            Clock at_issue = checker ? checker->scalar_clock() : Clock();
            queue[p].push_back({[this, pipe, loc, op, at_issue]() mutable {
                                    if (checker) checker->begin(pipe, at_issue);
                                    op(*this, loc);
                                    return true;
                                },
                                loc, ""});
            return;
        }
        if (checker) checker->begin(pipe);
        op(*this, loc);
    }
    /// Timing-only execution: the instruction takes its place on the timeline and does nothing.
    void record_only(Pipe pipe, const Loc& loc, const Cost& cost) {
        if (recorder) recorder->instruction(pipe, loc, cost);
    }
    void drain(Pipe pipe);
    bool drained() const;
    bool draining[kPipes] = {};

    // ---- events and cross-core flags
    Flag flags[kPipes][kPipes][kEvents];
    std::atomic<int> cross_count[kCrossFlags] = {};
    Loc cross_where[kCrossFlags] = {};            // last set that notified this core
    std::deque<Clock> cross_clocks[kCrossFlags];  // check mode: what each pending notification releases

    // ---- scalar state
    bool counter_mask = false;
    uint64_t mask_high = ~0ull, mask_low = ~0ull;
    uint32_t polls = 0;  // scalar reads of global memory
    uint8_t compare_mask[16] = {};
    uint64_t reduced_sum = 0;                      // bits of the last ReduceSum's result
    uint64_t reduced_best = 0, reduced_index = 0;  // of the last maximum or minimum over repeats
    Atomic atomic = Atomic::kNone;
    DType atomic_type = DType::kFloat;
    uint64_t ctrl = 1ull << 48;  // infinities and NaN stay (documented default of the twin)
    float deq_scale = 1.0f;
    uint64_t deq_config = 0;  // of CastDequant
    Ref deq_table;
    uint32_t merged[4] = {};      // pairs the last MrgSort took from each queue
    uint64_t pad_value = 0;       // of LoadData3D
    uint64_t copy_pad_value = 0;  // of DataCopyPad
    bool copy_pad_set = false;
    uint64_t prequant = 0;
    uint32_t nd_num = 1, src_nd_stride = 0, dst_nd_stride = 0;
    uint32_t load_repeat_stride = 0, load_repeat_times = 1;  // of LoadData3D
    bool load_repeat_along_k = false;
    uint32_t load_boundary = 0;                       // of LoadData3D: L1 addresses wrap here
    std::vector<uint8_t> sparse_index, sparse_valid;  // a quarter of L0B
    uint16_t f_matrix_h[2] = {}, f_matrix_w[2] = {};
    uint8_t f_matrix_pad[2][4] = {};
    Ref fix_scale;  // of SetFixPipeConfig
    bool has_fix_scale = false;
    bool hf32 = false, hf32_ties_to_zero = false;
    std::vector<uint8_t> unit_flags;  // L0C, one per 512 bytes
    void* slots[4] = {};
    uint64_t scratch[8] = {};
    bool saturate() const { return (ctrl >> 48 & 1) == 0; }

    std::unique_ptr<CoreChecker> checker;
    std::unique_ptr<Recorder> recorder;

    // ---- fiber
    struct Fiber;
    Fiber* fiber = nullptr;
    bool finished = false;
    bool stopping = false;  // the launch was given up; waits return at once while the program unwinds
    std::string blocked_on;
    Loc blocked_at{};

    void error(const char* error_class, const std::string& message, const Loc& loc) {
        Device::get().report(Severity::kError, error_class, message, loc, name());
    }
    void warning(const char* error_class, const std::string& message, const Loc& loc) {
        Device::get().report(Severity::kWarning, error_class, message, loc, name());
    }
};

/// The core whose program is running on this thread.
Core& current();
Core* current_or_null();
/// Gives the thread to the other cores for a turn.
void let_others_run(Core&);
/// Gives the thread to another core until `ready`; ends the program when nothing can make it true.
void block_until(Core&, const std::function<bool()>& ready, const std::string& what, const Loc&);

std::string format(const char* text, ...) __attribute__((format(printf, 1, 2)));

/// Values that go through one core's memories, or the validity bytes behind them: movers run on both.
struct Plane {
    uint8_t* dst;
    const uint8_t* src;
    uint8_t zero;  // what padding writes: 0 in data, 1 (valid) in validity
};

}  // namespace twin
