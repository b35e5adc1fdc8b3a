// SPDX-License-Identifier: BSD-3-Clause
// PIPE_V: arithmetic, casts, fills, compare and select. Reductions and rearrangements are in vector_reduce.cc.
#include "vector.h"

#include <cmath>
#include <limits>
#include <type_traits>

#include "cores.h"
#include "numeric.h"
#include "timing_only.h"

namespace twin {

void execute_special(Core&, const VectorArgs&, const Plan&, const Loc&);
bool is_special(VecOp);

namespace {

void illegal(Core& core, const Loc& loc, const std::string& what) {
    core.error("illegal_parameter", std::string(loc.api) + ": " + what, loc);
}

// ---------------------------------------------------------------------------------------------- arithmetic
struct Context {
    bool saturate;
    float deq_scale;
    uint64_t scalar;
    Round round;
    uint8_t mode;
    template <typename T>
    T value() const {
        T v;
        std::memcpy(&v, &scalar, sizeof(T));
        return v;
    }
};

template <typename I>
I clamp(int64_t v) {
    return static_cast<I>(
        std::min<int64_t>(std::max<int64_t>(v, std::numeric_limits<I>::min()), std::numeric_limits<I>::max()));
}

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

// ---------------------------------------------------------------------------------------------- cast
double round_integral(double v, Round mode) {
    switch (mode) {
        case Round::kFloor: return std::floor(v);
        case Round::kCeil: return std::ceil(v);
        case Round::kRound: return std::round(v);  // half away from zero
        case Round::kTrunc: return std::trunc(v);
        default: return std::nearbyint(v);  // nearest even
    }
}

/// float -> 16-bit float with `mantissa` bits kept, any rounding mode, saturating or not.
template <typename Narrow>
Narrow narrow_float(float v, Round mode, bool saturate) {
    constexpr bool is_half = std::is_same<Narrow, half>::value;
    if (mode == Round::kRint || mode == Round::kNone || std::isnan(v) || std::isinf(v) || v == 0) {
        if constexpr (is_half)
            return to_half(v, saturate);
        else
            return to_bf16(v, saturate);
    }
    // Truncate towards zero to the narrow grid, then step away from zero where the mode says so.
    double magnitude = std::fabs(static_cast<double>(v));
    int exponent;
    std::frexp(magnitude, &exponent);  // magnitude = f * 2^exponent, f in [0.5, 1)
    const int mantissa = is_half ? 11 : 8, least = is_half ? -24 : -133;
    const int unit_exponent = std::max(exponent - mantissa, least);
    const double unit = std::ldexp(1.0, unit_exponent);
    double down = std::floor(magnitude / unit) * unit;
    const bool inexact = down != magnitude;
    const bool negative = std::signbit(v);
    bool up = false;
    switch (mode) {
        case Round::kFloor: up = negative && inexact; break;
        case Round::kCeil: up = !negative && inexact; break;
        case Round::kRound: up = magnitude - down >= unit / 2; break;
        case Round::kOdd: up = inexact && std::fmod(down / unit, 2.0) == 0; break;
        default: break;
    }
    if (up) down += unit;
    const double limit = is_half ? 65504.0 : 3.3895313892515355e38;
    float out = static_cast<float>(down);
    if (down > limit) out = saturate ? static_cast<float>(limit) : std::numeric_limits<float>::infinity();
    if (negative) out = -out;
    if constexpr (is_half)
        return static_cast<half>(out);
    else
        return to_bf16_rne(out);
}

template <typename D, typename S>
D cast_one(S s, const Context& c) {
    constexpr bool from_float =
        std::is_same<S, float>::value || std::is_same<S, half>::value || std::is_same<S, bf16>::value;
    if constexpr (from_float) {
        const float v = widen(s);
        if constexpr (std::is_same<D, half>::value || std::is_same<D, bf16>::value) {
            return narrow_float<D>(v, c.round, c.saturate);
        } else if constexpr (std::is_same<D, float>::value) {
            return std::is_same<S, float>::value ? static_cast<float>(round_integral(v, c.round)) : v;
        } else {
            return saturate_to<D>(round_integral(static_cast<double>(v), c.round));
        }
    } else {
        if constexpr (std::is_same<D, half>::value) {
            if (std::is_same<S, int32_t>::value) return to_half(static_cast<float>(s) * c.deq_scale, c.saturate);
            return narrow_float<half>(static_cast<float>(s), c.round, c.saturate);
        } else if constexpr (std::is_same<D, float>::value) {
            // int32 and int64 do not all fit: round by the mode (long double holds every int64).
            const long double exact = static_cast<long double>(s);
            float near = static_cast<float>(exact);
            if (c.round == Round::kNone || c.round == Round::kRint || static_cast<long double>(near) == exact)
                return near;
            const float below = static_cast<long double>(near) > exact ? std::nextafterf(near, -INFINITY) : near;
            const float above = static_cast<long double>(near) < exact ? std::nextafterf(near, INFINITY) : near;
            switch (c.round) {
                case Round::kFloor: return below;
                case Round::kCeil: return above;
                case Round::kTrunc: return exact > 0 ? below : above;
                case Round::kRound: {
                    const long double to_below = exact - below, to_above = above - exact;
                    if (to_below != to_above) return to_below < to_above ? below : above;
                    return exact > 0 ? above : below;
                }
                default: return near;
            }
        } else if constexpr (std::is_same<D, bf16>::value) {
            return to_bf16_rne(static_cast<float>(s));
        } else {
            return clamp<D>(static_cast<int64_t>(s));
        }
    }
}

bool legal_cast(DType d, DType s, uint8_t mode) {
    const uint32_t none = 1, five = 0b111110, odd = 1 << 6;
    const auto modes = [&]() -> uint32_t {
        switch (s) {
            case DType::kHalf:
                if (d == DType::kFloat) return none;
                if (d == DType::kInt8 || d == DType::kUint8 || d == DType::kInt4) return five | none;
                return five;
            case DType::kBf16: return d == DType::kFloat ? none : five;
            case DType::kFloat:
                if (d == DType::kHalf) return five | odd | none;
                return five;
            case DType::kInt16: return d == DType::kHalf ? five | none : none;
            case DType::kInt32: return d == DType::kFloat ? five | none : none;
            case DType::kInt64: return d == DType::kFloat ? five : none;
            default: return none;
        }
    }();
    return mode <= 6 && (modes >> mode & 1);
}

// ---------------------------------------------------------------------------------------------- lane loops
/// f(dst element, src0 element, src1 element) over the enabled lanes, one 32-byte group of the widest type at a time.
template <typename D, typename S, typename F>
void lanes(const Plan& plan, const VectorArgs& a, uint8_t* dst, const uint8_t* s0, const uint8_t* s1, F f) {
    constexpr uint32_t wide = sizeof(D) > sizeof(S) ? sizeof(D) : sizeof(S);
    constexpr uint32_t group = 32 / wide;
    const auto offset = [](uint32_t lane, uint32_t repeat, uint32_t size, const Stride& stride) {
        const uint32_t per_block = 32 / size;
        return (uint64_t(repeat) * stride.repeat + uint64_t(lane / per_block) * stride.block) * 32 +
               lane % per_block * size;
    };
    for (uint32_t r = 0; r < plan.repeats; ++r) {
        const LaneMask mask = plan.of(r);
        for (uint32_t lane = 0; lane < plan.lanes; lane += group) {
            const uint64_t bits = (lane < 64 ? mask.low >> lane : mask.high >> (lane - 64)) & ((1ull << group) - 1);
            if (!bits) continue;
            D out[group];
            S x[group], y[group];
            uint8_t* to = dst + offset(lane, r, sizeof(D), a.dst_stride);
            std::memcpy(out, to, sizeof(out));
            if (s0) std::memcpy(x, s0 + offset(lane, r, sizeof(S), a.src0_stride), sizeof(x));
            if (s1) std::memcpy(y, s1 + offset(lane, r, sizeof(S), a.src1_stride), sizeof(y));
            if (bits == (1ull << group) - 1) {
                for (uint32_t i = 0; i < group; ++i) out[i] = f(out[i], x[i], y[i]);
            } else {
                for (uint32_t i = 0; i < group; ++i)
                    if (bits >> i & 1) out[i] = f(out[i], x[i], y[i]);
            }
            std::memcpy(to, out, sizeof(out));
        }
    }
}

template <typename T>
void arithmetic(const Plan& plan, const VectorArgs& a, const Context& c, uint8_t* dst, const uint8_t* s0,
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

void arithmetic_of(DType type, const Plan& plan, const VectorArgs& a, const Context& c, uint8_t* dst, const uint8_t* s0,
                   const uint8_t* s1) {
    switch (type) {
        case DType::kFloat: return arithmetic<float>(plan, a, c, dst, s0, s1);
        case DType::kHalf: return arithmetic<half>(plan, a, c, dst, s0, s1);
        case DType::kInt16: return arithmetic<int16_t>(plan, a, c, dst, s0, s1);
        case DType::kUint16: return arithmetic<uint16_t>(plan, a, c, dst, s0, s1);
        case DType::kInt32: return arithmetic<int32_t>(plan, a, c, dst, s0, s1);
        case DType::kUint32: return arithmetic<uint32_t>(plan, a, c, dst, s0, s1);
        default: return;
    }
}

/// dst type wider than the sources: MulAddDst and Axpy into float from half.
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

template <typename D, typename S>
void cast_lanes(const Plan& plan, const VectorArgs& a, const Context& c, uint8_t* dst, const uint8_t* src) {
    lanes<D, S>(plan, a, dst, src, nullptr, [&c](D, S x, S) { return cast_one<D, S>(x, c); });
}

/// int4 is packed two per byte: 64 or 128 lanes of it are 32 or 64 bytes.
void cast_int4(const Plan& plan, const VectorArgs& a, const Context& c, uint8_t* dst, const uint8_t* src) {
    const bool to_int4 = a.dst_type == DType::kInt4;
    for (uint32_t r = 0; r < plan.repeats; ++r)
        for (uint32_t lane = 0; lane < plan.lanes; ++lane) {
            if (!plan.of(r).on(lane)) continue;
            const Stride& narrow = to_int4 ? a.dst_stride : a.src0_stride;
            const Stride& wide = to_int4 ? a.src0_stride : a.dst_stride;
            const uint64_t n = (uint64_t(r) * narrow.repeat + uint64_t(lane / 64) * narrow.block) * 32 + lane % 64 / 2;
            const uint64_t w = (uint64_t(r) * wide.repeat + uint64_t(lane / 16) * wide.block) * 32 + lane % 16 * 2;
            if (to_int4) {
                half h;
                std::memcpy(&h, src + w, 2);
                const double v = std::isnan(widen(h)) ? 0 : round_integral(widen(h), c.round);
                const int q = static_cast<int>(std::min(7.0, std::max(-8.0, v))) & 15;
                dst[n] = lane % 2 ? (dst[n] & 0x0f) | q << 4 : (dst[n] & 0xf0) | q;
            } else {
                int v = src[n] >> (lane % 2 * 4) & 15;
                const half h = static_cast<half>(static_cast<float>(v >= 8 ? v - 16 : v));
                std::memcpy(dst + w, &h, 2);
            }
        }
}

void cast(const Plan& plan, const VectorArgs& a, const Context& c, uint8_t* dst, const uint8_t* src) {
    if (a.dst_type == DType::kInt4 || a.src_type == DType::kInt4) return cast_int4(plan, a, c, dst, src);
#define PAIR(D, DT, S, ST) \
    if (a.dst_type == DType::DT && a.src_type == DType::ST) return cast_lanes<D, S>(plan, a, c, dst, src);
    PAIR(float, kFloat, half, kHalf)
    PAIR(half, kHalf, float, kFloat)
    PAIR(bf16, kBf16, float, kFloat)
    PAIR(float, kFloat, bf16, kBf16)
    PAIR(float, kFloat, float, kFloat)
    PAIR(int16_t, kInt16, float, kFloat)
    PAIR(int32_t, kInt32, float, kFloat)
    PAIR(int64_t, kInt64, float, kFloat)
    PAIR(int8_t, kInt8, half, kHalf)
    PAIR(uint8_t, kUint8, half, kHalf)
    PAIR(int16_t, kInt16, half, kHalf)
    PAIR(int32_t, kInt32, half, kHalf)
    PAIR(int32_t, kInt32, bf16, kBf16)
    PAIR(half, kHalf, int8_t, kInt8)
    PAIR(half, kHalf, uint8_t, kUint8)
    PAIR(half, kHalf, int16_t, kInt16)
    PAIR(float, kFloat, int16_t, kInt16)
    PAIR(float, kFloat, int32_t, kInt32)
    PAIR(half, kHalf, int32_t, kInt32)
    PAIR(int16_t, kInt16, int32_t, kInt32)
    PAIR(int64_t, kInt64, int32_t, kInt32)
    PAIR(int32_t, kInt32, int64_t, kInt64)
    PAIR(float, kFloat, int64_t, kInt64)
#undef PAIR
}

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

bool is_arithmetic_mixed(VecOp op) {
    return op == VecOp::kMulAddDst || op == VecOp::kAxpy || op == VecOp::kMulCast || op == VecOp::kAddReluCast ||
           op == VecOp::kSubReluCast || op == VecOp::kAddDeqRelu;
}

/// A result lane is as initialised as the operands it came from.
void spread_validity(Core& c, const Plan& plan, const VectorArgs& a, uint32_t ds, uint32_t ss, bool reads_dst,
                     bool clean) {
    uint8_t* valid = c.memory[static_cast<int>(Memory::kUb)].valid.data();
    if (clean) {
        for_runs(plan, ds, a.dst_stride,
                 [&](uint64_t offset, uint64_t length) { std::memset(valid + a.dst.address + offset, 1, length); });
        return;
    }
    const auto lane_at = [&](const Ref& ref, uint32_t size, const Stride& stride, uint32_t r, uint32_t lane) {
        return valid + ref.address + (uint64_t(r) * stride.repeat + uint64_t(lane / (32 / size)) * stride.block) * 32 +
               lane % (32 / size) * size;
    };
    const auto whole = [](const uint8_t* v, uint32_t size) { return std::memchr(v, 0, size) == nullptr; };
    for (uint32_t r = 0; r < plan.repeats; ++r)
        for (uint32_t lane = 0; lane < plan.lanes; ++lane) {
            if (!plan.of(r).on(lane)) continue;
            uint8_t* dst = lane_at(a.dst, ds, a.dst_stride, r, lane);
            const bool good = (a.sources < 1 || whole(lane_at(a.src0, ss, a.src0_stride, r, lane), ss)) &&
                              (a.sources < 2 || whole(lane_at(a.src1, ss, a.src1_stride, r, lane), ss)) &&
                              (!reads_dst || whole(dst, ds));
            std::memset(dst, good, ds);
        }
}

/// Casts between half and int4: a byte that holds two lanes is defined when both are.
void spread_int4_validity(Core& c, const Plan& plan, const VectorArgs& a, uint32_t ds, uint32_t ss) {
    uint8_t* valid = c.memory[static_cast<int>(Memory::kUb)].valid.data();
    const auto lane_at = [&](const Ref& ref, uint32_t size, const Stride& stride, uint32_t r, uint32_t lane) {
        const uint32_t bits = size ? size * 8 : 4, per_block = 256 / bits;
        return valid + ref.address + (uint64_t(r) * stride.repeat + uint64_t(lane / per_block) * stride.block) * 32 +
               lane % per_block * bits / 8;
    };
    for (uint32_t r = 0; r < plan.repeats; ++r)
        for (uint32_t lane = 0; lane < plan.lanes; ++lane) {
            if (!plan.of(r).on(lane)) continue;
            const bool good = std::memchr(lane_at(a.src0, ss, a.src0_stride, r, lane), 0, ss ? ss : 1) == nullptr;
            uint8_t* dst = lane_at(a.dst, ds, a.dst_stride, r, lane);
            if (ds)
                std::memset(dst, good, ds);
            else
                *dst = (lane % 2 == 0 || *dst) && good;
        }
}

/// Cycles an instruction loses to UB bank conflicts: in one cycle a repeat reads at most one block of each of the 16
/// bank groups (32-byte block number modulo 16) and writes at most one; the same block is read once.
uint32_t conflicts(const Plan& plan, const VectorArgs& a) {
    if (is_special(a.op)) return 0;
    const auto most_per_group = [](std::initializer_list<std::pair<uint64_t, uint32_t>> operands) {
        uint64_t seen[16];
        uint8_t count[16] = {}, most = 1;
        for (const auto& [first, stride] : operands)
            for (uint32_t b = 0; b < (stride ? 8 : 1); ++b) {
                const uint64_t block = first + uint64_t(b) * stride;
                uint8_t& n = count[block % 16];
                if (n && seen[block % 16] == block) continue;
                seen[block % 16] = block;
                most = std::max(most, ++n);
            }
        return most;
    };
    // The groups repeat after 16 repeats.
    const uint32_t some = std::min<uint32_t>(plan.repeats, 16);
    uint32_t lost = 0;
    for (uint32_t r = 0; r < some; ++r) {
        const std::pair<uint64_t, uint32_t> dst{a.dst.address / 32 + uint64_t(r) * a.dst_stride.repeat,
                                                a.dst_stride.block};
        const std::pair<uint64_t, uint32_t> src0{a.src0.address / 32 + uint64_t(r) * a.src0_stride.repeat,
                                                 a.src0_stride.block};
        const std::pair<uint64_t, uint32_t> src1{a.src1.address / 32 + uint64_t(r) * a.src1_stride.repeat,
                                                 a.src1_stride.block};
        const uint32_t writes = most_per_group({dst});
        const uint32_t reads = a.sources == 2   ? most_per_group({src0, src1})
                               : a.sources == 1 ? most_per_group({src0})
                                                : 1;
        lost += std::max(writes, reads) - 1;
    }
    return static_cast<uint32_t>(uint64_t(lost) * plan.repeats / some);
}

}  // namespace

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
void set_deq_scale(float scale) { current().deq_scale = scale; }
void set_deq_config(uint64_t word) { current().deq_config = word; }
void set_deq_table(const Ref& ref) { current().deq_table = ref; }

namespace {

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

}  // namespace

void vector(const VectorArgs& a, const Loc& loc) {
    Core& core = current();
    if (core.cube) {
        core.warning("wrong_core", format("%s has no effect on an AIC", loc.api), loc);
        return;
    }
    if (a.dst.memory != Memory::kUb || (a.sources > 0 && a.src0.memory != Memory::kUb) ||
        (a.sources > 1 && a.src1.memory != Memory::kUb)) {
        core.error("no_such_path", format("%s: vector instructions work on UB", loc.api), loc);
        return;
    }
    if (a.form == MaskForm::kCount && a.count == ~0ull) return illegal(core, loc, "the count is negative");
    const bool several = a.op == VecOp::kTensorSum || a.op == VecOp::kTensorMax || a.op == VecOp::kTensorMin;
    if (a.form != MaskForm::kCount && a.repeat > 255 && !several)
        return illegal(core, loc, format("repeatTime %u is over 255", a.repeat));
    if (a.op == VecOp::kCast && !legal_cast(a.dst_type, a.src_type, a.mode))
        return illegal(core, loc, format("rounding mode %u does not exist for this pair of types", a.mode));
    if ((a.op == VecOp::kCompare || a.op == VecOp::kCompareScalar) && a.src_type == DType::kInt32 && a.mode != 2)
        return illegal(core, loc, "int32 compares EQ only");
    if ((a.op == VecOp::kCompare || a.op == VecOp::kCompareScalar) && a.form == MaskForm::kCount &&
        a.count * bytes_of(a.src_type) % 256)
        return illegal(core, loc, "the compared bytes must be a multiple of 256");
    if (a.op == VecOp::kCopy && core.counter_mask && a.form != MaskForm::kCount) return copy_counted(core, a, loc);
    // Strides are bytes-wide registers in the encoding.
    if (a.dst_stride.repeat > 255 && a.op != VecOp::kCopy && a.op != VecOp::kBrcb && a.op != VecOp::kGather &&
        a.op != VecOp::kGatherMask && a.op < VecOp::kBlockSum)
        return illegal(core, loc, "a repeat stride is at most 255 blocks");
    if (((a.op == VecOp::kSelect && a.mode != 0) || a.op == VecOp::kSelectScalar) && !a.extra[1]) {
        const uint64_t top = 184 << 10;
        if (a.dst.address >= top || a.src0.address >= top)
            core.error("reserved_ub", format("%s uses the reserved 8 KB at UB byte 188416 for itself", loc.api), loc);
    }
    if (a.op == VecOp::kAddDeqRelu && (a.dst.address >= 184 << 10 || a.src0.address >= 184 << 10))
        core.error("reserved_ub", format("%s uses the reserved 8 KB at UB byte 188416 for itself", loc.api), loc);
    const Plan plan = plan_of(core, a, loc);
    if (plan.repeats == 0) return;
    const bool count_form = a.form == MaskForm::kCount;
    Cost cost{CostKind::kVector,
              plan.repeats,
              static_cast<uint32_t>(a.op),
              bits_of(a.dst_type) > bits_of(a.src_type) ? bits_of(a.dst_type) / 8 : bits_of(a.src_type) / 8,
              core.recorder ? conflicts(plan, a) : 0,
              {}};
    cost.gm.runs = count_form;
    cost.gm.run_bytes = a.dst_type != a.src_type;
    if (left_out(a)) {
        core.record_only(Pipe::kV, loc, cost);
        if (a.result) *a.result = uint64_t(plan.repeats) * plan.lanes;
        return zero_result(core, a.dst, is_special(a.op) ? 32 : extent_of(plan, bits_of(a.dst_type) / 8, a.dst_stride));
    }
    const Context context{core.saturate(), core.deq_scale, a.scalar, a.round, a.mode};
    core.issue(Pipe::kV, loc, cost, [=](Core& c, const Loc& at) {
        if (is_special(a.op)) return execute_special(c, a, plan, at);
        const uint32_t ds = bits_of(a.dst_type) / 8, ss = bits_of(a.src_type) / 8;
        const bool int4 = a.dst_type == DType::kInt4 || a.src_type == DType::kInt4;
        const auto bytes = [&](uint32_t size, const Stride& stride) {
            if (size == 0)  // int4: two lanes in a byte, a repeat without gaps
                return uint64_t(plan.repeats - 1) * stride.repeat * 32 + (plan.last.end() + 1) / 2;
            return extent_of(plan, size, stride);
        };
        const uint64_t de = bytes(ds, a.dst_stride);
        if (de == 0) return;
        uint8_t* dst = c.resolve(a.dst, de, "destination", at);
        const uint8_t* s0 = a.sources > 0 ? c.resolve(a.src0, bytes(ss, a.src0_stride), "source", at) : nullptr;
        const uint8_t* s1 = a.sources > 1 ? c.resolve(a.src1, bytes(ss, a.src1_stride), "second source", at) : nullptr;
        if (!dst || (a.sources > 0 && !s0) || (a.sources > 1 && !s1)) return;
        if (c.checker) {
            bool clean = true;
            const auto declare = [&](const Ref& ref, uint32_t size, const Stride& stride, Touch touch) {
                if (size == 0) {
                    clean &= c.checker->access(Pipe::kV, ref, bytes(0, stride), touch, Uninit::kTaint, at);
                    return;
                }
                for_runs(plan, size, stride, [&](uint64_t offset, uint64_t length) {
                    Ref part = ref;
                    part.address += offset;
                    clean &= c.checker->access(Pipe::kV, part, length, touch, Uninit::kTaint, at);
                });
            };
            const bool reads_dst = a.op == VecOp::kMulAddDst || a.op == VecOp::kFusedMulAdd ||
                                   a.op == VecOp::kFusedMulAddRelu || a.op == VecOp::kAxpy;
            if (a.sources > 0) declare(a.src0, ss, a.src0_stride, Touch::kRead);
            if (a.sources > 1) declare(a.src1, ss, a.src1_stride, Touch::kRead);
            if (reads_dst) declare(a.dst, ds, a.dst_stride, Touch::kRead);
            declare(a.dst, ds, a.dst_stride, Touch::kWrite);
            if (int4)
                spread_int4_validity(c, plan, a, ds, ss);
            else
                spread_validity(c, plan, a, ds, ss, reads_dst, clean);
            if (a.dst_stride.block == 0 && plan.lanes * ds > 32)
                illegal(c, at, "a destination block stride of 0 writes the same block eight times");
            // Source and destination of one repeat are the same bytes or disjoint ones; strides that shift one against
            // the other read what an earlier repeat wrote.
            const auto shifted = [&](const Ref& src, const Stride& stride) {
                if (src.memory != a.dst.memory || src.address == a.dst.address) {
                    const bool same =
                        stride.repeat == a.dst_stride.repeat && stride.block == a.dst_stride.block && ss == ds;
                    const bool accumulates = a.dst_stride.repeat == 0 && stride.repeat == 0;
                    if (src.address != a.dst.address || same || accumulates || plan.repeats == 1 || ss != ds) return;
                }
                const uint64_t lo = std::max(src.address, a.dst.address);
                const uint64_t hi = std::min(src.address + bytes(ss, stride), a.dst.address + de);
                if (lo >= hi) return;
                std::vector<uint8_t> written(de, 0);
                bool clash = false;
                uint32_t repeat = 0;
                Plan one = plan;
                one.repeats = 1;
                for (; repeat < plan.repeats && !clash; ++repeat) {
                    one.mask = one.last = plan.of(repeat);
                    const uint64_t src_at = src.address + uint64_t(repeat) * stride.repeat * 32;
                    const uint64_t dst_at = uint64_t(repeat) * a.dst_stride.repeat * 32;
                    for_runs(one, ss, stride, [&](uint64_t o, uint64_t n) {
                        for (uint64_t b = src_at + o; b < src_at + o + n; ++b)
                            if (b >= a.dst.address && b < a.dst.address + de && written[b - a.dst.address])
                                clash = true;
                    });
                    for_runs(one, ds, a.dst_stride, [&](uint64_t o, uint64_t n) {
                        std::fill(written.begin() + dst_at + o, written.begin() + dst_at + o + n, 1);
                    });
                }
                if (clash)
                    c.error(
                        "repeat_overlap",
                        format("%s: a repeat reads bytes that an earlier repeat of the same instruction wrote", at.api),
                        at);
            };
            if (a.sources > 0 && !int4) shifted(a.src0, a.src0_stride);
            if (a.sources > 1 && a.dst_stride.repeat != 0) shifted(a.src1, a.src1_stride);
        }
        if (Device::get().options.skip_math && c.checker) return;
        switch (a.op) {
            case VecOp::kCast: return cast(plan, a, context, dst, s0);
            case VecOp::kCopy:
                return ds == 4 ? copy_lanes<uint32_t>(plan, a, dst, s0) : copy_lanes<uint16_t>(plan, a, dst, s0);
            case VecOp::kDuplicate:
                return ds == 4 ? fill_lanes<uint32_t>(plan, a, dst) : fill_lanes<uint16_t>(plan, a, dst);
            default:
                if (is_arithmetic_mixed(a.op) && a.dst_type != a.src_type) return mixed(plan, a, context, dst, s0, s1);
                return arithmetic_of(a.dst_type, plan, a, context, dst, s0, s1);
        }
    });
}

}  // namespace twin
