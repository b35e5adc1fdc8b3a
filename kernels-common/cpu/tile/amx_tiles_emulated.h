// SPDX-License-Identifier: BSD-3-Clause
// A software model of AmxTiles with the arithmetic of the instructions, for machines without AMX. Test builds only.
//
// TDPBF16PS as Intel's manual (volume 2) defines it: even and odd products of a row are summed separately over k by
// FMA, then added to each other, then to C; round to nearest even, denormals are zero on input and on output.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "cpu/tile/x86_intrinsics.h"
#include "flash_attn_npu/platform.h"

namespace flash_attn_npu::cpu {
namespace {

struct AmxTilesEmulated {
    struct Tile {
        alignas(64) uint32_t row[16][16];
    };
    struct State {
        bool configured;
        Tile tile[8];
    };
    static State& state() {
        static thread_local State state;
        return state;
    }

    static void configure() {
        State& s = state();
        memset(&s, 0, sizeof(s));
        s.configured = true;
    }
    static void release() { state().configured = false; }

    // Unconfigured tiles raise #UD on the real thing.
    static Tile& tile(int index) {
        if (!state().configured) __builtin_trap();
        return state().tile[index];
    }

    template <int kTile>
    static void zero() {
        memset(&tile(kTile), 0, sizeof(Tile));
    }
    template <int kTile>
    static void load(const void* p, ptrdiff_t stride) {
        Tile& t = tile(kTile);
        for (int i = 0; i < 16; ++i) memcpy(t.row[i], static_cast<const char*>(p) + i * stride, 64);
    }
    template <int kTile>
    static void store(void* p, ptrdiff_t stride) {
        const Tile& t = tile(kTile);
        for (int i = 0; i < 16; ++i) memcpy(static_cast<char*>(p) + i * stride, t.row[i], 64);
    }
    template <int kC, int kA, int kB>
    static void dot_bf16() {
        constexpr unsigned kFlushDenormalsRoundNearest = 0x9fc0;  // MXCSR: FTZ, DAZ, all exceptions masked
        const unsigned callers = _mm_getcsr();
        _mm_setcsr(kFlushDenormalsRoundNearest);
        dot_bf16(tile(kC), tile(kA), tile(kB));
        _mm_setcsr(callers);
    }

private:
    // Not inlined: the compiler moves arithmetic across _mm_setcsr, but not across a call.
    [[gnu::noinline]] static void dot_bf16(Tile& c, const Tile& a, const Tile& b) {
        const __m512i odd_half = _mm512_set1_epi32(static_cast<int>(0xffff0000u));
        for (int i = 0; i < 16; ++i) {
            __m512 even = _mm512_setzero_ps();
            __m512 odd = _mm512_setzero_ps();
            for (int k = 0; k < 16; ++k) {
                const __m512i pair_a = _mm512_set1_epi32(static_cast<int>(a.row[i][k]));
                const __m512i pairs_b = _mm512_load_si512(b.row[k]);
                even = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_slli_epi32(pair_a, 16)),
                                       _mm512_castsi512_ps(_mm512_slli_epi32(pairs_b, 16)), even);
                odd = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_and_si512(pair_a, odd_half)),
                                      _mm512_castsi512_ps(_mm512_and_si512(pairs_b, odd_half)), odd);
            }
            const __m512 old = _mm512_castsi512_ps(_mm512_load_si512(c.row[i]));
            _mm512_store_si512(c.row[i], _mm512_castps_si512(_mm512_add_ps(old, _mm512_add_ps(even, odd))));
        }
    }
};

}  // namespace
}  // namespace flash_attn_npu::cpu
