// SPDX-License-Identifier: BSD-3-Clause
// Fractals of 16 rows of 32 bytes, which LoadData moves and transposes.
#pragma once
#include "machine/core.h"

namespace twin {

/// A square of S x S elements made of S / 16 fractals, side by side for wide types (columns 0-7, 8-15), one below the
/// other for narrow ones (rows 0-15, 16-31, ...).
void transpose_square(uint8_t* const* dst, const uint8_t* const* src, uint32_t bits);
/// One fractal as it is, or transposed (16-bit types).
void copy_fractal(uint8_t* dst, const uint8_t* src, bool transpose);

/// Whether LoadData goes from L1 to L0A or L0B.
inline bool l1_to_l0(const Ref& src, const Ref& dst) {
    return src.memory == Memory::kL1 && (dst.memory == Memory::kL0A || dst.memory == Memory::kL0B);
}
/// Fractals that a repeated load reads one after the other.
struct FractalSteps {
    uint32_t start, repeat, stride;
    bool decrease;

    uint64_t at(uint32_t i) const { return decrease ? start - uint64_t(i) * stride : start + uint64_t(i) * stride; }
    bool below_zero() const { return decrease && uint64_t(start) < uint64_t(repeat - 1) * stride; }
    uint64_t first() const { return decrease ? at(repeat - 1) : start; }
    uint64_t last() const { return decrease ? start : at(repeat - 1); }
};

}  // namespace twin
