// SPDX-License-Identifier: BSD-3-Clause
// Copy within UB, Duplicate, CreateVecIndex.
#pragma once
#include "ascendc/vector.h"

namespace AscendC {

#define TWIN_COPY(MASK)                                                                                \
    template <typename T, bool isSetMask = true>                                                       \
    void Copy(const LocalTensor<T>& dst, const LocalTensor<T>& src, MASK, const TwinRepeat repeatTime, \
              const CopyRepeatParams& p, const twin::At& at = twin::At::here()) {                      \
        static_assert(sizeof(PrimT<T>) == 2 || sizeof(PrimT<T>) == 4, "Copy: 2- and 4-byte types");    \
        auto v = TwinUnary(twin::VecOp::kCopy, dst, src);                                              \
        TwinForm(v, isSetMask, mask, repeatTime);                                                      \
        v.dst_stride = {p.dstStride, p.dstRepeatSize};                                                 \
        v.src0_stride = {p.srcStride, p.srcRepeatSize};                                                \
        twin::vector(v, at.as("Copy"));                                                                \
    }
TWIN_COPY(const uint64_t mask[])
TWIN_COPY(const uint64_t mask)
#undef TWIN_COPY

// ------------------------------------------------------------------------------- fills
template <typename T>
constexpr bool TwinFillType = IsOneOf<T, half, bfloat16_t, int16_t, uint16_t, int32_t, uint32_t, float>;

#define TWIN_DUPLICATE(MASK)                                                                           \
    template <typename T, bool isSetMask = true>                                                       \
    void Duplicate(const LocalTensor<T>& dst, const T& scalarValue, MASK, const TwinRepeat repeatTime, \
                   const uint16_t dstBlockStride, const uint8_t dstRepeatStride,                       \
                   const twin::At& at = twin::At::here()) {                                            \
        static_assert(TwinFillType<T>, "Duplicate: element type not supported on dav-2201");           \
        auto v = TwinVector(twin::VecOp::kDuplicate, TwinType<T>, TwinType<T>, dst.Twin());            \
        v.scalar = TwinBits(scalarValue);                                                              \
        TwinForm(v, isSetMask, mask, repeatTime);                                                      \
        v.dst_stride = {dstBlockStride, dstRepeatStride};                                              \
        twin::vector(v, at.as("Duplicate"));                                                           \
    }
TWIN_DUPLICATE(uint64_t mask[])
TWIN_DUPLICATE(uint64_t mask)
#undef TWIN_DUPLICATE
template <typename T>
void Duplicate(const LocalTensor<T>& dst, const T& scalarValue, const int32_t& count,
               const twin::At& at = twin::At::here()) {
    static_assert(TwinFillType<T>, "Duplicate: element type not supported on dav-2201");
    auto v = TwinVector(twin::VecOp::kDuplicate, TwinType<T>, TwinType<T>, dst.Twin());
    v.scalar = TwinBits(scalarValue);
    TwinForm(v, count);
    twin::vector(v, at.as("Duplicate"));
}

#define TWIN_INDEX(MASK)                                                                                         \
    template <typename T>                                                                                        \
    void CreateVecIndex(LocalTensor<T>& dst, const T& firstValue, MASK, const TwinRepeat repeatTime,             \
                        uint16_t dstBlkStride, uint8_t dstRepStride, const twin::At& at = twin::At::here()) {    \
        static_assert((IsOneOf<T, half, int16_t, int32_t, float>), "CreateVecIndex: half, int16, int32, float"); \
        auto v = TwinVector(twin::VecOp::kCreateVecIndex, TwinType<T>, TwinType<T>, dst.Twin());                 \
        v.scalar = TwinBits(firstValue);                                                                         \
        TwinForm(v, true, mask, repeatTime);                                                                     \
        v.dst_stride = {dstBlkStride, dstRepStride};                                                             \
        twin::vector(v, at.as("CreateVecIndex"));                                                                \
    }
TWIN_INDEX(uint64_t mask[])
TWIN_INDEX(uint64_t mask)
#undef TWIN_INDEX
template <typename T>
void CreateVecIndex(LocalTensor<T> dst, const T& firstValue, uint32_t count, const twin::At& at = twin::At::here()) {
    static_assert((IsOneOf<T, half, int16_t, int32_t, float>), "CreateVecIndex: half, int16, int32, float");
    auto v = TwinVector(twin::VecOp::kCreateVecIndex, TwinType<T>, TwinType<T>, dst.Twin());
    v.scalar = TwinBits(firstValue);
    TwinForm(v, count);
    twin::vector(v, at.as("CreateVecIndex"));
}

}  // namespace AscendC
