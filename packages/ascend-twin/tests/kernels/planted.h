// SPDX-License-Identifier: BSD-3-Clause
// Frame of the planted kernels: tiny ones with one bug each. With `bad` set the bug is there, without it the kernel is
// correct. `in` and `out` hold 1 MiB each. Tables of expectations: ../test_planted_bugs.py.
#pragma once
#include "kernel_operator.h"

using namespace AscendC;

namespace {

constexpr uint32_t N = 1024;  // elements of the usual tile

template <typename T>
__aicore__ inline GlobalTensor<T> Gm(GM_ADDR p) {
    GlobalTensor<T> g;
    g.SetGlobalBuffer(reinterpret_cast<__gm__ T*>(p));
    return g;
}

/// UB, L1, L0A, L0B and L0C by byte offset, as CATLASS's Resource gives them.
struct Memories {
    TPipe pipe;
    LocalTensor<uint8_t> ub, l1, l0a, l0b, l0c;
    __aicore__ inline Memories() {
        if ASCEND_IS_AIV {
            TBuf<TPosition::VECCALC> b;
            pipe.InitBuffer(b, 192 * 1024);
            ub = b.Get<uint8_t>();
        }
        if ASCEND_IS_AIC {
            TBuf<TPosition::A1> b1;
            TBuf<TPosition::A2> b2;
            TBuf<TPosition::B2> b3;
            TBuf<TPosition::CO1> b4;
            pipe.InitBuffer(b1, 512 * 1024);
            pipe.InitBuffer(b2, 64 * 1024);
            pipe.InitBuffer(b3, 64 * 1024);
            pipe.InitBuffer(b4, 128 * 1024);
            l1 = b1.Get<uint8_t>();
            l0a = b2.Get<uint8_t>();
            l0b = b3.Get<uint8_t>();
            l0c = b4.Get<uint8_t>();
        }
        pipe.Destroy();
    }
    template <typename T>
    __aicore__ inline LocalTensor<T> Ub(uint32_t at) {
        return ub[at].ReinterpretCast<T>();
    }
    template <typename T>
    __aicore__ inline LocalTensor<T> L1(uint32_t at) {
        return l1[at].ReinterpretCast<T>();
    }
    template <typename T>
    __aicore__ inline LocalTensor<T> L0A(uint32_t at) {
        return l0a[at].ReinterpretCast<T>();
    }
    template <typename T>
    __aicore__ inline LocalTensor<T> L0B(uint32_t at) {
        return l0b[at].ReinterpretCast<T>();
    }
    __aicore__ inline LocalTensor<float> L0C(uint32_t at) { return l0c[at].ReinterpretCast<float>(); }
};

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
