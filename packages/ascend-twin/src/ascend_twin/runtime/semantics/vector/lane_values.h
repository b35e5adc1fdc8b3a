// SPDX-License-Identifier: BSD-3-Clause
// What lanes of independent instructions are made of: scalar operands of an instruction, the loop over its lanes.
#pragma once
#include <algorithm>
#include <cstring>
#include <limits>

#include "semantics/numeric.h"
#include "semantics/vector/plan.h"

namespace twin {

/// What an instruction takes besides its tensors.
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

/// f(dst element, src0 element, src1 element) over the enabled lanes, one 32-byte group of the widest type at a time.
template <typename D, typename S, typename F>
void lanes(const Plan& plan, const VectorArgs& a, uint8_t* dst, const uint8_t* s0, const uint8_t* s1, F f) {
    constexpr uint32_t wide = sizeof(D) > sizeof(S) ? sizeof(D) : sizeof(S);
    constexpr uint32_t group = 32 / wide;
    for (uint32_t r = 0; r < plan.repeats; ++r) {
        const LaneMask mask = plan.of(r);
        for (uint32_t lane = 0; lane < plan.lanes; lane += group) {
            const uint64_t bits = (lane < 64 ? mask.low >> lane : mask.high >> (lane - 64)) & ((1ull << group) - 1);
            if (!bits) continue;
            D out[group];
            S x[group], y[group];
            uint8_t* to = dst + lane_offset(lane, r, sizeof(D), a.dst_stride);
            std::memcpy(out, to, sizeof(out));
            if (s0) std::memcpy(x, s0 + lane_offset(lane, r, sizeof(S), a.src0_stride), sizeof(x));
            if (s1) std::memcpy(y, s1 + lane_offset(lane, r, sizeof(S), a.src1_stride), sizeof(y));
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

}  // namespace twin
