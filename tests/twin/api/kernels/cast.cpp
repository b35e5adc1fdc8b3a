// Cast, every pair of types of dav-2201; the rounding mode comes in as a number.
#include "harness.h"

namespace api_test {

/// dst and src may differ in width: the wider one sets the lanes.
template <typename T, typename U>
__aicore__ inline void RunCast(UbCases& c) {
    LocalTensor<T> d = c.At<T>(kDst);
    LocalTensor<U> a = c.At<U>(kSrc0);
    const RoundMode mode = static_cast<RoundMode>(c[kExtra]);
    ALL_FORMS(Cast, (Cast<T, U, false>), T, uint32_t, UnaryStrides(c), d, a, mode)
}

/// int32 -> half multiplies by the scale of SetDeqScale.
__aicore__ inline void RunDequant(UbCases& c) {
    SetDeqScale(FromBits<half>(c[kScalar]));
    RunCast<half, int32_t>(c);
}

}  // namespace api_test

using namespace api_test;

#define CAST(U, T) UB_KERNEL(Cast_##U##_##T, (RunCast<T, U>(c)))

CAST(half, float)
CAST(half, int8_t)
CAST(half, uint8_t)
CAST(half, int16_t)
CAST(half, int32_t)
CAST(half, int4b_t)
CAST(bfloat16_t, float)
CAST(bfloat16_t, int32_t)
CAST(float, half)
CAST(float, bfloat16_t)
CAST(float, float)
CAST(float, int16_t)
CAST(float, int32_t)
CAST(float, int64_t)
CAST(int4b_t, half)
CAST(int8_t, half)
CAST(uint8_t, half)
CAST(int16_t, half)
CAST(int16_t, float)
CAST(int32_t, float)
CAST(int32_t, int16_t)
CAST(int32_t, int64_t)
CAST(int64_t, int32_t)
CAST(int64_t, float)
UB_KERNEL(Cast_int32_t_half, RunDequant(c))
