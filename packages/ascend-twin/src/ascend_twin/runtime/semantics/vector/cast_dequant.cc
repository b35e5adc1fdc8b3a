// SPDX-License-Identifier: BSD-3-Clause
// CastDequant from int16 to 8 bits.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "semantics/numeric.h"
#include "semantics/vector/elements.h"
#include "semantics/vector/instructions.h"

namespace twin {

/// int16 -> 8 bits by scale, offset and sign, one set for all elements or one for each of the 16 of a block; results
/// fill the lower or the upper half of a block (extra[1]).
void cast_dequant(Core& core, Operands& ops, const Plan& plan, const VectorArgs& a) {
    const bool table = a.extra[0];
    uint64_t words[16];
    if (table) {
        const uint8_t* p = ops.read(core.deq_table, 0, sizeof(words), "scales");
        if (!p) return;
        std::memcpy(words, p, sizeof(words));
    } else {
        std::fill(words, words + 16, core.deq_config);
    }
    for (uint32_t r = 0; r < plan.repeats; ++r)
        for (uint32_t lane = 0; lane < plan.lanes; ++lane) {
            if (!plan.of(r).on(lane)) continue;
            ops.fresh();
            const uint8_t* src = ops.read(a.src0, lane_offset(lane, r, 2, a.src0_stride), 2, "source");
            if (!src) return;
            const uint64_t word = words[lane % 16];
            const double moved =
                std::nearbyint(load<int16_t>(src) * double(float_of_bits(static_cast<uint32_t>(word)))) +
                (static_cast<int32_t>(word >> 37 & 0x1ff) - (word >> 45 & 1 ? 512 : 0));
            const uint8_t result =
                word >> 46 & 1 ? static_cast<uint8_t>(saturate_to<int8_t>(moved)) : saturate_to<uint8_t>(moved);
            const uint64_t at = (uint64_t(r) * a.dst_stride.repeat + uint64_t(lane / 16) * a.dst_stride.block) * 32 +
                                (a.extra[1] ? 16 : 0) + lane % 16;
            store(ops, a.dst, at, result);
        }
}

}  // namespace twin
