// SPDX-License-Identifier: BSD-3-Clause
// Geometry of a vector instruction: which lanes of which repeats touch which bytes.
#pragma once
#include <algorithm>
#include <vector>

#include "machine/core.h"

namespace twin {

/// Lanes of one repeat that take part.
struct LaneMask {
    uint64_t low = 0, high = 0;
    bool on(uint32_t lane) const { return lane < 64 ? low >> lane & 1 : high >> (lane - 64) & 1; }
    bool full(uint32_t lanes) const {
        return lanes <= 64 ? low == ~0ull || (lanes < 64 && low == (1ull << lanes) - 1) : low == ~0ull && high == ~0ull;
    }
    /// One past the last enabled lane.
    uint32_t end() const { return high ? 128 - __builtin_clzll(high) : low ? 64 - __builtin_clzll(low) : 0; }
    static LaneMask first(uint64_t lanes) {
        LaneMask m;
        m.low = lanes >= 64 ? ~0ull : (1ull << lanes) - 1;
        m.high = lanes <= 64 ? 0 : lanes >= 128 ? ~0ull : (1ull << (lanes - 64)) - 1;
        return m;
    }
};

/// One instruction after its mask and form are resolved.
struct Plan {
    uint32_t lanes = 64;  // per repeat
    uint32_t repeats = 0;
    LaneMask mask, last;  // of every repeat; of the last one
    uint64_t enabled() const;
    LaneMask of(uint32_t repeat) const { return repeat + 1 == repeats ? last : mask; }
};

Plan plan_of(Core&, const VectorArgs&, const Loc&);

/// Calls f(byte offset, bytes) for runs of enabled bytes of an operand with `size`-byte elements.
template <typename F>
void for_runs(const Plan& plan, uint32_t size, const Stride& stride, F f) {
    if (size == 0) return;
    const uint32_t per_block = 32 / size;
    uint64_t start = 0, length = 0;
    for (uint32_t r = 0; r < plan.repeats; ++r) {
        const LaneMask mask = plan.of(r);
        for (uint32_t lane = 0; lane < plan.lanes;) {
            const uint32_t block = lane / per_block;
            const uint32_t end = std::min(plan.lanes, (block + 1) * per_block);
            const uint64_t base = (uint64_t(r) * stride.repeat + uint64_t(block) * stride.block) * 32;
            uint32_t l = lane;
            while (l < end) {
                while (l < end && !mask.on(l)) ++l;
                const uint32_t from = l;
                while (l < end && mask.on(l)) ++l;
                if (l == from) continue;
                const uint64_t at = base + (from % per_block) * size, n = uint64_t(l - from) * size;
                if (length && at == start + length) {
                    length += n;
                } else {
                    if (length) f(start, length);
                    start = at;
                    length = n;
                }
            }
            lane = end;
        }
    }
    if (length) f(start, length);
}

/// Where a lane of a repeat lies, in bytes from the operand's start.
inline uint64_t lane_offset(uint32_t lane, uint32_t repeat, uint32_t size, const Stride& stride) {
    const uint32_t per_block = 32 / size;
    return (uint64_t(repeat) * stride.repeat + uint64_t(lane / per_block) * stride.block) * 32 +
           lane % per_block * size;
}

/// Bytes from an operand's start to the end of its last enabled lane.
uint64_t extent_of(const Plan&, uint32_t size, const Stride&);

}  // namespace twin
