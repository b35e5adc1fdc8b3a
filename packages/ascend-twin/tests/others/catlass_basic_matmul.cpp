// SPDX-License-Identifier: BSD-3-Clause
// Host side for CATLASS's BasicMatmul, read in place from ASCEND_TWIN_CATLASS: the configuration of its example
// 00_basic_matmul (fp16, row-major, ping-pong with unit flag), on matrices the test owns so that it can compare in
// float64.
#ifndef K_MAX_SHAPE_DIM
#define K_MAX_SHAPE_DIM 0
#endif
#include "catlass/gemm/kernel/basic_matmul.hpp"

#include "catlass/arch/arch.hpp"
#include "catlass/catlass.hpp"
#include "catlass/gemm/block/block_mmad.hpp"
#include "catlass/gemm/block/block_swizzle.hpp"
#include "catlass/gemm/device/device_gemm.hpp"
#include "catlass/gemm/dispatch_policy.hpp"
#include "catlass/gemm/gemm_type.hpp"
#include "catlass/layout/layout.hpp"

using namespace Catlass;

extern "C" __attribute__((visibility("default"))) void catlass_basic_matmul(uint8_t* a, uint8_t* b, uint8_t* c,
                                                                            uint32_t m, uint32_t n, uint32_t k,
                                                                            uint32_t cores) {
    using Type = Gemm::GemmType<half, layout::RowMajor>;
    using BlockMmad = Gemm::Block::BlockMmad<Gemm::MmadAtlasA2Pingpong<true>, GemmShape<128, 256, 256>,
                                             GemmShape<128, 256, 64>, Type, Type, Type>;
    using Kernel = Gemm::Kernel::BasicMatmul<BlockMmad, void, Gemm::Block::GemmIdentityBlockSwizzle<3, 0>>;
    Gemm::Device::DeviceGemm<Kernel> op;
    op.Initialize(Kernel::Arguments{GemmCoord{m, n, k}, a, b, c});
    op(nullptr, cores);
}
