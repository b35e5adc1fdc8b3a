// SPDX-License-Identifier: BSD-3-Clause
// The vector functions as values: with the vendor's signatures, for sources that hand them to others
// (`apply(x, Sub<float>)`, `Fold<Add<T, false>>`). The builder leads such uses here (ascend_twin/preprocess.py);
// functions that are called are those of vector.h, which know their caller.
#pragma once
#include "ascendc/rearrange.h"

namespace AscendC {
namespace TwinPlain {

#define TWIN_BINARY(NAME)                                                                                         \
    template <typename T, bool isSetMask = true>                                                                  \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src0, const LocalTensor<T>& src1, uint64_t mask[], \
              const uint8_t repeatTime, const BinaryRepeatParams& p) {                                            \
        AscendC::NAME<T, isSetMask>(dst, src0, src1, mask, repeatTime, p);                                        \
    }                                                                                                             \
    template <typename T, bool isSetMask = true>                                                                  \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src0, const LocalTensor<T>& src1, uint64_t mask,   \
              const uint8_t repeatTime, const BinaryRepeatParams& p) {                                            \
        AscendC::NAME<T, isSetMask>(dst, src0, src1, mask, repeatTime, p);                                        \
    }                                                                                                             \
    template <typename T>                                                                                         \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src0, const LocalTensor<T>& src1,                  \
              const int32_t& count) {                                                                             \
        AscendC::NAME<T>(dst, src0, src1, count);                                                                 \
    }
TWIN_BINARY(Add)
TWIN_BINARY(Sub)
TWIN_BINARY(Mul)
TWIN_BINARY(Div)
TWIN_BINARY(Max)
TWIN_BINARY(Min)
TWIN_BINARY(And)
TWIN_BINARY(Or)
#undef TWIN_BINARY

#define TWIN_UNARY(NAME)                                                                                       \
    template <typename T, bool isSetMask = true>                                                               \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, uint64_t mask[], const uint8_t repeatTime, \
              const UnaryRepeatParams& p) {                                                                    \
        AscendC::NAME<T, isSetMask>(dst, src, mask, repeatTime, p);                                            \
    }                                                                                                          \
    template <typename T, bool isSetMask = true>                                                               \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, uint64_t mask, const uint8_t repeatTime,   \
              const UnaryRepeatParams& p) {                                                                    \
        AscendC::NAME<T, isSetMask>(dst, src, mask, repeatTime, p);                                            \
    }                                                                                                          \
    template <typename T>                                                                                      \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, const int32_t& count) {                    \
        AscendC::NAME<T>(dst, src, count);                                                                     \
    }
TWIN_UNARY(Exp)
TWIN_UNARY(Ln)
TWIN_UNARY(Abs)
TWIN_UNARY(Sqrt)
TWIN_UNARY(Rsqrt)
TWIN_UNARY(Reciprocal)
TWIN_UNARY(Relu)
TWIN_UNARY(Not)
#undef TWIN_UNARY

#define TWIN_SCALAR(NAME)                                                                                    \
    template <typename T, bool isSetMask = true>                                                             \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, const T& scalar, uint64_t mask[],        \
              const uint8_t repeatTime, const UnaryRepeatParams& p) {                                        \
        AscendC::NAME<T, isSetMask>(dst, src, scalar, mask, repeatTime, p);                                  \
    }                                                                                                        \
    template <typename T, bool isSetMask = true>                                                             \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, const T& scalar, uint64_t mask,          \
              const uint8_t repeatTime, const UnaryRepeatParams& p) {                                        \
        AscendC::NAME<T, isSetMask>(dst, src, scalar, mask, repeatTime, p);                                  \
    }                                                                                                        \
    template <typename T, bool isSetMask = true>                                                             \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, const T& scalar, const int32_t& count) { \
        AscendC::NAME<T>(dst, src, scalar, count);                                                           \
    }
TWIN_SCALAR(Adds)
TWIN_SCALAR(Muls)
TWIN_SCALAR(Maxs)
TWIN_SCALAR(Mins)
TWIN_SCALAR(LeakyRelu)
#undef TWIN_SCALAR

}  // namespace TwinPlain
}  // namespace AscendC
