// SPDX-License-Identifier: BSD-3-Clause
// Functions of the SIMD layer that are the same arithmetic at every width.
#pragma once

#include "flash_attn_npu/platform.h"

namespace flash_attn_npu::cpu {
namespace {

// 2^f for f in [0, 1): minimax in the relative error, which is 7.5e-5, 2.6e-6 and 7.5e-8 (degree 3, 4, 5).
template <int kDegree>
struct Exp2Polynomial;
template <>
struct Exp2Polynomial<3> {
    static constexpr float kCoefficients[] = {0.999925196f, 0.695833564f, 0.226067156f, 0.0780245215f};
};
template <>
struct Exp2Polynomial<4> {
    static constexpr float kCoefficients[] = {1.00000262f, 0.693003833f, 0.241442755f, 0.0520114601f, 0.0135341678f};
};
template <>
struct Exp2Polynomial<5> {
    static constexpr float kCoefficients[] = {0.99999994f,   0.693153083f,   0.240153611f,
                                              0.0558263175f, 0.00898933969f, 0.00187757669f};
};

template <class Simd, int kDegree>
FA_HOST_DEVICE typename Simd::F exp2_of_fraction(typename Simd::F f) {
    using Polynomial = Exp2Polynomial<kDegree>;
    typename Simd::F p = Simd::set1(Polynomial::kCoefficients[kDegree]);
#pragma GCC unroll 5
    for (int i = kDegree - 1; i >= 0; --i) p = Simd::fma(p, f, Simd::set1(Polynomial::kCoefficients[i]));
    return p;
}

// tanh with a relative error of about 2e-7, also for small arguments, where 1 - 2 / (e^2x + 1) would cancel.
template <class Simd>
FA_HOST_DEVICE typename Simd::F tanh(typename Simd::F x) {
    using F = typename Simd::F;
    constexpr float kTwoLog2E = 2.8853900817779268f;
    const F magnitude = Simd::abs(x);
    const F z = Simd::mul(x, x);
    // Odd minimax polynomial on [-0.65, 0.65].
    F p = Simd::set1(-0.00551516423f);
    p = Simd::fma(p, z, Simd::set1(0.0204694197f));
    p = Simd::fma(p, z, Simd::set1(-0.0536880232f));
    p = Simd::fma(p, z, Simd::set1(0.133308306f));
    p = Simd::fma(p, z, Simd::set1(-0.333332598f));
    const F small = Simd::fma(Simd::mul(p, z), x, x);
    // Beyond 10 tanh is 1 in float; NaN must survive the clamp, hence the operand order.
    const F e = Simd::template exp2<5>(Simd::mul(Simd::min(Simd::set1(10.0f), magnitude), Simd::set1(kTwoLog2E)));
    const F one = Simd::set1(1.0f);
    const F large = Simd::sub(one, Simd::div(Simd::set1(2.0f), Simd::add(e, one)));
    const F signed_large = Simd::select(Simd::lt(x, Simd::zero()), Simd::sub(Simd::zero(), large), large);
    return Simd::select(Simd::lt(magnitude, Simd::set1(0.625f)), small, signed_large);
}

}  // namespace
}  // namespace flash_attn_npu::cpu
