// SPDX-License-Identifier: BSD-3-Clause
// Shapes and layouts of matrices in global memory and in fractals.
#pragma once
#include "flash_attn_npu/platform.h"
#include "kernel_operator.h"

namespace flash_attn_npu::ascend {

template <uint32_t ALIGN>
__aicore__ inline constexpr uint32_t RoundUp(uint32_t value) {
    return round_up(value, ALIGN);
}
template <uint32_t STEP>
__aicore__ inline constexpr uint32_t CeilDiv(uint32_t value) {
    return ceil_div(value, STEP);
}
__aicore__ inline uint32_t Min(uint32_t a, uint32_t b) { return min_of(a, b); }

struct GemmCoord {
    uint32_t m, n, k;
};

template <uint32_t M_, uint32_t N_, uint32_t K_>
struct GemmShape {
    static constexpr uint32_t M = M_, N = N_, K = K_;
};

namespace layout {

/// rows x cols in global memory, `stride` elements from row to row.
struct RowMajor {
    uint32_t rows, cols;
    uint64_t stride;
    __aicore__ inline uint64_t GetOffset(uint32_t row, uint32_t col) const { return row * stride + col; }
    __aicore__ inline RowMajor GetTileLayout(uint32_t tile_rows, uint32_t tile_cols) const {
        return RowMajor{tile_rows, tile_cols, stride};
    }
};

/// Fractals of 16 rows x kC0 columns, row-major inside, column panels of `rows` (a multiple of 16) rows one after
/// another.
struct zN {
    uint32_t rows;
    template <class Element>
    __aicore__ inline uint32_t GetOffset(uint32_t row, uint32_t col) const {
        constexpr uint32_t kC0 = 32 / sizeof(Element);
        return col / kC0 * rows * kC0 + row * kC0 + col % kC0;
    }
};

}  // namespace layout
}  // namespace flash_attn_npu::ascend
