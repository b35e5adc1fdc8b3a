// SPDX-License-Identifier: BSD-3-Clause
// How far the timelines of this process have come: what a progress bar reads from another thread.
#pragma once
#include <atomic>
#include <cstdint>

namespace twin {

/// Lines of recorded programs: issued, and of all timelines that were begun.
struct Progress {
    std::atomic<uint64_t> done{0}, whole{0};
    static Progress& get() {
        static Progress progress;
        return progress;
    }
};

/// Counts lines of one timeline; many at once are added, because timelines run side by side.
class ProgressCounter {
public:
    void begin(uint64_t lines) { Progress::get().whole.fetch_add(lines, std::memory_order_relaxed); }
    void line() {
        if (++lines_ % kStep == 0) Progress::get().done.fetch_add(kStep, std::memory_order_relaxed);
    }

private:
    static constexpr uint64_t kStep = 4096;
    uint64_t lines_ = 0;
};

}  // namespace twin
