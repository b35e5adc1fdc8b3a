// SPDX-License-Identifier: BSD-3-Clause
// Compare and Select, and the register of comparison bits.
#include <cstring>

#include "machine/cores.h"
#include "semantics/vector/elements.h"
#include "semantics/vector/instructions.h"

namespace twin {

namespace {

template <typename T>
bool compares(T x, T y, uint8_t mode) {
    switch (mode) {
        case 0: return x < y;
        case 1: return x > y;
        case 2: return x == y;
        case 3: return x <= y;
        case 4: return x >= y;
        default: return x != y;
    }
}

template <typename T>
void compare_as(Core& core, Operands& ops, Plan plan, const VectorArgs& a) {
    // The destination form ignores the mask.
    if (a.op != VecOp::kCompareToSpr) plan.mask = plan.last = LaneMask::first(plan.lanes);
    T scalar;
    std::memcpy(&scalar, &a.scalar, sizeof(T));
    for (uint32_t r = 0; r < plan.repeats; ++r) {
        ops.fresh();
        uint8_t bits[16] = {};
        for (uint32_t b = 0; b < 8; ++b) {
            const uint32_t per_block = 32 / sizeof(T);
            const uint64_t o0 = (uint64_t(r) * a.src0_stride.repeat + uint64_t(b) * a.src0_stride.block) * 32;
            const uint64_t o1 = (uint64_t(r) * a.src1_stride.repeat + uint64_t(b) * a.src1_stride.block) * 32;
            const uint8_t* x = ops.read(a.src0, o0, 32, "source");
            const uint8_t* y = a.op == VecOp::kCompareScalar ? nullptr : ops.read(a.src1, o1, 32, "second source");
            if (!x || (a.op != VecOp::kCompareScalar && !y)) return;
            for (uint32_t i = 0; i < per_block; ++i) {
                const uint32_t lane = b * per_block + i;
                if (plan.of(r).on(lane) &&
                    compares<T>(load<T>(x + i * sizeof(T)), y ? load<T>(y + i * sizeof(T)) : scalar, a.mode))
                    bits[lane / 8] |= 1 << lane % 8;
            }
        }
        if (a.op == VecOp::kCompareToSpr) {
            std::memcpy(core.compare_mask, bits, 16);
        } else if (uint8_t* dst = ops.write(a.dst, uint64_t(r) * plan.lanes / 8, plan.lanes / 8, "destination")) {
            std::memcpy(dst, bits, plan.lanes / 8);
        }
    }
}

template <typename T>
void select_as(Core& core, Operands& ops, const Plan& plan, const VectorArgs& a) {
    const bool from_register = a.extra[1];
    Ref condition;
    condition.memory = Memory::kUb;
    condition.address = a.extra[0];
    if (from_register && a.mode == 2) {  // the register holds an address, of which 32 bits count
        uint32_t address;
        std::memcpy(&address, core.compare_mask, 4);
        condition.address = address - static_cast<uint32_t>(reinterpret_cast<uint64_t>(local_pointer(Memory::kUb, 0)));
    }
    // Mode 0 keeps one repeat's bits in the compare-mask register; modes 1 and 2 consume bits as they go.
    const uint64_t bytes =
        a.mode == 0 ? plan.lanes / 8 : (uint64_t(plan.repeats - 1) * plan.lanes + plan.lanes + 7) / 8;
    const uint64_t used = a.form == MaskForm::kCount && a.mode != 0 ? (a.count + 7) / 8 : bytes;
    const uint8_t* bits = from_register && a.mode == 0 ? core.compare_mask : ops.read(condition, 0, used, "condition");
    if (!bits) return;
    if (a.mode == 0 && !from_register) std::memcpy(core.compare_mask, bits, plan.lanes / 8);
    T scalar;
    std::memcpy(&scalar, from_register ? static_cast<const void*>(core.compare_mask) : &a.scalar, sizeof(T));
    for (uint32_t r = 0; r < plan.repeats; ++r)
        for (uint32_t lane = 0; lane < plan.lanes; ++lane) {
            if (!plan.of(r).on(lane)) continue;
            const uint64_t bit = a.mode == 0 ? lane : uint64_t(r) * plan.lanes + lane;
            const bool first = bits[bit / 8] >> bit % 8 & 1;
            const uint8_t* x = ops.read(a.src0, lane_offset(lane, r, sizeof(T), a.src0_stride), sizeof(T), "source");
            const uint8_t* y = a.op == VecOp::kSelect ? ops.read(a.src1, lane_offset(lane, r, sizeof(T), a.src1_stride),
                                                                 sizeof(T), "second source")
                                                      : nullptr;
            if (!x || (a.op == VecOp::kSelect && !y)) return;
            ops.fresh(first ? !ops.is_valid(a.src0, lane_offset(lane, r, sizeof(T), a.src0_stride), sizeof(T))
                            : y && !ops.is_valid(a.src1, lane_offset(lane, r, sizeof(T), a.src1_stride), sizeof(T)));
            store(ops, a.dst, lane_offset(lane, r, sizeof(T), a.dst_stride),
                  first ? load<T>(x)
                  : y   ? load<T>(y)
                        : scalar);
        }
}

}  // namespace

void compare(Core& core, Operands& ops, const Plan& plan, const VectorArgs& a) {
    if (a.src_type == DType::kFloat) return compare_as<float>(core, ops, plan, a);
    if (a.src_type == DType::kHalf) return compare_as<half>(core, ops, plan, a);
    compare_as<int32_t>(core, ops, plan, a);
}
void compare_mask(Core& core, Operands& ops, const VectorArgs& a) {
    if (a.op == VecOp::kGetCmpMask) {
        if (uint8_t* dst = ops.write(a.dst, 0, 16, "destination")) std::memcpy(dst, core.compare_mask, 16);
    } else if (const uint8_t* src = ops.read(a.src0, 0, 16, "source")) {
        std::memcpy(core.compare_mask, src, 16);
    }
}
void select(Core& core, Operands& ops, const Plan& plan, const VectorArgs& a) {
    if (a.src_type == DType::kFloat) return select_as<float>(core, ops, plan, a);
    select_as<half>(core, ops, plan, a);
}

}  // namespace twin
