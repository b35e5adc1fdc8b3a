// SPDX-License-Identifier: BSD-3-Clause
// Two-source, one-source and tensor-scalar instructions and the fused ones, every element type of dav-2201.
#include "harness.h"

namespace api_test {

#define BINARY_OP(OP)                                                             \
    template <typename T>                                                         \
    __aicore__ inline void Run##OP(UbCases& c) {                                  \
        LocalTensor<T> d = c.At<T>(kDst), a = c.At<T>(kSrc0), b = c.At<T>(kSrc1); \
        ALL_FORMS(OP, (OP<T, false>), T, int32_t, BinaryStrides(c), d, a, b)      \
    }
#define UNARY_OP(OP)                                                     \
    template <typename T>                                                \
    __aicore__ inline void Run##OP(UbCases& c) {                         \
        LocalTensor<T> d = c.At<T>(kDst), a = c.At<T>(kSrc0);            \
        ALL_FORMS(OP, (OP<T, false>), T, int32_t, UnaryStrides(c), d, a) \
    }
#define SCALAR_OP(OP)                                                       \
    template <typename T>                                                   \
    __aicore__ inline void Run##OP(UbCases& c) {                            \
        LocalTensor<T> d = c.At<T>(kDst), a = c.At<T>(kSrc0);               \
        const T s = FromBits<T>(c[kScalar]);                                \
        ALL_FORMS(OP, (OP<T, false>), T, int32_t, UnaryStrides(c), d, a, s) \
    }
/// dst and sources of different types: the wider one sets the lanes.
#define MIXED_OP(OP)                                                            \
    template <typename T, typename U>                                           \
    __aicore__ inline void Run##OP(UbCases& c) {                                \
        LocalTensor<T> d = c.At<T>(kDst);                                       \
        LocalTensor<U> a = c.At<U>(kSrc0), b = c.At<U>(kSrc1);                  \
        ALL_FORMS(OP, (OP<T, U, false>), T, int32_t, BinaryStrides(c), d, a, b) \
    }

BINARY_OP(Add)
BINARY_OP(Sub)
BINARY_OP(Mul)
BINARY_OP(Div)
BINARY_OP(Max)
BINARY_OP(Min)
BINARY_OP(And)
BINARY_OP(Or)
BINARY_OP(AddRelu)
BINARY_OP(SubRelu)
BINARY_OP(FusedMulAdd)
BINARY_OP(FusedMulAddRelu)
UNARY_OP(Exp)
UNARY_OP(Ln)
UNARY_OP(Abs)
UNARY_OP(Sqrt)
UNARY_OP(Rsqrt)
UNARY_OP(Reciprocal)
UNARY_OP(Relu)
UNARY_OP(Not)
SCALAR_OP(Adds)
SCALAR_OP(Muls)
SCALAR_OP(Maxs)
SCALAR_OP(Mins)
SCALAR_OP(LeakyRelu)
SCALAR_OP(ShiftLeft)
MIXED_OP(MulAddDst)
MIXED_OP(MulCast)

template <typename T, typename U>
__aicore__ inline void RunAxpy(UbCases& c) {
    LocalTensor<T> d = c.At<T>(kDst);
    LocalTensor<U> a = c.At<U>(kSrc0);
    const U s = FromBits<U>(c[kScalar]);
    ALL_FORMS(Axpy, (Axpy<T, U, false>), T, int32_t, UnaryStrides(c), d, a, s)
}

/// Rounding is asked for by the last argument, which the count form does not have.
template <typename T>
__aicore__ inline void RunShiftRight(UbCases& c) {
    LocalTensor<T> d = c.At<T>(kDst), a = c.At<T>(kSrc0);
    const T s = FromBits<T>(c[kScalar]);
    const bool round = c[kExtra] != 0;
    const UnaryRepeatParams p = UnaryStrides(c);
    const uint8_t repeat = static_cast<uint8_t>(c[kRepeat]);
    uint64_t mask[2] = {Bits(c[kMaskLow]), Bits(c[kMaskHigh])};
    switch (c[kForm]) {
        case 0: ShiftRight(d, a, s, static_cast<int32_t>(mask[0])); break;
        case 1: ShiftRight(d, a, s, mask[0], repeat, p, round); break;
        case 2: ShiftRight(d, a, s, mask, repeat, p, round); break;
        default: break;
    }
}

}  // namespace api_test

using namespace api_test;

#define ONE(OP, T) UB_KERNEL(OP##_##T, Run##OP<T>(c))
#define TWO(OP, T, U) UB_KERNEL(OP##_##T##_##U, (Run##OP<T, U>(c)))
#define FLOATS(OP) ONE(OP, half) ONE(OP, float)
#define NUMBERS(OP) FLOATS(OP) ONE(OP, int16_t) ONE(OP, int32_t)

NUMBERS(Add)
NUMBERS(Sub)
NUMBERS(Mul)
NUMBERS(Max)
NUMBERS(Min)
FLOATS(Div)
ONE(And, int16_t)
ONE(And, uint16_t)
ONE(Or, int16_t)
ONE(Or, uint16_t)
FLOATS(AddRelu)
ONE(AddRelu, int16_t)
FLOATS(SubRelu)
ONE(SubRelu, int16_t)
FLOATS(FusedMulAdd)
FLOATS(FusedMulAddRelu)
FLOATS(Exp)
FLOATS(Ln)
FLOATS(Abs)
FLOATS(Sqrt)
FLOATS(Rsqrt)
FLOATS(Reciprocal)
FLOATS(Relu)
ONE(Relu, int32_t)
ONE(Not, int16_t)
ONE(Not, uint16_t)
NUMBERS(Adds)
NUMBERS(Muls)
NUMBERS(Maxs)
NUMBERS(Mins)
FLOATS(LeakyRelu)
ONE(ShiftLeft, int16_t)
ONE(ShiftLeft, uint16_t)
ONE(ShiftLeft, int32_t)
ONE(ShiftLeft, uint32_t)
ONE(ShiftRight, int16_t)
ONE(ShiftRight, uint16_t)
ONE(ShiftRight, int32_t)
ONE(ShiftRight, uint32_t)
TWO(MulAddDst, half, half)
TWO(MulAddDst, float, float)
TWO(MulAddDst, float, half)
TWO(MulCast, int8_t, half)
TWO(MulCast, uint8_t, half)
TWO(Axpy, half, half)
TWO(Axpy, float, float)
TWO(Axpy, float, half)
