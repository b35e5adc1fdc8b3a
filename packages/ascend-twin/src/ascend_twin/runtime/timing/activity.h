// SPDX-License-Identifier: BSD-3-Clause
// How busy cores are over time.
#pragma once
#include <algorithm>
#include <cstddef>
#include <vector>

namespace twin {

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

}  // namespace twin
