// SPDX-License-Identifier: BSD-3-Clause
// Reductions of blocks, pairs, repeats and whole tensors, by their older and newer names.
#include "harness.h"

namespace api_test {

/// The strides of a reduction: destination per repeat, source per block and per repeat.
struct Reach {
    int32_t repeat, dst, blk, src, mask;
    uint64_t bits[2];
    __aicore__ inline explicit Reach(UbCases& c) {
        repeat = static_cast<int32_t>(c[kRepeat]);
        dst = static_cast<int32_t>(c[kDstRep]);
        blk = static_cast<int32_t>(c[kSrc0Blk]);
        src = static_cast<int32_t>(c[kSrc0Rep]);
        bits[0] = Bits(c[kMaskLow]);
        bits[1] = Bits(c[kMaskHigh]);
        mask = static_cast<int32_t>(bits[0]);
    }
};

/// Forms of (dst, src, repeat, mask, ...).
#define REPEAT_FIRST(OP)                                                                                   \
    template <typename T>                                                                                  \
    __aicore__ inline void Run##OP(UbCases& c) {                                                           \
        LocalTensor<T> d = c.At<T>(kDst), a = c.At<T>(kSrc0);                                              \
        Reach r(c);                                                                                        \
        switch (c[kForm]) {                                                                                \
            case 1: OP<T>(d, a, r.repeat, r.mask, r.dst, r.blk, r.src); break;                             \
            case 2: OP<T>(d, a, r.repeat, r.bits, r.dst, r.blk, r.src); break;                             \
            case 3:                                                                                        \
                SetMaskNorm();                                                                             \
                SetVectorMask<T, MaskMode::NORMAL>(r.bits[1], r.bits[0]);                                  \
                OP<T, false>(d, a, r.repeat, static_cast<int32_t>(MASK_PLACEHOLDER), r.dst, r.blk, r.src); \
                ResetMask();                                                                               \
                break;                                                                                     \
            case 4:                                                                                        \
                SetMaskCount();                                                                            \
                SetVectorMask<T, MaskMode::COUNTER>(0, r.bits[0]);                                         \
                OP<T, false>(d, a, 1, static_cast<int32_t>(MASK_PLACEHOLDER), r.dst, r.blk, r.src);        \
                SetMaskNorm();                                                                             \
                ResetMask();                                                                               \
                break;                                                                                     \
            default: break;                                                                                \
        }                                                                                                  \
    }
/// Forms of (dst, src, mask, repeat, ...[, order]).
#define MASK_FIRST(NAME, OP, KEPT, ...)                                                                        \
    template <typename T>                                                                                      \
    __aicore__ inline void Run##NAME(UbCases& c) {                                                             \
        LocalTensor<T> d = c.At<T>(kDst), a = c.At<T>(kSrc0);                                                  \
        Reach r(c);                                                                                            \
        [[maybe_unused]] const ReduceOrder order = static_cast<ReduceOrder>(c[kExtra]);                        \
        switch (c[kForm]) {                                                                                    \
            case 1: OP(d, a, r.mask, r.repeat, r.dst, r.blk, r.src __VA_ARGS__); break;                        \
            case 2: OP(d, a, r.bits, r.repeat, r.dst, r.blk, r.src __VA_ARGS__); break;                        \
            case 3:                                                                                            \
                SetMaskNorm();                                                                                 \
                SetVectorMask<T, MaskMode::NORMAL>(r.bits[1], r.bits[0]);                                      \
                KEPT(d, a, static_cast<int32_t>(MASK_PLACEHOLDER), r.repeat, r.dst, r.blk, r.src __VA_ARGS__); \
                ResetMask();                                                                                   \
                break;                                                                                         \
            case 4:                                                                                            \
                SetMaskCount();                                                                                \
                SetVectorMask<T, MaskMode::COUNTER>(0, r.bits[0]);                                             \
                KEPT(d, a, static_cast<int32_t>(MASK_PLACEHOLDER), 1, r.dst, r.blk, r.src __VA_ARGS__);        \
                SetMaskNorm();                                                                                 \
                ResetMask();                                                                                   \
                break;                                                                                         \
            default: break;                                                                                    \
        }                                                                                                      \
    }

REPEAT_FIRST(BlockReduceSum)
REPEAT_FIRST(BlockReduceMax)
REPEAT_FIRST(BlockReduceMin)
REPEAT_FIRST(PairReduceSum)
#define COMMA ,
MASK_FIRST(WholeReduceSum, WholeReduceSum<T>, (WholeReduceSum<T, false>))
MASK_FIRST(WholeReduceMax, WholeReduceMax<T>, (WholeReduceMax<T, false>), COMMA order)
MASK_FIRST(WholeReduceMin, WholeReduceMin<T>, (WholeReduceMin<T, false>), COMMA order)
MASK_FIRST(ReduceRepeatSum, (ReduceRepeat<ReduceType::SUM, T, T>), (ReduceRepeat<ReduceType::SUM, T, T, false>))
MASK_FIRST(ReduceRepeatMax, (ReduceRepeat<ReduceType::MAX, T, T>), (ReduceRepeat<ReduceType::MAX, T, T, false>),
           COMMA order)
MASK_FIRST(ReduceRepeatMin, (ReduceRepeat<ReduceType::MIN, T, T>), (ReduceRepeat<ReduceType::MIN, T, T, false>),
           COMMA order)
MASK_FIRST(ReduceDataBlockSum, (ReduceDataBlock<ReduceType::SUM, T, T>),
           (ReduceDataBlock<ReduceType::SUM, T, T, false>))
MASK_FIRST(ReduceDataBlockMax, (ReduceDataBlock<ReduceType::MAX, T, T>),
           (ReduceDataBlock<ReduceType::MAX, T, T, false>))
MASK_FIRST(ReduceDataBlockMin, (ReduceDataBlock<ReduceType::MIN, T, T>),
           (ReduceDataBlock<ReduceType::MIN, T, T, false>))
MASK_FIRST(ReducePairElemSum, (ReducePairElem<ReduceType::SUM, T, T>), (ReducePairElem<ReduceType::SUM, T, T, false>))

template <typename T>
__aicore__ inline void RunRepeatReduceSum(UbCases& c) {
    LocalTensor<T> d = c.At<T>(kDst), a = c.At<T>(kSrc0);
    Reach r(c);
    RepeatReduceSum<T>(d, a, r.repeat, r.mask, 0, r.blk, r.dst, r.src);
}

/// Whole tensors: count; first lanes of each repeat; lane bits.
template <typename T>
__aicore__ inline void RunReduceSum(UbCases& c) {
    LocalTensor<T> d = c.At<T>(kDst), a = c.At<T>(kSrc0), scratch = c.At<T>(kSrc1);
    Reach r(c);
    switch (c[kForm]) {
        case 0: ReduceSum<T>(d, a, scratch, r.mask); break;
        case 1: ReduceSum<T>(d, a, scratch, r.mask, r.repeat, r.src); break;
        case 2: ReduceSum<T>(d, a, scratch, r.bits, r.repeat, r.src); break;
        default: break;
    }
}
#define TENSOR_BEST(OP)                                                                 \
    template <typename T>                                                               \
    __aicore__ inline void Run##OP(UbCases& c) {                                        \
        LocalTensor<T> d = c.At<T>(kDst), a = c.At<T>(kSrc0), scratch = c.At<T>(kSrc1); \
        Reach r(c);                                                                     \
        const bool index = c[kExtra] != 0;                                              \
        switch (c[kForm]) {                                                             \
            case 0: OP<T>(d, a, scratch, r.mask, index); break;                         \
            case 1: OP<T>(d, a, scratch, r.mask, r.repeat, r.src, index); break;        \
            case 2: OP<T>(d, a, scratch, r.bits, r.repeat, r.src, index); break;        \
            default: break;                                                             \
        }                                                                               \
    }
TENSOR_BEST(ReduceMax)
TENSOR_BEST(ReduceMin)

/// What the reductions leave in registers, stored at the destination: the sum; the best value and its index.
template <typename T>
__aicore__ inline void RunSumRegister(UbCases& c) {
    LocalTensor<T> d = c.At<T>(kDst), a = c.At<T>(kSrc0), scratch = c.At<T>(kSrc1);
    ReduceSum<T>(scratch, a, scratch[4096], static_cast<int32_t>(c[kMaskLow]));
    SetFlag<HardEvent::V_S>(0);
    WaitFlag<HardEvent::V_S>(0);
    d.SetValue(0, GetReduceRepeatSumSpr<T>());
    PipeBarrier<PIPE_ALL>();
}
template <typename T>
__aicore__ inline void RunBestRegister(UbCases& c) {
    LocalTensor<T> d = c.At<T>(kDst), a = c.At<T>(kSrc0), scratch = c.At<T>(kSrc1);
    const int32_t mask = static_cast<int32_t>(c[kMaskLow]), repeat = static_cast<int32_t>(c[kRepeat]);
    if (c[kExtra])
        WholeReduceMax<T>(scratch, a, mask, repeat, 1, 1, 8);
    else
        WholeReduceMin<T>(scratch, a, mask, repeat, 1, 1, 8);
    SetFlag<HardEvent::V_S>(0);
    WaitFlag<HardEvent::V_S>(0);
    T value, index;
    GetReduceRepeatMaxMinSpr<T>(value, index);
    d.SetValue(0, value);
    d.SetValue(1, index);
    PipeBarrier<PIPE_ALL>();
}

}  // namespace api_test

using namespace api_test;

#define FLOATS(OP) UB_KERNEL(OP##_half, Run##OP<half>(c)) UB_KERNEL(OP##_float, Run##OP<float>(c))

FLOATS(BlockReduceSum)
FLOATS(BlockReduceMax)
FLOATS(BlockReduceMin)
FLOATS(PairReduceSum)
FLOATS(WholeReduceSum)
FLOATS(WholeReduceMax)
FLOATS(WholeReduceMin)
FLOATS(ReduceRepeatSum)
FLOATS(ReduceRepeatMax)
FLOATS(ReduceRepeatMin)
FLOATS(ReduceDataBlockSum)
FLOATS(ReduceDataBlockMax)
FLOATS(ReduceDataBlockMin)
FLOATS(ReducePairElemSum)
FLOATS(RepeatReduceSum)
FLOATS(ReduceSum)
FLOATS(ReduceMax)
FLOATS(ReduceMin)
FLOATS(SumRegister)
FLOATS(BestRegister)
