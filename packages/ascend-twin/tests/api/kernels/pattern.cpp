// SPDX-License-Identifier: BSD-3-Clause
// The library's reductions by pattern and its broadcast, on matrices in UB.
#include "harness.h"

#include "adv_api/pad/broadcast.h"
#include "adv_api/reduce/reduce.h"

namespace api_test {

/// Numbers kExtra: operation (0 sum, 1 max, 2 min), + 1: rows, + 2: columns.
template <typename T, class pattern>
__aicore__ inline void RunReduce(UbCases& c) {
    LocalTensor<T> d = c.At<T>(kDst), a = c.At<T>(kSrc0);
    LocalTensor<uint8_t> scratch = c.At<uint8_t>(kSrc1);
    const uint32_t shape[2] = {static_cast<uint32_t>(c[kExtra + 1]), static_cast<uint32_t>(c[kExtra + 2])};
    if constexpr (IsSameType<T, float>::value)
        if (c[kExtra] == 0) ReduceSum<T, pattern>(d, a, scratch, shape, true);
    if (c[kExtra] == 1) ReduceMax<T, pattern>(d, a, scratch, shape, true);
    if (c[kExtra] == 2) ReduceMin<T, pattern>(d, a, scratch, shape, true);
}
/// Numbers kExtra: rows, + 1: columns of the result.
template <typename T, int32_t axis>
__aicore__ inline void RunBroadcast(UbCases& c) {
    LocalTensor<T> d = c.At<T>(kDst), a = c.At<T>(kSrc0);
    LocalTensor<uint8_t> scratch = c.At<uint8_t>(kSrc1);
    const uint32_t to[2] = {static_cast<uint32_t>(c[kExtra]), static_cast<uint32_t>(c[kExtra + 1])};
    const uint32_t from[2] = {axis == 0 ? 1 : to[0], axis == 1 ? 1 : to[1]};
    Broadcast<T, 2, axis>(d, a, to, from, scratch);
}

}  // namespace api_test

using namespace api_test;

UB_KERNEL(AR_half, (RunReduce<half, Pattern::Reduce::AR>(c)))
UB_KERNEL(AR_float, (RunReduce<float, Pattern::Reduce::AR>(c)))
UB_KERNEL(RA_half, (RunReduce<half, Pattern::Reduce::RA>(c)))
UB_KERNEL(RA_float, (RunReduce<float, Pattern::Reduce::RA>(c)))
UB_KERNEL(Broadcast0_half, (RunBroadcast<half, 0>(c)))
UB_KERNEL(Broadcast0_float, (RunBroadcast<float, 0>(c)))
UB_KERNEL(Broadcast1_half, (RunBroadcast<half, 1>(c)))
UB_KERNEL(Broadcast1_float, (RunBroadcast<float, 1>(c)))
