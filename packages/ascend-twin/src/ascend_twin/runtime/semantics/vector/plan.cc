// SPDX-License-Identifier: BSD-3-Clause
// Masks and forms of vector instructions.
#include "semantics/vector/plan.h"

#include <algorithm>

#include "machine/cores.h"
#include "semantics/refuse.h"

namespace twin {

uint64_t Plan::enabled() const {
    const auto count = [](const LaneMask& m) { return __builtin_popcountll(m.low) + __builtin_popcountll(m.high); };
    return repeats == 0 ? 0 : uint64_t(repeats - 1) * count(mask) + count(last);
}

uint64_t extent_of(const Plan& plan, uint32_t size, const Stride& stride) {
    if (size == 0 || plan.repeats == 0) return 0;
    const uint32_t per_block = 32 / size;
    const auto last_lane = [](const LaneMask& m) -> int {
        return m.high ? 127 - __builtin_clzll(m.high) : m.low ? 63 - __builtin_clzll(m.low) : -1;
    };
    uint64_t extent = 0;
    const auto add = [&](const LaneMask& m, uint32_t repeat) {
        const int lane = std::min<int>(last_lane(m), static_cast<int>(plan.lanes) - 1);
        if (lane < 0) return;
        extent = std::max(extent, (uint64_t(repeat) * stride.repeat + uint64_t(lane / per_block) * stride.block) * 32 +
                                      (lane % per_block + 1) * size);
    };
    if (plan.repeats > 1) add(plan.mask, plan.repeats - 2);
    add(plan.last, plan.repeats - 1);
    return extent;
}

Plan plan_of(Core& core, const VectorArgs& a, const Loc& loc) {
    Plan plan;
    const uint32_t wide =
        std::max(bits_of(a.dst_type == DType::kUint8 && (a.op == VecOp::kCompare || a.op == VecOp::kCompareScalar)
                             ? a.src_type
                             : a.dst_type),
                 bits_of(a.src_type)) /
        8;
    plan.lanes = 256 / std::max(1u, wide);
    if (plan.lanes > 128) plan.lanes = 128;
    const auto counted = [&](uint64_t count) {
        plan.repeats = static_cast<uint32_t>((count + plan.lanes - 1) / plan.lanes);
        plan.mask = LaneMask::first(plan.lanes);
        const uint64_t rest = count - uint64_t(plan.repeats ? plan.repeats - 1 : 0) * plan.lanes;
        plan.last = LaneMask::first(std::min<uint64_t>(rest, plan.lanes));
    };
    if (a.form == MaskForm::kCount) {
        counted(a.count);
        // The count form leaves normal mode and an all-ones mask behind.
        core.counter_mask = false;
        core.mask_high = core.mask_low = ~0ull;
        return plan;
    }
    if (a.form == MaskForm::kContiguous) {
        if (core.counter_mask) {
            core.mask_low = a.mask_low;
            core.mask_high = 0;
        } else {
            const LaneMask m = LaneMask::first(a.mask_low);
            core.mask_low = m.low;
            core.mask_high = m.high;
            if (a.mask_low == 0 || a.mask_low > plan.lanes)
                illegal(core, loc,
                        format("mask of %llu lanes; a repeat has %u", (unsigned long long)a.mask_low, plan.lanes));
        }
    } else if (a.form == MaskForm::kBits) {
        core.mask_low = a.mask_low;
        core.mask_high = a.mask_high;
        if (plan.lanes <= 64 && a.mask_high != 0) illegal(core, loc, "mask[1] must be 0 for types of 4 bytes and more");
    }
    const bool blocks = a.op == VecOp::kBrcb || a.op == VecOp::kGatherb || a.op == VecOp::kGatherMask ||
                        a.op == VecOp::kTranspose || a.op == VecOp::kGetCmpMask || a.op == VecOp::kSetCmpMask;
    if (blocks) {  // whole blocks: no mask, no counter
        plan.repeats = a.repeat;
        plan.mask = plan.last = LaneMask::first(plan.lanes);
        return plan;
    }
    if (core.counter_mask) {
        counted(core.mask_low);
        return plan;
    }
    plan.repeats = a.repeat;
    plan.mask.low = core.mask_low & (plan.lanes < 64 ? (1ull << plan.lanes) - 1 : ~0ull);
    plan.mask.high = plan.lanes > 64 ? core.mask_high : 0;
    plan.last = plan.mask;
    return plan;
}

void set_mask_mode(bool counter, const Loc& loc) {
    Core& core = current();
    core.counter_mask = counter;
    if (core.recorder) core.recorder->scalar(loc);
}
void set_mask(uint64_t high, uint64_t low, const Loc& loc) {
    Core& core = current();
    core.mask_high = high;
    core.mask_low = low;
    if (core.recorder) core.recorder->scalar(loc);
}
void set_mask_length(int64_t length, uint32_t lanes_per_repeat, const Loc& loc) {
    const LaneMask m = LaneMask::first(std::min<int64_t>(length, lanes_per_repeat));
    set_mask(m.high, m.low, loc);
}

}  // namespace twin
