// SPDX-License-Identifier: BSD-3-Clause
// Reductions. Argument order differs between the families, as in the vendor's headers.
#pragma once
#include "ascendc/rearrange.h"

namespace AscendC {

template <typename T>
twin::VectorArgs TwinReduce(twin::VecOp op, const LocalTensor<T>& dst, const LocalTensor<T>& src, int32_t dst_rep,
                            int32_t src_blk, int32_t src_rep) {
    static_assert((IsOneOf<T, half, float>), "reductions: half or float");
    auto v = TwinUnary(op, dst, src);
    v.dst_stride = {1, static_cast<uint32_t>(dst_rep)};
    v.src0_stride = {static_cast<uint32_t>(src_blk), static_cast<uint32_t>(src_rep)};
    return v;
}

// (dst, src, repeat, mask, ...)
#define TWIN_BLOCK_REDUCE(NAME, OP, MASK)                                                           \
    template <typename T, bool isSetMask = true>                                                    \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, const int32_t repeatTime, MASK, \
              const int32_t dstRepStride, const int32_t srcBlkStride, const int32_t srcRepStride,   \
              const twin::At& at = twin::At::here()) {                                              \
        auto v = TwinReduce(twin::VecOp::OP, dst, src, dstRepStride, srcBlkStride, srcRepStride);   \
        TwinForm(v, isSetMask, mask, static_cast<uint32_t>(repeatTime));                            \
        twin::vector(v, at.as(#NAME));                                                              \
    }
#define TWIN_BLOCK_REDUCES(NAME, OP)                                                                              \
    TWIN_BLOCK_REDUCE(NAME, OP, const uint64_t mask[])                                                            \
    template <typename T, bool isSetMask = true>                                                                  \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, const int32_t repeatTime, const int32_t mask, \
              const int32_t dstRepStride, const int32_t srcBlkStride, const int32_t srcRepStride,                 \
              const twin::At& at = twin::At::here()) {                                                            \
        auto v = TwinReduce(twin::VecOp::OP, dst, src, dstRepStride, srcBlkStride, srcRepStride);                 \
        TwinForm(v, isSetMask, static_cast<uint64_t>(mask), static_cast<uint32_t>(repeatTime));                   \
        twin::vector(v, at.as(#NAME));                                                                            \
    }
TWIN_BLOCK_REDUCES(BlockReduceSum, kBlockSum)
TWIN_BLOCK_REDUCES(BlockReduceMax, kBlockMax)
TWIN_BLOCK_REDUCES(BlockReduceMin, kBlockMin)
TWIN_BLOCK_REDUCES(PairReduceSum, kPairSum)
#undef TWIN_BLOCK_REDUCES
#undef TWIN_BLOCK_REDUCE

template <typename T, bool isSetMask = true>
void RepeatReduceSum(const LocalTensor<T>& dst, const LocalTensor<T>& src, const int32_t repeatTime, const int32_t mask,
                     const int32_t dstBlkStride, const int32_t srcBlkStride, const int32_t dstRepStride,
                     const int32_t srcRepStride, const twin::At& at = twin::At::here()) {
    (void)dstBlkStride;
    auto v = TwinReduce(twin::VecOp::kWholeSum, dst, src, dstRepStride, srcBlkStride, srcRepStride);
    TwinForm(v, isSetMask, static_cast<uint64_t>(mask), static_cast<uint32_t>(repeatTime));
    twin::vector(v, at.as("RepeatReduceSum"));
}

// (dst, src, mask, repeat, ...)
#define TWIN_WHOLE_SUM(MASK, MASK_VALUE)                                                                      \
    template <typename T, bool isSetMask = true>                                                              \
    void WholeReduceSum(const LocalTensor<T>& dst, const LocalTensor<T>& src, MASK, const int32_t repeatTime, \
                        const int32_t dstRepStride, const int32_t srcBlkStride, const int32_t srcRepStride,   \
                        const twin::At& at = twin::At::here()) {                                              \
        auto v = TwinReduce(twin::VecOp::kWholeSum, dst, src, dstRepStride, srcBlkStride, srcRepStride);      \
        TwinForm(v, isSetMask, MASK_VALUE, static_cast<uint32_t>(repeatTime));                                \
        twin::vector(v, at.as("WholeReduceSum"));                                                             \
    }
TWIN_WHOLE_SUM(const uint64_t mask[], mask)
TWIN_WHOLE_SUM(const int32_t mask, static_cast<uint64_t>(mask))
#undef TWIN_WHOLE_SUM
#define TWIN_WHOLE(NAME, OP, MASK, MASK_VALUE)                                                             \
    template <typename T, bool isSetMask = true>                                                           \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, MASK, const int32_t repeatTime,        \
              const int32_t dstRepStride, const int32_t srcBlkStride, const int32_t srcRepStride,          \
              ReduceOrder order = ReduceOrder::ORDER_VALUE_INDEX, const twin::At& at = twin::At::here()) { \
        auto v = TwinReduce(twin::VecOp::OP, dst, src, dstRepStride, srcBlkStride, srcRepStride);          \
        TwinForm(v, isSetMask, MASK_VALUE, static_cast<uint32_t>(repeatTime));                             \
        v.mode = static_cast<uint8_t>(order);                                                              \
        twin::vector(v, at.as(#NAME));                                                                     \
    }
TWIN_WHOLE(WholeReduceMax, kWholeMax, const uint64_t mask[], mask)
TWIN_WHOLE(WholeReduceMax, kWholeMax, const int32_t mask, static_cast<uint64_t>(mask))
TWIN_WHOLE(WholeReduceMin, kWholeMin, const uint64_t mask[], mask)
TWIN_WHOLE(WholeReduceMin, kWholeMin, const int32_t mask, static_cast<uint64_t>(mask))
#undef TWIN_WHOLE

// Newer names of the same instructions. MASK is a count of lanes or two mask words.
#define TWIN_REDUCE_NEW(MASK, AS_MASK)                                                                                \
    template <ReduceType type, typename T, typename U, bool isSetMask = true>                                         \
    void ReduceDataBlock(const LocalTensor<T>& dst, const LocalTensor<U>& src, MASK, const int32_t repeatTime,        \
                         const int32_t dstRepStride, const int32_t srcBlkStride, const int32_t srcRepStride,          \
                         const twin::At& at = twin::At::here()) {                                                     \
        static_assert(TwinSame<T, U>, "ReduceDataBlock: one element type");                                           \
        constexpr auto op = type == ReduceType::SUM   ? twin::VecOp::kBlockSum                                        \
                            : type == ReduceType::MAX ? twin::VecOp::kBlockMax                                        \
                                                      : twin::VecOp::kBlockMin;                                       \
        auto v = TwinReduce(op, dst, src, dstRepStride, srcBlkStride, srcRepStride);                                  \
        TwinForm(v, isSetMask, AS_MASK, static_cast<uint32_t>(repeatTime));                                           \
        twin::vector(v, at.as("ReduceDataBlock"));                                                                    \
    }                                                                                                                 \
    template <ReduceType type, typename T, typename U, bool isSetMask = true>                                         \
    void ReducePairElem(const LocalTensor<T>& dst, const LocalTensor<U>& src, MASK, const int32_t repeatTime,         \
                        const int32_t dstRepStride, const int32_t srcBlkStride, const int32_t srcRepStride,           \
                        const twin::At& at = twin::At::here()) {                                                      \
        static_assert(TwinSame<T, U> && type == ReduceType::SUM, "ReducePairElem: sums of one element type");         \
        PairReduceSum<T, isSetMask>(dst, src, repeatTime, mask, dstRepStride, srcBlkStride, srcRepStride, at);        \
    }                                                                                                                 \
    template <ReduceType type, typename T, typename U, bool isSetMask = true>                                         \
    void ReduceRepeat(const LocalTensor<T>& dst, const LocalTensor<U>& src, MASK, const int32_t repeatTime,           \
                      const int32_t dstRepStride, const int32_t srcBlkStride, const int32_t srcRepStride,             \
                      ReduceOrder order = ReduceOrder::ORDER_VALUE_INDEX, const twin::At& at = twin::At::here()) {    \
        static_assert(TwinSame<T, U>, "ReduceRepeat: one element type");                                              \
        if constexpr (type == ReduceType::SUM)                                                                        \
            WholeReduceSum<T, isSetMask>(dst, src, mask, repeatTime, dstRepStride, srcBlkStride, srcRepStride, at);   \
        else if constexpr (type == ReduceType::MAX)                                                                   \
            WholeReduceMax<T, isSetMask>(dst, src, mask, repeatTime, dstRepStride, srcBlkStride, srcRepStride, order, \
                                         at);                                                                         \
        else                                                                                                          \
            WholeReduceMin<T, isSetMask>(dst, src, mask, repeatTime, dstRepStride, srcBlkStride, srcRepStride, order, \
                                         at);                                                                         \
    }
TWIN_REDUCE_NEW(const int32_t mask, static_cast<uint64_t>(mask))
TWIN_REDUCE_NEW(const uint64_t mask[], mask)
#undef TWIN_REDUCE_NEW

/// Whole-tensor reductions (several instructions on the device, sharedTmpBuffer is their scratch).
#define TWIN_TENSOR_REDUCE_MASKED(NAME, OP, MASK, AS_MASK)                                                       \
    template <typename T>                                                                                        \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, const LocalTensor<T>& sharedTmpBuffer, MASK, \
              const int32_t repeatTime, const int32_t srcRepStride, bool calIndex = false,                       \
              const twin::At& at = twin::At::here()) {                                                           \
        auto v = TwinReduce(twin::VecOp::OP, dst, src, 1, 1, srcRepStride);                                      \
        v.src1 = sharedTmpBuffer.Twin();                                                                         \
        TwinForm(v, true, AS_MASK, static_cast<uint32_t>(repeatTime));                                           \
        v.mode = calIndex;                                                                                       \
        twin::vector(v, at.as(#NAME));                                                                           \
    }
#define TWIN_TENSOR_REDUCE(NAME, OP)                                                                       \
    template <typename T>                                                                                  \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, const LocalTensor<T>& sharedTmpBuffer, \
              const int32_t count, bool calIndex = false, const twin::At& at = twin::At::here()) {         \
        auto v = TwinReduce(twin::VecOp::OP, dst, src, 1, 1, 8);                                           \
        v.src1 = sharedTmpBuffer.Twin();                                                                   \
        TwinForm(v, count);                                                                                \
        v.mode = calIndex;                                                                                 \
        twin::vector(v, at.as(#NAME));                                                                     \
    }                                                                                                      \
    TWIN_TENSOR_REDUCE_MASKED(NAME, OP, const int32_t mask, static_cast<uint64_t>(mask))                   \
    TWIN_TENSOR_REDUCE_MASKED(NAME, OP, const uint64_t mask[], mask)
TWIN_TENSOR_REDUCE(ReduceMax, kTensorMax)
TWIN_TENSOR_REDUCE(ReduceMin, kTensorMin)
#undef TWIN_TENSOR_REDUCE
#undef TWIN_TENSOR_REDUCE_MASKED
template <typename T, bool isSetMask = true>
void ReduceSum(const LocalTensor<T>& dst, const LocalTensor<T>& src, const LocalTensor<T>& sharedTmpBuffer,
               const int32_t count, const twin::At& at = twin::At::here()) {
    auto v = TwinReduce(twin::VecOp::kTensorSum, dst, src, 1, 1, 8);
    v.src1 = sharedTmpBuffer.Twin();
    TwinForm(v, count);
    twin::vector(v, at.as("ReduceSum"));
}
#define TWIN_TENSOR_SUM_MASKED(MASK, AS_MASK)                                                                         \
    template <typename T>                                                                                             \
    void ReduceSum(const LocalTensor<T>& dst, const LocalTensor<T>& src, const LocalTensor<T>& sharedTmpBuffer, MASK, \
                   const int32_t repeatTime, const int32_t srcRepStride, const twin::At& at = twin::At::here()) {     \
        auto v = TwinReduce(twin::VecOp::kTensorSum, dst, src, 1, 1, srcRepStride);                                   \
        v.src1 = sharedTmpBuffer.Twin();                                                                              \
        TwinForm(v, true, AS_MASK, static_cast<uint32_t>(repeatTime));                                                \
        twin::vector(v, at.as("ReduceSum"));                                                                          \
    }
TWIN_TENSOR_SUM_MASKED(const int32_t mask, static_cast<uint64_t>(mask))
TWIN_TENSOR_SUM_MASKED(const uint64_t mask[], mask)
#undef TWIN_TENSOR_SUM_MASKED

// Registers the reductions leave behind. The value's and the index's bits come as type T.
template <typename T>
T TwinFromBits(uint64_t bits) {
    T value;
    std::memcpy(&value, &bits, sizeof(T));
    return value;
}
template <typename T>
T GetReduceRepeatSumSpr(const twin::At& at = twin::At::here()) {
    static_assert((IsOneOf<T, half, float>), "GetReduceRepeatSumSpr: half or float");
    return TwinFromBits<T>(twin::reduced_sum(at.as("GetReduceRepeatSumSpr")));
}
template <typename T>
void GetReduceRepeatMaxMinSpr(T& maxMinValue, T& maxMinIndex, const twin::At& at = twin::At::here()) {
    static_assert((IsOneOf<T, half, float>), "GetReduceRepeatMaxMinSpr: half or float");
    uint64_t value, index;
    twin::reduced_best(&value, &index, at.as("GetReduceRepeatMaxMinSpr"));
    maxMinValue = TwinFromBits<T>(value);
    maxMinIndex = TwinFromBits<T>(index);
}
template <typename T>
T GetAccVal(const twin::At& at = twin::At::here()) {
    return GetReduceRepeatSumSpr<T>(at);
}
template <typename T>
void GetReduceMaxMinCount(T& maxMinValue, T& maxMinIndex, const twin::At& at = twin::At::here()) {
    GetReduceRepeatMaxMinSpr<T>(maxMinValue, maxMinIndex, at);
}

#ifndef TWIN_HIGH_LEVEL
// High-level library forms: a matrix reduced along its rows (AR) or over them (RA), and broadcast of an axis. The row
// pitch is srcShape[1] rounded up to whole blocks.
namespace Pattern {
namespace Reduce {
struct R {};
struct A {};
struct AR {};
struct RA {};
}  // namespace Reduce
}  // namespace Pattern

#define TWIN_PATTERN_REDUCE(NAME, OP, ...)                                                                       \
    template <class T, class pattern, bool isReuseSource = false>                                                \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, const LocalTensor<uint8_t>&,                 \
              const uint32_t srcShape[], bool srcInnerPad, const twin::At& at = twin::At::here()) {              \
        static_assert((IsOneOf<pattern, Pattern::Reduce::RA, Pattern::Reduce::AR>), #NAME ": pattern AR or RA"); \
        static_assert((IsOneOf<T, __VA_ARGS__>), #NAME " by pattern: element type not supported on dav-2201");   \
        if (!srcInnerPad)                                                                                        \
            twin::report("illegal_parameter", #NAME ": srcInnerPad can only be true on dav-2201", at.as(#NAME)); \
        constexpr uint32_t per_block = 32 / sizeof(PrimT<T>);                                                    \
        auto v = TwinReduce(twin::VecOp::OP, dst, src, 1, 1, 8);                                                 \
        TwinForm(v, static_cast<int64_t>(srcShape[0]) * srcShape[1]);                                            \
        v.extra[0] = srcShape[0];                                                                                \
        v.extra[1] = srcShape[1];                                                                                \
        v.extra[2] = (srcShape[1] + per_block - 1) / per_block * per_block;                                      \
        v.extra[3] = std::is_same<pattern, Pattern::Reduce::AR>::value;                                          \
        twin::vector(v, at.as(#NAME " by pattern"));                                                             \
    }                                                                                                            \
    template <class T, class pattern, bool isReuseSource = false>                                                \
    void NAME(const LocalTensor<T>& dst, const LocalTensor<T>& src, const uint32_t srcShape[], bool srcInnerPad, \
              const twin::At& at = twin::At::here()) {                                                           \
        NAME<T, pattern, isReuseSource>(dst, src, LocalTensor<uint8_t>(), srcShape, srcInnerPad, at);            \
    }
TWIN_PATTERN_REDUCE(ReduceSum, kColumnSum, float)
TWIN_PATTERN_REDUCE(ReduceMax, kColumnMax, half, float)
TWIN_PATTERN_REDUCE(ReduceMin, kColumnMin, half, float)
#undef TWIN_PATTERN_REDUCE

template <typename T, int32_t dim, int32_t axis, bool isReuseSource = false>
void BroadCast(const LocalTensor<T>& dst, const LocalTensor<T>& src, const uint32_t dstShape[],
               const uint32_t srcShape[], const twin::At& at = twin::At::here()) {
    static_assert(dim == 1 || dim == 2, "BroadCast: one or two dimensions");
    auto v = TwinUnary(twin::VecOp::kBroadcast, dst, src);
    v.extra[0] = dim == 2 ? dstShape[0] : 1;
    v.extra[1] = dim == 2 ? dstShape[1] : dstShape[0];
    v.extra[2] = dim == 2 ? srcShape[0] : 1;
    v.extra[3] = dim == 2 ? srcShape[1] : srcShape[0];
    TwinForm(v, static_cast<int64_t>(v.extra[0]) * v.extra[1]);
    twin::vector(v, at.as("BroadCast"));
}
template <typename T, int32_t dim, int32_t axis, bool isReuseSource = false>
void BroadCast(const LocalTensor<T>& dst, const LocalTensor<T>& src, const uint32_t dstShape[],
               const uint32_t srcShape[], LocalTensor<uint8_t>&, const twin::At& at = twin::At::here()) {
    BroadCast<T, dim, axis, isReuseSource>(dst, src, dstShape, srcShape, at);
}

template <typename T, int32_t dim, int32_t axis, bool isReuseSource = false>
void Broadcast(const LocalTensor<T>& dst, const LocalTensor<T>& src, const uint32_t dstShape[],
               const uint32_t srcShape[], const twin::At& at = twin::At::here()) {
    BroadCast<T, dim, axis, isReuseSource>(dst, src, dstShape, srcShape, at);
}
template <typename T, int32_t dim, int32_t axis, bool isReuseSource = false>
void Broadcast(const LocalTensor<T>& dst, const LocalTensor<T>& src, const uint32_t dstShape[],
               const uint32_t srcShape[], LocalTensor<uint8_t>&, const twin::At& at = twin::At::here()) {
    BroadCast<T, dim, axis, isReuseSource>(dst, src, dstShape, srcShape, at);
}
#endif  // TWIN_HIGH_LEVEL

}  // namespace AscendC
