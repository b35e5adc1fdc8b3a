// SPDX-License-Identifier: BSD-3-Clause
// The scalar unit's functions: each case is one 64-bit number, its results go to the words after it.
#include "kernel_operator.h"

using namespace AscendC;

/// in: int64 per case. out: seven int64 per case.
extern "C" __global__ __aicore__ void Bits(GM_ADDR in, GM_ADDR out, uint32_t cases) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    GlobalTensor<int64_t> numbers, results;
    numbers.SetGlobalBuffer(reinterpret_cast<__gm__ int64_t*>(in));
    results.SetGlobalBuffer(reinterpret_cast<__gm__ int64_t*>(out));
    for (uint32_t i = 0; i < cases; ++i) {
        const int64_t x = numbers.GetValue(i);
        const uint64_t u = static_cast<uint64_t>(x);
        results.SetValue(7 * i, GetBitCount<1>(u));
        results.SetValue(7 * i + 1, ScalarGetCountOfValue<0>(u));
        results.SetValue(7 * i + 2, CountLeadingZero(u));
        results.SetValue(7 * i + 3, ScalarCountLeadingZero(u));
        results.SetValue(7 * i + 4, CountBitsCntSameAsSignBit(x));
        results.SetValue(7 * i + 5, GetSFFValue<1>(u));
        results.SetValue(7 * i + 6, ScalarGetSFFValue<0>(u));
    }
}

/// in: float per case. out: four int32 (ROUND, CEIL, FLOOR, RINT) and the bits of the half (ODD) per case.
extern "C" __global__ __aicore__ void Casts(GM_ADDR in, GM_ADDR out, uint32_t cases) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    GlobalTensor<float> numbers;
    GlobalTensor<int32_t> results;
    numbers.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(in));
    results.SetGlobalBuffer(reinterpret_cast<__gm__ int32_t*>(out));
    for (uint32_t i = 0; i < cases; ++i) {
        const float x = numbers.GetValue(i);
        results.SetValue(5 * i, ScalarCast<float, int32_t, RoundMode::CAST_ROUND>(x));
        results.SetValue(5 * i + 1, Cast<float, int32_t, RoundMode::CAST_CEIL>(x));
        results.SetValue(5 * i + 2, Cast<float, int32_t, RoundMode::CAST_FLOOR>(x));
        results.SetValue(5 * i + 3, Cast<float, int32_t, RoundMode::CAST_RINT>(x));
        half narrow = ScalarCast<float, half, RoundMode::CAST_ODD>(x);
        results.SetValue(5 * i + 4, static_cast<int32_t>(*reinterpret_cast<uint16_t*>(&narrow)));
    }
}

/// InitOutput of `count` elements from element `from` on, twice as wide a value in the second half of the call.
template <typename T>
__aicore__ inline void Fill(GM_ADDR out, uint32_t from, uint32_t count, int32_t value) {
    GlobalTensor<T> place;
    place.SetGlobalBuffer(reinterpret_cast<__gm__ T*>(out));
    TPipe pipe;
    TBuf<TPosition::VECCALC> taken;
    pipe.InitBuffer(taken, 100 * 1024);  // the call works in what is left after it
    InitOutput<T>(place[from], count, static_cast<T>(value));
}
#define FILL(T)                                                                                         \
    extern "C" __global__ __aicore__ void Fill_##T(GM_ADDR out, uint32_t from, uint32_t n, int32_t v) { \
        KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);                                                 \
        Fill<T>(out, from, n, v);                                                                       \
    }
FILL(float)
FILL(half)
FILL(int32_t)
FILL(int8_t)
