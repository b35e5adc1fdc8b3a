// SPDX-License-Identifier: BSD-3-Clause
// Synchronisation of AIVs in software: IBSet and IBWait, SyncAll with a workspace, WaitPreBlock and NotifyNextBlock,
// GroupBarrier. `data` is in and out, `work` the workspace; with `bad` set a kernel leaves one call out.
#include "kernel_operator.h"

using namespace AscendC;

namespace {

constexpr uint32_t N = 256;

struct Core {
    TPipe pipe;
    LocalTensor<int32_t> ub, scratch;
    GlobalTensor<int32_t> data, work;
    __aicore__ inline Core(GM_ADDR dataAddr, GM_ADDR workAddr) {
        data.SetGlobalBuffer(reinterpret_cast<__gm__ int32_t*>(dataAddr));
        work.SetGlobalBuffer(reinterpret_cast<__gm__ int32_t*>(workAddr));
        TBuf<TPosition::VECCALC> a, b;
        pipe.InitBuffer(a, N * sizeof(int32_t));
        pipe.InitBuffer(b, 32 * 64);
        ub = a.Get<int32_t>();
        scratch = b.Get<int32_t>();
    }
    /// to = from + 1
    __aicore__ inline void Pass(uint32_t from, uint32_t to) {
        DataCopy(ub, data[from * N], N);
        PipeBarrier<PIPE_ALL>();
        Adds(ub, ub, 1, static_cast<int32_t>(N));
        PipeBarrier<PIPE_ALL>();
        DataCopy(data[to * N], ub, N);
        PipeBarrier<PIPE_ALL>();
    }
};

}  // namespace

#define SOFT_KERNEL(name)                                                                  \
    extern "C" __global__ __aicore__ void name(GM_ADDR data, GM_ADDR work, uint32_t bad) { \
        KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);                                    \
        if ASCEND_IS_AIV {                                                                 \
            Core c(data, work);                                                            \
            const uint32_t me = static_cast<uint32_t>(GetBlockIdx()), n = static_cast<uint32_t>(GetBlockNum());
#define END_KERNEL \
    }              \
    }

/// Block b takes the tile of block b - 1 when that one says so: twice around.
SOFT_KERNEL(ib_chain)
for (uint32_t round = 0; round < 2; ++round) {
    if (me > 0 && !bad) IBWait(c.work, c.scratch, static_cast<int32_t>(me - 1), 1);
    c.Pass(me, me + 1);
    if (me + 1 < n && !bad) IBSet(c.work, c.scratch, static_cast<int32_t>(me), 1);
    if (!bad) SyncAll(c.work[n * 64], c.scratch);
}
END_KERNEL

/// Every block writes its tile, then reads its neighbour's; three rounds.
SOFT_KERNEL(soft_all)
for (uint32_t round = 0; round < 3; ++round) {
    c.Pass(me, n + me);
    if (!bad) SyncAll(c.work, c.scratch);
    c.Pass(n + (me + 1) % n, 2 * n + me);
    if (!bad) SyncAll(c.work, c.scratch);
}
END_KERNEL

/// The first two blocks synchronise, the others do not take part.
SOFT_KERNEL(soft_some)
if (me < 2) {
    c.Pass(me, n + me);
    if (!bad) SyncAll(c.work, c.scratch, 2);
    c.Pass(n + 1 - me, 2 * n + me);
}
END_KERNEL

/// All add to one tile without atomics, in the order of their block; twice.
SOFT_KERNEL(in_order)
InitDetermineComputeWorkspace(c.work, c.scratch);
for (uint32_t round = 0; round < 2; ++round) {
    if (!bad) WaitPreBlock(c.work, c.scratch);
    DataCopy(c.ub, c.data, N);
    PipeBarrier<PIPE_ALL>();
    Muls(c.ub, c.ub, 2, static_cast<int32_t>(N));
    PipeBarrier<PIPE_V>();
    Adds(c.ub, c.ub, static_cast<int32_t>(me), static_cast<int32_t>(N));
    PipeBarrier<PIPE_ALL>();
    DataCopy(c.data, c.ub, N);
    if (!bad) NotifyNextBlock(c.work, c.scratch);
}
END_KERNEL

/// Blocks 0 and 1 produce, all others wait for both and read; twice.
SOFT_KERNEL(group)
GroupBarrier<PipeMode::MTE3_MODE> barrier(work, 2, n - 2);
for (uint32_t round = 0; round < 2; ++round) {
    if (me < 2) {
        c.Pass(me, n + me);
        if (!bad) barrier.Arrive(me);
    } else {
        if (!bad) barrier.Wait(me - 2);
        DataCopy(c.ub, c.data[(n + me % 2) * N], N);
        PipeBarrier<PIPE_ALL>();
        DataCopy(c.data[(2 * n + me) * N], c.ub, N);
        PipeBarrier<PIPE_ALL>();
    }
    if (round == 0 && !bad) {
        SyncAll(c.work[8192], c.scratch);
        if (me < 2) c.Pass(n + me, me);
        SyncAll(c.work[8192], c.scratch);
    }
}
END_KERNEL
