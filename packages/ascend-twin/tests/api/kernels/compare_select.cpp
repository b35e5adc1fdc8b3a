// SPDX-License-Identifier: BSD-3-Clause
// Compare, CompareScalar / Compares, the compare-mask register, Select in all modes.
#include "harness.h"

namespace api_test {

__aicore__ inline CMPMODE Mode(UbCases& c) { return static_cast<CMPMODE>(c[kExtra]); }

template <typename T>
__aicore__ inline void RunCompare(UbCases& c) {
    LocalTensor<uint8_t> d = c.At<uint8_t>(kDst);
    LocalTensor<T> a = c.At<T>(kSrc0), b = c.At<T>(kSrc1);
    const uint8_t repeat = static_cast<uint8_t>(c[kRepeat]);
    const uint64_t mask[2] = {Bits(c[kMaskLow]), Bits(c[kMaskHigh])};
    switch (c[kForm]) {
        case 0: Compare(d, a, b, Mode(c), static_cast<uint32_t>(c[kMaskLow])); break;
        case 1: Compare(d, a, b, Mode(c), mask[0], repeat, BinaryStrides(c)); break;
        case 2: Compare(d, a, b, Mode(c), mask, repeat, BinaryStrides(c)); break;
        default: break;
    }
}

/// Both names of the comparison with a scalar: by the parity of number kExtra + 1.
template <typename T>
__aicore__ inline void RunCompareScalar(UbCases& c) {
    LocalTensor<uint8_t> d = c.At<uint8_t>(kDst);
    LocalTensor<T> a = c.At<T>(kSrc0);
    const T s = FromBits<T>(c[kScalar]);
    const uint8_t repeat = static_cast<uint8_t>(c[kRepeat]);
    const uint64_t bits[2] = {Bits(c[kMaskLow]), Bits(c[kMaskHigh])};
    const uint64_t mask = bits[0];
    const bool older = c[kExtra + 1] != 0;
    if (c[kForm] == 2) {
        if (older)
            CompareScalar(d, a, s, Mode(c), bits, repeat, UnaryStrides(c));
        else
            Compares(d, a, s, Mode(c), bits, repeat, UnaryStrides(c));
    } else if (c[kForm] == 0) {
        if (older)
            CompareScalar(d, a, s, Mode(c), static_cast<uint32_t>(c[kMaskLow]));
        else
            Compares(d, a, s, Mode(c), static_cast<uint32_t>(c[kMaskLow]));
    } else {
        if (older)
            CompareScalar(d, a, s, Mode(c), mask, repeat, UnaryStrides(c));
        else
            Compares(d, a, s, Mode(c), mask, repeat, UnaryStrides(c));
    }
}

/// One repeat compared into the register, which is then stored: the mask does count here.
template <typename T>
__aicore__ inline void RunCompareToRegister(UbCases& c) {
    LocalTensor<T> a = c.At<T>(kSrc0), b = c.At<T>(kSrc1);
    const uint64_t mask[2] = {Bits(c[kMaskLow]), Bits(c[kMaskHigh])};
    if (c[kForm] == 1)
        Compare(a, b, Mode(c), mask[0], BinaryStrides(c));
    else
        Compare(a, b, Mode(c), mask, BinaryStrides(c));
    PipeBarrier<PIPE_V>();
    GetCmpMask(c.At<T>(kDst));
}

/// Number kExtra: mode; kExtra + 1: byte where the condition bits are.
template <typename T, typename U>
__aicore__ inline void RunSelect(UbCases& c) {
    LocalTensor<T> d = c.At<T>(kDst), a = c.At<T>(kSrc0), b = c.At<T>(kSrc1);
    LocalTensor<U> bits = c.At<U>(kExtra + 1);
    const SELMODE mode = static_cast<SELMODE>(c[kExtra]);
    const uint8_t repeat = static_cast<uint8_t>(c[kRepeat]);
    uint64_t mask[2] = {Bits(c[kMaskLow]), Bits(c[kMaskHigh])};
    const uint32_t count = static_cast<uint32_t>(c[kMaskLow]);
    if (mode == SELMODE::VSEL_TENSOR_SCALAR_MODE) {
        const T s = FromBits<T>(c[kScalar]);
        switch (c[kForm]) {
            case 0: Select(d, bits, a, s, mode, count); break;
            case 1: Select(d, bits, a, s, mode, mask[0], repeat, BinaryStrides(c)); break;
            case 2: Select(d, bits, a, s, mode, mask, repeat, BinaryStrides(c)); break;
            default: break;
        }
    } else {
        switch (c[kForm]) {
            case 0: Select(d, bits, a, b, mode, count); break;
            case 1: Select(d, bits, a, b, mode, mask[0], repeat, BinaryStrides(c)); break;
            case 2: Select(d, bits, a, b, mode, mask, repeat, BinaryStrides(c)); break;
            default: break;
        }
    }
}

/// The forms without mask arguments: lanes by SetVectorMask, condition by SetCmpMask of what stands at number
/// kExtra + 2.
template <typename T>
__aicore__ inline void RunSelectKept(UbCases& c) {
    LocalTensor<T> d = c.At<T>(kDst), a = c.At<T>(kSrc0), b = c.At<T>(kSrc1);
    LocalTensor<uint8_t> bits = c.At<uint8_t>(kExtra + 1);
    LocalTensor<uint64_t> given = c.At<uint64_t>(kExtra + 2);
    const SELMODE mode = static_cast<SELMODE>(c[kExtra]);
    const uint8_t repeat = static_cast<uint8_t>(c[kRepeat]);
    if (mode == SELMODE::VSEL_CMPMASK_SPR) {
        SetCmpMask(bits);
    } else {
        given.SetValue(0, mode == SELMODE::VSEL_TENSOR_SCALAR_MODE ? Bits(c[kScalar]) : bits.GetPhyAddr());
        SetFlag<HardEvent::S_V>(0);
        WaitFlag<HardEvent::S_V>(0);
        SetCmpMask(given);
    }
    PipeBarrier<PIPE_V>();
    SetVectorMask<T, MaskMode::NORMAL>(Bits(c[kMaskHigh]), Bits(c[kMaskLow]));
    if (mode == SELMODE::VSEL_CMPMASK_SPR)
        Select<T, SELMODE::VSEL_CMPMASK_SPR>(d, a, b, repeat, BinaryStrides(c));
    else if (mode == SELMODE::VSEL_TENSOR_TENSOR_MODE)
        Select<T, SELMODE::VSEL_TENSOR_TENSOR_MODE>(d, a, b, repeat, BinaryStrides(c));
    else
        Select(d, bits, a, repeat, BinaryStrides(c));
    ResetMask();
}

}  // namespace api_test

using namespace api_test;

UB_KERNEL(Compare_half, RunCompare<half>(c))
UB_KERNEL(Compare_float, RunCompare<float>(c))
UB_KERNEL(Compare_int32_t, RunCompare<int32_t>(c))
UB_KERNEL(CompareScalar_half, RunCompareScalar<half>(c))
UB_KERNEL(CompareScalar_float, RunCompareScalar<float>(c))
UB_KERNEL(CompareScalar_int32_t, RunCompareScalar<int32_t>(c))
UB_KERNEL(CompareToRegister_half, RunCompareToRegister<half>(c))
UB_KERNEL(CompareToRegister_float, RunCompareToRegister<float>(c))
UB_KERNEL(Select_half_uint8_t, (RunSelect<half, uint8_t>(c)))
UB_KERNEL(Select_float_uint8_t, (RunSelect<float, uint8_t>(c)))
UB_KERNEL(Select_half_uint64_t, (RunSelect<half, uint64_t>(c)))
UB_KERNEL(Select_float_uint32_t, (RunSelect<float, uint32_t>(c)))
UB_KERNEL(SelectKept_half, RunSelectKept<half>(c))
UB_KERNEL(SelectKept_float, RunSelectKept<float>(c))
