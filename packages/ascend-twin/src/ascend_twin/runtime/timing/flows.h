// SPDX-License-Identifier: BSD-3-Clause
// Bandwidth that all cores share: transfers between cores and global memory, max-min fair under port limits, L2 and
// HBM.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

namespace twin {

constexpr double kNever = 1e300;

class Flows {
public:
    struct Owner {
        int core, pipe;
        double latency;  // of the memory it came from, when longer than L2's
    };

    /// Rates in bytes per cycle.
    Flows(double l2_rate, double hbm_rate) : l2_rate_(l2_rate), hbm_rate_(hbm_rate) {}

    /// Lets time pass at the rates last shared out.
    void settle(double now) {
        const double dt = now - settled_;
        settled_ = now;
        if (dt <= 0) return;
        for (Class& c : classes_) c.moved = c.rate * dt;
        for (size_t i = 0; i < left_.size(); ++i) left_[i] -= classes_[class_[i]].moved;
    }

    /// Starts a transfer of `bytes` through a port of `cap` bytes per cycle, with `hbm` HBM bytes per byte moved.
    void add(double bytes, double cap, double hbm, const Owner& owner) {
        const uint32_t index = class_of(cap, hbm != 0);
        Class& c = classes_[index];
        if (c.flows++ == 0 || bytes < left_[c.first]) c.first = static_cast<uint32_t>(left_.size());
        left_.push_back(bytes);
        hbm_.push_back(hbm);
        class_.push_back(index);
        owners_.push_back(owner);
    }

    /// Ends the transfers that are through and appends their owners to `done`.
    void take_finished(std::vector<Owner>& done) {
        for (Class& c : classes_) {
            c.nothing = 1e-6 * (1 + c.rate);
            c.first = kNone;
        }
        for (uint32_t i = 0; i < left_.size();) {
            Class& c = classes_[class_[i]];
            const double left = left_[i];
            if (left > c.nothing) {
                if (c.first == kNone || left < c.least) c.first = i, c.least = left;
                ++i;
                continue;
            }
            done.push_back(owners_[i]);
            --c.flows;
            left_[i] = left_.back(), hbm_[i] = hbm_.back(), class_[i] = class_.back(), owners_[i] = owners_.back();
            left_.pop_back(), hbm_.pop_back(), class_.pop_back(), owners_.pop_back();
        }
    }

    /// Shares the bandwidth out; the time at which the next transfer will be through, kNever if there is none.
    double share() {
        if (left_.empty()) return kNever;
        double l2 = l2_rate_, hbm = hbm_rate_;
        // Everything that may still go faster has had the same rate so far.
        double rate = 0;
        for (Class& c : classes_) c.open = c.flows != 0;
        size_t open = left_.size();
        while (open != 0) {
            double room = kNever;
            bool misses = false;
            for (const Class& c : classes_) {
                if (!c.open) continue;
                room = std::min(room, c.cap - rate);
                misses |= c.misses;
            }
            double weight = 0;
            if (misses)
                for (size_t i = 0; i < left_.size(); ++i)
                    if (classes_[class_[i]].open) weight += hbm_[i];
            double level = l2 / open;
            if (weight > 1e-12) level = std::min(level, hbm / weight);
            const double step = std::min(level, room);
            rate += step;
            l2 -= step * open;
            hbm -= step * weight;
            size_t still = 0;
            for (Class& c : classes_) {
                if (!c.open) continue;
                c.rate = rate;
                if (room <= level)
                    c.open = c.cap - rate > 1e-9;
                else
                    c.open = l2 > 1e-9 * l2_rate_ && !c.misses;  // HBM is used up: flows that hit in L2 go on
                if (c.open) still += c.flows;
            }
            if (still == open) break;
            open = still;
        }
        double first = kNever;
        for (const Class& c : classes_)
            if (c.flows != 0 && c.rate > 0) first = std::min(first, std::max(0.0, left_[c.first]) / c.rate);
        return first < kNever ? settled_ + first : kNever;
    }

private:
    static constexpr uint32_t kNone = ~0u;

    /// Transfers that always have the same rate: those with the same port limit, and hits apart from misses.
    struct Class {
        double cap;
        bool misses, open = false;
        uint32_t flows = 0, first = 0;  // the one with the least left
        double rate = 0, moved = 0, nothing = 0, least = 0;
    };

    uint32_t class_of(double cap, bool misses) {
        uint32_t unused = static_cast<uint32_t>(classes_.size());
        for (uint32_t i = 0; i < classes_.size(); ++i) {
            if (classes_[i].cap == cap && classes_[i].misses == misses) return i;
            if (classes_[i].flows == 0) unused = i;
        }
        if (unused == classes_.size()) classes_.emplace_back();
        classes_[unused] = Class{cap, misses};
        return unused;
    }

    double l2_rate_, hbm_rate_, settled_ = 0;
    std::vector<Class> classes_;
    std::vector<double> left_, hbm_;
    std::vector<uint32_t> class_;
    std::vector<Owner> owners_;
};

}  // namespace twin
