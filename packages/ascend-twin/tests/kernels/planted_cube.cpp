// SPDX-License-Identifier: BSD-3-Clause
// Bugs of an AIC.
#include "planted.h"

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
