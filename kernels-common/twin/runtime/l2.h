// The shared L2: 512-byte lines, 16 ways, least recently used, write-back.
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
    explicit L2(uint64_t bytes) : sets_(bytes / (kLine * kWays)), tags_(sets_ * kWays, 0), used_(sets_ * kWays, 0), dirty_(sets_ * kWays, 0) {}

    /// Runs through the lines of a transfer; bytes that go to or come from HBM because of it.
    Result touch(const GmTransfer& gm, bool write) {
        Result result;
        for (uint32_t i = 0; i < gm.runs; ++i) {
            const uint64_t from = gm.address + static_cast<uint64_t>(static_cast<int64_t>(i) * gm.stride), to = from + gm.run_bytes;
            for (uint64_t line = from / kLine; line * kLine < to; ++line) {
                const uint64_t part = std::min(to, (line + 1) * kLine) - std::max(from, line * kLine);
                if (gm.bypass) {
                    result.hbm_bytes += part;
                    continue;
                }
                result.hbm_bytes += touch_line(line + 1, write, part);
            }
        }
        return result;
    }
    uint64_t hits = 0, misses = 0;

  private:
    static constexpr uint64_t kLine = 512, kWays = 16;

    double touch_line(uint64_t tag, bool write, uint64_t part) {
        // The set index mixes upper bits, so that power-of-two strides do not pile up in a few sets.
        const uint64_t set = (tag ^ tag >> 15 ^ tag >> 27) % sets_ * kWays;
        ++clock_;
        uint64_t victim = set;
        for (uint64_t way = set; way < set + kWays; ++way) {
            if (tags_[way] == tag) {
                used_[way] = clock_;
                dirty_[way] |= write;
                hits += part;
                return 0;
            }
            if (used_[way] < used_[victim]) victim = way;
        }
        double traffic = dirty_[victim] ? kLine : 0;
        tags_[victim] = tag;
        used_[victim] = clock_;
        dirty_[victim] = write;
        misses += part;
        // A read fetches the line; a write allocates it without fetching. Lines are 128-byte sectors, fetched as needed:
        // a run that covers part of a line brings that part.
        return traffic + (write ? 0 : static_cast<double>(std::max<uint64_t>(part, 128)));
    }

    uint64_t sets_;
    std::vector<uint64_t> tags_, used_;
    std::vector<uint8_t> dirty_;
    uint64_t clock_ = 0;
};

}  // namespace twin
