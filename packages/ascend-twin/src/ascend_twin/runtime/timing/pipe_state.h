// SPDX-License-Identifier: BSD-3-Clause
// A pipe on the timeline: what waits in its queue, what it executes, which flags are set for it.
#pragma once
#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "timing/flows.h"

namespace twin {

/// Something that was issued to a pipe.
struct Issued {
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
    const Issued& front() const { return ring_[first_ & mask_]; }
    void pop() { ++first_; }
    void push(const Issued& q) {
        if (size() == ring_.size()) grow();
        ring_[last_++ & mask_] = q;
    }

private:
    void grow() {
        std::vector<Issued> larger(std::max<size_t>(8, 2 * ring_.size()));
        for (size_t i = 0; i < ring_.size(); ++i) larger[i] = ring_[(first_ + i) & mask_];
        last_ = size();
        first_ = 0;
        ring_.swap(larger);
        mask_ = ring_.size() - 1;
    }
    std::vector<Issued> ring_;  // as many as a power of two
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
    Issued current;          // what it executes
    uint32_t unit_done = 0;  // last line with a unit flag that is finished
    double wake = kNever;    // a scheduled attempt, so that it is not scheduled twice
};

}  // namespace twin
