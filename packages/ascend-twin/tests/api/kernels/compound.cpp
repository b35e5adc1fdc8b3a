// SPDX-License-Identifier: BSD-3-Clause
// Instructions that do several things at once: AddReluCast, SubReluCast, AddDeqRelu, CastDequant, Transpose with
// parameters, BilinearInterpolation; tensors in expressions and of trait types.
#include "harness.h"

namespace api_test {

template <typename T, typename U>
__aicore__ inline void RunAddReluCast(UbCases& c) {
    LocalTensor<T> d = c.At<T>(kDst);
    LocalTensor<U> a = c.At<U>(kSrc0), b = c.At<U>(kSrc1);
    ALL_FORMS(AddReluCast, (AddReluCast<T, U, false>), U, uint32_t, BinaryStrides(c), d, a, b)
}
template <typename T, typename U>
__aicore__ inline void RunSubReluCast(UbCases& c) {
    LocalTensor<T> d = c.At<T>(kDst);
    LocalTensor<U> a = c.At<U>(kSrc0), b = c.At<U>(kSrc1);
    ALL_FORMS(SubReluCast, (SubReluCast<T, U, false>), U, uint32_t, BinaryStrides(c), d, a, b)
}
__aicore__ inline void RunAddDeqRelu(UbCases& c) {
    LocalTensor<half> d = c.At<half>(kDst);
    LocalTensor<int32_t> a = c.At<int32_t>(kSrc0), b = c.At<int32_t>(kSrc1);
    SetDeqScale(FromBits<half>(c[kScalar]));
    ALL_FORMS(AddDeqRelu, (AddDeqRelu<half, int32_t, false>), int32_t, int32_t, BinaryStrides(c), d, a, b)
}

/// kScalar: bits of the scale; kExtra: offset; + 1: place of the table of scales.
template <typename T, bool table, bool upper>
__aicore__ inline void RunCastDequant(UbCases& c) {
    LocalTensor<T> d = c.At<T>(kDst);
    LocalTensor<int16_t> a = c.At<int16_t>(kSrc0);
    const float scale = FromBits<float>(c[kScalar]);
    const int16_t offset = static_cast<int16_t>(c[kExtra]);
    constexpr bool isSigned = IsSameType<T, int8_t>::value;
    if (table) {
        float scales[16];
        int16_t offsets[16];
        bool signs[16];
        for (int32_t i = 0; i < 16; ++i) {
            scales[i] = scale * static_cast<float>(i + 1);
            offsets[i] = static_cast<int16_t>(offset + i);
            signs[i] = isSigned;
        }
        SetDeqScale(c.At<uint64_t>(kExtra + 1), VdeqInfo(scales, offsets, signs));
        PipeBarrier<PIPE_ALL>();
    } else {
        SetDeqScale(scale, offset, isSigned);
    }
    const UnaryRepeatParams p = UnaryStrides(c);
    const uint8_t repeat = static_cast<uint8_t>(c[kRepeat]);
    uint64_t mask[2] = {Bits(c[kMaskLow]), Bits(c[kMaskHigh])};
    switch (c[kForm]) {
        case 0: CastDequant<T, int16_t, table, upper>(d, a, static_cast<uint32_t>(mask[0])); break;
        case 1: CastDequant<T, int16_t, true, table, upper>(d, a, static_cast<int32_t>(mask[0]), repeat, p); break;
        case 2: CastDequant<T, int16_t, true, table, upper>(d, a, mask, repeat, p); break;
        case 3:
            SetMaskNorm();
            SetVectorMask<int16_t, MaskMode::NORMAL>(mask[1], mask[0]);
            CastDequant<T, int16_t, false, table, upper>(d, a, static_cast<int32_t>(MASK_PLACEHOLDER), repeat, p);
            ResetMask();
            break;
        default: break;
    }
}
__aicore__ inline void RunDequantHalf(UbCases& c) {
    SetDeqScale(FromBits<half>(c[kScalar]));
    CastDequant<half, int32_t>(c.At<half>(kDst), c.At<int32_t>(kSrc0), static_cast<uint32_t>(c[kMaskLow]));
}

/// kExtra to + 3: n, c, h, w; + 4: transposeType; + 5: scratch.
template <typename T>
__aicore__ inline void RunTransposeExt(UbCases& c) {
    const TransposeParamsExt p(static_cast<uint16_t>(c[kExtra]), static_cast<uint16_t>(c[kExtra + 1]),
                               static_cast<uint16_t>(c[kExtra + 2]), static_cast<uint16_t>(c[kExtra + 3]),
                               static_cast<TransposeType>(c[kExtra + 4]));
    Transpose(c.At<T>(kDst), c.At<T>(kSrc0), c.At<uint8_t>(kExtra + 5), p);
}

/// kExtra: horizontal repeats; + 1: repeat mode; + 2: distance of results; + 3: vertical repeats; + 4: scratch; + 5:
/// weights.
__aicore__ inline void RunBilinear(UbCases& c) {
    const uint8_t h = static_cast<uint8_t>(c[kExtra]), v = static_cast<uint8_t>(c[kExtra + 3]);
    const bool mode = c[kExtra + 1] != 0;
    const uint16_t blk = static_cast<uint16_t>(c[kDstBlk]), next = static_cast<uint16_t>(c[kExtra + 2]);
    uint64_t mask[2] = {Bits(c[kMaskLow]), Bits(c[kMaskHigh])};
    if (c[kForm] == 1)
        BilinearInterpolation(c.At<half>(kDst), c.At<half>(kSrc0), c.At<uint32_t>(kSrc1), c.At<half>(kExtra + 5),
                              mask[0], h, mode, blk, next, v, c.At<uint8_t>(kExtra + 4));
    else
        BilinearInterpolation(c.At<half>(kDst), c.At<half>(kSrc0), c.At<uint32_t>(kSrc1), c.At<half>(kExtra + 5), mask,
                              h, mode, blk, next, v, c.At<uint8_t>(kExtra + 4));
}

/// kExtra: which operator. The destination's size says how many elements.
template <typename T>
__aicore__ inline void RunExpression(UbCases& c) {
    const uint32_t n = static_cast<uint32_t>(c[kMaskLow]);
    LocalTensor<T> d = c.At<T>(kDst), a = c.At<T>(kSrc0), b = c.At<T>(kSrc1);
    LocalTensor<uint8_t> bits = c.At<uint8_t>(kDst);
    d.SetSize(n);
    a.SetSize(n);
    b.SetSize(n);
    bits.SetSize(n / 8);
    switch (c[kExtra]) {
        case 0: d = a + b; break;
        case 1: d = a - b; break;
        case 2: d = a * b; break;
        case 3: d = a / b; break;
        case 4: bits = a < b; break;
        case 5: bits = a > b; break;
        case 6: bits = a == b; break;
        case 7: bits = a <= b; break;
        case 8: bits = a >= b; break;
        case 9: bits = a != b; break;
        default: break;
    }
}
__aicore__ inline void RunBitExpression(UbCases& c) {
    const uint32_t n = static_cast<uint32_t>(c[kMaskLow]);
    LocalTensor<uint16_t> d = c.At<uint16_t>(kDst), a = c.At<uint16_t>(kSrc0), b = c.At<uint16_t>(kSrc1);
    d.SetSize(n);
    if (c[kExtra] == 0)
        d = a | b;
    else
        d = a & b;
}

/// d = (a + b) * 3 with trait types, and + 7 for the first elements.
__aicore__ inline void RunTraits(UbCases& c) {
    using Rows = Layout<Shape<Std::Int<4>, Std::Int<64>>, Stride<Std::Int<64>, Std::Int<1>>>;
    using Element = TensorTrait<float, TPosition::VECCALC, Rows>;
    LocalTensor<Element> d(static_cast<uint32_t>(c[kDst])), a(static_cast<uint32_t>(c[kSrc0])),
        b(static_cast<uint32_t>(c[kSrc1]));
    const int32_t n = static_cast<int32_t>(d.GetSize());
    Add(d, a, b, n);
    PipeBarrier<PIPE_V>();
    Muls(d, d, 3.0f, n);
    PipeBarrier<PIPE_V>();
    Adds(d, d, 7.0f, static_cast<int32_t>(c[kExtra]));
    PipeBarrier<PIPE_ALL>();
    d.SetValue(static_cast<uint32_t>(c[kExtra]), a.GetValue(1));
}

}  // namespace api_test

using namespace api_test;

#define TWO(OP, T, U) UB_KERNEL(OP##_##T##_##U, (Run##OP<T, U>(c)))
TWO(AddReluCast, int8_t, half)
TWO(AddReluCast, int8_t, int16_t)
TWO(AddReluCast, half, float)
TWO(SubReluCast, int8_t, half)
TWO(SubReluCast, int8_t, int16_t)
TWO(SubReluCast, half, float)
UB_KERNEL(AddDeqRelu, RunAddDeqRelu(c))
UB_KERNEL(CastDequant_int8_t, (RunCastDequant<int8_t, false, false>(c)))
UB_KERNEL(CastDequant_uint8_t, (RunCastDequant<uint8_t, false, true>(c)))
UB_KERNEL(CastVdequant_int8_t, (RunCastDequant<int8_t, true, true>(c)))
UB_KERNEL(CastVdequant_uint8_t, (RunCastDequant<uint8_t, true, false>(c)))
UB_KERNEL(DequantHalf, RunDequantHalf(c))
UB_KERNEL(TransposeExt_int8_t, RunTransposeExt<int8_t>(c))
UB_KERNEL(TransposeExt_half, RunTransposeExt<half>(c))
UB_KERNEL(TransposeExt_uint16_t, RunTransposeExt<uint16_t>(c))
UB_KERNEL(TransposeExt_float, RunTransposeExt<float>(c))
UB_KERNEL(Bilinear, RunBilinear(c))
UB_KERNEL(Expression_half, RunExpression<half>(c))
UB_KERNEL(Expression_float, RunExpression<float>(c))
UB_KERNEL(BitExpression, RunBitExpression(c))
UB_KERNEL(Traits, RunTraits(c))
