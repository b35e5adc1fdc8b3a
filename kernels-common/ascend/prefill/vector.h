// SPDX-License-Identifier: BSD-3-Clause
// Vector tiles of the prefill kernel on a strip of scores: 16 rows x panels of 16 keys, (panel, row, key) in UB, so
// that a panel's row is one block of 32 bytes. Callers put the barriers between the functions.
#pragma once

#include "arch/resource.h"
#include "flash_attn_npu/mask.h"
#include "tile/barrier.h"
#include "tile/layout.h"

namespace flash_attn_npu::ascend::prefill {

struct Strip {
    static constexpr uint32_t kRows = 16, kPanel = 16;
    static constexpr uint32_t kFractal = kRows * kPanel;  // a panel of a strip
    static constexpr uint32_t kLanes = 128;               // halves of a repeat: 8 rows of a panel
    static constexpr uint32_t kHalves = kFractal / kLanes;

    AscendC::LocalTensor<half> data;
    uint32_t panels;

    __aicore__ inline uint8_t Repeats() const { return static_cast<uint8_t>(panels * kHalves); }
};

/// maximum[row] = max(before[row], largest score of the row). scratch: (panel, row) for a multiple of 16 panels, is
/// overwritten; fractal: 16 x 16 and 16 more halves.
__aicore__ inline void StripMaximum(const AscendC::LocalTensor<half>& maximum, const AscendC::LocalTensor<half>& before,
                                    const Strip& s, const AscendC::LocalTensor<half>& scratch,
                                    const AscendC::LocalTensor<half>& fractal, half smallest) {
    constexpr uint32_t kTurn = Strip::kRows * Strip::kPanel;  // maxima of 16 panels
    AscendC::BlockReduceMax(scratch, s.data, s.Repeats(), static_cast<int32_t>(Strip::kLanes), 1, 1, 8);
    const uint32_t panels = RoundUp<Strip::kPanel>(s.panels);
    if (panels != s.panels) {
        AscendC::Duplicate(scratch[s.panels * Strip::kRows], smallest,
                           static_cast<int32_t>((panels - s.panels) * Strip::kRows));
    }
    tile::VectorBarrier();
    if (panels > Strip::kPanel) {
        const AscendC::BinaryRepeatParams accumulate(1, 1, 1, 0, kTurn * 2 / 32, 0);
        const uint8_t turns = static_cast<uint8_t>(panels / Strip::kPanel - 1);
        for (uint32_t lane = 0; lane < kTurn; lane += Strip::kLanes) {
            AscendC::Max(scratch[lane], scratch[kTurn + lane], scratch[lane], uint64_t{Strip::kLanes}, turns,
                         accumulate);
        }
        tile::VectorBarrier();
    }
    // (panel, row) -> (row, panel)
    AscendC::Transpose(fractal, scratch);
    tile::VectorBarrier();
    const AscendC::LocalTensor<half> current = fractal[Strip::kFractal];
    AscendC::BlockReduceMax(current, fractal, static_cast<int32_t>(Strip::kHalves), static_cast<int32_t>(Strip::kLanes),
                            1, 1, 8);
    tile::VectorBarrier();
    AscendC::Max(maximum, before, current, uint64_t{Strip::kRows}, 1, AscendC::BinaryRepeatParams(1, 1, 1, 8, 8, 8));
}

/// s = exp((s - maximum) * scale). blocks: 16 blocks.
__aicore__ inline void StripExp(const Strip& s, const AscendC::LocalTensor<half>& maximum, half scale,
                                const AscendC::LocalTensor<half>& blocks) {
    constexpr uint8_t kPanelBlocks = Strip::kFractal * 2 / 32;
    AscendC::Brcb(blocks, maximum, static_cast<uint8_t>(Strip::kRows / 8), AscendC::BrcbRepeatParams(1, 8));
    tile::VectorBarrier();
    // A repeat is 8 rows of a panel; the same maxima for every panel.
    for (uint32_t lane = 0; lane < Strip::kFractal; lane += Strip::kLanes) {
        AscendC::Sub(s.data[lane], s.data[lane], blocks[lane], uint64_t{Strip::kLanes}, static_cast<uint8_t>(s.panels),
                     AscendC::BinaryRepeatParams(1, 1, 1, kPanelBlocks, kPanelBlocks, 0));
    }
    tile::VectorBarrier();
    const AscendC::UnaryRepeatParams whole(1, 1, 8, 8);
    AscendC::Muls(s.data, s.data, scale, uint64_t{Strip::kLanes}, s.Repeats(), whole);
    tile::VectorBarrier();
    AscendC::Exp(s.data, s.data, uint64_t{Strip::kLanes}, s.Repeats(), whole);
}

/// sums (panel, row) = sum over the keys of a panel
__aicore__ inline void StripPanelSums(const AscendC::LocalTensor<half>& sums, const Strip& s) {
    AscendC::BlockReduceSum(sums, s.data, s.Repeats(), static_cast<int32_t>(Strip::kLanes), 1, 1, 8);
}

/// Halves in [0, 1] -> bfloat16 with integer arithmetic, in place: the vector unit converts between the two only
/// through float, at four times the cost.
///
/// A half times 2^15, shifted right by 3, has the bits of a bfloat16 but for its exponent's bias, which differs by 112.
/// Of these, 15 take back the 2^15, whose purpose is that what half can only store without a leading one (below 2^-14)
/// is below 2^-29 here. There the bits mean something else: such values, zero included, come out between 2^-30 and
/// 2^-29.
__aicore__ inline void StripToBfloat16(const Strip& s) {
    constexpr float kUp = 32768.0f;
    constexpr int16_t kMantissaDifference = 3, kBias = (127 - 15 - 15) << 7;
    const AscendC::UnaryRepeatParams whole(1, 1, 8, 8);
    const AscendC::LocalTensor<int16_t> bits = s.data.template ReinterpretCast<int16_t>();
    AscendC::Muls(s.data, s.data, static_cast<half>(kUp), uint64_t{Strip::kLanes}, s.Repeats(), whole);
    tile::VectorBarrier();
    AscendC::ShiftRight(bits, bits, kMantissaDifference, uint64_t{Strip::kLanes}, s.Repeats(), whole, true);
    tile::VectorBarrier();
    AscendC::Adds(bits, bits, kBias, uint64_t{Strip::kLanes}, s.Repeats(), whole);
}

/// Writes `value` over the scores of keys that a row does not see.
///
/// row_begin: packed row of the strip's first row; rows: how many exist (the others are treated like the last).
/// key_begin: key of the first column.
__aicore__ inline void MaskStrip(const Strip& s, const Mask& mask, int32_t group, int32_t row_begin, int32_t rows,
                                 int32_t key_begin, half value) {
    const int32_t first = row_begin / group, last = (row_begin + rows - 1) / group;
    const KeyRange all = mask.visible_to_all(first, last + 1), any = mask.visible_to_any(first, last + 1);
    const int32_t panels = static_cast<int32_t>(s.panels), width = static_cast<int32_t>(Strip::kPanel);
    if (all.begin <= key_begin && all.end >= key_begin + panels * width) return;

    // Panels [0, seen.begin) and [seen.end, panels) are hidden from all rows, [whole.begin, whole.end) from none.
    const KeyRange seen{clamp(floor_div(any.begin - key_begin, width), 0, panels),
                        clamp(-floor_div(key_begin - any.end, width), 0, panels)};
    const KeyRange whole{-floor_div(key_begin - all.begin, width), floor_div(all.end - key_begin, width)};
    const auto hide = [&](int32_t begin, int32_t end) {
        if (begin >= end) return;
        AscendC::Duplicate(s.data[begin * static_cast<int32_t>(Strip::kFractal)], value, uint64_t{Strip::kLanes},
                           static_cast<uint8_t>((end - begin) * static_cast<int32_t>(Strip::kHalves)), 1, 8);
    };
    hide(0, seen.empty() ? panels : seen.begin);
    if (seen.empty()) return;
    hide(seen.end, panels);
    for (int32_t panel = seen.begin; panel < seen.end; ++panel) {
        if (panel >= whole.begin && panel < whole.end) continue;
        const int32_t key = key_begin + panel * width;
        for (int32_t half_panel = 0; half_panel < static_cast<int32_t>(Strip::kHalves); ++half_panel) {
            // 16 lanes of 8 rows.
            uint64_t hidden[2] = {0, 0};
            for (int32_t row = 0; row < 8; ++row) {
                const int32_t packed = row_begin + min_of(half_panel * 8 + row, rows - 1);
                const KeyRange keys = mask.visible(packed / group);
                const int32_t begin = clamp(keys.begin - key, 0, width), end = clamp(keys.end - key, begin, width);
                const uint64_t visible = ((uint64_t{1} << end) - 1) & ~((uint64_t{1} << begin) - 1);
                hidden[row / 4] |= (~visible & 0xffff) << (row % 4 * width);
            }
            if (hidden[0] == 0 && hidden[1] == 0) continue;
            AscendC::Duplicate(s.data[panel * static_cast<int32_t>(Strip::kFractal) +
                                      half_panel * static_cast<int32_t>(Strip::kLanes)],
                               value, hidden, 1, 1, 8);
        }
    }
}

}  // namespace flash_attn_npu::ascend::prefill
