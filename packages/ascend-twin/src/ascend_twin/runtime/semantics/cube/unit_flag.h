// SPDX-License-Identifier: BSD-3-Clause
// Unit flags: Mmad and Fixpipe hand tiles of L0C to each other, 512 bytes at a time.
#pragma once
#include "machine/cores.h"
#include "machine/timing_only.h"

namespace twin {

/// Whether the unit flags of [address, +bytes) of L0C all equal `want`.
inline bool unit_flags_are(const Core& core, uint64_t address, uint64_t bytes, uint8_t want) {
    for (uint64_t b = address / 512; b < (address + bytes + 511) / 512 && b < core.unit_flags.size(); ++b)
        if (core.unit_flags[b] != want) return false;
    return true;
}
inline void set_unit_flags(Core& core, uint64_t address, uint64_t bytes, uint8_t value) {
    for (uint64_t b = address / 512; b < (address + bytes + 511) / 512 && b < core.unit_flags.size(); ++b)
        core.unit_flags[b] = value;
}

/// Runs `op` on `pipe` once the unit flags of its tile are `want`; carries what the other pipe did.
template <typename Op>
void issue_unit(Core& core, Pipe pipe, Pipe partner, const Loc& loc, const Cost& cost, uint8_t unit, uint64_t address,
                uint64_t bytes, uint8_t want, Op op) {
    if (timing_only()) return core.record_only(pipe, loc, cost);
    if (unit == 0) {
        core.issue(pipe, loc, cost, op);
        return;
    }
    if (core.recorder) core.recorder->instruction(pipe, loc, cost);
    const auto attempt = [=, &core]() -> bool {
        if (!unit_flags_are(core, address, bytes, want)) return false;
        if (core.checker) {
            // The handshake orders this tile with the partner pipe, block by block.
            core.checker->acquire(pipe, core.checker->release(partner));
            core.checker->begin(pipe);
        }
        op(core, loc);
        if (unit == 3) {
            set_unit_flags(core, address, bytes, want ? 0 : 1);
            core.drain(partner);
        }
        return true;
    };
    const int p = static_cast<int>(pipe);
    if (core.queue[p].empty() && attempt()) return;
    core.queue[p].push_back(
        {attempt, loc,
         format("unit flags of L0C [%llu, +%llu)", (unsigned long long)address, (unsigned long long)bytes)});
}

}  // namespace twin
