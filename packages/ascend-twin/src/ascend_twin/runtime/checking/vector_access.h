// SPDX-License-Identifier: BSD-3-Clause
// What the checker wants to know of a vector instruction whose lanes are independent.
#pragma once
#include "semantics/vector/plan.h"

namespace twin {

/// Reads and writes of an instruction, validity of its result, repeats that read what an earlier one wrote.
/// dst_bytes: extent of the destination.
void check_vector(Core&, const VectorArgs&, const Plan&, uint64_t dst_bytes, const Loc&);

/// Bytes from an operand's start to its last enabled lane; size 0: int4, two lanes in a byte, a repeat without gaps.
uint64_t operand_bytes(const Plan&, uint32_t size, const Stride&);

}  // namespace twin
