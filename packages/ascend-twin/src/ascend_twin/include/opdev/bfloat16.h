// SPDX-License-Identifier: BSD-3-Clause
// Host-side bfloat16.
#pragma once
#include "ascendc/numeric.h"

namespace op {
struct bfloat16 {
    bfloat16_t value;
    bfloat16() = default;
    template <typename N, typename = std::enable_if_t<std::is_arithmetic<N>::value>>
    bfloat16(N number) : value(number) {}
    operator float() const { return static_cast<float>(value); }
};
}  // namespace op
