// SPDX-License-Identifier: BSD-3-Clause
// AI cores of a launch: 1 AIC + up to 2 AIVs each, run as fibers; the flags between them.
#pragma once
#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "machine/core.h"

namespace twin {

class Launch;

/// One block: the cores that work on it and their shared flags.
class AiCore {
public:
    AiCore(Launch& launch, int block);
    Launch& launch;
    const int block;
    std::vector<std::unique_ptr<Core>> cores;  // AIC first when there is one
    int vectors = 0;
    // Sets of modes 1 and 2 by each AIV that still wait for the other AIV's.
    std::deque<Clock> pending[3][kCrossFlags][2];
};

/// A kernel running on all its blocks.
class Launch {
public:
    uint64_t blocks = 0;
    int kind = 5;  // KERNEL_TASK_TYPE number
    bool has_cube() const { return kind == 1 || kind >= 3; }
    int vectors() const { return kind == 5 ? 2 : kind == 1 || kind == 3 ? 0 : 1; }
    bool cross_core() const { return kind >= 2; }
    std::vector<std::unique_ptr<AiCore>> groups;
    std::mutex mutex;
    // Mode 0: [AIC or AIV][flag] -> for each participating core its sets that wait for the others'.
    std::vector<std::deque<Clock>> all_pending[2][kCrossFlags];
    std::vector<Core*> all_cores[2];
    // Check mode: what the last writes of words in global memory release (soft_sync.cc), by address.
    std::map<uint64_t, Clock> soft_clocks;
    std::atomic<uint64_t> progress{0};
    std::atomic<bool> stopped{false};
};

/// A kernel's instances in the cube pass and the vector pass.
struct KernelEntry {
    std::string name;
    const void* cube = nullptr;
    const void* vec = nullptr;
    int kind = -1;           // KERNEL_TASK_TYPE number as declared, -1: not declared
    bool uses_cube = false;  // what decides when it is not
};
void launch_entry(KernelEntry&, const KernelCall&, uint64_t blocks);

/// A launch that was recorded, kept for the timeline: one program per AIC and AIV.
struct RecordedCore {
    int block;
    bool cube;
    int sub;
    std::string name;
    Recorder program;
};
struct RecordedLaunch {
    std::string kernel;
    uint64_t blocks = 0;
    bool whole = true;  // false: the launch was stopped because of a deadlock
    std::vector<RecordedCore> cores;
};
std::vector<RecordedLaunch>& recorded_launches();
/// The timeline of a recorded launch as a JSON report; blocks below `traced` contribute the intervals of their first
/// `traced_us` microseconds. Of several `runs` in a row the last one is reported: it finds in L2 what the one before
/// left there, dirty lines included.
std::string simulate(const RecordedLaunch&, const std::string& chip, const std::string& changes, int traced,
                     double traced_us = 1e300, int runs = 1);
/// Microseconds that a recorded launch takes by its timeline, with the overhead of launching.
double predicted_us(const RecordedLaunch&, const std::string& chip);

}  // namespace twin
