// SPDX-License-Identifier: BSD-3-Clause
// Cast, CastDequant and their scales.
#pragma once
#include "ascendc/vector.h"

namespace AscendC {

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

}  // namespace AscendC
