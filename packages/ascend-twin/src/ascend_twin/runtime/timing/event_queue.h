// SPDX-License-Identifier: BSD-3-Clause
// What will happen when: events in order of time, and among equal times in the order in which they were pushed.
#pragma once
#include <array>
#include <cstdint>
#include <queue>
#include <vector>

namespace twin {

/// Nearly all events lie within the next thousand cycles: a ring with a sorted list per quarter of a cycle holds those,
/// a heap the others. No event may be pushed before the time of the last one taken.
class EventQueue {
public:
    struct Event {
        double time;
        uint32_t data;
        uint16_t core;
        uint8_t kind, pipe;
    };

    bool empty() const { return near_ == 0 && far_.empty(); }

    void push(const Event& event) {
        const uint64_t at = quarter(event);
        if (at - now_ >= kRing) {
            far_.push({event, order_++});
            return;
        }
        uint32_t node = free_;
        if (node == 0) {
            node = static_cast<uint32_t>(nodes_.size());
            nodes_.emplace_back();
        } else {
            free_ = nodes_[node].next;
        }
        const uint64_t slot = at % kRing;
        uint32_t* link = &heads_[slot];
        while (*link != 0 && nodes_[*link].event.time <= event.time) link = &nodes_[*link].next;
        nodes_[node].event = event;
        nodes_[node].next = *link;
        *link = node;
        words_[slot / 64] |= uint64_t{1} << slot % 64;
        word_used_ |= uint64_t{1} << slot / 64;
        ++near_;
    }

    Event pop() {
        if (near_ == 0) return pop_far();
        const uint64_t slot = first_slot();
        const uint32_t node = heads_[slot];
        const Event event = nodes_[node].event;
        // What was far when it was pushed came before anything near of the same time.
        if (!far_.empty() && far_.top().event.time <= event.time) return pop_far();
        heads_[slot] = nodes_[node].next;
        nodes_[node].next = free_;
        free_ = node;
        if (heads_[slot] == 0) {
            words_[slot / 64] &= ~(uint64_t{1} << slot % 64);
            if (words_[slot / 64] == 0) word_used_ &= ~(uint64_t{1} << slot / 64);
        }
        --near_;
        now_ = quarter(event);
        return event;
    }

private:
    static constexpr uint64_t kRing = 4096;  // 64 words of 64 bits
    struct Node {
        Event event;
        uint32_t next;  // 0: none
    };
    struct Far {
        Event event;
        uint64_t order;
        bool operator>(const Far& o) const {
            return event.time != o.event.time ? event.time > o.event.time : order > o.order;
        }
    };

    static uint64_t quarter(const Event& event) { return static_cast<uint64_t>(event.time * 4); }

    /// The first slot in use, from now on and round the ring.
    uint64_t first_slot() const {
        const uint64_t start = now_ % kRing, word = start / 64;
        const uint64_t here = words_[word] & ~uint64_t{0} << start % 64;
        if (here) return word * 64 + __builtin_ctzll(here);
        const uint64_t after = word == 63 ? 0 : word_used_ & ~uint64_t{0} << (word + 1);
        const uint64_t next = __builtin_ctzll(after ? after : word_used_);
        return next * 64 + __builtin_ctzll(words_[next]);
    }

    Event pop_far() {
        const Event event = far_.top().event;
        far_.pop();
        now_ = quarter(event);
        return event;
    }

    uint64_t now_ = 0, order_ = 0, word_used_ = 0;
    size_t near_ = 0;
    uint32_t free_ = 0;
    std::array<uint64_t, kRing / 64> words_{};
    std::array<uint32_t, kRing> heads_{};
    std::vector<Node> nodes_ = std::vector<Node>(1);
    std::priority_queue<Far, std::vector<Far>, std::greater<Far>> far_;
};

}  // namespace twin
