// SPDX-License-Identifier: BSD-3-Clause
// Compare and select: lanes against lanes or a scalar to bits, and bits to a choice of lanes.
#pragma once
#include "ascendc/vector.h"

namespace AscendC {

template <typename T, typename U>
twin::VectorArgs TwinCompare(const LocalTensor<U>& dst, const LocalTensor<T>& src0, CMPMODE mode) {
    static_assert((IsOneOf<U, int8_t, uint8_t>), "Compare: the result is packed bits, int8 or uint8");
    static_assert((IsOneOf<T, half, float, int32_t>), "Compare: half, float, or int32 with EQ");
    auto v = TwinVector(twin::VecOp::kCompare, TwinType<U>, TwinType<T>, dst.Twin());
    v.mode = static_cast<uint8_t>(mode);
    v.sources = 1;
    v.src0 = src0.Twin();
    return v;
}
#define TWIN_COMPARE(MASK)                                                                                           \
    template <typename T, typename U, bool isSetMask = true>                                                         \
    void Compare(const LocalTensor<U>& dst, const LocalTensor<T>& src0, const LocalTensor<T>& src1, CMPMODE cmpMode, \
                 MASK, const TwinRepeat repeatTime, const BinaryRepeatParams& p,                                     \
                 const twin::At& at = twin::At::here()) {                                                            \
        auto v = TwinCompare(dst, src0, cmpMode);                                                                    \
        v.sources = 2;                                                                                               \
        v.src1 = src1.Twin();                                                                                        \
        TwinForm(v, false, mask, repeatTime);                                                                        \
        TwinStrides(v, p);                                                                                           \
        twin::vector(v, at.as("Compare"));                                                                           \
    }                                                                                                                \
    template <typename T, bool isSetMask = true>                                                                     \
    void Compare(const LocalTensor<T>& src0, const LocalTensor<T>& src1, CMPMODE cmpMode, MASK,                      \
                 const BinaryRepeatParams& p, const twin::At& at = twin::At::here()) {                               \
        auto v = TwinBinary(twin::VecOp::kCompareToSpr, src0, src0, src1);                                           \
        v.mode = static_cast<uint8_t>(cmpMode);                                                                      \
        TwinForm(v, isSetMask, mask, 1);                                                                             \
        TwinStrides(v, p);                                                                                           \
        twin::vector(v, at.as("Compare"));                                                                           \
    }
TWIN_COMPARE(const uint64_t mask[])
TWIN_COMPARE(const uint64_t mask)
#undef TWIN_COMPARE
template <typename T, typename U>
void Compare(const LocalTensor<U>& dst, const LocalTensor<T>& src0, const LocalTensor<T>& src1, CMPMODE cmpMode,
             uint32_t count, const twin::At& at = twin::At::here()) {
    auto v = TwinCompare(dst, src0, cmpMode);
    v.sources = 2;
    v.src1 = src1.Twin();
    TwinForm(v, count);
    v.dst_stride = {1, 8};
    v.src0_stride = v.src1_stride = {1, 8};
    twin::vector(v, at.as("Compare"));
}
#define TWIN_COMPARES_MASKED(NAME, MASK)                                                                        \
    template <typename T, typename U, bool isSetMask = true>                                                    \
    void NAME(const LocalTensor<U>& dst, const LocalTensor<T>& src0, const T src1Scalar, CMPMODE cmpMode, MASK, \
              const TwinRepeat repeatTime, const UnaryRepeatParams& p, const twin::At& at = twin::At::here()) { \
        auto v = TwinCompare(dst, src0, cmpMode);                                                               \
        v.op = twin::VecOp::kCompareScalar;                                                                     \
        v.scalar = TwinBits(src1Scalar);                                                                        \
        TwinForm(v, false, mask, repeatTime);                                                                   \
        TwinStrides(v, p);                                                                                      \
        twin::vector(v, at.as(#NAME));                                                                          \
    }
#define TWIN_COMPARES(NAME)                                                                               \
    TWIN_COMPARES_MASKED(NAME, const uint64_t mask[])                                                     \
    TWIN_COMPARES_MASKED(NAME, const uint64_t mask)                                                       \
    template <typename T, typename U>                                                                     \
    void NAME(const LocalTensor<U>& dst, const LocalTensor<T>& src0, const T src1Scalar, CMPMODE cmpMode, \
              uint32_t count, const twin::At& at = twin::At::here()) {                                    \
        auto v = TwinCompare(dst, src0, cmpMode);                                                         \
        v.op = twin::VecOp::kCompareScalar;                                                               \
        v.scalar = TwinBits(src1Scalar);                                                                  \
        TwinForm(v, count);                                                                               \
        v.dst_stride = v.src0_stride = {1, 8};                                                            \
        twin::vector(v, at.as(#NAME));                                                                    \
    }
TWIN_COMPARES(Compares)
TWIN_COMPARES(CompareScalar)
#undef TWIN_COMPARES
#undef TWIN_COMPARES_MASKED
template <typename T>
void GetCmpMask(const LocalTensor<T>& dst, const twin::At& at = twin::At::here()) {
    twin::vector(TwinVector(twin::VecOp::kGetCmpMask, twin::DType::kUint8, twin::DType::kUint8, dst.Twin()),
                 at.as("GetCmpMask"));
}
template <typename T>
void SetCmpMask(const LocalTensor<T>& src, const twin::At& at = twin::At::here()) {
    auto v = TwinVector(twin::VecOp::kSetCmpMask, twin::DType::kUint8, twin::DType::kUint8, src.Twin());
    v.src0 = src.Twin();
    v.sources = 1;
    twin::vector(v, at.as("SetCmpMask"));
}

/// extra[0]: UB offset of the packed condition bits; extra[1]: the condition comes from the register of SetCmpMask.
template <typename T, typename U>
twin::VectorArgs TwinSelect(const LocalTensor<T>& dst, const LocalTensor<U>& selMask, const LocalTensor<T>& src0,
                            SELMODE mode) {
    static_assert((IsOneOf<T, half, float>), "Select: half or float");
    auto v = TwinUnary(twin::VecOp::kSelect, dst, src0);
    v.mode = static_cast<uint8_t>(mode);
    v.extra[0] = static_cast<uint32_t>(selMask.Twin().address);
    return v;
}
#define TWIN_SELECT(MASK)                                                                                     \
    template <typename T, typename U, bool isSetMask = true>                                                  \
    void Select(const LocalTensor<T>& dst, const LocalTensor<U>& selMask, const LocalTensor<T>& src0,         \
                const LocalTensor<T>& src1, SELMODE selMode, MASK, const TwinRepeat repeatTime,               \
                const BinaryRepeatParams& p, const twin::At& at = twin::At::here()) {                         \
        auto v = TwinSelect(dst, selMask, src0, selMode);                                                     \
        v.sources = 2;                                                                                        \
        v.src1 = src1.Twin();                                                                                 \
        TwinForm(v, isSetMask, mask, repeatTime);                                                             \
        TwinStrides(v, p);                                                                                    \
        twin::vector(v, at.as("Select"));                                                                     \
    }                                                                                                         \
    template <typename T, typename U, bool isSetMask = true>                                                  \
    void Select(const LocalTensor<T>& dst, const LocalTensor<U>& selMask, const LocalTensor<T>& src0, T src1, \
                SELMODE selMode, MASK, const TwinRepeat repeatTime, const BinaryRepeatParams& p,              \
                const twin::At& at = twin::At::here()) {                                                      \
        auto v = TwinSelect(dst, selMask, src0, selMode);                                                     \
        v.op = twin::VecOp::kSelectScalar;                                                                    \
        v.scalar = TwinBits(src1);                                                                            \
        TwinForm(v, isSetMask, mask, repeatTime);                                                             \
        TwinStrides(v, p);                                                                                    \
        twin::vector(v, at.as("Select"));                                                                     \
    }
TWIN_SELECT(uint64_t mask[])
TWIN_SELECT(uint64_t mask)
#undef TWIN_SELECT
template <typename T, typename U>
void Select(const LocalTensor<T>& dst, const LocalTensor<U>& selMask, const LocalTensor<T>& src0,
            const LocalTensor<T>& src1, SELMODE selMode, uint32_t count, const twin::At& at = twin::At::here()) {
    auto v = TwinSelect(dst, selMask, src0, selMode);
    v.sources = 2;
    v.src1 = src1.Twin();
    TwinForm(v, count);
    twin::vector(v, at.as("Select"));
}
template <typename T, typename U>
void Select(const LocalTensor<T>& dst, const LocalTensor<U>& selMask, const LocalTensor<T>& src0, T src1,
            SELMODE selMode, uint32_t count, const twin::At& at = twin::At::here()) {
    auto v = TwinSelect(dst, selMask, src0, selMode);
    v.op = twin::VecOp::kSelectScalar;
    v.scalar = TwinBits(src1);
    TwinForm(v, count);
    twin::vector(v, at.as("Select"));
}

/// Without mask arguments: lanes by SetVectorMask, condition by SetCmpMask (mode 0: its bits; mode 2: the UB address of
/// the bits; mode 1: the scalar).
template <typename T, SELMODE selMode>
void Select(const LocalTensor<T>& dst, const LocalTensor<T>& src0, const LocalTensor<T>& src1,
            const TwinRepeat repeatTime, const BinaryRepeatParams& p, const twin::At& at = twin::At::here()) {
    static_assert(selMode != SELMODE::VSEL_TENSOR_SCALAR_MODE, "Select: mode 1 takes selMask and one source");
    auto v = TwinSelect(dst, dst, src0, selMode);
    v.sources = 2;
    v.src1 = src1.Twin();
    v.extra[1] = 1;
    TwinForm(v, false, uint64_t(0), repeatTime);
    TwinStrides(v, p);
    twin::vector(v, at.as("Select"));
}
template <typename T, typename U>
void Select(const LocalTensor<T>& dst, const LocalTensor<U>& selMask, const LocalTensor<T>& src0,
            const TwinRepeat repeatTime, const BinaryRepeatParams& p, const twin::At& at = twin::At::here()) {
    auto v = TwinSelect(dst, selMask, src0, SELMODE::VSEL_TENSOR_SCALAR_MODE);
    v.op = twin::VecOp::kSelectScalar;
    v.extra[1] = 1;
    TwinForm(v, false, uint64_t(0), repeatTime);
    TwinStrides(v, p);
    twin::vector(v, at.as("Select"));
}

}  // namespace AscendC
