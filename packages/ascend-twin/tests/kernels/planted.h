// SPDX-License-Identifier: BSD-3-Clause
// Frame of the planted kernels: tiny ones with one bug each. With `bad` set the bug is there, without it the kernel is
// correct. `in` and `out` hold 1 MiB each. Tables of expectations: ../test_planted_bugs.py.
#pragma once
#include "memories.h"

using namespace AscendC;

namespace {

constexpr uint32_t N = 1024;  // elements of the usual tile

template <typename T>
__aicore__ inline GlobalTensor<T> Gm(GM_ADDR p) {
    GlobalTensor<T> g;
    g.SetGlobalBuffer(reinterpret_cast<__gm__ T*>(p));
    return g;
}

using twin_test::Memories;

template <HardEvent event>
__aicore__ inline void Sync(int32_t id = 0) {
    SetFlag<event>(id);
    WaitFlag<event>(id);
}

}  // namespace

#define AIV_KERNEL(name)                                                                \
    extern "C" __global__ __aicore__ void name(GM_ADDR in, GM_ADDR out, uint32_t bad) { \
        KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);                                 \
        if ASCEND_IS_AIV {                                                              \
            Memories m;                                                                 \
            GlobalTensor<float> gin = Gm<float>(in), gout = Gm<float>(out);             \
            LocalTensor<float> a = m.Ub<float>(0), b = m.Ub<float>(65536), c = m.Ub<float>(131072);
#define END_KERNEL \
    }              \
    }
#define AIC_KERNEL(name)                                                                      \
    extern "C" __global__ __aicore__ void name(GM_ADDR in, GM_ADDR out, uint32_t bad) {       \
        KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);                                       \
        if ASCEND_IS_AIC {                                                                    \
            Memories m;                                                                       \
            GlobalTensor<half> gin = Gm<half>(in);                                            \
            GlobalTensor<float> gout = Gm<float>(out);                                        \
            LocalTensor<half> l1 = m.L1<half>(0), l0a = m.L0A<half>(0), l0b = m.L0B<half>(0); \
            LocalTensor<float> l0c = m.L0C(0);
#define MIX_KERNEL(name)                                                                \
    extern "C" __global__ __aicore__ void name(GM_ADDR in, GM_ADDR out, uint32_t bad) { \
        KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_MIX_AIC_1_2);                              \
        Memories m;                                                                     \
        GlobalTensor<float> gin = Gm<float>(in), gout = Gm<float>(out);                 \
        (void)bad;
#define END_MIX }
