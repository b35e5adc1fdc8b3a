// SPDX-License-Identifier: BSD-3-Clause
// MmadWithSparse with LoadDataWithSparse; int4: LoadData3D, LoadDataWithTranspose and their Mmad. `a`, `b`, `index`
// come as they lie in L1 (A in zN, B in nZ or zN); `out` is row-major int32.
#include "../../kernels/memories.h"

using namespace AscendC;

namespace {

struct Cube : twin_test::Memories {
    LocalTensor<int32_t> product;  // in L0C
    GlobalTensor<int64_t> params;
    __aicore__ inline Cube(GM_ADDR a, GM_ADDR b, GM_ADDR index, GM_ADDR numbers) {
        params.SetGlobalBuffer(reinterpret_cast<__gm__ int64_t*>(numbers));
        product = l0c.ReinterpretCast<int32_t>();
        Take(a, 0, 3);
        Take(b, 128 * 1024, 4);
        Take(index, 256 * 1024, 5);
        PipeBarrier<PIPE_ALL>();
    }
    __aicore__ inline uint16_t operator[](uint32_t i) { return static_cast<uint16_t>(params.GetValue(i)); }
    __aicore__ inline void Take(GM_ADDR from, uint32_t to, uint32_t blocks) {
        GlobalTensor<uint8_t> g;
        g.SetGlobalBuffer(from);
        if ((*this)[blocks]) DataCopy(l1[to], g, static_cast<uint32_t>((*this)[blocks]) * 32);
    }
    __aicore__ inline void Out(GM_ADDR to, uint16_t m, uint16_t n) {
        PipeBarrier<PIPE_ALL>();
        GlobalTensor<int32_t> out;
        out.SetGlobalBuffer(reinterpret_cast<__gm__ int32_t*>(to));
        FixpipeParamsV220 f;
        f.nSize = n;
        f.mSize = m;
        f.srcStride = (m + 15) / 16 * 16;
        f.dstStride = n;
        Fixpipe<int32_t, int32_t, CFG_ROW_MAJOR>(out, product, f);
    }
};

}  // namespace

/// Numbers: m, n, k; blocks of 32 bytes of a, b, index; 6: without indices.
extern "C" __global__ __aicore__ void sparse(GM_ADDR a, GM_ADDR b, GM_ADDR index, GM_ADDR out, GM_ADDR params) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    if ASCEND_IS_AIC {
        Cube c(a, b, index, params);
        const uint16_t m = c[0], n = c[1], k = c[2];
        const uint16_t rows = static_cast<uint16_t>((m + 15) / 16), cols = static_cast<uint16_t>((n + 15) / 16);
        const uint16_t deep = static_cast<uint16_t>((k + 31) / 32), half_ = static_cast<uint16_t>((k / 2 + 31) / 32);
        LocalTensor<int8_t> l0a = c.l0a.ReinterpretCast<int8_t>(), l0b = c.l0b.ReinterpretCast<int8_t>();
        for (uint16_t i = 0; i < rows; ++i)  // zN to zZ
            LoadData(l0a[static_cast<uint32_t>(i) * deep * 512], c.L1<int8_t>(0)[i * 512],
                     LoadData2DParams(0, static_cast<uint8_t>(deep), rows, 0, 0, false, 0));
        const LoadData2DParams p(0, static_cast<uint8_t>(cols * half_), 0, 0, 0, false, 0);
        if (c[6])
            LoadData(l0b, c.L1<int8_t>(128 * 1024),
                     LoadData2DParams(0, static_cast<uint8_t>(cols * half_), 1, 0, 0, false, 0));
        else
            LoadDataWithSparse(l0b, c.L1<int8_t>(128 * 1024), c.L1<uint8_t>(256 * 1024), p);
        PipeBarrier<PIPE_ALL>();
        MmadParams mm;
        mm.m = m;
        mm.n = n;
        mm.k = k;
        MmadWithSparse(c.product, l0a, l0b, mm);
        PipeBarrier<PIPE_M>();
        mm.cmatrixInitVal = false;  // twice
        MmadWithSparse(c.product, l0a, l0b, mm);
        c.Out(out, m, n);
    }
}

/// int4: A from an image by LoadData3D (1 x 1 filter: the matrix itself), B transposed from zN. Numbers: m, n, k;
/// blocks.
extern "C" __global__ __aicore__ void int4(GM_ADDR a, GM_ADDR b, GM_ADDR index, GM_ADDR out, GM_ADDR params) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);
    if ASCEND_IS_AIC {
        Cube c(a, b, index, params);
        const uint16_t m = c[0], n = c[1], k = c[2];
        LocalTensor<int4b_t> l0a = c.l0a.ReinterpretCast<int4b_t>(), l0b = c.l0b.ReinterpretCast<int4b_t>();
        const uint8_t pads[4] = {0, 0, 0, 0};
        LoadData3DParamsV2<int4b_t> p;
        p.l1H = 1;
        p.l1W = m;
        p.channelSize = k;
        p.kExtension = k;
        p.mExtension = m;
        for (int i = 0; i < 4; ++i) p.padList[i] = pads[i];
        LoadData(l0a, c.L1<int4b_t>(0), p);
        // Squares of 64 x 64 elements are 4 fractals of 16 x 64 below each other.
        const uint16_t squares = static_cast<uint16_t>(n / 64);
        for (uint16_t i = 0; i < k / 64; ++i)
            LoadDataWithTranspose(
                l0b[static_cast<uint32_t>(i) * n * 64], c.L1<int4b_t>(128 * 1024)[static_cast<uint32_t>(i) * 64 * 64],
                LoadData2dTransposeParams(0, static_cast<uint8_t>(squares), static_cast<uint16_t>(k / 64), 3, 0));
        PipeBarrier<PIPE_ALL>();
        MmadParams mm;
        mm.m = m;
        mm.n = n;
        mm.k = k;
        Mmad(c.product, l0a, l0b, mm);
        c.Out(out, m, n);
    }
}
