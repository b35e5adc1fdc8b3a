// SPDX-License-Identifier: BSD-3-Clause
// Bugs within an AIV.
#include "planted.h"

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
