// SPDX-License-Identifier: BSD-3-Clause
// Gather, Gatherb, GatherMask.
#include <cstring>

#include "semantics/vector/elements.h"
#include "semantics/vector/instructions.h"

namespace twin {

void gather(Operands& ops, const Plan& plan, const VectorArgs& a) {
    const uint32_t size = bits_of(a.dst_type) / 8;
    for (uint32_t r = 0; r < plan.repeats; ++r)
        for (uint32_t lane = 0; lane < plan.lanes; ++lane) {
            if (!plan.of(r).on(lane)) continue;
            ops.fresh();
            const uint8_t* offset = ops.read(a.src1, (uint64_t(r) * plan.lanes + lane) * 4, 4, "offsets");
            if (!offset) return;
            const uint64_t at = uint64_t(a.extra[0]) + load<uint32_t>(offset);
            if (at % size)
                return ops.error("misaligned",
                                 format("offset %llu is not a multiple of the element size", (unsigned long long)at));
            const uint8_t* src = ops.read(a.src0, at, size, "source");
            uint8_t* dst =
                src ? ops.write(a.dst, lane_offset(lane, r, size, a.dst_stride), size, "destination") : nullptr;
            if (!dst) return;
            std::memcpy(dst, src, size);
        }
}

void gather_blocks(Operands& ops, const VectorArgs& a) {
    for (uint32_t r = 0; r < a.repeat; ++r)
        for (uint32_t j = 0; j < 8; ++j) {
            const uint8_t* offset = ops.read(a.src1, (uint64_t(r) * 8 + j) * 4, 4, "offsets");
            if (!offset) return;
            const uint32_t at = load<uint32_t>(offset);
            if (at % 32) return ops.error("misaligned", format("offset %u is not a multiple of 32", at));
            const uint8_t* src = ops.read(a.src0, at, 32, "source");
            uint8_t* dst =
                src ? ops.write(a.dst, (uint64_t(r) * a.dst_stride.repeat + uint64_t(j) * a.dst_stride.block) * 32, 32,
                                "destination")
                    : nullptr;
            if (!dst) return;
            std::memcpy(dst, src, 32);
        }
}

void gather_mask(Operands& ops, const VectorArgs& a) {
    const uint32_t size = bits_of(a.dst_type) / 8, lanes = 256 / size;
    const uint32_t per_repeat = a.extra[0] ? a.extra[1] : lanes;
    uint64_t kept = 0;
    for (uint32_t r = 0; r < a.repeat; ++r)
        for (uint32_t e = 0; e < per_repeat; ++e) {
            bool keep;
            if (a.sources == 2) {
                const uint8_t* bits = ops.read(a.src1, uint64_t(r) * a.src1_stride.repeat * 32 + e / 8, 1, "pattern");
                if (!bits) return;
                keep = *bits >> e % 8 & 1;
            } else {
                switch (a.mode) {
                    case 1: keep = e % 2 == 0; break;
                    case 2: keep = e % 2 == 1; break;
                    case 3: keep = e % 4 == 0; break;
                    case 4: keep = e % 4 == 1; break;
                    case 5: keep = e % 4 == 2; break;
                    case 6: keep = e % 4 == 3; break;
                    default: keep = true;
                }
            }
            if (!keep) continue;
            ops.fresh();
            const uint32_t per_block = 32 / size;
            const uint64_t at =
                (uint64_t(r) * a.src0_stride.repeat + uint64_t(e / per_block) * a.src0_stride.block) * 32 +
                e % per_block * size;
            const uint8_t* src = ops.read(a.src0, at, size, "source");
            uint8_t* dst = src ? ops.write(a.dst, kept * size, size, "destination") : nullptr;
            if (!dst) return;
            std::memmove(dst, src, size);
            ++kept;
        }
    if (a.result) *a.result = kept;
}

}  // namespace twin
