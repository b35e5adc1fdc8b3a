// SPDX-License-Identifier: BSD-3-Clause
// The arithmetic of Mmad.
#include "semantics/cube/multiply.h"

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <vector>

#include "semantics/numeric.h"

namespace twin {

namespace {

/// Element of a 4-bit packed array.
int nibble(const uint8_t* base, uint64_t index) {
    const int v = base[index / 2] >> (index % 2 * 4) & 15;
    return v >= 8 ? v - 16 : v;
}

/// Operands unpacked to plain row-major arrays: A[m][k], B[k][n].
template <typename Acc, typename Get>
void unpack(std::vector<Acc>& to, uint32_t rows, uint32_t cols, Get get) {
    to.resize(uint64_t(rows) * cols);
    for (uint32_t r = 0; r < rows; ++r)
        for (uint32_t c = 0; c < cols; ++c) to[uint64_t(r) * cols + c] = get(r, c);
}

template <typename Acc>
void multiply_rows(Acc* c, const Acc* a, const Acc* b, uint32_t m, uint32_t n, uint32_t k, uint32_t ldc) {
    // Columns in strips that stay in registers: c[i][0..31] += a[i][p] * b[p][0..31].
    for (uint32_t j = 0; j < n; j += 32) {
        const uint32_t width = std::min(32u, n - j);
        for (uint32_t i = 0; i < m; ++i) {
            Acc sum[32];
            for (uint32_t x = 0; x < width; ++x) sum[x] = c[uint64_t(i) * ldc + j + x];
            for (uint32_t x = width; x < 32; ++x) sum[x] = 0;
            const Acc* row = a + uint64_t(i) * k;
            if (width == 32) {
                for (uint32_t p = 0; p < k; ++p) {
                    const Acc f = row[p];
                    const Acc* line = b + uint64_t(p) * n + j;
                    for (int x = 0; x < 32; ++x) {
                        if constexpr (std::is_same<Acc, float>::value)
                            sum[x] = __builtin_fmaf(f, line[x], sum[x]);
                        else
                            sum[x] += f * line[x];
                    }
                }
            } else {
                for (uint32_t p = 0; p < k; ++p)
                    for (uint32_t x = 0; x < width; ++x) {
                        if constexpr (std::is_same<Acc, float>::value)
                            sum[x] = __builtin_fmaf(row[p], b[uint64_t(p) * n + j + x], sum[x]);
                        else
                            sum[x] += row[p] * b[uint64_t(p) * n + j + x];
                    }
            }
            for (uint32_t x = 0; x < width; ++x) c[uint64_t(i) * ldc + j + x] = sum[x];
        }
    }
}

float operand(const uint8_t* base, uint64_t index, DType type) {
    switch (type) {
        case DType::kHalf: return widen(load<half>(base + index * 2));
        case DType::kBf16: return widen(load<bf16>(base + index * 2));
        case DType::kFloat: return load<float>(base + index * 4);
        case DType::kInt8: return static_cast<float>(static_cast<int8_t>(base[index]));
        case DType::kInt4: return static_cast<float>(nibble(base, index));
        default: return 0;
    }
}

/// float with 11 bits of fraction; infinities and NaN stay.
float to_hf32(float value, bool ties_to_zero) {
    constexpr uint32_t dropped = 12, half_way = 1u << (dropped - 1);
    uint32_t bits = bits_of_float(value);
    if ((bits & 0x7f800000u) == 0x7f800000u) return value;
    bits += ties_to_zero ? half_way - 1 : half_way - 1 + (bits >> dropped & 1);
    return float_of_bits(bits & ~((1u << dropped) - 1));
}

struct Scratch {
    std::vector<float> fa, fb, fc;
    std::vector<int32_t> ia, ib, ic;
};

template <typename Acc>
void compute(const Matmul& t, uint8_t* c, const uint8_t* pa, const uint8_t* pb, const uint8_t* bias,
             std::vector<Acc>& A, std::vector<Acc>& B, std::vector<Acc>& C) {
    const MmadArgs& a = t.a;
    const uint32_t c0 = t.c0;
    if (a.a_type == DType::kHalf && !t.gemv) {
        A.resize(uint64_t(a.m) * a.k);
        for (uint32_t r = 0; r < a.m; ++r)
            for (uint32_t g = 0; g < a.k; g += c0) {
                const uint8_t* line = pa + t.a_at(r, g) * 2;
                const uint32_t w = std::min(c0, a.k - g);
                for (uint32_t x = 0; x < w; ++x)
                    A[uint64_t(r) * a.k + g + x] = static_cast<Acc>(widen(load<half>(line + x * 2)));
            }
    } else {
        unpack(A, a.m, a.k,
               [&](uint32_t r, uint32_t k) { return static_cast<Acc>(operand(pa, t.a_at(r, k), a.a_type)); });
    }
    if (a.b_type == DType::kHalf) {
        B.resize(uint64_t(a.k) * a.n);
        for (uint32_t g = 0; g < a.k; g += c0)
            for (uint32_t n = 0; n < a.n; ++n) {
                const uint8_t* line = pb + t.b_at(g, n) * 2;
                const uint32_t w = std::min(c0, a.k - g);
                for (uint32_t x = 0; x < w; ++x)
                    B[uint64_t(g + x) * a.n + n] = static_cast<Acc>(widen(load<half>(line + x * 2)));
            }
    } else {
        unpack(B, a.k, a.n,
               [&](uint32_t k, uint32_t n) { return static_cast<Acc>(operand(pb, t.b_at(k, n), a.b_type)); });
    }
    if constexpr (std::is_same<Acc, float>::value)
        if (a.hf32) {
            for (float& x : A) x = to_hf32(x, a.hf32_ties_to_zero);
            for (float& x : B) x = to_hf32(x, a.hf32_ties_to_zero);
        }
    C.resize(uint64_t(a.m) * a.n);
    const auto at = [&](uint32_t i, uint32_t j) { return c + t.c_at(i, j); };
    for (uint32_t i = 0; i < a.m; ++i)
        for (uint32_t j = 0; j < a.n; ++j)
            C[uint64_t(i) * a.n + j] = a.from_bias ? load<Acc>(bias + j * 4) : a.init ? Acc(0) : load<Acc>(at(i, j));
    multiply_rows<Acc>(C.data(), A.data(), B.data(), a.m, a.n, a.k, a.n);
    for (uint32_t i = 0; i < a.m; ++i)
        for (uint32_t j = 0; j < a.n; ++j) std::memcpy(at(i, j), &C[uint64_t(i) * a.n + j], 4);
}

/// Of each 4 elements of a row of A the 2 that the column's indices name, times a dense B of half the height. Indices:
/// 2 bits each, for 4 elements of a column of B in a byte; the first names one of elements 0 to 2, the second one of 1
/// to 3.
void compute_sparse(const Matmul& t, uint8_t* c, const uint8_t* pa, const uint8_t* pb, const uint8_t* bias,
                    const uint8_t* index) {
    const MmadArgs& a = t.a;
    for (uint32_t i = 0; i < a.m; ++i)
        for (uint32_t j = 0; j < a.n; ++j) {
            uint8_t* at = c + t.c_at(i, j);
            int32_t sum = a.from_bias ? load<int32_t>(bias + j * 4) : a.init ? 0 : load<int32_t>(at);
            for (uint32_t p = 0; p < t.kb; ++p) {
                const uint64_t b = t.b_at(p, j);
                const uint32_t k = p / 2 * 4 + (index[b / 4] >> (b % 4 * 2) & 3) + p % 2;
                if (k >= t.kr) continue;  // an index that names no element
                sum += int32_t(static_cast<int8_t>(pa[t.a_at(i, k)])) * static_cast<int8_t>(pb[b]);
            }
            std::memcpy(at, &sum, 4);
        }
}

}  // namespace

void multiply(const Matmul& t, uint8_t* c, const uint8_t* a, const uint8_t* b, const uint8_t* bias,
              const uint8_t* index) {
    static thread_local Scratch s;
    if (t.a.sparse)
        compute_sparse(t, c, a, b, bias, index);
    else if (t.a.c_type == DType::kInt32)
        compute<int32_t>(t, c, a, b, bias, s.ia, s.ib, s.ic);
    else
        compute<float>(t, c, a, b, bias, s.fa, s.fb, s.fc);
}

}  // namespace twin
