// SPDX-License-Identifier: BSD-3-Clause
// Vector arithmetic: two sources, a source and a scalar, one source. Every instruction has the forms of vector.h.
#pragma once
#include "ascendc/vector.h"

namespace AscendC {

// ------------------------------------------------------------------------------- two sources
#define TWIN_LIST(...) __VA_ARGS__
/// S: type of the sources; TYPES: template parameters, in parentheses.
#define TWIN_BINARY_MASKED(NAME, OP, S, TYPES, MASK, CHECK)                                                      \
    template <TWIN_LIST TYPES, bool isSetMask = true>                                                            \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<S>& src0, const LocalTensor<S>& src1, MASK,           \
              const TwinRepeat repeatTime, const BinaryRepeatParams& p, const twin::At& at = twin::At::here()) { \
        static_assert(CHECK, #NAME ": element type not supported on dav-2201");                                  \
        auto v = TwinBinary(twin::VecOp::OP, dst, src0, src1);                                                   \
        TwinForm(v, isSetMask, mask, repeatTime);                                                                \
        TwinStrides(v, p);                                                                                       \
        twin::vector(v, at.as(#NAME));                                                                           \
    }
#define TWIN_BINARY_FORMS(NAME, OP, S, TYPES, WORD, CHECK)                                                             \
    TWIN_BINARY_MASKED(NAME, OP, S, TYPES, WORD mask[], CHECK)                                                         \
    TWIN_BINARY_MASKED(NAME, OP, S, TYPES, uint64_t mask, CHECK)                                                       \
    template <TWIN_LIST TYPES>                                                                                         \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<S>& src0, const LocalTensor<S>& src1, const int32_t& count, \
              const twin::At& at = twin::At::here()) {                                                                 \
        static_assert(CHECK, #NAME ": element type not supported on dav-2201");                                        \
        auto v = TwinBinary(twin::VecOp::OP, dst, src0, src1);                                                         \
        TwinForm(v, count);                                                                                            \
        twin::vector(v, at.as(#NAME));                                                                                 \
    }
#define TWIN_BINARY(NAME, OP, ...) TWIN_BINARY_FORMS(NAME, OP, T, (typename T), uint64_t, (IsOneOf<T, __VA_ARGS__>))
#define TWIN_MIXED_BINARY(NAME, OP, CHECK) \
    TWIN_BINARY_FORMS(NAME, OP, U, (typename T, typename U), const uint64_t, CHECK)
TWIN_BINARY(Add, kAdd, half, float, int16_t, int32_t)
TWIN_BINARY(Sub, kSub, half, float, int16_t, int32_t)
TWIN_BINARY(Mul, kMul, half, float, int16_t, int32_t)
TWIN_BINARY(Max, kMax, half, float, int16_t, int32_t)
TWIN_BINARY(Min, kMin, half, float, int16_t, int32_t)
TWIN_BINARY(Div, kDiv, half, float)
TWIN_BINARY(And, kAnd, int16_t, uint16_t)
TWIN_BINARY(Or, kOr, int16_t, uint16_t)
TWIN_BINARY(AddRelu, kAddRelu, half, float, int16_t)
TWIN_BINARY(SubRelu, kSubRelu, half, float, int16_t)
TWIN_BINARY(FusedMulAdd, kFusedMulAdd, half, float)
TWIN_BINARY(MulAddRelu, kFusedMulAddRelu, half, float)
TWIN_BINARY(FusedMulAddRelu, kFusedMulAddRelu, half, float)

/// dst += src0 * src1; dst may be float over half sources.
TWIN_MIXED_BINARY(MulAddDst, kMulAddDst,
                  ((TwinSame<T, U> && IsOneOf<T, half, float>) || (TwinSame<T, float> && TwinSame<U, half>)))
TWIN_MIXED_BINARY(MulCast, kMulCast, (IsOneOf<T, int8_t, uint8_t> && TwinSame<U, half>))
/// Casts the positive part of a sum or difference.
TWIN_MIXED_BINARY(AddReluCast, kAddReluCast,
                  ((TwinSame<T, int8_t> && IsOneOf<U, half, int16_t>) || (TwinSame<T, half> && TwinSame<U, float>)))
TWIN_MIXED_BINARY(SubReluCast, kSubReluCast,
                  ((TwinSame<T, int8_t> && IsOneOf<U, half, int16_t>) || (TwinSame<T, half> && TwinSame<U, float>)))
TWIN_MIXED_BINARY(AddDeqRelu, kAddDeqRelu, (TwinSame<T, half> && TwinSame<U, int32_t>))
#undef TWIN_MIXED_BINARY
#undef TWIN_BINARY
#undef TWIN_BINARY_FORMS
#undef TWIN_BINARY_MASKED

// ------------------------------------------------------------------------------- one source and a scalar
/// Only the tensor deduces T, so a scalar of another arithmetic type converts, as on the device.
template <typename T>
struct TwinIdentity {
    using Type = T;
};
#define TWIN_SCALAR_MASKED(NAME, OP, MASK, ...)                                                                 \
    template <typename T, bool isSetMask = true>                                                                \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, const T& scalarValue, MASK,                 \
              const TwinRepeat repeatTime, const UnaryRepeatParams& p, const twin::At& at = twin::At::here()) { \
        static_assert((IsOneOf<T, __VA_ARGS__>), #NAME ": element type not supported on dav-2201");             \
        auto v = TwinUnary(twin::VecOp::OP, dst, src);                                                          \
        v.scalar = TwinBits(scalarValue);                                                                       \
        TwinForm(v, isSetMask, mask, repeatTime);                                                               \
        TwinStrides(v, p);                                                                                      \
        twin::vector(v, at.as(#NAME));                                                                          \
    }
#define TWIN_SCALAR(NAME, OP, ...)                                                                              \
    TWIN_SCALAR_MASKED(NAME, OP, uint64_t mask[], __VA_ARGS__)                                                  \
    TWIN_SCALAR_MASKED(NAME, OP, uint64_t mask, __VA_ARGS__)                                                    \
    template <typename T, bool isSetMask = true>                                                                \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, const T& scalarValue, const int32_t& count, \
              const twin::At& at = twin::At::here()) {                                                          \
        static_assert((IsOneOf<T, __VA_ARGS__>), #NAME ": element type not supported on dav-2201");             \
        auto v = TwinUnary(twin::VecOp::OP, dst, src);                                                          \
        v.scalar = TwinBits(scalarValue);                                                                       \
        TwinForm(v, count);                                                                                     \
        twin::vector(v, at.as(#NAME));                                                                          \
    }
TWIN_SCALAR(Adds, kAdds, half, float, int16_t, int32_t)
TWIN_SCALAR(Muls, kMuls, half, float, int16_t, int32_t)
TWIN_SCALAR(Maxs, kMaxs, half, float, int16_t, int32_t)
TWIN_SCALAR(Mins, kMins, half, float, int16_t, int32_t)
TWIN_SCALAR(LeakyRelu, kLeakyRelu, half, float)
TWIN_SCALAR(ShiftLeft, kShiftLeft, int16_t, uint16_t, int32_t, uint32_t)
#undef TWIN_SCALAR
#undef TWIN_SCALAR_MASKED

#define TWIN_SHIFT_RIGHT(MASK)                                                                                    \
    template <typename T, bool isSetMask = true>                                                                  \
    void ShiftRight(const LocalTensor<T>& dst, const LocalTensor<T>& src, const T& scalarValue, MASK,             \
                    const TwinRepeat repeatTime, const UnaryRepeatParams& p, bool roundEn = false,                \
                    const twin::At& at = twin::At::here()) {                                                      \
        static_assert((IsOneOf<T, int16_t, uint16_t, int32_t, uint32_t>), "ShiftRight: 16- and 32-bit integers"); \
        auto v = TwinUnary(twin::VecOp::kShiftRight, dst, src);                                                   \
        v.scalar = TwinBits(scalarValue);                                                                         \
        v.mode = roundEn;                                                                                         \
        TwinForm(v, isSetMask, mask, repeatTime);                                                                 \
        TwinStrides(v, p);                                                                                        \
        twin::vector(v, at.as("ShiftRight"));                                                                     \
    }
TWIN_SHIFT_RIGHT(uint64_t mask[])
TWIN_SHIFT_RIGHT(uint64_t mask)
#undef TWIN_SHIFT_RIGHT
template <typename T, bool isSetMask = true>
void ShiftRight(const LocalTensor<T>& dst, const LocalTensor<T>& src, const T& scalarValue, const int32_t& count,
                const twin::At& at = twin::At::here()) {
    static_assert((IsOneOf<T, int16_t, uint16_t, int32_t, uint32_t>), "ShiftRight: 16- and 32-bit integers");
    auto v = TwinUnary(twin::VecOp::kShiftRight, dst, src);
    v.scalar = TwinBits(scalarValue);
    TwinForm(v, count);
    twin::vector(v, at.as("ShiftRight"));
}

/// dst += src * scalar.
#define TWIN_AXPY(MASK)                                                                                         \
    template <typename T, typename U, bool isSetMask = true>                                                    \
    void Axpy(const LocalTensor<T>& dst, const LocalTensor<U>& src, const U& scalarValue, MASK,                 \
              const TwinRepeat repeatTime, const UnaryRepeatParams& p, const twin::At& at = twin::At::here()) { \
        static_assert((TwinSame<T, U> && IsOneOf<T, half, float>) || (TwinSame<T, float> && TwinSame<U, half>), \
                      "Axpy: (half, half), (float, float) or (float, half)");                                   \
        auto v = TwinUnary(twin::VecOp::kAxpy, dst, src);                                                       \
        v.scalar = TwinBits(scalarValue);                                                                       \
        TwinForm(v, isSetMask, mask, repeatTime);                                                               \
        TwinStrides(v, p);                                                                                      \
        twin::vector(v, at.as("Axpy"));                                                                         \
    }
TWIN_AXPY(uint64_t mask[])
TWIN_AXPY(const uint64_t mask)
#undef TWIN_AXPY
template <typename T, typename U>
void Axpy(const LocalTensor<T>& dst, const LocalTensor<U>& src, const U& scalarValue, const int32_t& count,
          const twin::At& at = twin::At::here()) {
    static_assert((TwinSame<T, U> && IsOneOf<T, half, float>) || (TwinSame<T, float> && TwinSame<U, half>),
                  "Axpy: (half, half), (float, float) or (float, half)");
    auto v = TwinUnary(twin::VecOp::kAxpy, dst, src);
    v.scalar = TwinBits(scalarValue);
    TwinForm(v, count);
    twin::vector(v, at.as("Axpy"));
}

/// With the scalar's type as a template argument of its own: the element type behind a trait. M: lanes or two words.
#define TWIN_TRAIT_SCALAR(NAME)                                                                                 \
    template <typename T, typename U, bool isSetMask = true, typename M,                                        \
              typename = std::enable_if_t<std::is_same<PrimT<T>, U>::value>>                                    \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, const U& scalarValue, M mask,               \
              const TwinRepeat repeatTime, const UnaryRepeatParams& p, const twin::At& at = twin::At::here()) { \
        NAME<U, isSetMask>(dst.TwinPlain(), src.TwinPlain(), scalarValue, mask, repeatTime, p, at);             \
    }                                                                                                           \
    template <typename T, typename U, bool isSetMask = true,                                                    \
              typename = std::enable_if_t<std::is_same<PrimT<T>, U>::value>>                                    \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, const U& scalarValue, const int32_t& count, \
              const twin::At& at = twin::At::here()) {                                                          \
        NAME<U>(dst.TwinPlain(), src.TwinPlain(), scalarValue, count, at);                                      \
    }
TWIN_TRAIT_SCALAR(Adds)
TWIN_TRAIT_SCALAR(Muls)
TWIN_TRAIT_SCALAR(Maxs)
TWIN_TRAIT_SCALAR(Mins)
TWIN_TRAIT_SCALAR(LeakyRelu)
TWIN_TRAIT_SCALAR(ShiftLeft)
TWIN_TRAIT_SCALAR(ShiftRight)
#undef TWIN_TRAIT_SCALAR

// ------------------------------------------------------------------------------- one source
#define TWIN_UNARY_FORM(NAME, OP, MASK, ...)                                                           \
    template <typename T, bool isSetMask = true>                                                       \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, MASK, const TwinRepeat repeatTime, \
              const UnaryRepeatParams& p, const twin::At& at = twin::At::here()) {                     \
        static_assert((IsOneOf<T, __VA_ARGS__>), #NAME ": element type not supported on dav-2201");    \
        auto v = TwinUnary(twin::VecOp::OP, dst, src);                                                 \
        TwinForm(v, isSetMask, mask, repeatTime);                                                      \
        TwinStrides(v, p);                                                                             \
        twin::vector(v, at.as(#NAME));                                                                 \
    }
#define TWIN_UNARY(NAME, OP, ...)                                                                   \
    TWIN_UNARY_FORM(NAME, OP, uint64_t mask[], __VA_ARGS__)                                         \
    TWIN_UNARY_FORM(NAME, OP, uint64_t mask, __VA_ARGS__)                                           \
    template <typename T>                                                                           \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, const int32_t& count,           \
              const twin::At& at = twin::At::here()) {                                              \
        static_assert((IsOneOf<T, __VA_ARGS__>), #NAME ": element type not supported on dav-2201"); \
        auto v = TwinUnary(twin::VecOp::OP, dst, src);                                              \
        TwinForm(v, count);                                                                         \
        twin::vector(v, at.as(#NAME));                                                              \
    }
TWIN_UNARY(Exp, kExp, half, float)
TWIN_UNARY(Ln, kLn, half, float)
TWIN_UNARY(Abs, kAbs, half, float)
TWIN_UNARY(Sqrt, kSqrt, half, float)
TWIN_UNARY(Rsqrt, kRsqrt, half, float)
TWIN_UNARY(Reciprocal, kReciprocal, half, float)
TWIN_UNARY(Relu, kRelu, half, float, int32_t)
TWIN_UNARY(Not, kNot, int16_t, uint16_t)
#undef TWIN_UNARY
#undef TWIN_UNARY_FORM

}  // namespace AscendC
