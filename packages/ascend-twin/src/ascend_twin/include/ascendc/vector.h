// SPDX-License-Identifier: BSD-3-Clause
// Vector instructions: arithmetic, casts, fills, mask registers; what every vector instruction is made of.
//
// Every instruction has three forms: a count of elements; lanes 0..mask-1 of each repeat; two mask words.
#pragma once
#include "ascendc/data_copy.h"

namespace AscendC {

/// A repeat count as the caller wrote it: the device's uint8_t would turn 256 into 0 without a word.
struct TwinRepeat {
    uint32_t value;
    template <typename N, typename = std::enable_if_t<std::is_integral<N>::value || std::is_enum<N>::value>>
    constexpr TwinRepeat(N times) : value(static_cast<uint32_t>(times)) {}
    operator uint32_t() const { return value; }
};

// ------------------------------------------------------------------------------- building the instruction
inline twin::VectorArgs TwinVector(twin::VecOp op, twin::DType dst_type, twin::DType src_type, const twin::Ref& dst) {
    twin::VectorArgs v;
    v.op = op;
    v.dst_type = dst_type;
    v.src_type = src_type;
    v.dst = dst;
    return v;
}
inline void TwinForm(twin::VectorArgs& v, bool set_mask, uint64_t mask, uint32_t repeat) {
    v.form = set_mask ? twin::MaskForm::kContiguous : twin::MaskForm::kKeep;
    v.mask_low = mask;
    v.repeat = repeat;
}
inline void TwinForm(twin::VectorArgs& v, bool set_mask, const uint64_t mask[], uint32_t repeat) {
    v.form = set_mask ? twin::MaskForm::kBits : twin::MaskForm::kKeep;
    if (set_mask) {
        v.mask_low = mask[0];
        v.mask_high = mask[1];
    }
    v.repeat = repeat;
}
inline void TwinForm(twin::VectorArgs& v, int64_t count) {
    v.form = twin::MaskForm::kCount;
    v.count = count < 0 ? ~0ull : static_cast<uint64_t>(count);
    const auto rep = [&](twin::DType type, twin::DType other) -> uint32_t {
        const auto size = [](twin::DType t) {
            switch (t) {
                case twin::DType::kInt8:
                case twin::DType::kUint8: return 1;
                case twin::DType::kHalf:
                case twin::DType::kBf16:
                case twin::DType::kInt16:
                case twin::DType::kUint16: return 2;
                case twin::DType::kInt64:
                case twin::DType::kUint64: return 8;
                case twin::DType::kInt4: return 0;
                default: return 4;
            }
        };
        const int mine = size(type), wide = mine > size(other) ? mine : size(other);
        return mine == 0 ? 8 * 1 / (2 * wide) : 8 * mine / wide;
    };
    v.dst_stride = {1, rep(v.dst_type, v.src_type)};
    v.src0_stride = v.src1_stride = {1, rep(v.src_type, v.dst_type)};
}
inline void TwinStrides(twin::VectorArgs& v, const UnaryRepeatParams& p) {
    v.dst_stride = {p.dstBlkStride, p.dstRepStride};
    v.src0_stride = {p.srcBlkStride, p.srcRepStride};
}
inline void TwinStrides(twin::VectorArgs& v, const BinaryRepeatParams& p) {
    v.dst_stride = {p.dstBlkStride, p.dstRepStride};
    v.src0_stride = {p.src0BlkStride, p.src0RepStride};
    v.src1_stride = {p.src1BlkStride, p.src1RepStride};
}
template <typename T, typename U>
twin::VectorArgs TwinBinary(twin::VecOp op, const LocalTensor<T>& dst, const LocalTensor<U>& a,
                            const LocalTensor<U>& b) {
    twin::VectorArgs v = TwinVector(op, TwinType<T>, TwinType<U>, dst.Twin());
    v.sources = 2;
    v.src0 = a.Twin();
    v.src1 = b.Twin();
    return v;
}
template <typename T, typename U>
twin::VectorArgs TwinUnary(twin::VecOp op, const LocalTensor<T>& dst, const LocalTensor<U>& src) {
    twin::VectorArgs v = TwinVector(op, TwinType<T>, TwinType<U>, dst.Twin());
    v.sources = 1;
    v.src0 = src.Twin();
    return v;
}

// ------------------------------------------------------------------------------- mask registers
inline void SetMaskNorm(const twin::At& at = twin::At::here()) { twin::set_mask_mode(false, at.as("SetMaskNorm")); }
inline void SetMaskCount(const twin::At& at = twin::At::here()) { twin::set_mask_mode(true, at.as("SetMaskCount")); }
inline void ResetMask(const twin::At& at = twin::At::here()) { twin::set_mask(~0ull, ~0ull, at.as("ResetMask")); }
template <typename T, MaskMode mode = MaskMode::NORMAL>
void SetVectorMask(const uint64_t high, const uint64_t low, const twin::At& at = twin::At::here()) {
    twin::set_mask(high, low, at.as("SetVectorMask"));
}
template <typename T, MaskMode mode = MaskMode::NORMAL>
void SetVectorMask(int32_t len, const twin::At& at = twin::At::here()) {
    if (mode == MaskMode::COUNTER)
        twin::set_mask(0, static_cast<uint32_t>(len), at.as("SetVectorMask"));
    else
        twin::set_mask_length(len, 256 / sizeof(PrimT<T>), at.as("SetVectorMask"));
}

// ------------------------------------------------------------------------------- two sources
#define TWIN_BINARY_AS(NAME, OP, CHECK)                                                                                \
    template <typename T, bool isSetMask = true>                                                                       \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src0, const LocalTensor<T>& src1, uint64_t mask[],      \
              const TwinRepeat repeatTime, const BinaryRepeatParams& p, const twin::At& at = twin::At::here()) {       \
        CHECK;                                                                                                         \
        auto v = TwinBinary(twin::VecOp::OP, dst, src0, src1);                                                         \
        TwinForm(v, isSetMask, mask, repeatTime);                                                                      \
        TwinStrides(v, p);                                                                                             \
        twin::vector(v, at.as(#NAME));                                                                                 \
    }                                                                                                                  \
    template <typename T, bool isSetMask = true>                                                                       \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src0, const LocalTensor<T>& src1, uint64_t mask,        \
              const TwinRepeat repeatTime, const BinaryRepeatParams& p, const twin::At& at = twin::At::here()) {       \
        CHECK;                                                                                                         \
        auto v = TwinBinary(twin::VecOp::OP, dst, src0, src1);                                                         \
        TwinForm(v, isSetMask, mask, repeatTime);                                                                      \
        TwinStrides(v, p);                                                                                             \
        twin::vector(v, at.as(#NAME));                                                                                 \
    }                                                                                                                  \
    template <typename T>                                                                                              \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src0, const LocalTensor<T>& src1, const int32_t& count, \
              const twin::At& at = twin::At::here()) {                                                                 \
        CHECK;                                                                                                         \
        auto v = TwinBinary(twin::VecOp::OP, dst, src0, src1);                                                         \
        TwinForm(v, count);                                                                                            \
        twin::vector(v, at.as(#NAME));                                                                                 \
    }
#define TWIN_BINARY(NAME, OP, ...) \
    TWIN_BINARY_AS(NAME, OP, static_assert((IsOneOf<T, __VA_ARGS__>), #NAME ": element type not supported on dav-2201"))
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
#undef TWIN_BINARY
#undef TWIN_BINARY_AS

/// dst += src0 * src1 (MulAddDst); dst type may be float over half sources.
#define TWIN_MIXED_BINARY(NAME, OP, CHECK)                                                                             \
    template <typename T, typename U, bool isSetMask = true>                                                           \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<U>& src0, const LocalTensor<U>& src1,                       \
              const uint64_t mask[], const TwinRepeat repeatTime, const BinaryRepeatParams& p,                         \
              const twin::At& at = twin::At::here()) {                                                                 \
        static_assert(CHECK, #NAME ": element types not supported on dav-2201");                                       \
        auto v = TwinBinary(twin::VecOp::OP, dst, src0, src1);                                                         \
        TwinForm(v, isSetMask, mask, repeatTime);                                                                      \
        TwinStrides(v, p);                                                                                             \
        twin::vector(v, at.as(#NAME));                                                                                 \
    }                                                                                                                  \
    template <typename T, typename U, bool isSetMask = true>                                                           \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<U>& src0, const LocalTensor<U>& src1, uint64_t mask,        \
              const TwinRepeat repeatTime, const BinaryRepeatParams& p, const twin::At& at = twin::At::here()) {       \
        static_assert(CHECK, #NAME ": element types not supported on dav-2201");                                       \
        auto v = TwinBinary(twin::VecOp::OP, dst, src0, src1);                                                         \
        TwinForm(v, isSetMask, mask, repeatTime);                                                                      \
        TwinStrides(v, p);                                                                                             \
        twin::vector(v, at.as(#NAME));                                                                                 \
    }                                                                                                                  \
    template <typename T, typename U>                                                                                  \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<U>& src0, const LocalTensor<U>& src1, const int32_t& count, \
              const twin::At& at = twin::At::here()) {                                                                 \
        static_assert(CHECK, #NAME ": element types not supported on dav-2201");                                       \
        auto v = TwinBinary(twin::VecOp::OP, dst, src0, src1);                                                         \
        TwinForm(v, count);                                                                                            \
        twin::vector(v, at.as(#NAME));                                                                                 \
    }
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

// ------------------------------------------------------------------------------- one source and a scalar
/// Only the tensor deduces T, so a scalar of another arithmetic type converts, as on the device.
template <typename T>
struct TwinIdentity {
    using Type = T;
};
#define TWIN_SCALAR(NAME, OP, ...)                                                                              \
    template <typename T, bool isSetMask = true>                                                                \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, const T& scalarValue, uint64_t mask[],      \
              const TwinRepeat repeatTime, const UnaryRepeatParams& p, const twin::At& at = twin::At::here()) { \
        static_assert((IsOneOf<T, __VA_ARGS__>), #NAME ": element type not supported on dav-2201");             \
        auto v = TwinUnary(twin::VecOp::OP, dst, src);                                                          \
        v.scalar = TwinBits(scalarValue);                                                                       \
        TwinForm(v, isSetMask, mask, repeatTime);                                                               \
        TwinStrides(v, p);                                                                                      \
        twin::vector(v, at.as(#NAME));                                                                          \
    }                                                                                                           \
    template <typename T, bool isSetMask = true>                                                                \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, const T& scalarValue, uint64_t mask,        \
              const TwinRepeat repeatTime, const UnaryRepeatParams& p, const twin::At& at = twin::At::here()) { \
        static_assert((IsOneOf<T, __VA_ARGS__>), #NAME ": element type not supported on dav-2201");             \
        auto v = TwinUnary(twin::VecOp::OP, dst, src);                                                          \
        v.scalar = TwinBits(scalarValue);                                                                       \
        TwinForm(v, isSetMask, mask, repeatTime);                                                               \
        TwinStrides(v, p);                                                                                      \
        twin::vector(v, at.as(#NAME));                                                                          \
    }                                                                                                           \
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

/// Source/destination pairs and rounding modes that exist (checked again with the mode at run time).
template <typename T, typename U>
constexpr bool TwinCastPair() {
    if (TwinSame<U, half>) return IsOneOf<T, float, int32_t, int16_t, int8_t, uint8_t, int4b_t>;
    if (TwinSame<U, float>) return IsOneOf<T, half, bfloat16_t, float, int16_t, int32_t, int64_t>;
    if (TwinSame<U, bfloat16_t>) return IsOneOf<T, float, int32_t>;
    if (TwinSame<U, int4b_t>) return TwinSame<T, half>;
    if (IsOneOf<U, int8_t, uint8_t>) return TwinSame<T, half>;
    if (TwinSame<U, int16_t>) return IsOneOf<T, half, float>;
    if (TwinSame<U, int32_t>) return IsOneOf<T, float, half, int16_t, int64_t>;
    if (TwinSame<U, int64_t>) return IsOneOf<T, int32_t, float>;
    return false;
}
template <typename T, typename U>
twin::VectorArgs TwinCast(const LocalTensor<T>& dst, const LocalTensor<U>& src, RoundMode mode) {
    static_assert(TwinCastPair<T, U>(), "Cast: this pair of types does not exist on dav-2201");
    auto v = TwinUnary(twin::VecOp::kCast, dst, src);
    v.round = static_cast<twin::Round>(static_cast<int>(mode) <= 6 ? static_cast<int>(mode) : 0);
    v.mode = static_cast<uint8_t>(mode);
    return v;
}
template <typename T, typename U, bool isSetMask = true>
void Cast(const LocalTensor<T>& dst, const LocalTensor<U>& src, const RoundMode& roundMode, const uint64_t mask[],
          const TwinRepeat repeatTime, const UnaryRepeatParams& p, const twin::At& at = twin::At::here()) {
    auto v = TwinCast(dst, src, roundMode);
    TwinForm(v, isSetMask, mask, repeatTime);
    TwinStrides(v, p);
    twin::vector(v, at.as("Cast"));
}
template <typename T, typename U, bool isSetMask = true>
void Cast(const LocalTensor<T>& dst, const LocalTensor<U>& src, const RoundMode& roundMode, const uint64_t mask,
          const TwinRepeat repeatTime, const UnaryRepeatParams& p, const twin::At& at = twin::At::here()) {
    auto v = TwinCast(dst, src, roundMode);
    TwinForm(v, isSetMask, mask, repeatTime);
    TwinStrides(v, p);
    twin::vector(v, at.as("Cast"));
}
template <typename T, typename U>
void Cast(const LocalTensor<T>& dst, const LocalTensor<U>& src, const RoundMode& roundMode, const uint32_t count,
          const twin::At& at = twin::At::here()) {
    auto v = TwinCast(dst, src, roundMode);
    TwinForm(v, count);
    twin::vector(v, at.as("Cast"));
}
// CastDequant: int16 -> 8 bits by the scales of SetDeqScale, int32 -> half.
constexpr int32_t VDEQ_TENSOR_SIZE = 16;
struct VdeqInfo {
    VdeqInfo() {}
    VdeqInfo(const float scale[VDEQ_TENSOR_SIZE], const int16_t offset[VDEQ_TENSOR_SIZE],
             const bool sign_mode[VDEQ_TENSOR_SIZE]) {
        for (int i = 0; i < VDEQ_TENSOR_SIZE; ++i) {
            vdeqScale[i] = scale[i];
            vdeqOffset[i] = offset[i];
            vdeqSignMode[i] = sign_mode[i];
        }
    }
    float vdeqScale[VDEQ_TENSOR_SIZE] = {0};
    int16_t vdeqOffset[VDEQ_TENSOR_SIZE] = {0};
    bool vdeqSignMode[VDEQ_TENSOR_SIZE] = {0};
};
inline uint64_t TwinDeqWord(float scale, int16_t offset, bool sign_mode) {
    return uint64_t(sign_mode) << 46 | uint64_t(offset & 0x1ff) << 37 | TwinBits(scale);
}
inline void SetDeqScale(float scale, int16_t offset, bool signMode, const twin::At& at = twin::At::here()) {
    twin::set_deq_config(TwinDeqWord(scale, offset, signMode));
    twin::scalar_note(at.as("SetDeqScale"));
}
/// Sixteen sets, written into `vdeq` by scalar code.
template <typename T>
void SetDeqScale(const LocalTensor<T>& vdeq, const VdeqInfo& info, const twin::At& at = twin::At::here()) {
    static_assert(sizeof(PrimT<T>) == 8, "SetDeqScale: a tensor of uint64_t");
    for (int i = 0; i < VDEQ_TENSOR_SIZE; ++i)
        vdeq.SetValue(i, TwinDeqWord(info.vdeqScale[i], info.vdeqOffset[i], info.vdeqSignMode[i]), at);
    twin::set_deq_table(vdeq.Twin());
}
template <typename T, typename U>
twin::VectorArgs TwinDequant(const LocalTensor<T>& dst, const LocalTensor<U>& src, bool table, bool upper) {
    static_assert((IsOneOf<T, int8_t, uint8_t> && TwinSame<U, int16_t>) || (TwinSame<T, half> && TwinSame<U, int32_t>),
                  "CastDequant: int16 to int8 or uint8, int32 to half");
    auto v = TwinUnary(TwinSame<T, half> ? twin::VecOp::kCast : twin::VecOp::kCastDequant, dst, src);
    v.extra[0] = table;
    v.extra[1] = upper;
    return v;
}
#define TWIN_DEQUANT(MASK, AS_MASK)                                                                           \
    template <typename T, typename U, bool isSetMask = true, bool isVecDeq = true, bool halfBlock = true>     \
    void CastDequant(const LocalTensor<T>& dst, const LocalTensor<U>& src, MASK, const TwinRepeat repeatTime, \
                     const UnaryRepeatParams& p, const twin::At& at = twin::At::here()) {                     \
        auto v = TwinDequant(dst, src, isVecDeq, halfBlock);                                                  \
        TwinForm(v, isSetMask, AS_MASK, repeatTime);                                                          \
        TwinStrides(v, p);                                                                                    \
        twin::vector(v, at.as("CastDequant"));                                                                \
    }                                                                                                         \
    template <typename T, typename U, bool isSetMask = true, bool isVecDeq = true, bool halfBlock = true>     \
    void CastDeq(const LocalTensor<T>& dst, const LocalTensor<U>& src, MASK, const TwinRepeat repeatTime,     \
                 const UnaryRepeatParams& p, const twin::At& at = twin::At::here()) {                         \
        CastDequant<T, U, isSetMask, isVecDeq, halfBlock>(dst, src, mask, repeatTime, p, at);                 \
    }
TWIN_DEQUANT(const uint64_t mask[], mask)
TWIN_DEQUANT(const int32_t mask, static_cast<uint64_t>(mask))
#undef TWIN_DEQUANT
template <typename T, typename U, bool isVecDeq = true, bool halfBlock = true>
void CastDequant(const LocalTensor<T>& dst, const LocalTensor<U>& src, const uint32_t count,
                 const twin::At& at = twin::At::here()) {
    auto v = TwinDequant(dst, src, isVecDeq, halfBlock);
    TwinForm(v, count);
    if (sizeof(PrimT<T>) == 1) v.dst_stride = {1, 8};  // half a block of results for each block
    twin::vector(v, at.as("CastDequant"));
}
template <typename T, typename U, bool isVecDeq = true, bool halfBlock = true>
void CastDeq(const LocalTensor<T>& dst, const LocalTensor<U>& src, const uint32_t count,
             const twin::At& at = twin::At::here()) {
    CastDequant<T, U, isVecDeq, halfBlock>(dst, src, count, at);
}
inline void SetDeqScale(half scale, const twin::At& at = twin::At::here()) {
    twin::set_deq_scale(static_cast<float>(scale));
    twin::scalar_note(at.as("SetDeqScale"));
}

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
