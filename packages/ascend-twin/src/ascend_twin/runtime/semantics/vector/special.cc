// SPDX-License-Identifier: BSD-3-Clause
// Instructions whose lanes depend on each other, by family.
#include "semantics/vector/instructions.h"

namespace twin {

bool is_special(VecOp op) { return op >= VecOp::kCreateVecIndex; }

void execute_special(Core& core, const VectorArgs& a, const Plan& plan, const Loc& loc) {
    Operands ops(core, loc);
    switch (a.op) {
        case VecOp::kCompare:
        case VecOp::kCompareScalar:
        case VecOp::kCompareToSpr: return compare(core, ops, plan, a);
        case VecOp::kGetCmpMask:
        case VecOp::kSetCmpMask: return compare_mask(core, ops, a);
        case VecOp::kSelect:
        case VecOp::kSelectScalar: return select(core, ops, plan, a);
        case VecOp::kBrcb: return brcb(ops, a);
        case VecOp::kGather: return gather(ops, plan, a);
        case VecOp::kGatherb: return gather_blocks(ops, a);
        case VecOp::kGatherMask: return gather_mask(ops, a);
        case VecOp::kTranspose: return transpose_16x16(ops, a);
        case VecOp::kTransposeExt: return transpose_images(ops, a);
        case VecOp::kCastDequant: return cast_dequant(core, ops, plan, a);
        case VecOp::kCreateVecIndex: return create_index(ops, plan, a);
        case VecOp::kTensorSum:
        case VecOp::kTensorMax:
        case VecOp::kTensorMin: return reduce_tensor(core, ops, plan, a, core.saturate());
        case VecOp::kColumnSum:
        case VecOp::kColumnMax:
        case VecOp::kColumnMin: return reduce_matrix(ops, a, core.saturate());
        case VecOp::kBroadcast: return broadcast(ops, a);
        default: return reduce(core, ops, plan, a, core.saturate());
    }
}

}  // namespace twin
