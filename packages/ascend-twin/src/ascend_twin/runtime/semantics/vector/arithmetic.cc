// SPDX-License-Identifier: BSD-3-Clause
// Arithmetic, logic, shifts and functions whose operands and result have one type.
#include <algorithm>
#include <cmath>
#include <type_traits>

#include "semantics/vector/binary.h"
#include "semantics/vector/instructions.h"

namespace twin {

namespace {

template <typename T>
T unary(VecOp op, T dst, T a, const Context& c) {
    if constexpr (std::is_same<T, float>::value || std::is_same<T, half>::value) {
        const float x = widen(a), d = widen(dst), s = widen(c.value<T>());
        float r = 0;
        switch (op) {
            case VecOp::kAdds: r = x + s; break;
            case VecOp::kMuls: r = x * s; break;
            case VecOp::kMaxs: r = std::isnan(x) || std::isnan(s) ? x + s : std::max(x, s); break;
            case VecOp::kMins: r = std::isnan(x) || std::isnan(s) ? x + s : std::min(x, s); break;
            case VecOp::kLeakyRelu: r = x > 0 ? x : x * s; break;
            case VecOp::kAxpy: r = __builtin_fmaf(x, s, d); break;
            // float: evaluated in double and rounded once.
            case VecOp::kExp: r = static_cast<float>(std::exp(static_cast<double>(x))); break;
            case VecOp::kLn: r = static_cast<float>(std::log(static_cast<double>(x))); break;
            case VecOp::kAbs: r = std::fabs(x); break;
            case VecOp::kSqrt: r = std::sqrt(x); break;
            case VecOp::kRsqrt: r = static_cast<float>(1.0 / std::sqrt(static_cast<double>(x))); break;
            case VecOp::kReciprocal: r = static_cast<float>(1.0 / static_cast<double>(x)); break;
            case VecOp::kRelu: r = x > 0 ? x : 0; break;
            default: break;
        }
        if constexpr (std::is_same<T, half>::value)
            return to_half(r, c.saturate);  // one rounding: + - * / of halves are exact in float
        else
            return r;
    } else {
        const int64_t x = a, s = c.value<T>();
        using U = std::make_unsigned_t<T>;
        const uint32_t shift = static_cast<uint32_t>(c.value<T>());
        switch (op) {
            case VecOp::kAdds: return clamp<T>(x + s);
            case VecOp::kMuls: return clamp<T>(x * s);
            case VecOp::kMaxs: return static_cast<T>(std::max(x, s));
            case VecOp::kMins: return static_cast<T>(std::min(x, s));
            case VecOp::kRelu: return static_cast<T>(std::max<int64_t>(x, 0));
            case VecOp::kNot: return static_cast<T>(~a);
            case VecOp::kShiftLeft: return shift >= sizeof(T) * 8 ? T(0) : static_cast<T>(static_cast<U>(a) << shift);
            case VecOp::kShiftRight: {
                if (shift == 0) return a;
                const uint32_t by = std::min<uint32_t>(shift, 63);
                const int64_t wide =
                    std::is_signed<T>::value ? static_cast<int64_t>(a) : static_cast<int64_t>(static_cast<U>(a));
                const int64_t rounding = c.mode && by < 63 ? wide >> (by - 1) & 1 : 0;
                return static_cast<T>((wide >> by) + rounding);
            }
            default: return 0;
        }
    }
}

template <typename T>
void arithmetic_of(const Plan& plan, const VectorArgs& a, const Context& c, uint8_t* dst, const uint8_t* s0,
                   const uint8_t* s1) {
    const VecOp op = a.op;
    if (a.sources == 2) {
        // The operator is hoisted out of the lane loop for the common ones, so that the loop vectorises.
        switch (op) {
            case VecOp::kAdd:
                return lanes<T, T>(plan, a, dst, s0, s1,
                                   [&](T d, T x, T y) { return binary<T>(VecOp::kAdd, d, x, y, c); });
            case VecOp::kSub:
                return lanes<T, T>(plan, a, dst, s0, s1,
                                   [&](T d, T x, T y) { return binary<T>(VecOp::kSub, d, x, y, c); });
            case VecOp::kMul:
                return lanes<T, T>(plan, a, dst, s0, s1,
                                   [&](T d, T x, T y) { return binary<T>(VecOp::kMul, d, x, y, c); });
            case VecOp::kMax:
                return lanes<T, T>(plan, a, dst, s0, s1,
                                   [&](T d, T x, T y) { return binary<T>(VecOp::kMax, d, x, y, c); });
            default: return lanes<T, T>(plan, a, dst, s0, s1, [&](T d, T x, T y) { return binary<T>(op, d, x, y, c); });
        }
    }
    switch (op) {
        case VecOp::kMuls:
            return lanes<T, T>(plan, a, dst, s0, nullptr, [&](T d, T x, T) { return unary<T>(VecOp::kMuls, d, x, c); });
        case VecOp::kExp:
            return lanes<T, T>(plan, a, dst, s0, nullptr, [&](T d, T x, T) { return unary<T>(VecOp::kExp, d, x, c); });
        default: return lanes<T, T>(plan, a, dst, s0, nullptr, [&](T d, T x, T) { return unary<T>(op, d, x, c); });
    }
}

}  // namespace

void arithmetic(const Plan& plan, const VectorArgs& a, const Context& c, uint8_t* dst, const uint8_t* s0,
                const uint8_t* s1) {
    switch (a.dst_type) {
        case DType::kFloat: return arithmetic_of<float>(plan, a, c, dst, s0, s1);
        case DType::kHalf: return arithmetic_of<half>(plan, a, c, dst, s0, s1);
        case DType::kInt16: return arithmetic_of<int16_t>(plan, a, c, dst, s0, s1);
        case DType::kUint16: return arithmetic_of<uint16_t>(plan, a, c, dst, s0, s1);
        case DType::kInt32: return arithmetic_of<int32_t>(plan, a, c, dst, s0, s1);
        case DType::kUint32: return arithmetic_of<uint32_t>(plan, a, c, dst, s0, s1);
        default: return;
    }
}

}  // namespace twin
