// SPDX-License-Identifier: BSD-3-Clause
// UB bank conflicts of a vector instruction.
#include "timing/bank_conflicts.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

namespace twin {

uint32_t bank_conflicts(const Plan& plan, const VectorArgs& a) {
    const auto most_per_group = [](std::initializer_list<std::pair<uint64_t, uint32_t>> operands) {
        uint64_t seen[16];
        uint8_t count[16] = {}, most = 1;
        for (const auto& [first, stride] : operands)
            for (uint32_t b = 0; b < (stride ? 8 : 1); ++b) {
                const uint64_t block = first + uint64_t(b) * stride;
                uint8_t& n = count[block % 16];
                if (n && seen[block % 16] == block) continue;
                seen[block % 16] = block;
                most = std::max(most, ++n);
            }
        return most;
    };
    // The groups repeat after 16 repeats.
    const uint32_t some = std::min<uint32_t>(plan.repeats, 16);
    uint32_t lost = 0;
    for (uint32_t r = 0; r < some; ++r) {
        const std::pair<uint64_t, uint32_t> dst{a.dst.address / 32 + uint64_t(r) * a.dst_stride.repeat,
                                                a.dst_stride.block};
        const std::pair<uint64_t, uint32_t> src0{a.src0.address / 32 + uint64_t(r) * a.src0_stride.repeat,
                                                 a.src0_stride.block};
        const std::pair<uint64_t, uint32_t> src1{a.src1.address / 32 + uint64_t(r) * a.src1_stride.repeat,
                                                 a.src1_stride.block};
        const uint32_t writes = most_per_group({dst});
        const uint32_t reads = a.sources == 2   ? most_per_group({src0, src1})
                               : a.sources == 1 ? most_per_group({src0})
                                                : 1;
        lost += std::max(writes, reads) - 1;
    }
    return static_cast<uint32_t>(uint64_t(lost) * plan.repeats / some);
}

}  // namespace twin
