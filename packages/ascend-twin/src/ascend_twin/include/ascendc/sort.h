// SPDX-License-Identifier: BSD-3-Clause
// Sorting: pairs of a score and an index in 8 bytes.
#pragma once
#include "ascendc/rearrange.h"

namespace AscendC {

constexpr uint8_t MRG_SORT_ELEMENT_LEN = 4;

struct MrgSort4Info {
    MrgSort4Info() {}
    MrgSort4Info(const uint16_t lengths[MRG_SORT_ELEMENT_LEN], const bool suspend, const uint16_t valid,
                 const uint16_t repeat)
        : ifExhaustedSuspension(suspend), validBit(valid), repeatTimes(static_cast<uint8_t>(repeat)) {
        for (int i = 0; i < MRG_SORT_ELEMENT_LEN; ++i) elementLengths[i] = lengths[i];
    }
    uint16_t elementLengths[MRG_SORT_ELEMENT_LEN] = {0};
    bool ifExhaustedSuspension = false;
    uint16_t validBit = 0;
    uint8_t repeatTimes = 1;
};
template <typename T>
struct MrgSortSrcList {
    MrgSortSrcList() {}
    MrgSortSrcList(const LocalTensor<T>& a, const LocalTensor<T>& b, const LocalTensor<T>& c, const LocalTensor<T>& d)
        : src1(a), src2(b), src3(c), src4(d) {}
    LocalTensor<T> src1, src2, src3, src4;
};

template <typename T>
void Sort32(const LocalTensor<T>& dst, const LocalTensor<T>& src0, const LocalTensor<uint32_t>& src1,
            const int32_t repeatTime, const twin::At& at = twin::At::here()) {
    static_assert((IsOneOf<T, half, float>), "Sort32: half or float");
    twin::sort32({TwinType<T>, dst.Twin(), src0.Twin(), src1.Twin(), static_cast<uint32_t>(repeatTime)},
                 at.as("Sort32"));
}
template <typename T>
void MrgSort(const LocalTensor<T>& dst, const MrgSortSrcList<T>& src, const MrgSort4Info& p,
             const twin::At& at = twin::At::here()) {
    static_assert((IsOneOf<T, half, float>), "MrgSort: half or float");
    twin::MergeArgs a;
    a.type = TwinType<T>;
    a.dst = dst.Twin();
    const LocalTensor<T>* queues[] = {&src.src1, &src.src2, &src.src3, &src.src4};
    for (int i = 0; i < MRG_SORT_ELEMENT_LEN; ++i) {
        a.src[i] = queues[i]->Twin();
        a.length[i] = p.elementLengths[i];
    }
    a.valid = p.validBit;
    a.suspend = p.ifExhaustedSuspension;
    a.repeat = p.repeatTimes;
    twin::merge_sort(a, at.as("MrgSort"));
}
/// The library's form, which also returns how many elements of each queue were used.
template <typename T, bool isExhaustedSuspension = false>
void MrgSort(const LocalTensor<T>& dst, const MrgSortSrcList<T>& src, const uint16_t elementCountList[4],
             uint32_t sortedNum[4], uint16_t validBit, const int32_t repeatTime,
             const twin::At& at = twin::At::here()) {
    MrgSort(dst, src,
            MrgSort4Info(elementCountList, isExhaustedSuspension, validBit, static_cast<uint16_t>(repeatTime)), at);
    if (isExhaustedSuspension) twin::merged_counts(sortedNum, at.as("MrgSort"));
}
inline void GetMrgSortResult(uint16_t& list1, uint16_t& list2, uint16_t& list3, uint16_t& list4,
                             const twin::At& at = twin::At::here()) {
    uint32_t counts[4];
    twin::merged_counts(counts, at.as("GetMrgSortResult"));
    list1 = static_cast<uint16_t>(counts[0]);
    list2 = static_cast<uint16_t>(counts[1]);
    list3 = static_cast<uint16_t>(counts[2]);
    list4 = static_cast<uint16_t>(counts[3]);
}

/// Elements of T that a (score, index) pair takes.
template <typename T>
constexpr uint32_t kTwinPair = 8 / sizeof(PrimT<T>);
template <typename T>
uint32_t GetSortOffset(const uint32_t elemOffset) {
    static_assert((IsOneOf<T, half, float>), "GetSortOffset: half or float");
    return elemOffset * kTwinPair<T>;
}
template <typename T>
uint32_t GetSortLen(const uint32_t elemCount) {
    static_assert((IsOneOf<T, half, float>), "GetSortLen: half or float");
    return elemCount * kTwinPair<T>;
}
/// This chip sorts scores where they are.
template <typename T>
void Concat(LocalTensor<T>& concat, const LocalTensor<T>& src, const LocalTensor<T>&, const int32_t) {
    concat = src;
}
/// Takes scores and indices of 32 pairs per repetition apart again.
template <typename T>
void Extract(const LocalTensor<T>& dstValue, const LocalTensor<uint32_t>& dstIndex, const LocalTensor<T>& sorted,
             const int32_t repeatTime, const twin::At& at = twin::At::here()) {
    static_assert((IsOneOf<T, half, float>), "Extract: half or float");
    uint64_t kept = 0;
    const uint16_t repeats = static_cast<uint16_t>(repeatTime);
    // 32 pairs are 256 bytes: one repetition of GatherMask. Scores are every second float or every fourth half.
    constexpr uint8_t scores = sizeof(PrimT<T>) == 2 ? 3 : 1;
    GatherMask(dstValue, sorted, scores, false, 0u, GatherMaskParams(1, repeats, 8, 0), kept, at);
    GatherMask(dstIndex, sorted.template ReinterpretCast<uint32_t>(), uint8_t(2), false, 0u,
               GatherMaskParams(1, repeats, 8, 0), kept, at);
}

/// Groups of 32; with isFullSort all of them are merged, four queues at a time, to and fro between dst and tmp.
template <typename T, bool isFullSort>
void Sort(const LocalTensor<T>& dst, const LocalTensor<T>& concat, const LocalTensor<uint32_t>& index,
          LocalTensor<T>& tmp, const int32_t repeatTime, const twin::At& at = twin::At::here()) {
    Sort32(dst, concat, index, repeatTime, at);
    if constexpr (isFullSort) {
        const twin::Loc barrier = at.as("Sort");
        const uint32_t elements = static_cast<uint32_t>(repeatTime) * 32;
        twin::pipe_barrier(twin::Pipe::kV, barrier);
        DataCopy(tmp, dst, elements * kTwinPair<T>, at);
        twin::pipe_barrier(twin::Pipe::kV, barrier);
        for (uint32_t run = 32; run < elements; run *= 4) {
            for (uint32_t first = 0; first < elements; first += 4 * run) {
                uint16_t lengths[4] = {};
                LocalTensor<T> queues[4];
                uint16_t count = 0;
                for (uint32_t at_element = first; at_element < elements && count < 4; at_element += run, ++count) {
                    lengths[count] = static_cast<uint16_t>(std::min(run, elements - at_element));
                    queues[count] = tmp[at_element * kTwinPair<T>];
                }
                for (uint32_t i = count; i < 4; ++i) queues[i] = queues[0];
                if (count == 1)
                    DataCopy(dst[first * kTwinPair<T>], queues[0], lengths[0] * kTwinPair<T>, at);
                else
                    MrgSort(dst[first * kTwinPair<T>], MrgSortSrcList<T>(queues[0], queues[1], queues[2], queues[3]),
                            MrgSort4Info(lengths, false, static_cast<uint16_t>((1 << count) - 1), 1), at);
            }
            twin::pipe_barrier(twin::Pipe::kV, barrier);
            if (run * 4 < elements) {
                DataCopy(tmp, dst, elements * kTwinPair<T>, at);
                twin::pipe_barrier(twin::Pipe::kV, barrier);
            }
        }
    }
}

}  // namespace AscendC
