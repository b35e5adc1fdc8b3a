// SPDX-License-Identifier: BSD-3-Clause
// Tensors in expressions: c = a + b, c = a < b.
#pragma once
#include "ascendc/arithmetic.h"
#include "ascendc/compare_select.h"

namespace AscendC {

#define TWIN_SYMBOL(KIND, CALL)                                                               \
    template <typename T>                                                                     \
    void LocalTensor<T>::operator=(const TwinExpression<T, TwinSymbol::KIND>& e) {            \
        CALL(TwinPlain(), e.a.TwinPlain(), e.b.TwinPlain(), static_cast<int32_t>(GetSize())); \
    }
TWIN_SYMBOL(kAdd, Add)
TWIN_SYMBOL(kSub, Sub)
TWIN_SYMBOL(kMul, Mul)
TWIN_SYMBOL(kDiv, Div)
TWIN_SYMBOL(kOr, Or)
TWIN_SYMBOL(kAnd, And)
#undef TWIN_SYMBOL
template <typename T>
void LocalTensor<T>::operator=(const TwinComparison<float>& e) {
    Compare(TwinPlain(), e.a, e.b, e.mode, e.a.GetSize());
}
template <typename T>
void LocalTensor<T>::operator=(const TwinComparison<half>& e) {
    Compare(TwinPlain(), e.a, e.b, e.mode, e.a.GetSize());
}

}  // namespace AscendC
