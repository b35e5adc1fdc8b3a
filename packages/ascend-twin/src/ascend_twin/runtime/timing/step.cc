// SPDX-License-Identifier: BSD-3-Clause
#include "timing/step.h"

#include <algorithm>

#include "machine/core.h"

namespace twin {
namespace {

/// Cycles of a repeat.
double slope_of(const VectorCost& c, const Costs& costs) {
    const bool half_wide = c.element_bytes <= 2;
    switch (c.op) {
        case VecOp::kExp:
        case VecOp::kLn:
        case VecOp::kSqrt: return half_wide ? costs.vec_half_transcendental : costs.vec_exp;
        case VecOp::kDiv: return half_wide ? costs.vec_half_transcendental : costs.vec_div;
        case VecOp::kCast:
        case VecOp::kCastDequant:
        case VecOp::kAddDeqRelu:
        case VecOp::kAddReluCast:
        case VecOp::kSubReluCast:
        case VecOp::kMulCast: return c.changes_type ? costs.vec_cast : costs.vec_one_source;
        case VecOp::kAdd:
        case VecOp::kSub:
        case VecOp::kMul:
        case VecOp::kMax:
        case VecOp::kMin:
        case VecOp::kAnd:
        case VecOp::kOr:
        case VecOp::kAddRelu:
        case VecOp::kSubRelu:
        case VecOp::kMulAddDst:
        case VecOp::kFusedMulAdd:
        case VecOp::kFusedMulAddRelu: return costs.vec_two_source;
        case VecOp::kBlockSum:
        case VecOp::kBlockMax:
        case VecOp::kBlockMin:
        case VecOp::kPairSum: return costs.vec_reduce_block;
        case VecOp::kWholeSum:
        case VecOp::kWholeMax:
        case VecOp::kWholeMin:
        case VecOp::kTensorSum:
        case VecOp::kTensorMax:
        case VecOp::kTensorMin: return costs.vec_reduce_whole;
        case VecOp::kCompare:
        case VecOp::kCompareScalar:
        case VecOp::kCompareToSpr:
        case VecOp::kSelect:
        case VecOp::kSelectScalar: return costs.vec_select;
        case VecOp::kGather:
        case VecOp::kGatherb:
        case VecOp::kTranspose:
        case VecOp::kTransposeExt:
        case VecOp::kBrcb: return costs.vec_gather;
        case VecOp::kSort32:
        case VecOp::kMergeSort: return costs.vec_sort;
        case VecOp::kGatherMask: return costs.vec_gather_mask;
        default: return costs.vec_one_source;
    }
}

/// Fills in the cycles that one kind of instruction takes, and what the report counts of it.
struct Timed {
    const Costs& costs;
    Step& s;

    void operator()(const NoCost&) const {}
    void operator()(const VectorCost& c) const {
        // A conflict costs only where the slope does not already contain it.
        const double cycles = std::max(slope_of(c, costs) * c.repeats, c.repeats + costs.vec_conflict * c.conflicts);
        s.duration = std::max(cycles, costs.vec_interval) + (c.count_form ? costs.vec_count_form : 0);
        s.latency = costs.vec_latency;
    }
    void operator()(const MmadCost& c) const {
        s.duration = c.tiles * costs.mmad_tile + costs.mmad_head;
        s.latency = costs.mmad_latency;
        s.unit_flag = c.unit_flag != 0;
        s.macs = static_cast<double>(c.m) * c.n * c.k;
    }
    void operator()(const LoadCost& c) const {
        const bool a = c.to == Memory::kL0A;
        s.duration = c.bytes / (a ? costs.load_l0a_rate : costs.load_l0b_rate) + costs.load_head;
        s.latency = costs.load_latency;
        s.path = a ? kL1L0a : kL1L0b;
        s.moved = c.bytes;
    }
    void operator()(const Load3dCost& c) const {
        const bool a = c.to == Memory::kL0A;
        s.duration = c.bytes / (a ? costs.load3d_a_rate : costs.load3d_b_rate) + costs.load_head;
        s.latency = costs.load3d_latency;
    }
    void operator()(const FillCost& c) const { s.duration = c.bytes / costs.fill_rate; }
    void operator()(const TableCost& c) const {
        s.duration = c.bytes / costs.table_rate;
        s.latency = costs.table_latency;
    }
    void operator()(const GmCost& c) const {  // HBM misses add their latency at the end of the flow
        s.duration = c.to_nz ? costs.nz_head : costs.copy_head + costs.copy_run * c.gm.runs;
        s.latency = c.write ? costs.write_latency : costs.read_latency_l2;
        s.transfer = true;
    }
    void operator()(const FixpipeCost& c) const {
        s.unit_flag = c.unit_flag != 0;
        s.transfer = c.to_gm;
        if (c.to_gm) {
            s.duration = costs.fix_head;
            s.latency = costs.write_latency;
            return;
        }
        s.duration = c.elements / costs.fix_elements + costs.fix_head;
        s.path = kL0cL1;
        s.moved = c.bytes;
    }
};

}  // namespace

Step step_of(const Record& r, const Costs& costs) {
    Step s;
    s.kind = r.kind;
    s.pipe = static_cast<uint8_t>(r.pipe);
    s.other = static_cast<uint8_t>(r.other);
    s.id = r.id;
    s.has_address = has_address(r.what);
    s.unit_flag = s.transfer = false;
    switch (r.kind) {
        case RecordKind::kInstruction: s.issue = r.pipe == Pipe::kV ? costs.issue_vector : costs.issue_move; break;
        case RecordKind::kScalar: s.issue = costs.issue_scalar; break;
        default: s.issue = costs.issue_flag;
    }
    std::visit(Timed{costs, s}, r.what);
    return s;
}

}  // namespace twin
