// SPDX-License-Identifier: BSD-3-Clause
// The shared L2: 512-byte lines of four 128-byte sectors, 16 ways, least recently used, write-back.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "timing/cost.h"

namespace twin {

class L2 {
public:
    explicit L2(uint64_t bytes) : index_(bytes / (kLine * kWays)), data_(bytes / (kLine * kWays)) {}

    /// Runs through the lines of a transfer that begins at `address`; bytes that go to or come from HBM because of it.
    uint64_t touch(uint64_t address, const GmTransfer& gm, bool write) {
        // Sums stay in registers: the sets' bytes may alias members.
        Sums sums;
        const Index index = index_;
        Set* const sets = data_.data();
        if (gm.bypass) return uint64_t(gm.runs) * gm.run_bytes;
        const bool contiguous = gm.stride == gm.run_bytes;
        const uint64_t runs = contiguous ? 1 : gm.runs, length = uint64_t(gm.run_bytes) * (contiguous ? gm.runs : 1);
        // Runs are requests of their own: a sector in which one ends and the next begins is hit once more.
        if (contiguous)
            for (uint64_t i = 1; i < gm.runs; ++i) hits += (address + i * gm.run_bytes) % kSector ? kSector : 0;
        // A few lines at a time, so that the host's memory brings their sets while others are worked on.
        Access ahead[kAhead];
        unsigned count = 0;
        for (uint64_t i = 0; i < runs; ++i) {
            const uint64_t from = address + i * static_cast<uint64_t>(gm.stride), to = from + length;
            for (uint64_t line = from / kLine; line * kLine < to; ++line) {
                const uint64_t first = std::max(from, line * kLine), last = std::min(to, (line + 1) * kLine) - 1;
                const unsigned low = first % kLine / kSector, high = last % kLine / kSector;
                Access& a = ahead[count++];
                a = {&sets[index.set_of(line + 1)], static_cast<uint32_t>(line + 1),
                     static_cast<uint8_t>((2u << high) - (1u << low))};
                __builtin_prefetch(a.set, 1);
                __builtin_prefetch(a.set->age, 1);
                if (count < kAhead) continue;
                for (const Access& access : ahead) touch_line(access, write, sums);
                count = 0;
            }
        }
        for (unsigned i = 0; i < count; ++i) touch_line(ahead[i], write, sums);
        hits += sums.hits * kSector;
        misses += sums.misses * kSector;
        return sums.traffic * kSector;
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

    struct Sums {
        uint64_t traffic = 0, hits = 0, misses = 0;  // sectors
    };

    /// Which set a line belongs to; upper bits are mixed in, so that power-of-two strides do not pile up in a few sets.
    struct Index {
        explicit Index(uint64_t sets)
            : shift(__builtin_ctzll(sets)), odd(sets >> shift), inverse(~uint64_t{0} / odd + 1) {}
        uint64_t set_of(uint64_t line) const {
            const uint64_t mixed = line ^ line >> 15 ^ line >> 27;
            // mixed % sets, without a division: its odd factor by multiplication (exact below 2^32).
            const uint64_t high = mixed >> shift;
            const auto rest = static_cast<uint64_t>(static_cast<unsigned __int128>(inverse * high) * odd >> 64);
            return rest << shift | (mixed & ((uint64_t{1} << shift) - 1));
        }
        unsigned shift;
        uint64_t odd, inverse;
    };

    /// One access; traffic: sectors a read has to fetch, dirty sectors that had to leave.
    static void touch_line(const Access& access, bool write, Sums& sums) {
        Set& set = *access.set;
        unsigned found = 0;
        for (unsigned w = 0; w < kWays; ++w) found |= set.tag[w] == access.tag ? 1u << w : 0;
        unsigned way;
        if (found) {
            way = __builtin_ctz(found);
        } else {
            unsigned oldest = 0;
            for (unsigned w = 0; w < kWays; ++w) oldest |= set.age[w] == kWays - 1 ? 1u << w : 0;
            way = __builtin_ctz(oldest);
            sums.traffic += __builtin_popcount(set.sectors[way] >> 4);
            set.tag[way] = access.tag;
            set.sectors[way] = 0;
        }
        const uint8_t age = set.age[way];
        for (unsigned w = 0; w < kWays; ++w) set.age[w] += set.age[w] < age;
        set.age[way] = 0;
        const uint8_t present = set.sectors[way], missing = access.sectors & ~present;
        sums.hits += __builtin_popcount(access.sectors & present);
        sums.misses += __builtin_popcount(missing);
        set.sectors[way] |= write ? access.sectors * 0x11 : access.sectors;
        if (!write) sums.traffic += __builtin_popcount(missing);
    }

    Index index_;
    std::vector<Set> data_;
};

}  // namespace twin
