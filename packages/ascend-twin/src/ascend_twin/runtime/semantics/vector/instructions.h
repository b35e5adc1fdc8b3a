// SPDX-License-Identifier: BSD-3-Clause
// The families of vector instructions, as vector() hands an instruction to them. dst, s0, s1: host addresses.
#pragma once
#include "semantics/vector/lane_values.h"
#include "semantics/vector/operands.h"

namespace twin {

// ---- lanes of their own: arithmetic.cc, mixed.cc, cast.cc, vector.cc
/// Operands and result of one type.
void arithmetic(const Plan&, const VectorArgs&, const Context&, uint8_t* dst, const uint8_t* s0, const uint8_t* s1);
/// Instructions of which mixed() knows forms with a result of another type.
bool is_mixed(VecOp);
void mixed(const Plan&, const VectorArgs&, const Context&, uint8_t* dst, const uint8_t* s0, const uint8_t* s1);
bool legal_cast(DType dst, DType src, uint8_t mode);
void cast(const Plan&, const VectorArgs&, const Context&, uint8_t* dst, const uint8_t* src);

// ---- lanes that depend on each other: special.cc hands them on
bool is_special(VecOp);
void execute_special(Core&, const VectorArgs&, const Plan&, const Loc&);
void compare(Core&, Operands&, const Plan&, const VectorArgs&);
void compare_mask(Core&, Operands&, const VectorArgs&);
void select(Core&, Operands&, const Plan&, const VectorArgs&);
void reduce(Core&, Operands&, const Plan&, const VectorArgs&, bool saturate);
void reduce_tensor(Core&, Operands&, const Plan&, const VectorArgs&, bool saturate);
void reduce_matrix(Operands&, const VectorArgs&, bool saturate);
void brcb(Operands&, const VectorArgs&);
void broadcast(Operands&, const VectorArgs&);
void create_index(Operands&, const Plan&, const VectorArgs&);
void gather(Operands&, const Plan&, const VectorArgs&);
void gather_blocks(Operands&, const VectorArgs&);
void gather_mask(Operands&, const VectorArgs&);
void transpose_16x16(Operands&, const VectorArgs&);
void transpose_images(Operands&, const VectorArgs&);
void cast_dequant(Core&, Operands&, const Plan&, const VectorArgs&);

}  // namespace twin
