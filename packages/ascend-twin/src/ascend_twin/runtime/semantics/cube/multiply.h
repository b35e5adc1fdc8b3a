// SPDX-License-Identifier: BSD-3-Clause
// The arithmetic of Mmad.
//
// Accumulation is fp32, in order of k, each product exact (half, bf16) or fused (float): the device's order inside
// its 16-wide groups is not published.
#pragma once
#include "twin/abi.h"

namespace twin {

/// An Mmad whose parameters are legal, with the geometry of its operands: A is zZ in L0A, B is nZ in L0B with fractals
/// of 16 columns by C0 rows, C is NZ in L0C.
struct Matmul {
    MmadArgs a;
    uint32_t bits;      // of an element of A and B
    uint32_t c0;        // elements in 32 bytes
    uint32_t m16, n16;  // m and n in whole fractals
    uint32_t kc, kr;    // k in whole fractals; columns that a row of fractals of A holds
    uint32_t kb, kbc;   // rows of B; in whole fractals
    bool gemv;          // one row: A is a vector

    uint64_t a_bytes() const { return gemv ? uint64_t(kc) * bits / 8 : uint64_t(m16) * kr * bits / 8; }
    uint64_t b_bytes() const { return uint64_t(kbc) * n16 * bits / 8; }
    uint64_t c_bytes() const { return uint64_t(m16) * n16 * 4; }
    /// Elements of A and B from their starts, bytes of C.
    uint64_t a_at(uint32_t r, uint32_t k) const {
        if (gemv) return k;
        return uint64_t(r / 16) * 16 * kr + uint64_t(k / c0) * 16 * c0 + (r % 16) * c0 + k % c0;
    }
    uint64_t b_at(uint32_t k, uint32_t n) const {
        return uint64_t(k / c0) * n16 * c0 + uint64_t(n / 16) * 16 * c0 + (n % 16) * c0 + k % c0;
    }
    uint64_t c_at(uint32_t i, uint32_t j) const { return (uint64_t(j / 16) * m16 * 16 + i * 16 + j % 16) * 4; }
};

/// C = A B, added to what is in C or to the bias; host addresses of operands. index: of a sparse B.
void multiply(const Matmul&, uint8_t* c, const uint8_t* a, const uint8_t* b, const uint8_t* bias, const uint8_t* index);

}  // namespace twin
