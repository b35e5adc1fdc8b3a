// The shared L2: 512-byte lines of four 128-byte sectors, 16 ways, least recently used, write-back.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "cycles.h"

namespace twin {

class L2 {
public:
    explicit L2(uint64_t bytes) : sets_(bytes / (kLine * kWays)), data_(sets_), shift_(__builtin_ctzll(sets_)) {
        odd_ = sets_ >> shift_;
        inverse_ = ~uint64_t{0} / odd_ + 1;
    }

    /// Runs through the lines of a transfer; bytes that go to or come from HBM because of it.
    uint64_t touch(const GmTransfer& gm, bool write) {
        uint64_t bytes = 0;
        if (gm.bypass) return uint64_t(gm.runs) * gm.run_bytes;
        const bool contiguous = gm.stride == gm.run_bytes;
        const uint64_t runs = contiguous ? 1 : gm.runs, length = uint64_t(gm.run_bytes) * (contiguous ? gm.runs : 1);
        // Runs are requests of their own: a sector in which one ends and the next begins is hit once more.
        if (contiguous)
            for (uint64_t i = 1; i < gm.runs; ++i) hits += (gm.address + i * gm.run_bytes) % kSector ? kSector : 0;
        // A few lines at a time, so that the host's memory brings their sets while others are worked on.
        Access ahead[kAhead];
        unsigned count = 0;
        for (uint64_t i = 0; i < runs; ++i) {
            const uint64_t from = gm.address + i * static_cast<uint64_t>(gm.stride), to = from + length;
            for (uint64_t line = from / kLine; line * kLine < to; ++line) {
                const uint64_t first = std::max(from, line * kLine), last = std::min(to, (line + 1) * kLine) - 1;
                const unsigned low = first % kLine / kSector, high = last % kLine / kSector;
                Access& a = ahead[count++];
                a = {&data_[set_of(line + 1)], static_cast<uint32_t>(line + 1),
                     static_cast<uint8_t>((2u << high) - (1u << low))};
                __builtin_prefetch(a.set, 1);
                __builtin_prefetch(a.set->age, 1);
                if (count < kAhead) continue;
                for (const Access& access : ahead) bytes += touch_line(access, write);
                count = 0;
            }
        }
        for (unsigned i = 0; i < count; ++i) bytes += touch_line(ahead[i], write);
        return bytes;
    }
    uint64_t hits = 0, misses = 0;

private:
    static constexpr uint64_t kLine = 512, kSector = 128, kWays = 16;
    static constexpr unsigned kAhead = 16;

    struct alignas(32) Set {
        uint32_t tag[kWays] = {};
        uint8_t age[kWays] = {15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0};  // 0: the last used
        uint8_t sectors[kWays] = {};  // lower half: present, upper half: dirty
    };
    struct Access {
        Set* set;
        uint32_t tag;  // 2 TB of addresses
        uint8_t sectors;
    };

    /// The set index mixes upper bits, so that power-of-two strides do not pile up in a few sets.
    uint64_t set_of(uint64_t line) const {
        const uint64_t mixed = line ^ line >> 15 ^ line >> 27;
        // mixed % sets_, without a division: the odd factor of the number of sets by multiplication (exact below 2^32).
        const uint64_t high = mixed >> shift_;
        const auto rest = static_cast<uint64_t>(static_cast<unsigned __int128>(inverse_ * high) * odd_ >> 64);
        return rest << shift_ | (mixed & ((uint64_t{1} << shift_) - 1));
    }

    /// HBM bytes of one access: sectors a read has to fetch, dirty sectors that had to leave.
    uint64_t touch_line(const Access& access, bool write) {
        Set& set = *access.set;
        uint64_t traffic = 0;
        unsigned found = 0;
        for (unsigned w = 0; w < kWays; ++w) found |= set.tag[w] == access.tag ? 1u << w : 0;
        unsigned way;
        if (found) {
            way = __builtin_ctz(found);
        } else {
            unsigned oldest = 0;
            for (unsigned w = 0; w < kWays; ++w) oldest |= set.age[w] == kWays - 1 ? 1u << w : 0;
            way = __builtin_ctz(oldest);
            traffic += __builtin_popcount(set.sectors[way] >> 4) * kSector;
            set.tag[way] = access.tag;
            set.sectors[way] = 0;
        }
        const uint8_t age = set.age[way];
        for (unsigned w = 0; w < kWays; ++w) set.age[w] += set.age[w] < age;
        set.age[way] = 0;
        const uint8_t present = set.sectors[way], missing = access.sectors & ~present;
        hits += __builtin_popcount(access.sectors & present) * kSector;
        misses += __builtin_popcount(missing) * kSector;
        set.sectors[way] |= write ? access.sectors * 0x11 : access.sectors;
        return traffic + (write ? 0 : __builtin_popcount(missing) * kSector);
    }

    uint64_t sets_;
    std::vector<Set> data_;
    unsigned shift_;
    uint64_t odd_, inverse_;
};

}  // namespace twin
