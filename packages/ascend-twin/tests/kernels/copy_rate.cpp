// SPDX-License-Identifier: BSD-3-Clause
// Copies of a rows x cols half matrix in tiles, for the cycle model's comparison with published copy rates: nothing is
// computed, a core takes every n-th tile.
#include "kernel_operator.h"

using namespace AscendC;

/// GM -> UB in tiles of tile_rows x tile_cols, over the whole of UB.
extern "C" __global__ __aicore__ void gm_to_ub(GM_ADDR in, uint32_t rows, uint32_t cols, uint32_t tile_rows,
                                               uint32_t tile_cols) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    if ASCEND_IS_AIV {
        TPipe pipe;
        TBuf<TPosition::VECIN> buffer;
        pipe.InitBuffer(buffer, 192 * 1024);
        pipe.Destroy();
        LocalTensor<half> ub = buffer.Get<half>();
        GlobalTensor<half> gm;
        gm.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(in));
        const uint32_t across = cols / tile_cols, tiles = rows / tile_rows * across;
        const DataCopyParams p(tile_rows, tile_cols / 16, (cols - tile_cols) / 16, 0);
        const uint32_t bytes = tile_rows * tile_cols * 2;
        uint32_t slot = 0;
        for (uint32_t t = GetBlockIdx(); t < tiles; t += GetBlockNum()) {
            const uint64_t start = static_cast<uint64_t>(t / across * tile_rows) * cols + t % across * tile_cols;
            DataCopy(ub[slot * bytes / 2], gm[start], p);
            slot = (slot + 1) % (192 * 1024 / bytes);
        }
    }
}

/// GM -> L1 with ND -> NZ.
extern "C" __global__ __aicore__ void gm_to_l1(GM_ADDR in, uint32_t rows, uint32_t cols, uint32_t tile_rows,
                                               uint32_t tile_cols) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    if ASCEND_IS_AIC {
        TPipe pipe;
        TBuf<TPosition::A1> buffer;
        pipe.InitBuffer(buffer, 512 * 1024);
        pipe.Destroy();
        LocalTensor<half> l1 = buffer.Get<half>();
        GlobalTensor<half> gm;
        gm.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(in));
        const uint32_t across = cols / tile_cols, tiles = rows / tile_rows * across;
        uint32_t slot = 0;
        for (uint32_t t = GetBlockIdx(); t < tiles; t += GetBlockNum()) {
            const uint64_t start = static_cast<uint64_t>(t / across * tile_rows) * cols + t % across * tile_cols;
            const uint32_t bytes = tile_rows * tile_cols * 2;
            DataCopy(l1[slot * bytes / 2], gm[start], Nd2NzParams(1, tile_rows, tile_cols, 0, cols, tile_rows, 1, 0));
            slot = (slot + 1) % (512 * 1024 / bytes);
        }
    }
}
