// SPDX-License-Identifier: BSD-3-Clause
// Arithmetic whose result has another type than its operands: MulAddDst, Axpy, MulCast, AddReluCast and the like.
#include <algorithm>
#include <cmath>

#include "semantics/vector/binary.h"
#include "semantics/vector/instructions.h"

namespace twin {

bool is_mixed(VecOp op) {
    return op == VecOp::kMulAddDst || op == VecOp::kAxpy || op == VecOp::kMulCast || op == VecOp::kAddReluCast ||
           op == VecOp::kSubReluCast || op == VecOp::kAddDeqRelu;
}

void mixed(const Plan& plan, const VectorArgs& a, const Context& c, uint8_t* dst, const uint8_t* s0,
           const uint8_t* s1) {
    if (a.op == VecOp::kMulAddDst)
        return lanes<float, half>(plan, a, dst, s0, s1,
                                  [](float d, half x, half y) { return __builtin_fmaf(widen(x), widen(y), d); });
    if (a.op == VecOp::kAxpy) {
        const float s = widen(c.value<half>());
        return lanes<float, half>(plan, a, dst, s0, nullptr,
                                  [s](float d, half x, half) { return __builtin_fmaf(widen(x), s, d); });
    }
    if (a.op == VecOp::kAddReluCast || a.op == VecOp::kSubReluCast) {
        const VecOp op = a.op == VecOp::kAddReluCast ? VecOp::kAddRelu : VecOp::kSubRelu;
        if (a.src_type == DType::kFloat)
            return lanes<half, float>(plan, a, dst, s0, s1, [&](half, float x, float y) {
                return to_half(binary<float>(op, 0, x, y, c), c.saturate);
            });
        if (a.src_type == DType::kHalf)
            return lanes<int8_t, half>(plan, a, dst, s0, s1, [&](int8_t, half x, half y) {
                return saturate_to<int8_t>(std::nearbyint(static_cast<double>(binary<half>(op, half(0), x, y, c))));
            });
        return lanes<int8_t, int16_t>(plan, a, dst, s0, s1, [&](int8_t, int16_t x, int16_t y) {
            return clamp<int8_t>(binary<int16_t>(op, 0, x, y, c));
        });
    }
    if (a.op == VecOp::kAddDeqRelu)
        return lanes<half, int32_t>(plan, a, dst, s0, s1, [&](half, int32_t x, int32_t y) {
            const int32_t sum = binary<int32_t>(VecOp::kAdd, 0, x, y, c);
            return to_half(std::max(static_cast<float>(sum) * c.deq_scale, 0.0f), c.saturate);
        });
    if (a.op == VecOp::kMulCast) {
        const auto product = [](half x, half y) {
            return std::nearbyint(static_cast<double>(static_cast<half>(widen(x) * widen(y))));
        };
        if (a.dst_type == DType::kInt8)
            return lanes<int8_t, half>(plan, a, dst, s0, s1,
                                       [&](int8_t, half x, half y) { return saturate_to<int8_t>(product(x, y)); });
        return lanes<uint8_t, half>(plan, a, dst, s0, s1,
                                    [&](uint8_t, half x, half y) { return saturate_to<uint8_t>(product(x, y)); });
    }
}

}  // namespace twin
