// SPDX-License-Identifier: BSD-3-Clause
// Cast: every pair of types and rounding mode of dav-2201.
#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "semantics/vector/instructions.h"

namespace twin {

namespace {

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

}  // namespace

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

}  // namespace twin
