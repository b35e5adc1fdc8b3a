// SPDX-License-Identifier: BSD-3-Clause
// C[m, n] = A[m, k] * B[k, n], all row-major, on the cube cores.
#pragma once
#include "block_mmad.h"

namespace flash_attn_npu::ascend::matmul {

/// Output tiles in order: groups of SWIZZLE tile rows, column by column inside a group, so that the cores of one wave
/// share operand tiles in L2.
template <uint32_t SWIZZLE>
struct TileOrder {
    uint32_t rows, cols;
    __aicore__ inline void At(uint32_t index, uint32_t& row, uint32_t& col) const {
        const uint32_t group = index / (SWIZZLE * cols);
        const uint32_t inGroup = index % (SWIZZLE * cols);
        const uint32_t height = Min(SWIZZLE, rows - group * SWIZZLE);
        row = group * SWIZZLE + inGroup % height;
        col = inGroup / height;
    }
};

template <class BlockMmad, class Element, class ElementC, class L1TileShape>
class Matmul {
public:
    __aicore__ inline void operator()(arch::Resource<arch::AtlasA2>& resource, GM_ADDR a, GM_ADDR b, GM_ADDR c,
                                      uint32_t m, uint32_t n, uint32_t k) {
        gmA_.SetGlobalBuffer(reinterpret_cast<__gm__ Element*>(a), static_cast<uint64_t>(m) * k);
        gmB_.SetGlobalBuffer(reinterpret_cast<__gm__ Element*>(b), static_cast<uint64_t>(k) * n);
        gmC_.SetGlobalBuffer(reinterpret_cast<__gm__ ElementC*>(c), static_cast<uint64_t>(m) * n);
        shape_ = GemmCoord{m, n, k};
        order_.rows = CeilDiv<L1TileShape::M>(m);
        order_.cols = CeilDiv<L1TileShape::N>(n);

        const uint32_t tiles = order_.rows * order_.cols;
        const uint32_t cores = AscendC::GetBlockNum();
        uint32_t index = AscendC::GetBlockIdx();
        if (index >= tiles) {
            return;
        }
        BlockMmad blockMmad(resource);
        typename BlockMmad::Tile tile[2];
        uint32_t now = 0;
        Fill(tile[now], index);
        blockMmad.Preload(tile[now]);
        for (; index < tiles; index += cores) {
            const bool more = index + cores < tiles;
            if (more) {
                Fill(tile[1 - now], index + cores);
            }
            blockMmad.Multiply(tile[now], more ? &tile[1 - now] : nullptr);
            now = 1 - now;
        }
    }

private:
    __aicore__ inline void Fill(typename BlockMmad::Tile& tile, uint32_t index) const {
        uint32_t row, col;
        order_.At(index, row, col);
        const uint32_t m0 = row * L1TileShape::M, n0 = col * L1TileShape::N;
        tile.shape = GemmCoord{Min(L1TileShape::M, shape_.m - m0), Min(L1TileShape::N, shape_.n - n0), shape_.k};
        tile.gmA = gmA_[static_cast<uint64_t>(m0) * shape_.k];
        tile.gmB = gmB_[n0];
        tile.gmC = gmC_[static_cast<uint64_t>(m0) * shape_.n + n0];
        tile.layoutA = layout::RowMajor{tile.shape.m, shape_.k, shape_.k};
        tile.layoutB = layout::RowMajor{shape_.k, tile.shape.n, shape_.n};
        tile.layoutC = layout::RowMajor{tile.shape.m, tile.shape.n, shape_.n};
    }

    AscendC::GlobalTensor<Element> gmA_, gmB_;
    AscendC::GlobalTensor<ElementC> gmC_;
    GemmCoord shape_;
    TileOrder<3> order_;
};

}  // namespace flash_attn_npu::ascend::matmul
