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
};
}  // namespace op
