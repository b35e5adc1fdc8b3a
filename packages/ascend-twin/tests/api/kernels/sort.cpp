// SPDX-License-Identifier: BSD-3-Clause
// Sorting: Sort32, MrgSort with its counts, Sort, Concat, Extract.
#include "harness.h"

namespace api_test {

template <typename T>
__aicore__ inline void RunSort32(UbCases& c) {
    Sort32(c.At<T>(kDst), c.At<T>(kSrc0), c.At<uint32_t>(kSrc1), static_cast<int32_t>(c[kRepeat]));
}

/// Queue q starts kExtra + 6 bytes after queue q - 1. Numbers kExtra to + 3: lengths; + 4: valid bits; + 5: bit 0 stop
/// at an exhausted queue, bit 1 the library's form; + 7: where the counts go.
template <typename T>
__aicore__ inline void RunMrgSort(UbCases& c) {
    const uint32_t step = static_cast<uint32_t>(c[kExtra + 6]) / sizeof(T);
    LocalTensor<T> first = c.At<T>(kSrc0);
    const MrgSortSrcList<T> queues(first, first[step], first[2 * step], first[3 * step]);
    uint16_t lengths[4];
    for (uint32_t i = 0; i < 4; ++i) lengths[i] = static_cast<uint16_t>(c[kExtra + i]);
    const uint16_t valid = static_cast<uint16_t>(c[kExtra + 4]);
    const bool stop = (c[kExtra + 5] & 1) != 0;
    uint32_t counts[4] = {0, 0, 0, 0};
    if (c[kExtra + 5] & 2) {
        if (stop)
            MrgSort<T, true>(c.At<T>(kDst), queues, lengths, counts, valid, 1);
        else
            MrgSort<T, false>(c.At<T>(kDst), queues, lengths, counts, valid, static_cast<int32_t>(c[kRepeat]));
    } else {
        MrgSort(c.At<T>(kDst), queues, MrgSort4Info(lengths, stop, valid, static_cast<uint16_t>(c[kRepeat])));
        if (stop) {
            uint16_t n[4] = {0, 0, 0, 0};
            GetMrgSortResult(n[0], n[1], n[2], n[3]);
            for (uint32_t i = 0; i < 4; ++i) counts[i] = n[i];
        }
    }
    PipeBarrier<PIPE_ALL>();
    for (uint32_t i = 0; i < 4; ++i) c.At<uint32_t>(kExtra + 7).SetValue(i, counts[i]);
}

/// Scratch at kExtra, scores to kExtra + 1 and indices to kExtra + 2.
template <typename T, bool full>
__aicore__ inline void RunSort(UbCases& c) {
    const int32_t repeat = static_cast<int32_t>(c[kRepeat]);
    LocalTensor<T> tmp = c.At<T>(kExtra), concat, dst = c.At<T>(kDst);
    concat = c.At<T>(kSrc0);
    Concat(concat, c.At<T>(kSrc0), tmp, repeat * 2);
    Sort<T, full>(dst, concat, c.At<uint32_t>(kSrc1), tmp, repeat);
    PipeBarrier<PIPE_V>();
    Extract(c.At<T>(kExtra + 1), c.At<uint32_t>(kExtra + 2), dst, repeat);
    PipeBarrier<PIPE_ALL>();
    c.At<uint32_t>(kExtra + 3).SetValue(0, GetSortOffset<T>(5) * 1000 + GetSortLen<T>(7));
}

}  // namespace api_test

using namespace api_test;

UB_KERNEL(Sort32_half, RunSort32<half>(c))
UB_KERNEL(Sort32_float, RunSort32<float>(c))
UB_KERNEL(MrgSort_half, RunMrgSort<half>(c))
UB_KERNEL(MrgSort_float, RunMrgSort<float>(c))
UB_KERNEL(Sort_half, (RunSort<half, true>(c)))
UB_KERNEL(Sort_float, (RunSort<float, true>(c)))
UB_KERNEL(SortGroups_half, (RunSort<half, false>(c)))
UB_KERNEL(SortGroups_float, (RunSort<float, false>(c)))
