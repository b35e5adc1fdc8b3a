// SPDX-License-Identifier: BSD-3-Clause
// Checks TILES, a model of the AMX tiles (or the tiles themselves), against scalar arithmetic written after the manual;
// prints failures and exits with 1 when there are any.
#include TILES_HEADER

#include <cfloat>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <random>

#if defined(__linux__) && defined(TILES_ARE_REAL)
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace {

using Tiles = flash_attn_npu::cpu::TILES;
int failures = 0;

float from_bits(uint32_t bits) {
    float x;
    std::memcpy(&x, &bits, 4);
    return x;
}

uint32_t to_bits(float x) {
    uint32_t bits;
    std::memcpy(&bits, &x, 4);
    return bits;
}

float flush(float x) { return std::fabs(x) < FLT_MIN ? std::copysign(0.0f, x) : x; }
float low(uint32_t pair) { return flush(from_bits(pair << 16)); }
float high(uint32_t pair) { return flush(from_bits(pair & 0xffff0000u)); }

float dot(const uint32_t (&a)[16], const uint32_t (&b)[16][16], int j, float c) {
    float even = 0.0f, odd = 0.0f;
    for (int k = 0; k < 16; ++k) {
        even = flush(std::fmaf(low(a[k]), low(b[k][j]), even));
        odd = flush(std::fmaf(high(a[k]), high(b[k][j]), odd));
    }
    return flush(flush(c) + flush(even + odd));
}

struct Operands {
    uint32_t a[16][16], b[16][16];
    float c[16][16];
};

// `exponents`: how far magnitudes spread around 1; wide spreads make the order of summation visible.
Operands random_operands(std::mt19937& random, int exponents, int center) {
    const auto bf16 = [&] {
        const int exponent = center + static_cast<int>(random() % (2 * exponents + 1)) - exponents;
        const int biased = exponent + 127 < 0 ? 0 : exponent + 127;
        return static_cast<uint32_t>((random() & 0x8000u) | (biased << 7) | (random() & 0x7fu));
    };
    Operands x;
    for (int i = 0; i < 16; ++i) {
        for (int j = 0; j < 16; ++j) {
            x.a[i][j] = bf16() | bf16() << 16;
            x.b[i][j] = bf16() | bf16() << 16;
            x.c[i][j] = from_bits(bf16() << 16) * (1 + 1e-3f * (random() % 100));
        }
    }
    return x;
}

// B comes from rows that are not contiguous, as real operands do.
void check(const Operands& x, const char* what) {
    uint32_t b_strided[16][40];
    for (int i = 0; i < 16; ++i) std::memcpy(b_strided[i], x.b[i], sizeof(x.b[i]));
    float c[16][16];
    Tiles::load<2>(x.c, sizeof(x.c[0]));
    Tiles::load<4>(x.a, sizeof(x.a[0]));
    Tiles::load<7>(b_strided, sizeof(b_strided[0]));
    Tiles::dot_bf16<2, 4, 7>();
    Tiles::store<2>(c, sizeof(c[0]));
    for (int i = 0; i < 16; ++i) {
        for (int j = 0; j < 16; ++j) {
            const float expected = dot(x.a[i], x.b, j, x.c[i][j]);
            const bool both_nan = std::isnan(expected) && std::isnan(c[i][j]);
            if (!both_nan && to_bits(c[i][j]) != to_bits(expected) && ++failures <= 10) {
                std::printf("%s [%d][%d]: got %.9g expected %.9g\n", what, i, j, c[i][j], expected);
            }
        }
    }
}

}  // namespace

int main() {
#if defined(__linux__) && defined(TILES_ARE_REAL)
    if (syscall(SYS_arch_prctl, 0x1023, 18) != 0) return 77;
#endif
    std::mt19937 random(97);
    Tiles::configure();
    for (int round = 0; round < 200; ++round) {
        check(random_operands(random, 0, 0), "same magnitude");
        check(random_operands(random, 12, 0), "mixed magnitudes");
        check(random_operands(random, 5, -63), "results around the smallest normal number");
        check(random_operands(random, 2, -126), "subnormal inputs");
        check(random_operands(random, 1, 64), "overflow");
    }
    float zeros[16][16];
    Tiles::zero<2>();
    Tiles::store<2>(zeros, sizeof(zeros[0]));
    for (const auto& row : zeros) {
        for (float x : row) failures += to_bits(x) != 0;
    }
    Tiles::release();
    std::printf("%d failures\n", failures);
    return failures != 0;
}
