// SPDX-License-Identifier: BSD-3-Clause
// The eight AMX tile registers, all configured as 16 rows of 64 bytes: a matrix of 16 x 16 floats or 16 x 32 bf16.
//
// Own wrappers instead of intrinsics: GCC 12's _tile_loadconfig and _tile_loadd do not tell the compiler that they read
// memory, so that stores to the configuration or to a packed operand may be moved past them or dropped.
#pragma once

#include <cstddef>
#include <cstdint>

#include "flash_attn_npu/platform.h"

namespace flash_attn_npu::cpu {
namespace {

struct AmxTiles {
    // Tile state belongs to the thread, and other libraries configure it their own way: set it up for every use.
    FA_HOST_DEVICE static void configure() {
        struct alignas(64) {
            uint8_t palette = 1;
            uint8_t start_row = 0;
            uint8_t reserved[14] = {};
            uint16_t bytes_per_row[16] = {64, 64, 64, 64, 64, 64, 64, 64};
            uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
        } config;
        static_assert(sizeof(config) == 64, "layout of LDTILECFG");
        __asm__ volatile("ldtilecfg %0" ::"m"(config) : "memory");
    }
    FA_HOST_DEVICE static void release() { __asm__ volatile("tilerelease" ::: "memory"); }

    template <int kTile>
    FA_HOST_DEVICE static void zero() {
        __asm__ volatile("tilezero %%tmm%c0" ::"i"(kTile));
    }
    // `stride` in bytes.
    template <int kTile>
    FA_HOST_DEVICE static void load(const void* p, ptrdiff_t stride) {
        __asm__ volatile("tileloadd (%1,%2,1), %%tmm%c0" ::"i"(kTile), "r"(p), "r"(stride) : "memory");
    }
    template <int kTile>
    FA_HOST_DEVICE static void store(void* p, ptrdiff_t stride) {
        __asm__ volatile("tilestored %%tmm%c0, (%1,%2,1)" ::"i"(kTile), "r"(p), "r"(stride) : "memory");
    }
    // C[i][j] += sum over pairs k of A[i][k] . B[k][j]
    template <int kC, int kA, int kB>
    FA_HOST_DEVICE static void dot_bf16() {
        __asm__ volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(kC), "i"(kA), "i"(kB));
    }
};

}  // namespace
}  // namespace flash_attn_npu::cpu
