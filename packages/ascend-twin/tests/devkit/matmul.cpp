// SPDX-License-Identifier: BSD-3-Clause
// The high-level Matmul on the cube, one block, whole matrices; tiles that divide nothing.
#define ASCENDC_CUBE_ONLY
#include "kernel_operator.h"

#include "lib/matmul_intf.h"

using namespace AscendC;

namespace {

template <typename T, typename C, bool transposeB, bool bias>
__aicore__ inline void Multiply(GM_ADDR a, GM_ADDR b, GM_ADDR row, GM_ADDR c, int64_t m, int64_t n, int64_t k) {
    using Sum = C;
    GlobalTensor<T> left, right;
    GlobalTensor<C> out;
    GlobalTensor<Sum> rowOfBias;
    left.SetGlobalBuffer(reinterpret_cast<__gm__ T*>(a), m * k);
    right.SetGlobalBuffer(reinterpret_cast<__gm__ T*>(b), k * n);
    out.SetGlobalBuffer(reinterpret_cast<__gm__ C*>(c), m * n);
    rowOfBias.SetGlobalBuffer(reinterpret_cast<__gm__ Sum*>(row), n);
    TCubeTiling tiling;
    tiling.usedCoreNum = 1;
    tiling.M = tiling.singleCoreM = static_cast<int32_t>(m);
    tiling.N = tiling.singleCoreN = static_cast<int32_t>(n);
    tiling.Ka = tiling.Kb = tiling.singleCoreK = static_cast<int32_t>(k);
    tiling.baseM = 64;
    tiling.baseN = 96;
    tiling.baseK = 64;
    tiling.depthA1 = tiling.depthB1 = 2;
    tiling.stepM = tiling.stepN = tiling.stepKa = tiling.stepKb = 1;
    tiling.dbL0A = tiling.dbL0B = 2;
    tiling.dbL0C = 1;
    tiling.isBias = bias;
    tiling.shareL1Size = 256 * 1024;
    tiling.shareL0CSize = 64 * 96 * 4;
    tiling.batchM = tiling.batchN = tiling.singleBatchM = tiling.singleBatchN = 1;
    TPipe pipe;
    Matmul<MatmulType<TPosition::GM, CubeFormat::ND, T>, MatmulType<TPosition::GM, CubeFormat::ND, T, transposeB>,
           MatmulType<TPosition::GM, CubeFormat::ND, C>, MatmulType<TPosition::GM, CubeFormat::ND, Sum>>
        product;
    REGIST_MATMUL_OBJ(&pipe, nullptr, product, &tiling);
    product.SetTensorA(left);
    product.SetTensorB(right, transposeB);
    if (bias) product.SetBias(rowOfBias);
    product.IterateAll(out);
    product.End();
}

}  // namespace

#define MATMUL(name, T, C, transposeB, bias)                                                                       \
    extern "C" __global__ __aicore__ void name(GM_ADDR a, GM_ADDR b, GM_ADDR row, GM_ADDR c, int64_t m, int64_t n, \
                                               int64_t k) {                                                        \
        KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);                                                            \
        Multiply<T, C, transposeB, bias>(a, b, row, c, m, n, k);                                                   \
    }
MATMUL(lib_half, half, float, false, false)
MATMUL(lib_half_transposed, half, float, true, true)
MATMUL(lib_float, float, float, false, false)
MATMUL(lib_int8, int8_t, int32_t, true, false)
