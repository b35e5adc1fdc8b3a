// SPDX-License-Identifier: BSD-3-Clause
// Vector instructions that move elements: broadcasts, gathers, transposes, and what is built on them.
#pragma once
#include "ascendc/compare_select.h"

namespace AscendC {

template <typename T>
void Brcb(const LocalTensor<T>& dst, const LocalTensor<T>& src, const TwinRepeat repeatTime, const BrcbRepeatParams& p,
          const twin::At& at = twin::At::here()) {
    static_assert(sizeof(PrimT<T>) == 2 || sizeof(PrimT<T>) == 4, "Brcb: 2- and 4-byte types");
    auto v = TwinUnary(twin::VecOp::kBrcb, dst, src);
    v.repeat = repeatTime;
    v.dst_stride = {p.dstBlkStride, p.dstRepStride};
    twin::vector(v, at.as("Brcb"));
}
#define TWIN_GATHER(MASK)                                                                                     \
    template <typename T>                                                                                     \
    void Gather(const LocalTensor<T>& dst, const LocalTensor<T>& src, const LocalTensor<uint32_t>& srcOffset, \
                const uint32_t srcBaseOffset, MASK, const TwinRepeat repeatTime, const uint16_t dstRepStride, \
                const twin::At& at = twin::At::here()) {                                                      \
        static_assert(sizeof(PrimT<T>) == 2 || sizeof(PrimT<T>) == 4, "Gather: 2- and 4-byte types");         \
        auto v = TwinUnary(twin::VecOp::kGather, dst, src);                                                   \
        v.src1 = srcOffset.Twin();                                                                            \
        v.extra[0] = srcBaseOffset;                                                                           \
        TwinForm(v, true, mask, repeatTime);                                                                  \
        v.dst_stride = {1, dstRepStride};                                                                     \
        twin::vector(v, at.as("Gather"));                                                                     \
    }
TWIN_GATHER(const uint64_t mask[])
TWIN_GATHER(const uint64_t mask)
#undef TWIN_GATHER
template <typename T>
void Gather(const LocalTensor<T>& dst, const LocalTensor<T>& src, const LocalTensor<uint32_t>& srcOffset,
            const uint32_t srcBaseOffset, const uint32_t count, const twin::At& at = twin::At::here()) {
    static_assert(sizeof(PrimT<T>) == 2 || sizeof(PrimT<T>) == 4, "Gather: 2- and 4-byte types");
    auto v = TwinUnary(twin::VecOp::kGather, dst, src);
    v.src1 = srcOffset.Twin();
    v.extra[0] = srcBaseOffset;
    TwinForm(v, count);
    twin::vector(v, at.as("Gather"));
}
template <typename T>
void Gatherb(const LocalTensor<T>& dst, const LocalTensor<T>& src, const LocalTensor<uint32_t>& offset,
             const TwinRepeat repeatTime, const GatherRepeatParams& p, const twin::At& at = twin::At::here()) {
    static_assert((IsOneOf<T, uint16_t, uint32_t>), "Gatherb: uint16 or uint32");
    auto v = TwinUnary(twin::VecOp::kGatherb, dst, src);
    v.src1 = offset.Twin();
    v.repeat = repeatTime;
    v.dst_stride = {p.dstBlkStride, p.dstRepStride};
    twin::vector(v, at.as("Gatherb"));
}
template <typename T>
twin::VectorArgs TwinGatherMask(const LocalTensor<T>& dst, const LocalTensor<T>& src0, bool reduceMode, uint32_t mask,
                                const GatherMaskParams& p, uint64_t& rsvdCnt) {
    static_assert(sizeof(PrimT<T>) == 2 || sizeof(PrimT<T>) == 4, "GatherMask: 2- and 4-byte types");
    auto v = TwinUnary(twin::VecOp::kGatherMask, dst, src0);
    v.repeat = p.repeatTimes;
    v.src0_stride = {p.src0BlockStride, p.src0RepeatStride};
    v.src1_stride = {1, p.src1RepeatStride};
    v.extra[0] = reduceMode;
    v.extra[1] = mask;
    v.result = &rsvdCnt;
    return v;
}
template <typename T, typename U>
void GatherMask(const LocalTensor<T>& dst, const LocalTensor<T>& src0, const LocalTensor<U>& src1Pattern,
                const bool reduceMode, const uint32_t mask, const GatherMaskParams& p, uint64_t& rsvdCnt,
                const twin::At& at = twin::At::here()) {
    static_assert(std::is_unsigned<U>::value && sizeof(PrimT<U>) == sizeof(PrimT<T>),
                  "GatherMask: the pattern is unsigned of the data's width");
    auto v = TwinGatherMask(dst, src0, reduceMode, mask, p, rsvdCnt);
    v.sources = 2;
    v.src1 = src1Pattern.Twin();
    twin::vector(v, at.as("GatherMask"));
}
template <typename T>
void GatherMask(const LocalTensor<T>& dst, const LocalTensor<T>& src0, const uint8_t src1Pattern, const bool reduceMode,
                const uint32_t mask, const GatherMaskParams& p, uint64_t& rsvdCnt,
                const twin::At& at = twin::At::here()) {
    auto v = TwinGatherMask(dst, src0, reduceMode, mask, p, rsvdCnt);
    v.mode = src1Pattern;
    twin::vector(v, at.as("GatherMask"));
}
template <typename T>
void Transpose(const LocalTensor<T>& dst, const LocalTensor<T>& src, const twin::At& at = twin::At::here()) {
    static_assert(sizeof(PrimT<T>) == 2, "Transpose: 16x16 of a 2-byte type");
    twin::vector(TwinUnary(twin::VecOp::kTranspose, dst, src), at.as("Transpose"));
}
enum class TransposeType : uint8_t {
    TRANSPOSE_TYPE_NONE,
    TRANSPOSE_NZ2ND_0213,
    TRANSPOSE_NZ2NZ_0213,
    TRANSPOSE_NZ2NZ_012_WITH_N,
    TRANSPOSE_NZ2ND_012_WITH_N,
    TRANSPOSE_NZ2ND_012_WITHOUT_N,
    TRANSPOSE_NZ2NZ_012_WITHOUT_N,
    TRANSPOSE_ND2ND_ONLY,
    TRANSPOSE_ND_UB_GM,
    TRANSPOSE_GRAD_ND_UB_GM,
    TRANSPOSE_ND2ND_B16,
    TRANSPOSE_NCHW2NHWC,
    TRANSPOSE_NHWC2NCHW
};
struct TransposeParamsExt {
    TransposeParamsExt() {}
    TransposeParamsExt(const uint16_t n, const uint16_t c, const uint16_t h, const uint16_t w, const TransposeType type)
        : nSize(n), cSize(c), hSize(h), wSize(w), transposeType(type) {}
    uint16_t nSize = 0;
    uint16_t cSize = 0;
    uint16_t hSize = 0;
    uint16_t wSize = 0;
    TransposeType transposeType = TransposeType::TRANSPOSE_ND2ND_B16;
};
template <typename T>
void Transpose(const LocalTensor<T>& dst, const LocalTensor<T>& src, const LocalTensor<uint8_t>& sharedTmpBuffer,
               const TransposeParamsExt& p, const twin::At& at = twin::At::here()) {
    constexpr uint32_t size = sizeof(PrimT<T>);
    static_assert(size <= 4 && !TwinSame<T, bfloat16_t>, "Transpose: element type not supported on dav-2201");
    if (p.transposeType == TransposeType::TRANSPOSE_TYPE_NONE) return;
    if (p.transposeType == TransposeType::TRANSPOSE_ND2ND_B16) {
        if constexpr (TwinSame<T, uint16_t>) return Transpose(dst, src, at);
        twin::report("illegal_parameter", "Transpose: TRANSPOSE_ND2ND_B16 takes uint16_t", at.as("Transpose"));
        return;
    }
    const bool to_nhwc = p.transposeType == TransposeType::TRANSPOSE_NCHW2NHWC;
    if (!to_nhwc && p.transposeType != TransposeType::TRANSPOSE_NHWC2NCHW) {
        twin::report("illegal_parameter", "Transpose: this transposeType is not supported", at.as("Transpose"));
        return;
    }
    const uint32_t image = uint32_t(p.hSize) * p.wSize, channels = p.cSize;
    if (p.nSize == 0 || channels == 0 || image == 0) return;
    if (channels > 4095 || image > 4095 || image * size % 32)
        twin::report("illegal_parameter",
                     "Transpose: cSize and hSize * wSize are at most 4095, hSize * wSize elements whole blocks",
                     at.as("Transpose"));
    auto v = TwinUnary(twin::VecOp::kTransposeExt, dst, src);
    v.src1 = sharedTmpBuffer.Twin();
    v.extra[0] = p.nSize;
    v.extra[1] = to_nhwc ? channels : image;
    v.extra[2] = to_nhwc ? image : channels;
    const uint32_t tile = (size == 1 ? 32 : 16) * 32;
    v.extra[3] = (to_nhwc ? channels + 2 : 2 * channels + 1) * tile;
    TwinForm(v, static_cast<int64_t>(p.nSize) * channels * image);
    twin::vector(v, at.as("Transpose"));
}

template <typename T>
void TransDataTo5HD(const LocalTensor<T> (&dstList)[NCHW_CONV_ADDR_LIST_SIZE],
                    const LocalTensor<T> (&srcList)[NCHW_CONV_ADDR_LIST_SIZE], const TransDataTo5HDParams& p,
                    const twin::At& at = twin::At::here()) {
    twin::Vnchwconv a;
    a.type = TwinType<T>;
    for (int i = 0; i < 16; ++i) {
        a.dst[i] = dstList[i].Twin();
        a.src[i] = srcList[i].Twin();
    }
    a.repeat = p.repeatTimes;
    a.dst_repeat_stride = p.dstRepStride;
    a.src_repeat_stride = p.srcRepStride;
    a.dst_high = p.dstHighHalf;
    a.src_high = p.srcHighHalf;
    twin::vnchwconv(a, at.as("TransDataTo5HD"));
}

/// The same with addresses from GetPhyAddr.
template <typename T>
void TransDataTo5HD(uint64_t dstList[NCHW_CONV_ADDR_LIST_SIZE], uint64_t srcList[NCHW_CONV_ADDR_LIST_SIZE],
                    const TransDataTo5HDParams& p, const twin::At& at = twin::At::here()) {
    LocalTensor<T> dst[NCHW_CONV_ADDR_LIST_SIZE], src[NCHW_CONV_ADDR_LIST_SIZE];
    for (int i = 0; i < NCHW_CONV_ADDR_LIST_SIZE; ++i) {
        dst[i] = LocalTensor<T>(TPosition::VECCALC, static_cast<uint32_t>(twin::ub_offset(dstList[i])),
                                32 / sizeof(PrimT<T>));
        src[i] = LocalTensor<T>(TPosition::VECCALC, static_cast<uint32_t>(twin::ub_offset(srcList[i])),
                                32 / sizeof(PrimT<T>));
    }
    TransDataTo5HD<T>(dst, src, p, at);
}
/// The same with tensors that hold the addresses; scalar code reads them.
template <typename T>
void TransDataTo5HD(const LocalTensor<uint64_t>& dst, const LocalTensor<uint64_t>& src, const TransDataTo5HDParams& p,
                    const twin::At& at = twin::At::here()) {
    uint64_t to[NCHW_CONV_ADDR_LIST_SIZE], from[NCHW_CONV_ADDR_LIST_SIZE];
    for (uint32_t i = 0; i < NCHW_CONV_ADDR_LIST_SIZE; ++i) {
        to[i] = dst.GetValue(i, at);
        from[i] = src.GetValue(i, at);
    }
    TransDataTo5HD<T>(to, from, p, at);
}

/// In software on this chip: blocks are gathered, the weights broadcast, products summed over the horizontal repeats.
#define TWIN_BILINEAR(MASK)                                                                                            \
    template <typename T>                                                                                              \
    void BilinearInterpolation(                                                                                        \
        const LocalTensor<T>& dst, const LocalTensor<T>& src0, const LocalTensor<uint32_t>& src0Offset,                \
        const LocalTensor<T>& src1, MASK, uint8_t hRepeat, bool repeatMode, uint16_t dstBlkStride, uint16_t vROffset,  \
        uint8_t vRepeat, const LocalTensor<uint8_t>& sharedTmpBuffer, const twin::At& at = twin::At::here()) {         \
        static_assert((IsOneOf<T, half>), "BilinearInterpolation: half");                                              \
        const twin::Loc loc = at.as("BilinearInterpolation");                                                          \
        const uint32_t rounds = uint32_t(hRepeat) * vRepeat, weights = repeatMode ? rounds * 8 : rounds;               \
        const auto gathered = sharedTmpBuffer.template ReinterpretCast<half>();                                        \
        const auto spread = gathered[rounds * 128];                                                                    \
        Gatherb(gathered.template ReinterpretCast<uint16_t>(), src0.template ReinterpretCast<uint16_t>(), src0Offset,  \
                rounds, GatherRepeatParams(1, 8), at);                                                                 \
        Brcb(spread, src1.TwinPlain(), (weights + 7) / 8, BrcbRepeatParams(1, 8), at);                                 \
        twin::pipe_barrier(twin::Pipe::kV, loc);                                                                       \
        Mul(gathered, gathered, spread, mask, rounds,                                                                  \
            BinaryRepeatParams(1, 1, repeatMode ? 1 : 0, 8, 8, repeatMode ? 8 : 1), at);                               \
        twin::pipe_barrier(twin::Pipe::kV, loc);                                                                       \
        for (uint32_t v = 0; v < vRepeat; ++v) {                                                                       \
            const auto out = dst.TwinPlain()[v * vROffset];                                                            \
            const auto rows = gathered[v * hRepeat * 128];                                                             \
            if (hRepeat == 1) {                                                                                        \
                Adds(out, rows, half(0.0f), mask, 1, UnaryRepeatParams(dstBlkStride, 1, 8, 8), at);                    \
                continue;                                                                                              \
            }                                                                                                          \
            Add(out, rows, rows[128], mask, 1, BinaryRepeatParams(dstBlkStride, 1, 1, 8, 8, 8), at);                   \
            for (uint32_t h = 2; h < hRepeat; ++h) {                                                                   \
                twin::pipe_barrier(twin::Pipe::kV, loc);                                                               \
                Add(out, out, rows[h * 128], mask, 1, BinaryRepeatParams(dstBlkStride, dstBlkStride, 1, 8, 8, 8), at); \
            }                                                                                                          \
        }                                                                                                              \
    }
TWIN_BILINEAR(uint64_t mask[])
TWIN_BILINEAR(uint64_t mask)
#undef TWIN_BILINEAR

}  // namespace AscendC
