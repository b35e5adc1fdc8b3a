// SPDX-License-Identifier: BSD-3-Clause
// Fractals, transposed.
#include "semantics/movement/fractal.h"

#include <cstring>

namespace twin {

void transpose_square(uint8_t* const* dst, const uint8_t* const* src, uint32_t bits) {
    if (bits == 16) {
        for (int r = 0; r < 16; ++r)
            for (int c = 0; c < 16; ++c) std::memcpy(dst[0] + (c * 16 + r) * 2, src[0] + (r * 16 + c) * 2, 2);
    } else if (bits == 32) {
        for (int r = 0; r < 16; ++r)
            for (int c = 0; c < 16; ++c)
                std::memcpy(dst[r / 8] + (c * 8 + r % 8) * 4, src[c / 8] + (r * 8 + c % 8) * 4, 4);
    } else if (bits == 8) {
        for (int r = 0; r < 32; ++r)
            for (int c = 0; c < 32; ++c) dst[c / 16][c % 16 * 32 + r] = src[r / 16][r % 16 * 32 + c];
    } else {
        for (int r = 0; r < 64; ++r)
            for (int c = 0; c < 64; ++c) {
                const uint8_t nibble = src[r / 16][(r % 16 * 64 + c) / 2] >> (c % 2 * 4) & 15;
                uint8_t& to = dst[c / 16][(c % 16 * 64 + r) / 2];
                to = r % 2 ? (to & 0x0f) | nibble << 4 : (to & 0xf0) | nibble;
            }
    }
}

void copy_fractal(uint8_t* dst, const uint8_t* src, bool transpose) {
    if (!transpose)
        std::memcpy(dst, src, 512);
    else
        transpose_square(&dst, &src, 16);
}

}  // namespace twin
