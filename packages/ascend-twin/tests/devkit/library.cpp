// SPDX-License-Identifier: BSD-3-Clause
// Functions of the high-level library, one element type, one kernel each.
#include "kernel_operator.h"

#include "lib/activation/gelu.h"
#include "lib/activation/sigmoid.h"
#include "lib/activation/silu.h"
#include "lib/activation/softmax.h"
#include "lib/activation/softmaxflashv2.h"
#include "lib/activation/swish.h"
#include "lib/math/acos.h"
#include "lib/math/asin.h"
#include "lib/math/atan.h"
#include "lib/math/ceil.h"
#include "lib/math/cos.h"
#include "lib/math/cosh.h"
#include "lib/math/erf.h"
#include "lib/math/erfc.h"
#include "lib/math/exp.h"
#include "lib/math/floor.h"
#include "lib/math/frac.h"
#include "lib/math/log.h"
#include "lib/math/power.h"
#include "lib/math/round.h"
#include "lib/math/sign.h"
#include "lib/math/sin.h"
#include "lib/math/sinh.h"
#include "lib/math/tan.h"
#include "lib/math/tanh.h"
#include "lib/math/trunc.h"

using namespace AscendC;

namespace {

constexpr uint32_t kCount = 1000, kPadded = 1024;

__aicore__ inline GlobalTensor<float> Global(GM_ADDR address) {
    GlobalTensor<float> gm;
    gm.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(address));
    return gm;
}

}  // namespace

#define OF_ONE(name, call)                                                           \
    extern "C" __global__ __aicore__ void name(GM_ADDR in, GM_ADDR out) {            \
        KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);                              \
        TPipe pipe;                                                                  \
        TBuf<TPosition::VECCALC> ub;                                                 \
        pipe.InitBuffer(ub, 2 * kPadded * sizeof(float));                            \
        LocalTensor<float> x = ub.Get<float>(kPadded), y = ub.Get<float>()[kPadded]; \
        y.SetSize(kPadded);                                                          \
        DataCopy(x, Global(in), kPadded);                                            \
        PipeBarrier<PIPE_ALL>();                                                     \
        call;                                                                        \
        PipeBarrier<PIPE_ALL>();                                                     \
        DataCopy(Global(out), y, kCount);                                            \
    }
#define OF_COUNT(name) OF_ONE(lib_##name, name(y, x, kCount))
OF_COUNT(Acos)
OF_COUNT(Asin)
OF_COUNT(Atan)
OF_COUNT(Ceil)
OF_COUNT(Cos)
OF_COUNT(Cosh)
OF_COUNT(Erf)
OF_COUNT(Erfc)
OF_COUNT(Floor)
OF_COUNT(Frac)
OF_COUNT(Log)
OF_COUNT(Round)
OF_COUNT(Sign)
OF_COUNT(Sin)
OF_COUNT(Sinh)
OF_COUNT(Tan)
OF_COUNT(Tanh)
OF_COUNT(Trunc)
OF_COUNT(Sigmoid)
OF_COUNT(Gelu)
OF_COUNT(Silu)
OF_ONE(lib_Swish, Swish(y, x, kCount, 1.5f))
OF_ONE(lib_Power, Power(y, x, 2.5f, kCount))

/// Online softmax of 16 rows in two blocks of 128 columns.
extern "C" __global__ __aicore__ void lib_SoftmaxFlashV2(GM_ADDR in, GM_ADDR out, GM_ADDR maxima, GM_ADDR sums,
                                                         GM_ADDR factors) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    constexpr uint32_t kRows = 16, kColumns = 128, kStatistic = kRows * 8, kWork = 64 * 1024;
    TPipe pipe;
    TBuf<TPosition::VECCALC> ub, work;
    pipe.InitBuffer(ub, (2 * kRows * kColumns + 3 * kStatistic) * sizeof(float));
    pipe.InitBuffer(work, kWork);
    LocalTensor<float> x = ub.Get<float>(), y = x[kRows * kColumns], max = y[kRows * kColumns], sum = max[kStatistic],
                       factor = sum[kStatistic];
    LocalTensor<uint8_t> tmp = work.Get<uint8_t>();
    const SoftMaxShapeInfo shape = {kRows, kColumns, kRows, kColumns};
    const SoftMaxTiling tiling = SoftMaxFlashV2TilingFunc(shape, sizeof(float), sizeof(float), kWork, true, true);
    for (uint32_t j = 0; j < 2; ++j) {
        DataCopy(x, Global(in)[j * kColumns], DataCopyParams(kRows, kColumns / 8, kColumns / 8, 0));
        PipeBarrier<PIPE_ALL>();
        if (j == 0)
            SoftmaxFlashV2<float, false, false, true, false>(y, sum, max, x, factor, sum, max, tmp, tiling, shape);
        else
            SoftmaxFlashV2<float, true, false, true, false>(y, sum, max, x, factor, sum, max, tmp, tiling, shape);
        PipeBarrier<PIPE_ALL>();
        DataCopy(Global(out)[j * kColumns], y, DataCopyParams(kRows, kColumns / 8, 0, kColumns / 8));
        PipeBarrier<PIPE_ALL>();
    }
    DataCopy(Global(maxima), max, kStatistic);
    DataCopy(Global(sums), sum, kStatistic);
    DataCopy(Global(factors), factor, kStatistic);
}

extern "C" __global__ __aicore__ void lib_SoftMax(GM_ADDR in, GM_ADDR out) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    constexpr uint32_t kRows = 16, kColumns = 72, kWork = 32 * 1024;
    TPipe pipe;
    TBuf<TPosition::VECCALC> ub, work;
    pipe.InitBuffer(ub, (2 * kRows * kColumns + 2 * kRows * 8) * sizeof(float));
    pipe.InitBuffer(work, kWork);
    LocalTensor<float> x = ub.Get<float>(), y = x[kRows * kColumns], max = y[kRows * kColumns], sum = max[kRows * 8];
    LocalTensor<uint8_t> tmp = work.Get<uint8_t>();
    const SoftMaxShapeInfo shape = {kRows, kColumns, kRows, kColumns};
    const SoftMaxTiling tiling{};  // for no shape: made on the core
    DataCopy(x, Global(in), kRows * kColumns);
    PipeBarrier<PIPE_ALL>();
    SoftMax<float>(y, sum, max, x, tmp, tiling, shape);
    PipeBarrier<PIPE_ALL>();
    DataCopy(Global(out), y, kRows * kColumns);
}
