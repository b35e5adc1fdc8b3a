// SPDX-License-Identifier: BSD-3-Clause
// Fills and rearrangements inside UB: Duplicate, Copy, CreateVecIndex, Brcb, Gather, Gatherb, GatherMask, Transpose,
// TransDataTo5HD, scalar reads and writes.
#include "harness.h"

namespace api_test {

template <typename T>
__aicore__ inline void RunDuplicate(UbCases& c) {
    LocalTensor<T> d = c.At<T>(kDst);
    const T s = FromBits<T>(c[kScalar]);
    const uint8_t repeat = static_cast<uint8_t>(c[kRepeat]), rep = static_cast<uint8_t>(c[kDstRep]);
    const uint16_t blk = static_cast<uint16_t>(c[kDstBlk]);
    uint64_t mask[2] = {Bits(c[kMaskLow]), Bits(c[kMaskHigh])};
    switch (c[kForm]) {
        case 0: Duplicate(d, s, static_cast<int32_t>(mask[0])); break;
        case 1: Duplicate(d, s, mask[0], repeat, blk, rep); break;
        case 2: Duplicate(d, s, mask, repeat, blk, rep); break;
        case 3:
            SetMaskNorm();
            SetVectorMask<T, MaskMode::NORMAL>(mask[1], mask[0]);
            Duplicate<T, false>(d, s, MASK_PLACEHOLDER, repeat, blk, rep);
            ResetMask();
            break;
        case 4:
            SetMaskCount();
            SetVectorMask<T, MaskMode::COUNTER>(0, mask[0]);
            Duplicate<T, false>(d, s, MASK_PLACEHOLDER, 1, blk, rep);
            SetMaskNorm();
            ResetMask();
            break;
        default: break;
    }
}

template <typename T>
__aicore__ inline void RunCopy(UbCases& c) {
    LocalTensor<T> d = c.At<T>(kDst), a = c.At<T>(kSrc0);
    const CopyRepeatParams p(static_cast<uint16_t>(c[kDstBlk]), static_cast<uint16_t>(c[kSrc0Blk]),
                             static_cast<uint16_t>(c[kDstRep]), static_cast<uint16_t>(c[kSrc0Rep]));
    MASK_FORMS(Copy, (Copy<T, false>), T, p, d, a)
}

template <typename T>
__aicore__ inline void RunCreateVecIndex(UbCases& c) {
    LocalTensor<T> d = c.At<T>(kDst);
    const T s = FromBits<T>(c[kScalar]);
    const uint8_t repeat = static_cast<uint8_t>(c[kRepeat]), rep = static_cast<uint8_t>(c[kDstRep]);
    const uint16_t blk = static_cast<uint16_t>(c[kDstBlk]);
    uint64_t mask[2] = {Bits(c[kMaskLow]), Bits(c[kMaskHigh])};
    switch (c[kForm]) {
        case 0: CreateVecIndex(d, s, static_cast<uint32_t>(mask[0])); break;
        case 1: CreateVecIndex(d, s, mask[0], repeat, blk, rep); break;
        case 2: CreateVecIndex(d, s, mask, repeat, blk, rep); break;
        default: break;
    }
}

/// Form kept_counter: with a mask register in counter mode that has nothing to say to the call.
class Unmasked {
public:
    __aicore__ inline explicit Unmasked(UbCases& c) : counter_(c[kForm] == 4) {
        if (!counter_) return;
        SetMaskCount();
        SetVectorMask<float, MaskMode::COUNTER>(Bits(c[kMaskHigh]), Bits(c[kMaskLow]));
    }
    __aicore__ inline ~Unmasked() {
        if (!counter_) return;
        SetMaskNorm();
        ResetMask();
    }

private:
    bool counter_;
};

template <typename T>
__aicore__ inline void RunBrcb(UbCases& c) {
    Unmasked unmasked(c);
    const BrcbRepeatParams p(static_cast<uint16_t>(c[kDstBlk]), static_cast<uint16_t>(c[kDstRep]));
    Brcb(c.At<T>(kDst), c.At<T>(kSrc0), static_cast<uint8_t>(c[kRepeat]), p);
}

/// Number kExtra: srcBaseOffset.
template <typename T>
__aicore__ inline void RunGather(UbCases& c) {
    LocalTensor<T> d = c.At<T>(kDst), a = c.At<T>(kSrc0);
    LocalTensor<uint32_t> offsets = c.At<uint32_t>(kSrc1);
    const uint32_t base = static_cast<uint32_t>(c[kExtra]);
    const uint8_t repeat = static_cast<uint8_t>(c[kRepeat]);
    const uint16_t rep = static_cast<uint16_t>(c[kDstRep]);
    const uint64_t mask[2] = {Bits(c[kMaskLow]), Bits(c[kMaskHigh])};
    switch (c[kForm]) {
        case 0: Gather(d, a, offsets, base, static_cast<uint32_t>(mask[0])); break;
        case 1: Gather(d, a, offsets, base, mask[0], repeat, rep); break;
        case 2: Gather(d, a, offsets, base, mask, repeat, rep); break;
        default: break;
    }
}

template <typename T>
__aicore__ inline void RunGatherb(UbCases& c) {
    Unmasked unmasked(c);
    const GatherRepeatParams p(static_cast<uint8_t>(c[kDstBlk]), static_cast<uint8_t>(c[kDstRep]));
    Gatherb(c.At<T>(kDst), c.At<T>(kSrc0), c.At<uint32_t>(kSrc1), static_cast<uint8_t>(c[kRepeat]), p);
}

/// Number kExtra: pattern, 0 for the tensor; kExtra + 1: reduceMode; kExtra + 2: mask; kExtra + 3: where the count
/// goes.
template <typename T, typename U>
__aicore__ inline void RunGatherMask(UbCases& c) {
    LocalTensor<T> d = c.At<T>(kDst), a = c.At<T>(kSrc0);
    const GatherMaskParams p(static_cast<uint8_t>(c[kSrc0Blk]), static_cast<uint16_t>(c[kRepeat]),
                             static_cast<uint16_t>(c[kSrc0Rep]), static_cast<uint8_t>(c[kSrc1Rep]));
    const uint8_t pattern = static_cast<uint8_t>(c[kExtra]);
    const bool reduce = c[kExtra + 1] != 0;
    const uint32_t mask = static_cast<uint32_t>(c[kExtra + 2]);
    uint64_t kept = 0;
    if (pattern)
        GatherMask(d, a, pattern, reduce, mask, p, kept);
    else
        GatherMask(d, a, c.At<U>(kSrc1), reduce, mask, p, kept);
    PipeBarrier<PIPE_ALL>();
    c.At<uint32_t>(kExtra + 3).SetValue(0, static_cast<uint32_t>(kept));
}

template <typename T>
__aicore__ inline void RunTranspose(UbCases& c) {
    Transpose(c.At<T>(kDst), c.At<T>(kSrc0));
}

/// Rows are every kSrc0Blk-th block of the source, results every kDstBlk-th of the destination. kExtra: bits 0 and 1
/// high halves; + 4: addresses in an array; + 8: addresses in tensors at the second source.
template <typename T>
__aicore__ inline void RunTransDataTo5HD(UbCases& c) {
    LocalTensor<T> d = c.At<T>(kDst), a = c.At<T>(kSrc0);
    const uint32_t per = 32 / sizeof(T);
    const uint32_t dst = static_cast<uint32_t>(c[kDstBlk]) * per, src = static_cast<uint32_t>(c[kSrc0Blk]) * per;
    LocalTensor<T> to[NCHW_CONV_ADDR_LIST_SIZE], from[NCHW_CONV_ADDR_LIST_SIZE];
    for (uint32_t i = 0; i < NCHW_CONV_ADDR_LIST_SIZE; ++i) {
        to[i] = d[i * dst];
        from[i] = a[i * src];
    }
    const TransDataTo5HDParams p((c[kExtra] & 1) != 0, (c[kExtra] & 2) != 0, static_cast<uint8_t>(c[kRepeat]),
                                 static_cast<uint16_t>(c[kDstRep]), static_cast<uint16_t>(c[kSrc0Rep]));
    if (c[kExtra] & 12) {
        uint64_t toAt[NCHW_CONV_ADDR_LIST_SIZE], fromAt[NCHW_CONV_ADDR_LIST_SIZE];
        LocalTensor<uint64_t> toList = c.At<uint64_t>(kSrc1), fromList = toList[NCHW_CONV_ADDR_LIST_SIZE];
        for (uint32_t i = 0; i < NCHW_CONV_ADDR_LIST_SIZE; ++i) {
            toAt[i] = to[i].GetPhyAddr();
            fromAt[i] = from[i].GetPhyAddr();
            if (c[kExtra] & 8) {
                toList.SetValue(i, toAt[i]);
                fromList.SetValue(i, fromAt[i]);
            }
        }
        if (c[kExtra] & 8)
            TransDataTo5HD<T>(toList, fromList, p);
        else
            TransDataTo5HD<T>(toAt, fromAt, p);
    } else {
        TransDataTo5HD<T>(to, from, p);
    }
}

/// kRepeat elements are read one by one from the source and written, mirrored, to the destination.
template <typename T>
__aicore__ inline void RunScalars(UbCases& c) {
    LocalTensor<T> d = c.At<T>(kDst), a = c.At<T>(kSrc0);
    const uint32_t n = static_cast<uint32_t>(c[kRepeat]);
    for (uint32_t i = 0; i < n; ++i) d.SetValue(n - 1 - i, a.GetValue(i));
}

}  // namespace api_test

using namespace api_test;

#define ONE(OP, T) UB_KERNEL(OP##_##T, Run##OP<T>(c))
#define ALL16(OP) ONE(OP, half) ONE(OP, bfloat16_t) ONE(OP, int16_t) ONE(OP, uint16_t)
#define ALL32(OP) ONE(OP, float) ONE(OP, int32_t) ONE(OP, uint32_t)

ALL16(Duplicate)
ALL32(Duplicate)
ALL16(Copy)
ALL32(Copy)
ONE(CreateVecIndex, half)
ONE(CreateVecIndex, float)
ONE(CreateVecIndex, int16_t)
ONE(CreateVecIndex, int32_t)
ALL16(Brcb)
ALL32(Brcb)
ALL16(Gather)
ALL32(Gather)
ONE(Gatherb, uint16_t)
ONE(Gatherb, uint32_t)
UB_KERNEL(GatherMask_half, (RunGatherMask<half, uint16_t>(c)))
UB_KERNEL(GatherMask_float, (RunGatherMask<float, uint32_t>(c)))
ONE(Transpose, half)
ONE(Transpose, int16_t)
ONE(Transpose, uint16_t)
ONE(TransDataTo5HD, int8_t)
ONE(TransDataTo5HD, uint8_t)
ONE(TransDataTo5HD, int16_t)
ONE(TransDataTo5HD, uint16_t)
ONE(TransDataTo5HD, half)
ONE(TransDataTo5HD, int32_t)
ONE(TransDataTo5HD, uint32_t)
ONE(TransDataTo5HD, float)
ONE(Scalars, half)
ONE(Scalars, float)
ONE(Scalars, int8_t)
ONE(Scalars, int64_t)
