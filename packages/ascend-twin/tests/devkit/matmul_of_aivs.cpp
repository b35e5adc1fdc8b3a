// SPDX-License-Identifier: BSD-3-Clause
// A Matmul object of AIVs, which sends its work to the AIC by messages.
#include "kernel_operator.h"

#include "lib/matmul_intf.h"

using namespace AscendC;

extern "C" __global__ __aicore__ void lib_mixed(GM_ADDR a, GM_ADDR c, GM_ADDR work) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_MIX_AIC_1_1);
    SetSysWorkspace(work);
    GlobalTensor<half> in;
    GlobalTensor<float> out;
    in.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(a));
    out.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(c));
    TCubeTiling tiling;
    TPipe pipe;
    Matmul<MatmulType<TPosition::GM, CubeFormat::ND, half>, MatmulType<TPosition::GM, CubeFormat::ND, half>,
           MatmulType<TPosition::GM, CubeFormat::ND, float>>
        product;
    REGIST_MATMUL_OBJ(&pipe, GetSysWorkSpacePtr(), product, &tiling);
    product.SetTensorA(in);
    product.SetTensorB(in);
    product.IterateAll(out);
    product.End();
}
