// SPDX-License-Identifier: BSD-3-Clause
// Writes to global memory by the atomic mode of a core.
#pragma once
#include "twin/abi.h"

namespace twin {

/// Stores, or combines with what is there (MTE3 and Fixpipe).
void store_gm(uint8_t* dst, const uint8_t* src, uint64_t bytes, Atomic op, DType type);

}  // namespace twin
