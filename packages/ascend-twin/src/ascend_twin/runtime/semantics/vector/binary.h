// SPDX-License-Identifier: BSD-3-Clause
// Two operands of one type.
#pragma once
#include <algorithm>
#include <cmath>

#include "semantics/vector/lane_values.h"

namespace twin {

template <typename T>
T binary(VecOp op, T dst, T a, T b, const Context& c) {
    if constexpr (std::is_same<T, float>::value || std::is_same<T, half>::value) {
        const float x = widen(a), y = widen(b), d = widen(dst);
        float r = 0;
        switch (op) {
            case VecOp::kAdd: r = x + y; break;
            case VecOp::kSub: r = x - y; break;
            case VecOp::kMul: r = x * y; break;
            case VecOp::kDiv: r = x / y; break;
            case VecOp::kMax: r = std::isnan(x) || std::isnan(y) ? x + y : std::max(x, y); break;
            case VecOp::kMin: r = std::isnan(x) || std::isnan(y) ? x + y : std::min(x, y); break;
            case VecOp::kAddRelu: r = std::max(x + y, 0.0f); break;
            case VecOp::kSubRelu: r = std::max(x - y, 0.0f); break;
            case VecOp::kMulAddDst: r = __builtin_fmaf(x, y, d); break;
            case VecOp::kFusedMulAdd: r = __builtin_fmaf(x, d, y); break;
            case VecOp::kFusedMulAddRelu: r = std::max(__builtin_fmaf(x, d, y), 0.0f); break;
            default: break;
        }
        if constexpr (std::is_same<T, half>::value)
            return to_half(r, c.saturate);  // one rounding: + - * / of halves are exact in float
        else
            return r;
    } else {
        const int64_t x = a, y = b;
        switch (op) {
            case VecOp::kAdd: return clamp<T>(x + y);
            case VecOp::kSub: return clamp<T>(x - y);
            case VecOp::kMul: return clamp<T>(x * y);
            case VecOp::kMax: return static_cast<T>(std::max(x, y));
            case VecOp::kMin: return static_cast<T>(std::min(x, y));
            case VecOp::kAddRelu: return clamp<T>(std::max<int64_t>(x + y, 0));
            case VecOp::kSubRelu: return clamp<T>(std::max<int64_t>(x - y, 0));
            case VecOp::kAnd: return static_cast<T>(a & b);
            case VecOp::kOr: return static_cast<T>(a | b);
            default: return 0;
        }
    }
}

}  // namespace twin
