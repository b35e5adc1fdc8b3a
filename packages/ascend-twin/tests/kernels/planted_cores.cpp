// SPDX-License-Identifier: BSD-3-Clause
// Bugs between cores, and between scalar units and their data caches.
#include "planted.h"

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
