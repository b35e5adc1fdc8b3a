// SPDX-License-Identifier: BSD-3-Clause
// Host-side half.
#pragma once
#include "ascendc/numeric.h"

namespace op {
struct fp16_t {
    half value = 0;
    fp16_t() = default;
    template <typename N, typename = std::enable_if_t<std::is_arithmetic<N>::value>>
    fp16_t(N number) : value(static_cast<half>(number)) {}
    operator float() const { return static_cast<float>(value); }
    // Every operation rounds to half, as in CANN's class.
    friend fp16_t operator+(fp16_t a, fp16_t b) { return float(a) + float(b); }
    friend fp16_t operator-(fp16_t a, fp16_t b) { return float(a) - float(b); }
    friend fp16_t operator*(fp16_t a, fp16_t b) { return float(a) * float(b); }
    friend fp16_t operator/(fp16_t a, fp16_t b) { return float(a) / float(b); }
    fp16_t& operator+=(fp16_t b) { return *this = *this + b; }
    fp16_t& operator-=(fp16_t b) { return *this = *this - b; }
    fp16_t& operator*=(fp16_t b) { return *this = *this * b; }
    fp16_t& operator/=(fp16_t b) { return *this = *this / b; }
};
}  // namespace op
