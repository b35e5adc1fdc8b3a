// SPDX-License-Identifier: BSD-3-Clause
// UB bank conflicts of a vector instruction.
#pragma once
#include "semantics/vector/plan.h"

namespace twin {

/// Cycles an instruction loses to UB bank conflicts: in one cycle a repeat reads at most one block of each of the 16
/// bank groups (32-byte block number modulo 16) and writes at most one; the same block is read once.
uint32_t bank_conflicts(const Plan&, const VectorArgs&);

}  // namespace twin
