// SPDX-License-Identifier: BSD-3-Clause
// Rows of any length at any element-aligned address of global memory <-> rows at a fixed pitch in UB, byte exact.
#pragma once
#include "arch/resource.h"
#include "flash_attn_npu/platform.h"

namespace flash_attn_npu::ascend::tile {

/// `rows` rows of `elements` elements. In global memory they lie `stride` elements apart (0: one row, again and again),
/// in UB `pitch` elements, a whole number of 32-byte blocks.
struct RowsShape {
    uint32_t rows;
    uint32_t elements;
    int64_t stride;
    uint32_t pitch;

    /// Bytes between rows in global memory, when one instruction can step over them.
    template <class Element>
    __aicore__ inline int64_t Gap() const {
        return (stride - static_cast<int64_t>(elements)) * static_cast<int64_t>(sizeof(Element));
    }
    template <class Element>
    __aicore__ inline bool OneInstruction() const {
        constexpr int64_t kGapLimit = int64_t{1} << 32;
        constexpr uint32_t kRowLimit = 4095;
        return rows == 1 || (Gap<Element>() >= 0 && Gap<Element>() < kGapLimit && rows <= kRowLimit);
    }
    /// Free blocks after each row in UB.
    template <class Element>
    __aicore__ inline uint32_t FreeBlocks() const {
        constexpr uint32_t kBlock = 32 / sizeof(Element);
        return pitch / kBlock - (elements + kBlock - 1) / kBlock;
    }
};

/// MTE2. What follows a row's elements in its last block is 0 with kZeroPadding, else undefined.
template <bool kZeroPadding = false, class Element>
__aicore__ inline void LoadRows(const AscendC::LocalTensor<Element>& dst, const AscendC::GlobalTensor<Element>& src,
                                const RowsShape& shape) {
    AscendC::DataCopyPadExtParams<Element> padding;
    if constexpr (kZeroPadding) {
        constexpr uint32_t kBlock = 32 / sizeof(Element);
        padding.isPad = true;
        padding.rightPadding = static_cast<uint8_t>((kBlock - shape.elements % kBlock) % kBlock);
        padding.paddingValue = 0;
    }
    const uint32_t bytes = shape.elements * sizeof(Element);
    if (shape.template OneInstruction<Element>()) {
        const uint32_t gap = shape.rows == 1 ? 0 : static_cast<uint32_t>(shape.template Gap<Element>());
        AscendC::DataCopyPad(dst, src,
                             AscendC::DataCopyExtParams(static_cast<uint16_t>(shape.rows), bytes, gap,
                                                        shape.template FreeBlocks<Element>(), 0),
                             padding);
        return;
    }
    for (uint32_t row = 0; row < shape.rows; ++row) {
        AscendC::DataCopyPad(dst[row * shape.pitch], src[static_cast<int64_t>(row) * shape.stride],
                             AscendC::DataCopyExtParams(1, bytes, 0, 0, 0), padding);
    }
}

/// MTE3. Writes the rows' bytes and no others.
template <class Element>
__aicore__ inline void StoreRows(const AscendC::GlobalTensor<Element>& dst, const AscendC::LocalTensor<Element>& src,
                                 const RowsShape& shape) {
    const uint32_t bytes = shape.elements * sizeof(Element);
    if (shape.template OneInstruction<Element>()) {
        const uint32_t gap = shape.rows == 1 ? 0 : static_cast<uint32_t>(shape.template Gap<Element>());
        AscendC::DataCopyPad(dst, src,
                             AscendC::DataCopyExtParams(static_cast<uint16_t>(shape.rows), bytes,
                                                        shape.template FreeBlocks<Element>(), gap, 0));
        return;
    }
    for (uint32_t row = 0; row < shape.rows; ++row) {
        AscendC::DataCopyPad(dst[static_cast<int64_t>(row) * shape.stride], src[row * shape.pitch],
                             AscendC::DataCopyExtParams(1, bytes, 0, 0, 0));
    }
}

}  // namespace flash_attn_npu::ascend::tile
