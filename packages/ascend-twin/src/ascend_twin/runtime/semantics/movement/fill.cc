// SPDX-License-Identifier: BSD-3-Clause
// InitConstValue: L1, L0A and L0B filled with a value.
#include <cstring>

#include "machine/cores.h"
#include "machine/timing_only.h"
#include "semantics/refuse.h"

namespace twin {

void fill(const FillArgs& a, const Loc& loc) {
    Core& core = current();
    if (!here(core, true, loc)) return;
    const bool l1 = a.dst.memory == Memory::kL1;
    if (!l1 && a.dst.memory != Memory::kL0A && a.dst.memory != Memory::kL0B) {
        core.error("no_such_path", format("%s fills L1, L0A and L0B", loc.api), loc);
        return;
    }
    if (a.repeat > 32767 || a.blocks > 32767) return illegal(core, loc, "repeatTimes and blockNum are at most 32767");
    if (a.repeat == 0 || a.blocks == 0) return;
    const uint64_t unit = l1 ? 32 : 512;
    const Pipe pipe = l1 ? Pipe::kMte2 : Pipe::kMte1;
    const Cost cost{FillCost{static_cast<uint32_t>(a.repeat * a.blocks * unit)}};
    if (timing_only()) return core.record_only(pipe, loc, cost);
    core.issue(pipe, loc, cost, [=](Core& c, const Loc& at) {
        const uint64_t stride = uint64_t(a.blocks + a.gap) * unit, length = a.blocks * unit;
        uint8_t* dst = c.resolve(a.dst, (a.repeat - 1) * stride + length, "destination", at);
        if (!dst) return;
        const uint32_t es = bytes_of(a.type);
        for (uint32_t i = 0; i < a.repeat; ++i) {
            if (c.checker) {
                Ref to = a.dst;
                to.address += i * stride;
                c.checker->access(pipe, to, length, Touch::kWrite, Uninit::kCarry, at);
                if (uint8_t* valid = c.resolve_valid(to, length)) std::memset(valid, 1, length);
            }
            for (uint64_t e = 0; e < length; e += es) std::memcpy(dst + i * stride + e, &a.value, es);
        }
    });
}

}  // namespace twin
