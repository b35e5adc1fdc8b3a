// SPDX-License-Identifier: BSD-3-Clause
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

/// int4 to half and back through memory that nothing has written before.
API_KERNEL(FreshInt4) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    GlobalTensor<int64_t> numbers;
    numbers.SetGlobalBuffer(reinterpret_cast<__gm__ int64_t*>(params));
    const uint32_t count = static_cast<uint32_t>(numbers.GetValue(0)), bytes = (count / 2 + 31) / 32 * 32;
    GlobalTensor<int8_t> from, to;
    from.SetGlobalBuffer(reinterpret_cast<__gm__ int8_t*>(in));
    to.SetGlobalBuffer(reinterpret_cast<__gm__ int8_t*>(out));
    TPipe pipe;
    TBuf<TPosition::VECCALC> packed, wide, again;
    pipe.InitBuffer(packed, bytes);
    pipe.InitBuffer(wide, count * 2);
    pipe.InitBuffer(again, bytes);
    DataCopyPad(packed.Get<int8_t>(), from, DataCopyExtParams(1, count / 2, 0, 0, 0), DataCopyPadExtParams<int8_t>());
    PipeBarrier<PIPE_ALL>();
    Cast(wide.Get<half>(), packed.Get<int4b_t>(), RoundMode::CAST_NONE, count);
    PipeBarrier<PIPE_V>();
    Cast(again.Get<int4b_t>(), wide.Get<half>(), RoundMode::CAST_RINT, count);
    PipeBarrier<PIPE_ALL>();
    DataCopyPad(to, again.Get<int8_t>(), DataCopyExtParams(1, count / 2, 0, 0, 0));
}
