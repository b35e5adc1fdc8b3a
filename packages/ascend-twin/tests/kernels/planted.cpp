// SPDX-License-Identifier: BSD-3-Clause
// Tiny kernels with one planted bug each: with `bad` set the bug is there, without it the kernel is correct.
// `in` and `out` hold 1 MiB each. Tables of expectations: ../test_planted_bugs.py.
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

// ---------------------------------------------------------------------------------------------- pipes of an AIV
AIV_KERNEL(load_then_vector)
DataCopy(a, gin, N);
if (!bad) Sync<HardEvent::MTE2_V>();
Adds(b, a, 1.0f, N);
Sync<HardEvent::V_MTE3>();
DataCopy(gout, b, N);
END_KERNEL

AIV_KERNEL(vector_then_store)
DataCopy(a, gin, N);
Sync<HardEvent::MTE2_V>();
Adds(b, a, 1.0f, N);
if (!bad) Sync<HardEvent::V_MTE3>();
DataCopy(gout, b, N);
END_KERNEL

AIV_KERNEL(ping_pong_reload)  // the second load overwrites what V may still read
for (uint32_t i = 0; i < 2; ++i) {
    if (i == 1 && !bad) WaitFlag<HardEvent::V_MTE2>(1);
    DataCopy(a, gin[i * N], N);
    Sync<HardEvent::MTE2_V>(static_cast<int32_t>(2 + i));
    Adds(b[i * N], a, 1.0f, N);
    if (i == 0 && !bad) SetFlag<HardEvent::V_MTE2>(1);
}
Sync<HardEvent::V_MTE3>();
DataCopy(gout, b, 2 * N);
END_KERNEL

AIV_KERNEL(store_then_overwrite)  // V writes the buffer MTE3 may still read
Duplicate(a, 1.0f, static_cast<int32_t>(N));
Sync<HardEvent::V_MTE3>();
DataCopy(gout, a, N);
if (!bad) Sync<HardEvent::MTE3_V>();
Duplicate(a, 2.0f, static_cast<int32_t>(N));
Sync<HardEvent::V_MTE3>();
DataCopy(gout[N], a, N);
END_KERNEL

AIV_KERNEL(store_then_load)  // the load overwrites the buffer MTE3 may still read
Duplicate(a, 1.0f, static_cast<int32_t>(N));
Sync<HardEvent::V_MTE3>();
DataCopy(gout, a, N);
if (!bad) Sync<HardEvent::MTE3_MTE2>();
DataCopy(a, gin, N);
END_KERNEL

AIV_KERNEL(vector_raw)
Duplicate(a, 1.0f, static_cast<int32_t>(N));
if (!bad) PipeBarrier<PIPE_V>();
Adds(b, a, 1.0f, N);
END_KERNEL

AIV_KERNEL(vector_waw)
Duplicate(a, 1.0f, static_cast<int32_t>(N));
if (!bad) PipeBarrier<PIPE_V>();
Duplicate(a, 2.0f, static_cast<int32_t>(N));
END_KERNEL

AIV_KERNEL(loads_overlap)
DataCopy(a, gin, N);
if (!bad) PipeBarrier<PIPE_MTE2>();
DataCopy(a[N / 2], gin, N);
END_KERNEL

AIV_KERNEL(barrier_of_the_wrong_pipe)
DataCopy(a, gin, N);
if (bad) {
    PipeBarrier<PIPE_MTE2>();
} else {
    PipeBarrier<PIPE_ALL>();
}
Adds(b, a, 1.0f, N);
END_KERNEL

AIV_KERNEL(flag_before_the_load)  // the flag is set before the load it should cover
if (bad) SetFlag<HardEvent::MTE2_V>(0);
DataCopy(a, gin, N);
if (!bad) SetFlag<HardEvent::MTE2_V>(0);
WaitFlag<HardEvent::MTE2_V>(0);
Adds(b, a, 1.0f, N);
END_KERNEL

AIV_KERNEL(scalar_reads_vector_result)
Duplicate(a, 3.0f, static_cast<int32_t>(N));
if (!bad) Sync<HardEvent::V_S>();
float x = a.GetValue(5);
if (x == 4.0f) Duplicate(b, x, static_cast<int32_t>(N));
END_KERNEL

AIV_KERNEL(vector_reads_scalar_result)
Duplicate(a, 3.0f, static_cast<int32_t>(N));
Sync<HardEvent::V_S>();
a.SetValue(5, 7.0f);
if (!bad) Sync<HardEvent::S_V>();
Adds(b, a, 1.0f, N);
END_KERNEL

// ---------------------------------------------------------------------------------------------- events
AIV_KERNEL(wrong_event_id)
DataCopy(a, gin, N);
SetFlag<HardEvent::MTE2_V>(0);
WaitFlag<HardEvent::MTE2_V>(bad ? 1 : 0);
Adds(b, a, 1.0f, N);
END_KERNEL

AIV_KERNEL(flag_never_waited)
SetFlag<HardEvent::MTE2_V>(3);
if (!bad) WaitFlag<HardEvent::MTE2_V>(3);
END_KERNEL

AIV_KERNEL(flag_never_set)
if (!bad) SetFlag<HardEvent::MTE3_V>(3);
WaitFlag<HardEvent::MTE3_V>(3);
Duplicate(a, 1.0f, static_cast<int32_t>(N));
END_KERNEL

AIV_KERNEL(flag_set_twice)
SetFlag<HardEvent::MTE2_V>(0);
if (bad) SetFlag<HardEvent::MTE2_V>(0);
WaitFlag<HardEvent::MTE2_V>(0);
END_KERNEL

AIV_KERNEL(event_id_too_large)
Sync<HardEvent::MTE2_V>(bad ? 8 : 7);
END_KERNEL

AIV_KERNEL(scalar_waits_for_ever)
if (!bad) SetFlag<HardEvent::V_S>(0);
WaitFlag<HardEvent::V_S>(0);
END_KERNEL

AIV_KERNEL(queue_underflow)
TPipe pipe;
TQue<TPosition::VECIN, 1> que;
pipe.InitBuffer(que, 1, 4096);
LocalTensor<float> t = que.AllocTensor<float>();
DataCopy(t, gin, N);
if (!bad) que.EnQue(t);
LocalTensor<float> u = que.DeQue<float>();
Adds(b, u, 1.0f, N);
que.FreeTensor(u);
END_KERNEL

// ---------------------------------------------------------------------------------------------- bounds and alignment
AIV_KERNEL(load_past_ub)
DataCopy(m.Ub<float>(192 * 1024 - (bad ? 2048 : 4096)), gin, N);
END_KERNEL

AIV_KERNEL(vector_past_ub)
LocalTensor<float> top = m.Ub<float>(192 * 1024 - 4096);
uint64_t mask = 64;
Duplicate(top, 1.0f, mask, bad ? 17 : 16, 1, 8);
END_KERNEL

AIV_KERNEL(gm_read_past_the_end)
DataCopy(a, gin[(1 << 18) - (bad ? N / 2 : N)], N);
END_KERNEL

AIV_KERNEL(gm_write_past_the_end)
Duplicate(a, 1.0f, static_cast<int32_t>(N));
Sync<HardEvent::V_MTE3>();
DataCopy(gout[(1 << 18) - (bad ? N / 2 : N)], a, N);
END_KERNEL

AIV_KERNEL(gm_read_before_the_start)
GlobalTensor<float> shifted = Gm<float>(in - (bad ? 4096 : 0));
DataCopy(a, shifted, N);
END_KERNEL

AIV_KERNEL(write_to_an_input)
Duplicate(a, 1.0f, static_cast<int32_t>(N));
Sync<HardEvent::V_MTE3>();
if (bad) {
    DataCopy(gin, a, N);
} else {
    DataCopy(gout, a, N);
}
END_KERNEL

AIV_KERNEL(misaligned_ub)
DataCopy(a[bad ? 1 : 8], gin, N);
END_KERNEL

AIV_KERNEL(misaligned_vector)
Duplicate(a[bad ? 3 : 8], 1.0f, static_cast<int32_t>(64));
END_KERNEL

AIV_KERNEL(copy_of_odd_length)
DataCopy(a, gin, bad ? 1001 : 1000);
END_KERNEL

// ---------------------------------------------------------------------------------------------- uninitialised bytes
AIV_KERNEL(read_of_nothing)
if (!bad) Duplicate(a, 1.0f, static_cast<int32_t>(N));
PipeBarrier<PIPE_V>();
Adds(b, a, 1.0f, N);
Sync<HardEvent::V_MTE3>();
DataCopy(gout, b, N);
END_KERNEL

AIV_KERNEL(garbage_that_stays_inside)  // undefined lanes that no result depends on
Duplicate(a, 1.0f, static_cast<int32_t>(64));
PipeBarrier<PIPE_V>();
Adds(b, a, 1.0f, bad ? 128 : 64);
Sync<HardEvent::V_MTE3>();
DataCopy(gout, b, 64);
END_KERNEL

AIV_KERNEL(garbage_through_a_reduction)
Duplicate(a, 1.0f, static_cast<int32_t>(bad ? 120 : 128));
PipeBarrier<PIPE_V>();
uint64_t mask = 64;
BlockReduceMax<float>(b, a, 2, static_cast<int32_t>(mask), 1, 1, 8);
Sync<HardEvent::V_MTE3>();
DataCopy(gout, b, 16);
END_KERNEL

AIV_KERNEL(read_of_padding)  // 10 elements arrive, 16 are used; without isPad (or SetPadValue) 6 are arbitrary
DataCopyExtParams p(1, 10 * sizeof(float), 0, 0, 0);
DataCopyPadExtParams<float> pad(!bad, 0, 6, 0.0f);
DataCopyPad(a, gin, p, pad);
Sync<HardEvent::MTE2_V>();
Adds(b, a, 1.0f, 16);
Sync<HardEvent::V_MTE3>();
DataCopy(gout, b, 16);
END_KERNEL

AIV_KERNEL(store_of_nothing)
Duplicate(a, 1.0f, static_cast<int32_t>(bad ? N - 64 : N));
Sync<HardEvent::V_MTE3>();
DataCopy(gout, a, N);
END_KERNEL

AIV_KERNEL(read_of_unwritten_output)
if (!bad) {
    Duplicate(a, 1.0f, static_cast<int32_t>(N));
    Sync<HardEvent::V_MTE3>();
    DataCopy(gout, a, N);
    Sync<HardEvent::MTE3_MTE2>();
}
DataCopy(b, gout, N);
Sync<HardEvent::MTE2_V>();
Adds(c, b, 1.0f, N);
Sync<HardEvent::V_MTE3>();
DataCopy(gout[N], c, N);
END_KERNEL

// ---------------------------------------------------------------------------------------------- parameters
AIV_KERNEL(repeat_overlap)  // each repeat reads what the one before wrote
Duplicate(a, 1.0f, static_cast<int32_t>(N));
PipeBarrier<PIPE_V>();
uint64_t mask = 64;
Adds(a[bad ? 64 : 0], a, 1.0f, mask, 8, UnaryRepeatParams(1, 1, 8, 8));
END_KERNEL

AIV_KERNEL(mask_too_wide)
uint64_t mask = bad ? 65 : 64;
Duplicate(a, 1.0f, mask, 1, 1, 8);
END_KERNEL

AIV_KERNEL(mask_zero)
uint64_t mask = bad ? 0 : 1;
Duplicate(a, 1.0f, mask, 1, 1, 8);
END_KERNEL

AIV_KERNEL(too_many_repeats)
Duplicate(a, 1.0f, static_cast<int32_t>(256 * 64 - 64 * 8));
Duplicate(a[256 * 64 - 64 * 8], 1.0f, static_cast<int32_t>(64 * 8));
PipeBarrier<PIPE_V>();
BlockReduceMax<float>(b, a, bad ? 256 : 255, 64, 1, 1, 8);
END_KERNEL

AIV_KERNEL(rounding_mode_that_does_not_exist)
LocalTensor<half> h = m.Ub<half>(65536);
Duplicate(h, static_cast<half>(1.0f), static_cast<int32_t>(N));
PipeBarrier<PIPE_V>();
Cast(a, h, bad ? RoundMode::CAST_RINT : RoundMode::CAST_NONE, N);
END_KERNEL

AIV_KERNEL(too_many_runs)
DataCopy(a, gin, DataCopyParams(bad ? 4096 : 4095, 1, 0, 0));
END_KERNEL

AIV_KERNEL(padding_too_wide)
DataCopyExtParams p(1, 32, 0, 0, 0);
DataCopyPadExtParams<float> pad(true, bad ? 9 : 8, 0, 0.0f);
DataCopyPad(a, gin, p, pad);
END_KERNEL

AIV_KERNEL(compare_of_odd_length)
LocalTensor<uint8_t> bits = m.Ub<uint8_t>(131072);
Duplicate(a, 1.0f, static_cast<int32_t>(N));
PipeBarrier<PIPE_V>();
CompareScalar(bits, a, 0.5f, CMPMODE::GT, bad ? 100 : 128);
END_KERNEL

AIV_KERNEL(select_in_the_reserved_area)
LocalTensor<uint8_t> bits = m.Ub<uint8_t>(131072);
LocalTensor<float> d = m.Ub<float>(bad ? 184 * 1024 : 180 * 1024);
Duplicate(a, 1.0f, static_cast<int32_t>(128));
Duplicate(b, 2.0f, static_cast<int32_t>(128));
PipeBarrier<PIPE_V>();
CompareScalar(bits, a, 0.5f, CMPMODE::GT, 128);
PipeBarrier<PIPE_V>();
Select(d, bits, a, b, SELMODE::VSEL_TENSOR_TENSOR_MODE, 128);
END_KERNEL

AIV_KERNEL(destination_block_stride_zero)
uint64_t mask = 64;
Duplicate(a, 1.0f, mask, 1, bad ? 0 : 1, 8);
END_KERNEL

// ---------------------------------------------------------------------------------------------- between cores
AIV_KERNEL(blocks_write_the_same_bytes)
Duplicate(a, 1.0f, static_cast<int32_t>(N));
Sync<HardEvent::V_MTE3>();
DataCopy(gout[bad ? 0 : GetBlockIdx() * N], a, N);
END_KERNEL

AIV_KERNEL(flags_on_a_vector_only_kernel)
if (bad) CrossCoreWaitFlag(3);
END_KERNEL

MIX_KERNEL(aiv_reads_without_flag)  // AIV 0 writes, AIV 1 reads
if ASCEND_IS_AIV {
    LocalTensor<float> a = m.Ub<float>(0);
    if (GetSubBlockIdx() == 0) {
        Duplicate(a, 1.0f, static_cast<int32_t>(N));
        Sync<HardEvent::V_MTE3>();
        DataCopy(gout, a, N);
    }
    if (!bad) {
        CrossCoreSetFlag<0x1, PIPE_MTE3>(4);
        CrossCoreWaitFlag(4);
    }
    if (GetSubBlockIdx() == 1) DataCopy(a, gout, N);
}
END_MIX

MIX_KERNEL(flag_on_the_wrong_pipe)  // the flag says MTE2 is done, the data goes out on MTE3
if ASCEND_IS_AIV {
    LocalTensor<float> a = m.Ub<float>(0);
    Duplicate(a, 1.0f, static_cast<int32_t>(N));
    Sync<HardEvent::V_MTE3>();
    DataCopy(gout[GetSubBlockIdx() * N], a, N);
    if (bad) {
        CrossCoreSetFlag<0x2, PIPE_MTE2>(2);
    } else {
        CrossCoreSetFlag<0x2, PIPE_MTE3>(2);
    }
}
if ASCEND_IS_AIC {
    CrossCoreWaitFlag(2);
    DataCopy(m.L1<float>(0), gout, 2 * N);
}
END_MIX

MIX_KERNEL(aic_reads_without_flag)
if ASCEND_IS_AIV {
    LocalTensor<float> a = m.Ub<float>(0);
    Duplicate(a, 1.0f, static_cast<int32_t>(N));
    Sync<HardEvent::V_MTE3>();
    DataCopy(gout[GetSubBlockIdx() * N], a, N);
    CrossCoreSetFlag<0x2, PIPE_MTE3>(2);
}
if ASCEND_IS_AIC {
    if (!bad) CrossCoreWaitFlag(2);
    DataCopy(m.L1<float>(0), gout, 2 * N);
    if (bad) CrossCoreWaitFlag(2);
}
END_MIX

MIX_KERNEL(wrong_cross_core_flag)
if ASCEND_IS_AIV {
    CrossCoreSetFlag<0x2, PIPE_MTE3>(bad ? 3 : 2);
}
if ASCEND_IS_AIC {
    CrossCoreWaitFlag(2);
}
END_MIX

MIX_KERNEL(one_aiv_does_not_set)
if ASCEND_IS_AIV {
    if (!bad || GetSubBlockIdx() == 0) CrossCoreSetFlag<0x2, PIPE_MTE3>(2);
}
if ASCEND_IS_AIC {
    CrossCoreWaitFlag(2);
}
END_MIX

MIX_KERNEL(cross_flag_never_waited)
if ASCEND_IS_AIV {
    if (!bad) CrossCoreWaitFlag(5);
}
if ASCEND_IS_AIC {
    CrossCoreSetFlag<0x2, PIPE_FIX>(5);
}
END_MIX

MIX_KERNEL(cross_flag_overflow)
const uint32_t times = bad ? 16 : 15;
if ASCEND_IS_AIC {
    for (uint32_t i = 0; i < times; ++i) CrossCoreSetFlag<0x2, PIPE_FIX>(5);
    CrossCoreWaitFlag(6);
}
if ASCEND_IS_AIV {
    for (uint32_t i = 0; i < times; ++i) CrossCoreWaitFlag(5);
    CrossCoreSetFlag<0x2, PIPE_MTE3>(6);
}
END_MIX

MIX_KERNEL(cross_flag_id_too_large)
if ASCEND_IS_AIV {
    CrossCoreSetFlag<0x1, PIPE_MTE3>(bad ? 16 : 7);
    if (!bad) CrossCoreWaitFlag(7);
}
END_MIX

MIX_KERNEL(cores_wait_for_each_other)
if ASCEND_IS_AIC {
    if (bad) CrossCoreWaitFlag(1);
    CrossCoreSetFlag<0x2, PIPE_FIX>(0);
    if (!bad) CrossCoreWaitFlag(1);
}
if ASCEND_IS_AIV {
    CrossCoreWaitFlag(0);
    CrossCoreSetFlag<0x2, PIPE_MTE3>(1);
}
END_MIX

MIX_KERNEL(all_cores_sync_missing)  // a block reads what another one wrote
if ASCEND_IS_AIV {
    LocalTensor<float> a = m.Ub<float>(0), b = m.Ub<float>(65536);
    Duplicate(a, 1.0f, static_cast<int32_t>(N));
    Sync<HardEvent::V_MTE3>();
    const int64_t count = GetBlockNum() * 2;
    DataCopy(gout[GetBlockIdx() * N], a, N);
    if (!bad) SyncAll<true>();
    DataCopy(b, gout[(GetBlockIdx() + 1) % count * N], N);
}
END_MIX

// ---------------------------------------------------------------------------------------------- cube
namespace {

constexpr uint32_t T = 64;  // matmul tile T x T x T

__aicore__ inline Nd2NzParams SquareTile(uint32_t rows, uint32_t cols, uint32_t stride) {
    return Nd2NzParams(1, rows, cols, 0, stride, rows, 1, 0);
}
__aicore__ inline void LoadA(const LocalTensor<half>& dst, const LocalTensor<half>& src) {
    for (uint32_t i = 0; i < T / 16; ++i)
        LoadData(dst[i * 16 * T], src[i * 256], LoadData2DParams(0, T / 16, T / 16, 0, 0, false, 0));
}
__aicore__ inline void LoadB(const LocalTensor<half>& dst, const LocalTensor<half>& src) {
    for (uint32_t i = 0; i < T / 16; ++i)
        LoadData(dst[i * 16 * T], src[i * 256], LoadData2DParams(0, T / 16, T / 16, 0, 0, true, 0));
}
__aicore__ inline MmadParams SquareProduct(uint32_t mm, bool init, uint8_t unit = 0) {
    MmadParams p;
    p.m = mm;
    p.n = T;
    p.k = T;
    p.cmatrixInitVal = init;
    p.unitFlag = unit;
    return p;
}
__aicore__ inline FixpipeParamsV220 SquareResult(uint8_t unit = 0) {
    FixpipeParamsV220 p(T, T, T, T, false);
    p.unitFlag = unit;
    return p;
}

}  // namespace

#define LOAD_OPERANDS                              \
    DataCopy(l1, gin, SquareTile(T, T, T));        \
    DataCopy(l1[T * T], gin, SquareTile(T, T, T)); \
    Sync<HardEvent::MTE2_MTE1>();                  \
    LoadA(l0a, l1);                                \
    LoadB(l0b, l1[T * T]);                         \
    Sync<HardEvent::MTE1_M>();

AIC_KERNEL(gm_to_l1_to_l0a)
DataCopy(l1, gin, SquareTile(T, T, T));
if (!bad) Sync<HardEvent::MTE2_MTE1>();
LoadA(l0a, l1);
END_KERNEL

AIC_KERNEL(l0_to_mmad)
DataCopy(l1, gin, SquareTile(T, T, T));
DataCopy(l1[T * T], gin, SquareTile(T, T, T));
Sync<HardEvent::MTE2_MTE1>();
LoadA(l0a, l1);
if (bad) SetFlag<HardEvent::MTE1_M>(0);
LoadB(l0b, l1[T * T]);
if (!bad) SetFlag<HardEvent::MTE1_M>(0);
WaitFlag<HardEvent::MTE1_M>(0);
Mmad(l0c, l0a, l0b, SquareProduct(T, true));
END_KERNEL

AIC_KERNEL(mmad_to_fixpipe)
LOAD_OPERANDS
Mmad(l0c, l0a, l0b, SquareProduct(T, true));
if (!bad) Sync<HardEvent::M_FIX>();
Fixpipe<float, float, CFG_ROW_MAJOR>(gout, l0c, SquareResult());
END_KERNEL

AIC_KERNEL(fixpipe_to_mmad)
LOAD_OPERANDS
Mmad(l0c, l0a, l0b, SquareProduct(T, true));
Sync<HardEvent::M_FIX>();
Fixpipe<float, float, CFG_ROW_MAJOR>(gout, l0c, SquareResult());
if (!bad) Sync<HardEvent::FIX_M>();
Mmad(l0c, l0a, l0b, SquareProduct(T, true));
END_KERNEL

AIC_KERNEL(mmad_to_reload)  // L0A is loaded again while the Mmad may still read it
LOAD_OPERANDS
Mmad(l0c, l0a, l0b, SquareProduct(T, true));
if (!bad) Sync<HardEvent::M_MTE1>();
LoadA(l0a, l1);
END_KERNEL

AIC_KERNEL(l1_reloaded)
DataCopy(l1, gin, SquareTile(T, T, T));
Sync<HardEvent::MTE2_MTE1>();
LoadA(l0a, l1);
if (!bad) Sync<HardEvent::MTE1_MTE2>();
DataCopy(l1, gin[T * T], SquareTile(T, T, T));
END_KERNEL

AIC_KERNEL(small_mmads_without_barrier)
LOAD_OPERANDS
Mmad(l0c, l0a, l0b, SquareProduct(16, true));
if (!bad) PipeBarrier<PIPE_M>();
Mmad(l0c, l0a, l0b, SquareProduct(16, false));
END_KERNEL

AIC_KERNEL(accumulate_onto_nothing)
LOAD_OPERANDS
Mmad(l0c, l0a, l0b, SquareProduct(T, !bad));
Sync<HardEvent::M_FIX>();
Fixpipe<float, float, CFG_ROW_MAJOR>(gout, l0c, SquareResult());
END_KERNEL

AIC_KERNEL(multiply_nothing)
DataCopy(l1, gin, SquareTile(T, T, T));
Sync<HardEvent::MTE2_MTE1>();
LoadA(l0a, l1);
if (!bad) LoadB(l0b, l1);
Sync<HardEvent::MTE1_M>();
Mmad(l0c, l0a, l0b, SquareProduct(T, true));
END_KERNEL

AIC_KERNEL(store_more_rows_than_computed)
LOAD_OPERANDS
Mmad(l0c, l0a, l0b, SquareProduct(bad ? 48 : 64, true));
PipeBarrier<PIPE_M>();
Sync<HardEvent::M_FIX>();
Fixpipe<float, float, CFG_ROW_MAJOR>(gout, l0c, SquareResult());
END_KERNEL

AIC_KERNEL(unit_flag_twice)  // the second finished tile waits for a Fixpipe that never comes
LOAD_OPERANDS
Mmad(l0c, l0a, l0b, SquareProduct(T, true, 3));
if (!bad) Fixpipe<float, float, CFG_ROW_MAJOR>(gout, l0c, SquareResult(3));
Mmad(l0c, l0a, l0b, SquareProduct(T, true, 3));
if (!bad) Fixpipe<float, float, CFG_ROW_MAJOR>(gout, l0c, SquareResult(3));
END_KERNEL

AIC_KERNEL(l1_overflow)
DataCopy(m.L1<half>(bad ? 512 * 1024 - 4096 : 512 * 1024 - 8192), gin, SquareTile(T, T, T));
END_KERNEL

AIC_KERNEL(l0a_overflow)
DataCopy(l1, gin, SquareTile(T, T, T));
Sync<HardEvent::MTE2_MTE1>();
LoadA(m.L0A<half>(bad ? 64 * 1024 - 4096 : 64 * 1024 - 8192), l1);
END_KERNEL

AIC_KERNEL(l0c_overflow)
LOAD_OPERANDS
Mmad(m.L0C(bad ? 128 * 1024 - 8192 : 128 * 1024 - 16384), l0a, l0b, SquareProduct(T, true));
END_KERNEL

AIC_KERNEL(l0a_misaligned)
DataCopy(l1, gin, SquareTile(T, T, T));
Sync<HardEvent::MTE2_MTE1>();
LoadData(m.L0A<half>(bad ? 256 : 512), l1, LoadData2DParams(0, 1, 1, 0, 0, false, 0));
END_KERNEL

AIC_KERNEL(l0c_misaligned)
LOAD_OPERANDS
Mmad(m.L0C(bad ? 512 : 1024), l0a, l0b, SquareProduct(T, true));
END_KERNEL

AIC_KERNEL(mmad_too_large)
LOAD_OPERANDS
MmadParams p = SquareProduct(T, true);
p.n = bad ? 4096 : 64;
Mmad(l0c, l0a, l0b, p);
END_KERNEL

AIC_KERNEL(nd_rows_overlap)
DataCopy(l1, gin, SquareTile(T, T, bad ? 32 : 64));
END_KERNEL

AIC_KERNEL(fixpipe_nz_of_odd_width)
LOAD_OPERANDS
Mmad(l0c, l0a, l0b, SquareProduct(T, true));
Sync<HardEvent::M_FIX>();
FixpipeParamsV220 p(bad ? 40 : 48, T, T, T * 2, false);
Fixpipe<float, float, CFG_NZ>(gout, l0c, p);
END_KERNEL

AIC_KERNEL(fixpipe_rows_overlap)
LOAD_OPERANDS
Mmad(l0c, l0a, l0b, SquareProduct(T, true));
Sync<HardEvent::M_FIX>();
FixpipeParamsV220 p(T, T, T, bad ? 32 : 64, false);
Fixpipe<float, float, CFG_ROW_MAJOR>(gout, l0c, p);
END_KERNEL

AIC_KERNEL(transpose_of_wide_elements)
LocalTensor<float> f = m.L1<float>(0), g = m.L0A<float>(0);
DataCopy(f, gout, N);
Sync<HardEvent::MTE2_MTE1>();
LoadData(g, f, LoadData2DParams(0, 1, 1, 0, 0, bad != 0, 0));
END_KERNEL

// ---------------------------------------------------------------------------------------------- scalar data cache
AIV_KERNEL(scalar_reads_stale_line)  // the line was loaded before MTE3 wrote it
GlobalTensor<int32_t> words = Gm<int32_t>(out);
LocalTensor<int32_t> w = m.Ub<int32_t>(0);
Duplicate(w, 7, 64);
Sync<HardEvent::V_MTE3>();
DataCopy(words, w, 64);
PipeBarrier<PIPE_ALL>();
DataCacheCleanAndInvalid<int32_t, CacheLine::SINGLE_CACHE_LINE, DcciDst::CACHELINE_OUT>(words);
int32_t sum = words.GetValue(3);
Adds(w, w, 1, 64);
Sync<HardEvent::V_MTE3>(1);
DataCopy(words, w, 64);
PipeBarrier<PIPE_ALL>();
if (!bad) DataCacheCleanAndInvalid<int32_t, CacheLine::SINGLE_CACHE_LINE, DcciDst::CACHELINE_OUT>(words);
sum += words.GetValue(3);
w.SetValue(0, sum);
Sync<HardEvent::S_MTE3>();
DataCopy(words[64], w, 8);
END_KERNEL

AIV_KERNEL(mover_reads_dirty_line)  // what the scalar unit wrote is still in its cache
GlobalTensor<int32_t> words = Gm<int32_t>(out);
LocalTensor<int32_t> w = m.Ub<int32_t>(0);
for (uint32_t i = 0; i < 16; ++i) words.SetValue(i, static_cast<int32_t>(i));
if (!bad) DataCacheCleanAndInvalid<int32_t, CacheLine::ENTIRE_DATA_CACHE, DcciDst::CACHELINE_OUT>(words);
PipeBarrier<PIPE_ALL>();
DataCopy(w, words, 16);
Sync<HardEvent::MTE2_MTE3>();
DataCopy(words[64], w, 16);
END_KERNEL

AIV_KERNEL(cores_share_a_line)  // two cores write different words of one line, each through its cache
GlobalTensor<int32_t> words = Gm<int32_t>(out);
const uint32_t at = static_cast<uint32_t>(GetBlockIdx()) * (bad ? 1 : 16);
words.SetValue(at, 1);
END_KERNEL

AIV_KERNEL(write_past_the_cache)  // the same, past the caches
GlobalTensor<int32_t> words = Gm<int32_t>(out);
const uint32_t at = static_cast<uint32_t>(GetBlockIdx());
if (bad)
    words.SetValue(at, 1);
else
    WriteGmByPassDCache(reinterpret_cast<__gm__ int32_t*>(out) + at, 1);
END_KERNEL

AIV_KERNEL(poll_a_word)  // no bug: block 0 waits for a word that block 1 writes
GlobalTensor<int32_t> words = Gm<int32_t>(out);
__gm__ int32_t* word = reinterpret_cast<__gm__ int32_t*>(out);
if (GetBlockIdx() == 0) {
    while (ReadGmByPassDCache(word) != 5) {
    }
    WriteGmByPassDCache(word + 64, 6);
} else {
    WriteGmByPassDCache(word, 5);
}
(void)words;
END_KERNEL
