// SPDX-License-Identifier: BSD-3-Clause
// PIPE_V: the way of every vector instruction, from its rules to the family that executes it.
#include <algorithm>
#include <cstring>

#include "checking/vector_access.h"
#include "machine/cores.h"
#include "machine/timing_only.h"
#include "semantics/refuse.h"
#include "semantics/vector/instructions.h"
#include "timing/bank_conflicts.h"

namespace twin {

void set_deq_scale(float scale) { current().deq_scale = scale; }
void set_deq_config(uint64_t word) { current().deq_config = word; }
void set_deq_table(const Ref& ref) { current().deq_table = ref; }

namespace {

template <typename T>
void fill_lanes(const Plan& plan, const VectorArgs& a, uint8_t* dst) {
    T v;
    std::memcpy(&v, &a.scalar, sizeof(T));
    lanes<T, T>(plan, a, dst, nullptr, nullptr, [v](T, T, T) { return v; });
}

template <typename T>
void copy_lanes(const Plan& plan, const VectorArgs& a, uint8_t* dst, const uint8_t* src) {
    lanes<T, T>(plan, a, dst, src, nullptr, [](T, T x, T) { return x; });
}

/// Copy alone reads the count in counter mode as elements per repeat, block stride between all of a repeat's blocks.
void copy_counted(Core& core, const VectorArgs& a, const Loc& loc) {
    if (a.form != MaskForm::kKeep) core.mask_low = a.mask_low;
    const uint64_t low = core.mask_low, high = core.mask_high;
    for (uint32_t repeat = 0; repeat < a.repeat; ++repeat) {
        VectorArgs one = a;
        one.dst.address += uint64_t(repeat) * a.dst_stride.repeat * 32;
        one.src0.address += uint64_t(repeat) * a.src0_stride.repeat * 32;
        one.form = MaskForm::kCount;
        one.count = low;
        one.dst_stride.repeat = 8 * a.dst_stride.block;
        one.src0_stride.repeat = 8 * a.src0_stride.block;
        vector(one, loc);
    }
    core.counter_mask = true;
    core.mask_low = low;
    core.mask_high = high;
}

bool legal(Core& core, const VectorArgs& a, const Loc& loc) {
    if (a.dst.memory != Memory::kUb || (a.sources > 0 && a.src0.memory != Memory::kUb) ||
        (a.sources > 1 && a.src1.memory != Memory::kUb)) {
        core.error("no_such_path", format("%s: vector instructions work on UB", loc.api), loc);
        return false;
    }
    if (a.form == MaskForm::kCount && a.count == ~0ull) return refused(core, loc, "the count is negative");
    const bool several = a.op == VecOp::kTensorSum || a.op == VecOp::kTensorMax || a.op == VecOp::kTensorMin;
    if (a.form != MaskForm::kCount && a.repeat > 255 && !several)
        return refused(core, loc, format("repeatTime %u is over 255", a.repeat));
    if (a.op == VecOp::kCast && !legal_cast(a.dst_type, a.src_type, a.mode))
        return refused(core, loc, format("rounding mode %u does not exist for this pair of types", a.mode));
    if ((a.op == VecOp::kCompare || a.op == VecOp::kCompareScalar) && a.src_type == DType::kInt32 && a.mode != 2)
        return refused(core, loc, "int32 compares EQ only");
    if ((a.op == VecOp::kCompare || a.op == VecOp::kCompareScalar) && a.form == MaskForm::kCount &&
        a.count * bytes_of(a.src_type) % 256)
        return refused(core, loc, "the compared bytes must be a multiple of 256");
    return true;
}

/// Strides are byte-wide registers in the encoding.
bool legal_stride(Core& core, const VectorArgs& a, const Loc& loc) {
    if (a.dst_stride.repeat > 255 && a.op != VecOp::kCopy && a.op != VecOp::kBrcb && a.op != VecOp::kGather &&
        a.op != VecOp::kGatherMask && a.op < VecOp::kBlockSum)
        return refused(core, loc, "a repeat stride is at most 255 blocks");
    return true;
}

/// Some instructions take the top of UB for themselves.
void check_reserved(Core& core, const VectorArgs& a, const Loc& loc) {
    const bool selects = ((a.op == VecOp::kSelect && a.mode != 0) || a.op == VecOp::kSelectScalar) && !a.extra[1];
    if (!selects && a.op != VecOp::kAddDeqRelu) return;
    if (a.dst.address >= kUbForKernels || a.src0.address >= kUbForKernels)
        core.error("reserved_ub", format("%s uses the reserved 8 KB at UB byte 188416 for itself", loc.api), loc);
}

Cost cost_of(const Core& core, const VectorArgs& a, const Plan& plan) {
    VectorCost cost{a.op, plan.repeats, std::max(bits_of(a.dst_type), bits_of(a.src_type)) / 8};
    if (core.recorder && !is_special(a.op)) cost.conflicts = bank_conflicts(plan, a);
    cost.count_form = a.form == MaskForm::kCount;
    cost.changes_type = a.dst_type != a.src_type;
    return {cost};
}

void execute(Core& c, const VectorArgs& a, const Plan& plan, const Context& context, const Loc& at) {
    if (is_special(a.op)) return execute_special(c, a, plan, at);
    const uint32_t ds = bits_of(a.dst_type) / 8, ss = bits_of(a.src_type) / 8;
    const uint64_t de = operand_bytes(plan, ds, a.dst_stride);
    if (de == 0) return;
    const auto source = [&](const Ref& ref, const Stride& stride, const char* role) {
        return c.resolve(ref, operand_bytes(plan, ss, stride), role, at);
    };
    uint8_t* dst = c.resolve(a.dst, de, "destination", at);
    const uint8_t* s0 = a.sources > 0 ? source(a.src0, a.src0_stride, "source") : nullptr;
    const uint8_t* s1 = a.sources > 1 ? source(a.src1, a.src1_stride, "second source") : nullptr;
    if (!dst || (a.sources > 0 && !s0) || (a.sources > 1 && !s1)) return;
    if (c.checker) check_vector(c, a, plan, de, at);
    if (skip_math() && c.checker) return;
    switch (a.op) {
        case VecOp::kCast: return cast(plan, a, context, dst, s0);
        case VecOp::kCopy:
            return ds == 4 ? copy_lanes<uint32_t>(plan, a, dst, s0) : copy_lanes<uint16_t>(plan, a, dst, s0);
        case VecOp::kDuplicate:
            return ds == 4 ? fill_lanes<uint32_t>(plan, a, dst) : fill_lanes<uint16_t>(plan, a, dst);
        default:
            if (is_mixed(a.op) && a.dst_type != a.src_type) return mixed(plan, a, context, dst, s0, s1);
            return arithmetic(plan, a, context, dst, s0, s1);
    }
}

}  // namespace

void vector(const VectorArgs& a, const Loc& loc) {
    Core& core = current();
    if (!here(core, false, loc) || !legal(core, a, loc)) return;
    if (a.op == VecOp::kCopy && core.counter_mask && a.form != MaskForm::kCount) return copy_counted(core, a, loc);
    if (!legal_stride(core, a, loc)) return;
    check_reserved(core, a, loc);
    const Plan plan = plan_of(core, a, loc);
    if (plan.repeats == 0) return;
    const Cost cost = cost_of(core, a, plan);
    if (left_out(a)) {
        core.record_only(Pipe::kV, loc, cost);
        if (a.result) *a.result = uint64_t(plan.repeats) * plan.lanes;
        return zero_result(core, a.dst, is_special(a.op) ? 32 : extent_of(plan, bits_of(a.dst_type) / 8, a.dst_stride));
    }
    const Context context{core.saturate(), core.deq_scale, a.scalar, a.round, a.mode};
    core.issue(Pipe::kV, loc, cost, [=](Core& c, const Loc& at) { execute(c, a, plan, context, at); });
}

}  // namespace twin
