// SPDX-License-Identifier: BSD-3-Clause
// Copies that the API builds from several: slices between GM and UB, ND -> NZ into UB, NZ -> ND to GM, with enhanced
// parameters. `in` holds 64 KiB, `out` is 64 KiB in and out; params: numbers of the kernel.
#include "kernel_operator.h"

using namespace AscendC;

namespace {

constexpr uint32_t kBytes = 64 * 1024;

template <typename T>
struct Memory {
    TPipe pipe;
    LocalTensor<T> ub;
    GlobalTensor<T> in, out;
    GlobalTensor<int64_t> params;
    __aicore__ inline Memory(GM_ADDR from, GM_ADDR to, GM_ADDR numbers) {
        in.SetGlobalBuffer(reinterpret_cast<__gm__ T*>(from));
        out.SetGlobalBuffer(reinterpret_cast<__gm__ T*>(to));
        params.SetGlobalBuffer(reinterpret_cast<__gm__ int64_t*>(numbers));
        TBuf<TPosition::VECCALC> buffer;
        pipe.InitBuffer(buffer, kBytes);
        ub = buffer.Get<T>();
        pipe.Destroy();
    }
    __aicore__ inline uint16_t operator[](uint32_t i) { return static_cast<uint16_t>(params.GetValue(i)); }
    /// `dims` slices of start, end, gap, length, size each.
    __aicore__ inline void Slices(SliceInfo (&info)[4], uint32_t at, uint32_t dims) {
        for (uint32_t i = 0; i < dims; ++i, at += 5)
            info[i] = SliceInfo((*this)[at], (*this)[at + 1], (*this)[at + 2], (*this)[at + 3], (*this)[at + 4]);
    }
};

/// UB takes the old output first, so that untouched bytes are seen.
template <typename T>
__aicore__ inline void SliceIn(Memory<T>& m) {
    const uint32_t dims = m[0];
    SliceInfo dst[4], src[4];
    m.Slices(src, 1, dims);
    m.Slices(dst, 21, dims);
    DataCopy(m.ub, m.out, kBytes / sizeof(T));
    PipeBarrier<PIPE_ALL>();
    DataCopy(m.ub, m.in, dst, src, dims);
    PipeBarrier<PIPE_ALL>();
    DataCopy(m.out, m.ub, kBytes / sizeof(T));
}
template <typename T>
__aicore__ inline void SliceOut(Memory<T>& m) {
    const uint32_t dims = m[0];
    SliceInfo dst[4], src[4];
    m.Slices(src, 1, dims);
    m.Slices(dst, 21, dims);
    DataCopy(m.ub, m.in, kBytes / sizeof(T));
    PipeBarrier<PIPE_ALL>();
    DataCopy(m.out, m.ub, dst, src, dims);
}
template <typename T>
__aicore__ inline void Nd2Nz(Memory<T>& m) {
    DataCopy(m.ub, m.out, kBytes / sizeof(T));
    PipeBarrier<PIPE_ALL>();
    DataCopy(m.ub, m.in, Nd2NzParams(m[0], m[1], m[2], m[3], m[4], m[5], m[6], m[7]));
    PipeBarrier<PIPE_ALL>();
    DataCopy(m.out, m.ub, kBytes / sizeof(T));
}
template <typename T>
__aicore__ inline void Nz2Nd(Memory<T>& m) {
    DataCopy(m.ub, m.in, kBytes / sizeof(T));
    PipeBarrier<PIPE_ALL>();
    DataCopy(m.out, m.ub, Nz2NdParamsFull(m[0], m[1], m[2], m[3], m[4], m[5], m[6]));
}
template <typename T>
__aicore__ inline void Enhanced(Memory<T>& m) {
    DataCopyEnhancedParams enhanced;
    DataCopy(m.ub, m.in, DataCopyParams(m[0], m[1], m[2], m[3]), enhanced);
    PipeBarrier<PIPE_ALL>();
    DataCopy(m.out, m.ub, DataCopyParams(m[0], m[1], m[3], m[2]), enhanced);
}

}  // namespace

#define ONE(OP, T)                                                                            \
    extern "C" __global__ __aicore__ void OP##_##T(GM_ADDR in, GM_ADDR out, GM_ADDR params) { \
        KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);                                       \
        if ASCEND_IS_AIV {                                                                    \
            Memory<T> m(in, out, params);                                                     \
            OP<T>(m);                                                                         \
        }                                                                                     \
    }
ONE(SliceIn, float)
ONE(SliceIn, half)
ONE(SliceOut, float)
ONE(SliceOut, int8_t)
ONE(Nd2Nz, half)
ONE(Nd2Nz, float)
ONE(Nd2Nz, int8_t)
ONE(Nz2Nd, half)
ONE(Nz2Nd, float)
ONE(Enhanced, half)
