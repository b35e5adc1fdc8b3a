// SPDX-License-Identifier: BSD-3-Clause
// half on compilers with and without _Float16.
#pragma once
#include <type_traits>

namespace twin {

// g++ announces the type's limits on machines where only its C compiler knows the type.
#if defined(__FLT16_MAX__) && (defined(__clang__) || defined(__x86_64__) || __GNUC__ >= 13)

using half = _Float16;

#else

/// IEEE half over __fp16, which can be stored and converted and nothing else. half with half or an integer gives half,
/// half with float or double gives that type, as with _Float16.
class half {
public:
    half() = default;
    template <typename N, typename = std::enable_if_t<std::is_arithmetic<N>::value>>
    constexpr half(N number) : value_(static_cast<__fp16>(to_float(number))) {}
    constexpr operator float() const { return value_; }

    constexpr half operator-() const { return half(-static_cast<float>(value_)); }
    constexpr half operator+() const { return *this; }
#define TWIN_HALF_ASSIGN(OP)                  \
    template <typename N>                     \
    constexpr half& operator OP(N other) {    \
        float result = value_;                \
        result OP static_cast<float>(other);  \
        value_ = static_cast<__fp16>(result); \
        return *this;                         \
    }
    TWIN_HALF_ASSIGN(+=)
    TWIN_HALF_ASSIGN(-=)
    TWIN_HALF_ASSIGN(*=)
    TWIN_HALF_ASSIGN(/=)
#undef TWIN_HALF_ASSIGN

private:
    template <typename N>
    static constexpr float to_float(N number) {
        return static_cast<float>(number);
    }
    /// To odd, so that the step to half is the only one that rounds. (Compilers leave double to half to their library,
    /// and do not agree on how it returns the result.)
    static constexpr float to_float(double number) {
        const float near = static_cast<float>(number);
        const unsigned bits = __builtin_bit_cast(unsigned, near);
        if (near == number || number != number || bits & 1) return near;
        const bool up = (number > near) == (number > 0);
        return __builtin_bit_cast(float, up ? bits + 1 : bits - 1);
    }

    __fp16 value_;
};

/// Operands whose result is half; all others convert to float by themselves.
template <typename A, typename B>
constexpr bool kHalfResult = (std::is_same<A, half>::value && std::is_same<B, half>::value) ||
                             (std::is_same<A, half>::value && std::is_integral<B>::value) ||
                             (std::is_integral<A>::value && std::is_same<B, half>::value);
// Through float: the result of one operation on halves, rounded to half, is the same.
#define TWIN_HALF_OPERATOR(OP)                                                        \
    template <typename A, typename B, typename = std::enable_if_t<kHalfResult<A, B>>> \
    constexpr half operator OP(A a, B b) {                                            \
        return half(static_cast<float>(half(a)) OP static_cast<float>(half(b)));      \
    }
TWIN_HALF_OPERATOR(+)
TWIN_HALF_OPERATOR(-)
TWIN_HALF_OPERATOR(*)
TWIN_HALF_OPERATOR(/)
#undef TWIN_HALF_OPERATOR

#endif

}  // namespace twin
