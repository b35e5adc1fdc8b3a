// SPDX-License-Identifier: BSD-3-Clause
// Calls that compile, on the device too, but whose arguments the documents forbid. Table of expectations:
// ../test_refused.py. Data in `in`: 64 KiB of zeros, also loaded into UB and L1.
#include "harness.h"

using namespace AscendC;

namespace {

struct Vector {
    TPipe pipe;
    LocalTensor<float> f, g;
    LocalTensor<half> h;
    LocalTensor<int32_t> i;
    LocalTensor<uint8_t> u;
    GlobalTensor<float> gm, to;
    __aicore__ inline Vector(GM_ADDR in, GM_ADDR out) {
        gm.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(in));
        to.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(out));
        TBuf<TPosition::VECCALC> buffer;
        pipe.InitBuffer(buffer, 128 * 1024);
        f = buffer.Get<float>();
        pipe.Destroy();
        g = f[16384];
        h = f.ReinterpretCast<half>();
        i = f.ReinterpretCast<int32_t>();
        u = g.ReinterpretCast<uint8_t>();
        DataCopy(f, gm, 16384);
        DataCopy(g, gm, 16384);
        PipeBarrier<PIPE_ALL>();
    }
};

struct Cube {
    TPipe pipe;
    LocalTensor<half> l1, a, b;
    LocalTensor<float> c;
    GlobalTensor<half> gm, to;
    GlobalTensor<float> wide;
    __aicore__ inline Cube(GM_ADDR in, GM_ADDR out) {
        gm.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(in));
        to.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(out));
        wide.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(out));
        TBuf<TPosition::A1> b1;
        TBuf<TPosition::A2> b2;
        TBuf<TPosition::B2> b3;
        TBuf<TPosition::CO1> b4;
        pipe.InitBuffer(b1, 128 * 1024);
        pipe.InitBuffer(b2, 64 * 1024);
        pipe.InitBuffer(b3, 64 * 1024);
        pipe.InitBuffer(b4, 128 * 1024);
        l1 = b1.Get<half>();
        a = b2.Get<half>();
        b = b3.Get<half>();
        c = b4.Get<float>();
        pipe.Destroy();
        DataCopy(l1, gm, 32768);
        PipeBarrier<PIPE_ALL>();
        LoadData(a, l1, LoadData2DParams(0, 32, 1, 0, 0, false, 0));
        LoadData(b, l1, LoadData2DParams(0, 32, 1, 0, 0, false, 0));
        PipeBarrier<PIPE_ALL>();
        MmadParams p;
        p.m = p.n = 64;
        p.k = 16;
        Mmad(c, a, b, p);
        PipeBarrier<PIPE_ALL>();
    }
    __aicore__ inline MmadParams Sizes(uint16_t m, uint16_t n, uint16_t k) {
        MmadParams p;
        p.m = m;
        p.n = n;
        p.k = k;
        return p;
    }
};

}  // namespace

#ifdef __DAV_C220_VEC__
#define VECTOR(name, ...)                               \
    API_KERNEL(name) {                                  \
        KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY); \
        Vector v(in, out);                              \
        [[maybe_unused]] auto &f = v.f, &g = v.g;       \
        [[maybe_unused]] auto& h = v.h;                 \
        [[maybe_unused]] auto& i = v.i;                 \
        [[maybe_unused]] auto& u = v.u;                 \
        __VA_ARGS__;                                    \
    }
#else
#define VECTOR(name, ...) \
    API_KERNEL(name) { KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY); }
#endif
#ifdef __DAV_C220_CUBE__
#define CUBE(name, ...)                                 \
    API_KERNEL(name) {                                  \
        KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY); \
        Cube c(in, out);                                \
        __VA_ARGS__;                                    \
    }
#else
#define CUBE(name, ...) \
    API_KERNEL(name) { KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY); }
#endif

VECTOR(add_256_repeats, Add(g, f, f, 64, 256, BinaryRepeatParams(1, 1, 1, 0, 0, 0)))
VECTOR(cast_256_repeats, Cast(g, f, RoundMode::CAST_RINT, 64, 256, UnaryRepeatParams(1, 1, 0, 0)))
VECTOR(brcb_256_repeats, Brcb(g, f, 256, BrcbRepeatParams(1, 0)))
VECTOR(whole_reduce_256_repeats, WholeReduceSum<float>(g, f, 64, 256, 1, 1, 0))
VECTOR(negative_count, Adds(g, f, 1.0f, -1))
VECTOR(mask_of_65_floats, Muls(g, f, 2.0f, 65, 1, UnaryRepeatParams()))
VECTOR(mask_of_129_halfs, Muls(h, h, static_cast<half>(2.0f), 129, 1, UnaryRepeatParams()))
VECTOR(high_mask_word_of_floats, uint64_t m[2] = {~0ull, 1}; Abs(g, f, m, 1, UnaryRepeatParams()))
VECTOR(cast_bf16_none, Cast(g.ReinterpretCast<bfloat16_t>(), f, RoundMode::CAST_NONE, 64))
VECTOR(cast_bf16_odd, Cast(g.ReinterpretCast<bfloat16_t>(), f, RoundMode::CAST_ODD, 64))
VECTOR(cast_widening_rint, Cast(g, h, RoundMode::CAST_RINT, 64))
VECTOR(cast_int16_none, Cast(g.ReinterpretCast<int16_t>(), f, RoundMode::CAST_NONE, 64))
VECTOR(compare_int32_lt, Compare(u, i, i, CMPMODE::LT, 64))
VECTOR(compare_int32_ne, CompareScalar(u, i, 3, CMPMODE::NE, 64))
VECTOR(compare_32_floats, Compare(u, f, f, CMPMODE::LT, 32))
VECTOR(gather_odd_offset, i.SetValue(0, 2); PipeBarrier<PIPE_ALL>(); Gather(g, f, i.ReinterpretCast<uint32_t>(), 0, 8))
VECTOR(gatherb_offset_of_16, i.SetValue(0, 16); PipeBarrier<PIPE_ALL>();
       Gatherb(g.ReinterpretCast<uint32_t>(), f.ReinterpretCast<uint32_t>(), i.ReinterpretCast<uint32_t>(), 1,
               GatherRepeatParams(1, 8)))
VECTOR(pad_of_9_floats,
       DataCopyPad(f, v.gm, DataCopyExtParams(1, 32, 0, 0, 0), DataCopyPadExtParams<float>(true, 9, 0, 0)))
VECTOR(pad_of_2_mib, DataCopyPad(v.to, f, DataCopyExtParams(1, 2097152, 0, 0, 0)))
VECTOR(pad_4096_runs, DataCopyPad(v.to, f, DataCopyExtParams(4096, 4, 0, 0, 0)))
VECTOR(copy_of_12_bytes, DataCopy(f, v.gm, 3))
VECTOR(misaligned_source, Add(g, f[4], f, 64))
VECTOR(misaligned_copy, DataCopy(f[2], v.gm, 64))
VECTOR(reads_past_ub, Adds(g, f[32768 - 64], 1.0f, 40000))
CUBE(mmad_of_4096_rows, Mmad(c.c, c.a, c.b, c.Sizes(4096, 16, 16)))
CUBE(mmad_of_4096_deep, Mmad(c.c, c.a, c.b, c.Sizes(16, 16, 4096)))
CUBE(mmad_unit_flag_1, MmadParams p = c.Sizes(16, 16, 16); p.unitFlag = 1; Mmad(c.c, c.a, c.b, p))
CUBE(mmad_past_l0a, Mmad(c.c, c.a[32768 - 256], c.b, c.Sizes(64, 16, 16)))
CUBE(mmad_without_bias_table, MmadParams p = c.Sizes(16, 16, 16); Mmad(c.c, c.a, c.b, c.c, p))
CUBE(load_below_zero, LoadData(c.a, c.l1, LoadData2DParams(2, 5, 1, 0, 0, false, 1)))
CUBE(load_past_l1, LoadData(c.a, c.l1[262144 - 256], LoadData2DParams(0, 2, 1, 0, 0, false, 0)))
CUBE(load_misaligned, LoadData(c.a[16], c.l1, LoadData2DParams(0, 1, 1, 0, 0, false, 0)))
CUBE(nd2nz_4096_matrices, DataCopy(c.l1, c.gm, Nd2NzParams(4096, 1, 16, 0, 16, 1, 1, 1)))
CUBE(nd2nz_16385_rows, DataCopy(c.l1, c.gm, Nd2NzParams(1, 16385, 16, 0, 16, 1, 1, 1)))
CUBE(nd2nz_no_panel_stride, DataCopy(c.l1, c.gm, Nd2NzParams(1, 16, 32, 0, 32, 0, 1, 1)))
CUBE(nd2nz_row_too_short, DataCopy(c.l1, c.gm, Nd2NzParams(1, 16, 32, 0, 31, 16, 1, 1)))
CUBE(fill_of_l0c, InitConstValue(c.c, InitConstValueParams<float>(1, 1, 0, 0.0f)))
CUBE(copy_l1_to_l0a, DataCopy(c.a, c.l1, 256))
CUBE(load_3d_odd_k, uint8_t pads[4] = {0, 0, 0, 0};
     LoadData(c.a, c.l1,
              LoadData3DParamsV2<half>(pads, 1, 32, 32, 16, 16, 8, 0, 1, 1, 1, 1, 1, 1, false, false, half(0))))
CUBE(fixpipe_half_without_cast,
     Fixpipe<half, float, CFG_ROW_MAJOR>(c.to, c.c, FixpipeParamsV220(64, 64, 64, 64, false)))
CUBE(fixpipe_scale_for_float, FixpipeParamsV220 p(64, 64, 64, 64, false); p.quantPre = DEQF16; p.deqScalar = 0;
     Fixpipe<half, float, CFG_ROW_MAJOR>(c.to, c.c, p))
CUBE(fixpipe_vector_without_scales, GlobalTensor<int8_t> bytes;
     bytes.SetGlobalBuffer(reinterpret_cast<__gm__ int8_t*>(out)); FixpipeParamsV220 p(64, 64, 64, 64, false);
     p.quantPre = VQF322B8_PRE; Fixpipe<int8_t, float, CFG_ROW_MAJOR>(bytes, c.c, p))
CUBE(fixpipe_4096_columns,
     Fixpipe<float, float, CFG_ROW_MAJOR>(c.wide, c.c, FixpipeParamsV220(4096, 16, 16, 4096, false)))
CUBE(fixpipe_8193_rows, Fixpipe<float, float, CFG_ROW_MAJOR>(c.wide, c.c, FixpipeParamsV220(16, 8193, 8208, 16, false)))
CUBE(fixpipe_nz_8_columns, Fixpipe<float, float, CFG_NZ>(c.wide, c.c, FixpipeParamsV220(8, 16, 16, 64, false)))
CUBE(fixpipe_nd_stride_513, FixpipeParamsV220 p(16, 16, 64, 16, false); p.ndNum = 2; p.srcNdStride = 513;
     p.dstNdStride = 256; Fixpipe<float, float, CFG_ROW_MAJOR>(c.wide, c.c, p))
CUBE(fixpipe_float_to_l1, FixpipeParamsV220 p(16, 16, 16, 64, false);
     Fixpipe<float, float, CFG_NZ>(c.l1.ReinterpretCast<float>(), c.c, p))
