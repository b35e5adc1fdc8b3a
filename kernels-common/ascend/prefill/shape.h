// SPDX-License-Identifier: BSD-3-Clause
// Sizes and places of the prefill kernel's tiles in the cube core's memories, at compile time.
#pragma once

#include "arch/buffer_ring.h"
#include "prefill/steps.h"

namespace flash_attn_npu::ascend::prefill {

template <class ArchTag, int32_t HEAD_DIM_, int32_t HEAD_DIM_V_>
struct TileShape {
    static constexpr uint32_t kHeadDim = HEAD_DIM_, kHeadDimV = HEAD_DIM_V_;
    static constexpr uint32_t kSubBlocks = kPrefillSubBlocks;
    static constexpr uint32_t kRows = 128;      // of a sub-block
    static constexpr uint32_t kHalfRows = 64;   // of a score tile, and of a vector core
    static constexpr uint32_t kStripRows = 16;  // of a fractal
    static constexpr uint32_t kPanel = Step::kPanel;
    static constexpr uint32_t kFractal = kStripRows * kPanel;
    static constexpr uint32_t kStepKeys = prefill_step_keys(HEAD_DIM_V_);
    static constexpr uint32_t kStepPanels = kStepKeys / kPanel;
    static constexpr uint32_t kKeyTile = Step::kKeyTile;
    static constexpr uint32_t kStepTiles = kStepKeys / kKeyTile;

    // How much one Mmad adds up: features of q and k, or keys of P and V.
    static constexpr uint32_t kDepth = HEAD_DIM_ <= 128 ? 128 : 64;
    static constexpr uint32_t kScoreDepth = HEAD_DIM_ < static_cast<int32_t>(kDepth) ? HEAD_DIM_ : kDepth;

    // Features of v that are in L0C at a time: more take more passes over P and V.
    static constexpr uint32_t kOutCols = HEAD_DIM_V_ < 128 ? HEAD_DIM_V_ : 128;
    static constexpr uint32_t kPasses = kHeadDimV / kOutCols;

    // L1, in elements of two bytes.
    static constexpr uint32_t kQTile = kRows * kHeadDim, kKTile = kKeyTile * kHeadDim, kPTile = kRows * kKeyTile,
                              kVTile = kKeyTile * kOutCols;
    static constexpr uint32_t kL1Elements = ArchTag::kL1Bytes / 2;
    static constexpr uint32_t kPRing = 2;
    static constexpr uint32_t kKRing = HEAD_DIM_ <= 128 ? 3 : 2;
    static constexpr uint32_t kQAt = 0;
    static constexpr uint32_t kKAt = kQAt + kSubBlocks * kQTile;
    static constexpr uint32_t kPAt = kKAt + kKRing * kKTile;
    static constexpr uint32_t kVAt = kPAt + kPRing * kPTile;
    // The value tiles of a pass stay for both sub-blocks; one more lets the next ones start early.
    static constexpr uint32_t kVRoom = (kL1Elements - kVAt) / kVTile;
    static constexpr uint32_t kVRing = kVRoom < kStepTiles + 1 ? kVRoom : kStepTiles + 1;
    static_assert(kVRing >= kStepTiles, "L1 does not hold the value tiles of a pass");

    // L0A and L0B: operands of Mmads to come, of both products in turn.
    static constexpr uint32_t kL0AStage = kRows * kDepth, kL0BStage = kKeyTile * kDepth;
    static constexpr uint32_t kL0Stages = ArchTag::kL0ABytes / (kL0AStage * 2);
    static_assert(kHeadDim % kScoreDepth == 0 && kKeyTile % kDepth == 0 && kOutCols <= kKeyTile,
                  "L0 stages do not fit");

    // L0C, in floats: two score tiles, and as many output tiles as there is room for.
    static constexpr uint32_t kSTile = kHalfRows * kKeyTile, kOTile = kRows * kOutCols;
    static constexpr uint32_t kOAt = 2 * kSTile;
    static constexpr uint32_t kOTiles = (ArchTag::kL0CBytes / 4 - kOAt) / kOTile;
    static_assert(kOTiles >= 1, "L0C overflows");
};

}  // namespace flash_attn_npu::ascend::prefill
