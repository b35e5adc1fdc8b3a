// The shared L2: 512-byte lines of four 128-byte sectors, 16 ways, least recently used, write-back.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "cycles.h"

namespace twin {

class L2 {
public:
    struct Result {
        double hbm_bytes = 0;
    };
    explicit L2(uint64_t bytes)
        : sets_(bytes / (kLine * kWays)), ways_(sets_ * kWays), present_(sets_ * kWays, 0), dirty_(sets_ * kWays, 0) {}

    /// Runs through the lines of a transfer; bytes that go to or come from HBM because of it.
    Result touch(const GmTransfer& gm, bool write) {
        Result result;
        for (uint32_t i = 0; i < gm.runs; ++i) {
            const uint64_t from = gm.address + static_cast<uint64_t>(static_cast<int64_t>(i) * gm.stride),
                           to = from + gm.run_bytes;
            for (uint64_t line = from / kLine; line * kLine < to; ++line) {
                const uint64_t first = std::max(from, line * kLine), last = std::min(to, (line + 1) * kLine) - 1;
                if (gm.bypass) {
                    result.hbm_bytes += last - first + 1;
                    continue;
                }
                uint8_t sectors = 0;
                for (uint64_t s = first % kLine / kSector; s <= last % kLine / kSector; ++s) sectors |= 1 << s;
                result.hbm_bytes += touch_line(line + 1, write, sectors);
            }
        }
        return result;
    }
    uint64_t hits = 0, misses = 0;

private:
    static constexpr uint64_t kLine = 512, kSector = 128, kWays = 16;

    /// HBM bytes of one access: sectors a read has to fetch, dirty sectors that had to leave.
    double touch_line(uint64_t line, bool write, uint8_t sectors) {
        // The set index mixes upper bits, so that power-of-two strides do not pile up in a few sets.
        const uint64_t set = (line ^ line >> 15 ^ line >> 27) % sets_ * kWays;
        const uint32_t tag = static_cast<uint32_t>(line);  // 2 TB of addresses
        ++clock_;
        uint64_t way = set;
        double traffic = 0;
        bool found = false;
        for (uint64_t w = set; w < set + kWays && !found; ++w) {
            found = ways_[w].tag == tag;
            if (found || ways_[w].used < ways_[way].used) way = w;
        }
        if (!found) {
            traffic += __builtin_popcount(dirty_[way]) * static_cast<double>(kSector);
            ways_[way].tag = tag;
            present_[way] = dirty_[way] = 0;
        }
        ways_[way].used = clock_;
        const uint8_t missing = sectors & ~present_[way];
        hits += __builtin_popcount(sectors & present_[way]) * kSector;
        misses += __builtin_popcount(missing) * kSector;
        present_[way] |= sectors;
        if (write)
            dirty_[way] |= sectors;
        else
            traffic += __builtin_popcount(missing) * static_cast<double>(kSector);
        return traffic;
    }

    uint64_t sets_;
    struct Way {
        uint32_t tag = 0, used = 0;
    };
    std::vector<Way> ways_;
    std::vector<uint8_t> present_, dirty_;  // sectors
    uint32_t clock_ = 0;
};

}  // namespace twin
