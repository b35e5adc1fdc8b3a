// SPDX-License-Identifier: BSD-3-Clause
// Sizes and places of the prefill kernel's tiles in the cube core's memories, at compile time.
#pragma once

#include "arch/buffer_ring.h"
#include "prefill/steps.h"

namespace flash_attn_npu::ascend::prefill {

template <class ArchTag, int32_t HEAD_DIM_, int32_t HEAD_DIM_V_>
struct PrefillShape {
    static constexpr uint32_t HEAD_DIM = HEAD_DIM_, HEAD_DIM_V = HEAD_DIM_V_;
    static constexpr uint32_t SUB_BLOCKS = kPrefillSubBlocks;
    static constexpr uint32_t ROWS = 128;       // of a sub-block
    static constexpr uint32_t HALF_ROWS = 64;   // of a score tile, and of a vector core
    static constexpr uint32_t STRIP_ROWS = 16;  // of a fractal
    static constexpr uint32_t PANEL = PrefillStep::PANEL;
    static constexpr uint32_t FRACTAL = STRIP_ROWS * PANEL;
    static constexpr uint32_t STEP_KEYS = prefill_step_keys(HEAD_DIM_V_);
    static constexpr uint32_t STEP_PANELS = STEP_KEYS / PANEL;
    static constexpr uint32_t KEY_TILE = PrefillStep::KEY_TILE;
    static constexpr uint32_t STEP_TILES = STEP_KEYS / KEY_TILE;

    // How much one Mmad adds up: features of q and k, or keys of P and V.
    static constexpr uint32_t DEPTH = HEAD_DIM_ <= 128 ? 128 : 64;
    static constexpr uint32_t SCORE_DEPTH = HEAD_DIM_ < static_cast<int32_t>(DEPTH) ? HEAD_DIM_ : DEPTH;

    // Features of v that are in L0C at a time: more take more passes over P and V.
    static constexpr uint32_t OUT_COLS = HEAD_DIM_V_ < 128 ? HEAD_DIM_V_ : 128;
    static constexpr uint32_t PASSES = HEAD_DIM_V / OUT_COLS;

    // L1, in elements of two bytes.
    static constexpr uint32_t Q_TILE = ROWS * HEAD_DIM, K_TILE = KEY_TILE * HEAD_DIM, P_TILE = ROWS * KEY_TILE,
                              V_TILE = KEY_TILE * OUT_COLS;
    static constexpr uint32_t L1_ELEMENTS = ArchTag::L1_SIZE / 2;
    static constexpr uint32_t P_RING = 2;
    static constexpr uint32_t K_RING = HEAD_DIM_ <= 128 ? 3 : 2;
    static constexpr uint32_t Q_AT = 0;
    static constexpr uint32_t K_AT = Q_AT + SUB_BLOCKS * Q_TILE;
    static constexpr uint32_t P_AT = K_AT + K_RING * K_TILE;
    static constexpr uint32_t V_AT = P_AT + P_RING * P_TILE;
    // The value tiles of a pass stay for both sub-blocks; one more lets the next ones start early.
    static constexpr uint32_t V_ROOM = (L1_ELEMENTS - V_AT) / V_TILE;
    static constexpr uint32_t V_RING = V_ROOM < STEP_TILES + 1 ? V_ROOM : STEP_TILES + 1;
    static_assert(V_RING >= STEP_TILES, "L1 does not hold the value tiles of a pass");

    // L0A and L0B: operands of Mmads to come, of both products in turn.
    static constexpr uint32_t L0A_STAGE = ROWS * DEPTH, L0B_STAGE = KEY_TILE * DEPTH;
    static constexpr uint32_t L0_STAGES = ArchTag::L0A_SIZE / (L0A_STAGE * 2);
    static_assert(HEAD_DIM % SCORE_DEPTH == 0 && KEY_TILE % DEPTH == 0 && OUT_COLS <= KEY_TILE, "L0 stages do not fit");

    // L0C, in floats: two score tiles, and as many output tiles as there is room for.
    static constexpr uint32_t S_TILE = HALF_ROWS * KEY_TILE, O_TILE = ROWS * OUT_COLS;
    static constexpr uint32_t O_AT = 2 * S_TILE;
    static constexpr uint32_t O_TILES = (ArchTag::L0C_SIZE / 4 - O_AT) / O_TILE;
    static_assert(O_TILES >= 1, "L0C overflows");
};

}  // namespace flash_attn_npu::ascend::prefill
