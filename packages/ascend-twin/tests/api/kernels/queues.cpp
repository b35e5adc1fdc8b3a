// SPDX-License-Identifier: BSD-3-Clause
// TPipe, TQue, TQueBind, TBuf, TBufPool: what the framework's calls do to data and to the order of the pipes. `in` and
// `out` hold 64 Ki half numbers. With `bad` set a kernel leaves out or misplaces one call.
#include "kernel_operator.h"

using namespace AscendC;

namespace {

constexpr uint32_t N = 1024;  // elements of a tile
constexpr uint32_t B = N * sizeof(half);

struct Memory {
    GlobalTensor<half> in, out;
    __aicore__ inline Memory(GM_ADDR from, GM_ADDR to) {
        in.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(from));
        out.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(to));
    }
};

}  // namespace

#define QUEUE_KERNEL(name)                                                               \
    extern "C" __global__ __aicore__ void name(GM_ADDR from, GM_ADDR to, uint32_t bad) { \
        KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);                                  \
        if ASCEND_IS_AIV {                                                               \
            Memory m(from, to);
#define END_KERNEL \
    }              \
    }

/// The usual three stages with double buffering.
QUEUE_KERNEL(three_stages)
TPipe pipe;
TQue<TPosition::VECIN, 2> inQue;
TQue<TPosition::VECOUT, 2> outQue;
pipe.InitBuffer(inQue, 2, B);
pipe.InitBuffer(outQue, 2, B);
for (uint32_t i = 0; i < 8; ++i) {
    LocalTensor<half> x = inQue.AllocTensor<half>();
    DataCopy(x, m.in[i * N], N);
    if (bad == 1) {  // computes on the tensor before it went through the queue
        LocalTensor<half> y = outQue.AllocTensor<half>();
        Adds(y, x, static_cast<half>(1.0), static_cast<int32_t>(N));
        outQue.EnQue(y);
        inQue.EnQue(x);
        x = inQue.DeQue<half>();
    } else {
        inQue.EnQue(x);
        x = inQue.DeQue<half>();
        LocalTensor<half> y = outQue.AllocTensor<half>();
        Adds(y, x, static_cast<half>(1.0), static_cast<int32_t>(N));
        outQue.EnQue(y);
    }
    inQue.FreeTensor(x);
    LocalTensor<half> y = outQue.DeQue<half>();
    DataCopy(m.out[i * N], y, N);
    outQue.FreeTensor(y);
}
END_KERNEL

/// The same with queues of depth 0: tensors in place, event ids for the life of the buffers.
QUEUE_KERNEL(in_place)
TPipe pipe;
TQue<TPosition::VECIN, 0> inQue;
TQue<TPosition::VECOUT, 0> outQue;
pipe.InitBuffer(inQue, 2, B);
pipe.InitBuffer(outQue, 2, B);
LocalTensor<half> x, y;
for (uint32_t i = 0; i < 8; ++i) {
    inQue.AllocTensor(x);
    DataCopy(x, m.in[i * N], N);
    inQue.EnQue(x);
    if (bad != 1) inQue.DeQue(x);
    outQue.AllocTensor(y);
    Adds(y, x, static_cast<half>(1.0), static_cast<int32_t>(N));
    outQue.EnQue(y);
    if (bad == 1) inQue.DeQue(x);
    inQue.FreeTensor(x);
    outQue.DeQue(y);
    DataCopy(m.out[i * N], y, N);
    outQue.FreeTensor(y);
}
END_KERNEL

/// Copies through UB without vector work: one queue bound from VECIN to VECOUT.
QUEUE_KERNEL(bound)
TPipe pipe;
TQueBind<TPosition::VECIN, TPosition::VECOUT, 2> que;
pipe.InitBuffer(que, 2, B);
for (uint32_t i = 0; i < 8; ++i) {
    LocalTensor<half> x = que.AllocTensor<half>();
    DataCopy(x, m.in[i * N], N);
    if (bad == 1) DataCopy(m.out[i * N], x, N);
    que.EnQue(x);
    x = que.DeQue<half>();
    if (bad != 1) DataCopy(m.out[i * N], x, N);
    que.FreeTensor(x);
}
END_KERNEL

/// One buffer that goes GM -> V -> GM, the events named by the positions.
QUEUE_KERNEL(with_positions)
TPipe pipe;
TQueBind<TPosition::VECIN, TPosition::VECOUT, 1> que;
pipe.InitBuffer(que, 1, B);
for (uint32_t i = 0; i < 4; ++i) {
    LocalTensor<half> x = que.AllocTensor<half>();
    DataCopy(x, m.in[i * N], N);
    que.EnQue<TPosition::GM, TPosition::VECIN, half>(x);
    x = que.DeQue<TPosition::GM, TPosition::VECIN, half>();
    Adds(x, x, static_cast<half>(1.0), static_cast<int32_t>(N));
    if (bad == 1) {  // MTE2 to MTE3 where V to MTE3 is needed
        que.EnQue(x);
        x = que.DeQue<half>();
    } else {
        que.EnQue<TPosition::VECOUT, TPosition::GM, half>(x);
        x = que.DeQue<TPosition::VECOUT, TPosition::GM, half>();
    }
    DataCopy(m.out[i * N], x, N);
    que.FreeTensor(x);
}
END_KERNEL

/// What the queue says about itself, as numbers in `out`; tensors keep their order.
QUEUE_KERNEL(states)
TPipe pipe;
TQue<TPosition::VECIN, 2> que;
TBuf<TPosition::VECCALC> notes;
pipe.InitBuffer(que, 3, B);
pipe.InitBuffer(notes, 1024);
LocalTensor<half> log = notes.Get<half>();
Duplicate(log, static_cast<half>(0.0), 512);
PipeBarrier<PIPE_ALL>();
uint32_t at = 0;
auto note = [&](int32_t value) { log.SetValue(at++, static_cast<half>(static_cast<float>(value))); };
auto all = [&]() {
    note(que.VacantInQue());
    note(que.HasTensorInQue());
    note(que.GetTensorCountInQue());
    note(que.HasIdleBuffer());
};
all();
LocalTensor<half> a = que.AllocTensor<half>(), b = que.AllocTensor<half>(), c = que.AllocTensor<half>();
note(static_cast<int32_t>(que.GetState(a)));
all();
DataCopy(a, m.in, N);
DataCopy(b, m.in[N], N);
DataCopy(c, m.in[2 * N], N);
que.EnQue(a);
que.EnQue(b);
note(static_cast<int32_t>(que.GetState(a)));
all();
if (bad == 1) que.EnQue(c);  // the depth is 2
LocalTensor<half> first = que.DeQue<half>();
note(static_cast<int32_t>(que.GetState(first)));
note(first.GetPhyAddr() == a.GetPhyAddr());
que.FreeTensor(first);
note(static_cast<int32_t>(que.GetState(first)));
all();
LocalTensor<half> second = que.DeQue<half>();
note(second.GetPhyAddr() == b.GetPhyAddr());
if (bad == 2) que.DeQue<half>();        // nothing left
if (bad == 3) que.AllocTensor<half>();  // fine: one is free
if (bad == 4) {
    que.AllocTensor<half>();
    que.AllocTensor<half>();  // none is free: the device would spin
}
que.FreeTensor(second);
if (bad == 5) que.FreeTensor(second);
que.EnQue(c);
c = que.DeQue<half>();
que.FreeTensor(c);
all();
que.FreeAllEvent();
note(static_cast<int32_t>(at));
PipeBarrier<PIPE_ALL>();
DataCopy(m.out, log, 512);
END_KERNEL

/// Two pools over the same UB, one after the other, with a queue each; a pool of pools.
QUEUE_KERNEL(pools)
TPipe pipe;
TBufPool<TPosition::VECCALC> outer, first, second, inner;
pipe.InitBufPool(outer, 16 * B);
outer.InitBufPool(first, 8 * B);
outer.InitBufPool(second, 8 * B, first);
outer.InitBufPool(inner, 2 * B);
TBuf<TPosition::VECCALC> one;
inner.InitBuffer(one, B);
LocalTensor<half> ones = one.Get<half>();
Duplicate(ones, static_cast<half>(1.0), static_cast<int32_t>(N));
PipeBarrier<PIPE_V>();
for (uint32_t half_ = 0; half_ < 2; ++half_) {
    TQue<TPosition::VECIN, 1> inQue;
    TQue<TPosition::VECOUT, 1> outQue;
    if (half_ == 0) {
        first.InitBuffer(inQue, 2, B);
        first.InitBuffer(outQue, 1, bad == 1 ? 8 * B : B);
    } else {
        second.InitBuffer(inQue, 2, B);
        second.InitBuffer(outQue, 1, B);
    }
    for (uint32_t i = 4 * half_; i < 4 * half_ + 4; ++i) {
        LocalTensor<half> x = inQue.AllocTensor<half>();
        DataCopy(x, m.in[i * N], N);
        inQue.EnQue(x);
        x = inQue.DeQue<half>();
        LocalTensor<half> y = outQue.AllocTensor<half>();
        Add(y, x, ones, static_cast<int32_t>(N));
        inQue.FreeTensor(x);
        outQue.EnQue(y);
        y = outQue.DeQue<half>();
        DataCopy(m.out[i * N], y, N);
        outQue.FreeTensor(y);
    }
    // Without waiting for its consumers the next pool over the same memory is ordered with nothing.
    if (bad != 2) {
        if (half_ == 0)
            first.Reset();
        else
            second.Reset();
    }
    PipeBarrier<PIPE_V>();
}
if (bad == 3) {  // a pool that was reset has no memory
    inner.Reset();
    inner.InitBuffer(one, B);
}
END_KERNEL

/// Reset of the pipe gives all memory back; buffers at given places; a spill to global memory; what is left of UB.
QUEUE_KERNEL(pipe_features)
TPipe pipe;
{
    TQue<TPosition::VECIN, 1> que;
    pipe.InitBuffer(que, 2, 64 * 1024);
    LocalTensor<half> x = que.AllocTensor<half>();
    DataCopy(x, m.in, N);
    que.EnQue(x);
    x = que.DeQue<half>();
    Adds(x, x, static_cast<half>(1.0), static_cast<int32_t>(N));
    que.FreeTensor(x);
    if (bad != 1) pipe.Reset();
}
TQue<TPosition::VECIN, 1> que;
TBuf<TPosition::VECCALC> buf;
pipe.InitBuffer(que, 2, 64 * 1024);
pipe.InitBuffer(buf, 2 * B);
LocalTensor<half> y = buf.GetWithOffset<half>(N, B), rest;
LocalTensor<half> x = que.AllocTensor<half>();
DataCopy(x, m.in, N);
que.EnQue(x);
x = que.DeQue<half>();
Adds(y, x, static_cast<half>(1.0), static_cast<int32_t>(N));
pipe.InitSpmBuffer(m.out[16 * N], 2 * B);
pipe.WriteSpmBuffer(y, DataCopyParams(1, B / 32, 0, 0), static_cast<int32_t>(N));
Duplicate(y, static_cast<half>(0.0), static_cast<int32_t>(N));
pipe.ReadSpmBuffer(y, DataCopyParams(1, B / 32, 0, 0), static_cast<int32_t>(N));
Adds(y, y, static_cast<half>(1.0), static_cast<int32_t>(N));
TEventID id = pipe.AllocEventID<HardEvent::V_MTE3>();
SetFlag<HardEvent::V_MTE3>(id);
WaitFlag<HardEvent::V_MTE3>(id);
pipe.ReleaseEventID<HardEvent::V_MTE3>(id);
DataCopy(m.out, y, N);
que.FreeTensor(x);
const bool got = PopStackBuffer<half, TPosition::LCM>(rest);
Duplicate(rest, static_cast<half>(got ? static_cast<float>(rest.GetSize() / 32) : -1.0f), 128);
id = static_cast<TEventID>(pipe.FetchEventID(HardEvent::V_MTE3));
SetFlag<HardEvent::V_MTE3>(id);
WaitFlag<HardEvent::V_MTE3>(id);
DataCopy(m.out[N], rest, 128);
END_KERNEL

/// A pipe on an AIC holds M_MTE1 events 0, 1 and 2 until it is destroyed.
extern "C" __global__ __aicore__ void cube_events(GM_ADDR from, GM_ADDR to, uint32_t bad) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    if ASCEND_IS_AIC {
        TPipe pipe;
        if (bad == 0) pipe.Destroy();
        if (bad == 2) {
            const TEventID id = pipe.AllocEventID<HardEvent::M_MTE1>();  // 3
            SetFlag<HardEvent::M_MTE1>(id);
            WaitFlag<HardEvent::M_MTE1>(id);
            pipe.ReleaseEventID<HardEvent::M_MTE1>(id);
        } else {
            SetFlag<HardEvent::M_MTE1>(0);
            WaitFlag<HardEvent::M_MTE1>(0);
        }
    }
}
