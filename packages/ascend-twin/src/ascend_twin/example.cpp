// SPDX-License-Identifier: BSD-3-Clause
// z = x + y in half, 1024 elements per block: the kernel of the examples in ascend_twin's documentation.
// ascend-twin: --blocks 8 --arg 8192:half --arg 8192:half --arg 8192:half:out
#include "kernel_operator.h"

using namespace AscendC;

extern "C" __global__ __aicore__ void add(GM_ADDR x, GM_ADDR y, GM_ADDR z) {
    const uint32_t n = 1024, at = GetBlockIdx() * n;
    GlobalTensor<half> from_x, from_y, to;
    from_x.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(x));
    from_y.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(y));
    to.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(z));
    LocalTensor<half> a(TPosition::VECCALC, 0, n), b(TPosition::VECCALC, 2 * n, n);
    DataCopy(a, from_x[at], n);
    DataCopy(b, from_y[at], n);
    SetFlag<HardEvent::MTE2_V>(0);
    WaitFlag<HardEvent::MTE2_V>(0);
    Add(a, a, b, n);
    SetFlag<HardEvent::V_MTE3>(0);
    WaitFlag<HardEvent::V_MTE3>(0);
    DataCopy(to[at], a, n);
}
