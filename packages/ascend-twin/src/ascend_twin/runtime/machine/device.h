// SPDX-License-Identifier: BSD-3-Clause
// The chip: mode, memory map of global memory, findings of the checker, recorded programs.
#pragma once
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "checking/data_cache.h"
#include "timing/costs.h"
#include "twin/abi.h"
#include "twin/c_api.h"

namespace twin {

enum class Mode : int { kFast = 0, kCheck = 1, kCycles = 2 };

enum class Severity : int { kError = 0, kWarning = 1 };

/// One thing the checker found; equal class + place + core kind is reported once and counted.
struct Finding {
    Severity severity;
    std::string error_class, message, file, api, core;
    int line;
    uint64_t count = 1;
};

struct AccessEntry;
class BlockTable;

/// A registered range of global memory.
struct GmRange {
    uint64_t begin, end;
    std::string name;
    bool read_only = false;
    std::vector<uint8_t> valid;          // check mode: 1 per byte once written
    std::unique_ptr<BlockTable> blocks;  // check mode: who touched it in this launch
};

struct Options {
    Mode mode = Mode::kFast;
    uint64_t seed = 0;                                          // core scheduling order; 0: block order
    int threads = 0;                                            // fast and cycles: host threads, 0 = all
    int physical_cores = Chip::named(TWIN_DEFAULT_CHIP).cores;  // AI cores blocks are dealt to
    int kernel_kind = -1;                                       // -1: what the kernel declares
    bool auto_sync = false;  // accept V->V hazards and scalar hazards that bisheng's auto-sync covers
    bool skip_math = false;  // no results: with cycles mode timing only (timing_only.h), with check mode only ordering
    int max_findings = 200;
};

class Device {
public:
    static Device& get();

    Options options;
    bool checking() const { return options.mode == Mode::kCheck; }
    bool recording() const { return options.mode == Mode::kCycles; }

    void register_gm(uint64_t begin, uint64_t bytes, const std::string& name, bool initialised, bool read_only);
    void unregister_gm(uint64_t begin);
    /// Range that holds [address, address + bytes), or null.
    GmRange* find_gm(uint64_t address, uint64_t bytes);
    bool any_gm() const { return !ranges_.empty(); }
    void reset_gm_races();

    void report(Severity, const std::string& error_class, const std::string& message, const Loc&,
                const std::string& core);
    std::vector<Finding> findings;
    uint64_t errors = 0;
    void clear_findings();
    std::string output;  // of device printf
    DataCaches caches;   // check mode

    std::mutex mutex;

private:
    std::map<uint64_t, std::unique_ptr<GmRange>> ranges_;
    std::set<std::string> seen_;
};

}  // namespace twin
