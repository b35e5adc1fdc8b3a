// SPDX-License-Identifier: BSD-3-Clause
// Elements of operands whose lanes depend on each other.
#pragma once
#include "semantics/vector/operands.h"
#include "semantics/vector/plan.h"

namespace twin {

template <typename T>
void store(Operands& ops, const Ref& dst, uint64_t offset, T value) {
    if (uint8_t* p = ops.write(dst, offset, sizeof(T), "destination")) std::memcpy(p, &value, sizeof(T));
}

}  // namespace twin
