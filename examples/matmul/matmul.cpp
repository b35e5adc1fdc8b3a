// SPDX-License-Identifier: BSD-3-Clause
// fp16 matmul with fp32 accumulation, from the tiles of kernels-common. On the twin, from a checkout with nothing but
// ascend-twin installed: ascend-twin check examples/matmul/matmul.cpp
// ascend-twin: -I../../kernels-common/ascend -I../../kernels-common/include --blocks 24
// ascend-twin: --arg 512x768:half --arg 768x640:half --arg 512x640:half:out --arg 512 --arg 640 --arg 768
#include "matmul.h"

using namespace flash_attn_npu::ascend;

/// a[m, k], b[k, n], c[m, n] row-major half; runs on the cube cores only.
extern "C" __global__ __aicore__ void matmul_f16(GM_ADDR a, GM_ADDR b, GM_ADDR c, uint32_t m, uint32_t n, uint32_t k) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    if ASCEND_IS_AIC {
        using L1Tile = GemmShape<128, 256, 256>;
        using L0Tile = GemmShape<128, 256, 64>;
        using BlockMmad = matmul::BlockMmadPingpong<arch::AtlasA2, L1Tile, L0Tile, half, half>;
        arch::Resource<arch::AtlasA2> resource;
        matmul::Matmul<BlockMmad, half, half, L1Tile> multiply;
        multiply(resource, a, b, c, m, n, k);
    }
}
