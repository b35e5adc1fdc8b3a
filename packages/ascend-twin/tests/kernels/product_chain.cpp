// SPDX-License-Identifier: BSD-3-Clause
// C = A B for one tile, the way a kernel does it: ND -> NZ into L1, LoadData with and without transposition, Mmad,
// Fixpipe. ../test_product_chain.py
#include "kernel_operator.h"

using namespace AscendC;

namespace {

template <typename T>
__aicore__ inline GlobalTensor<T> Gm(GM_ADDR p) {
    GlobalTensor<T> g;
    g.SetGlobalBuffer(reinterpret_cast<__gm__ T*>(p));
    return g;
}

template <TPosition position, typename T>
__aicore__ inline LocalTensor<T> Whole(TPipe& pipe, uint32_t bytes) {
    TBuf<position> buffer;
    pipe.InitBuffer(buffer, bytes);
    return buffer.template Get<T>();
}

template <HardEvent event>
__aicore__ inline void Sync() {
    SetFlag<event>(0);
    WaitFlag<event>(0);
}

template <typename T, typename C>
class TileProduct {
public:
    static constexpr uint32_t kC0 = 32 / sizeof(T), kFractal = 512 / sizeof(T);
    __aicore__ inline void Load(TPipe& pipe, GM_ADDR in, uint32_t m, uint32_t n, uint32_t k, bool ta, bool tb) {
        m16 = Up(m, 16), n16 = Up(n, 16), k16 = Up(k, 16), kc = Up(k, kC0);
        LocalTensor<T> l1 = Whole<TPosition::A1, T>(pipe, 524288);
        l0a = Whole<TPosition::A2, T>(pipe, 65536);
        l0b = Whole<TPosition::B2, T>(pipe, 65536);
        l0c = Whole<TPosition::CO1, C>(pipe, 131072);
        LocalTensor<T> l1b = l1[262144 / sizeof(T)];
        // Tail rows of K must hold zeros where they are multiplied: none are, Mmad takes the exact k.
        Nd2Nz(l1, Gm<T>(in), ta ? k : m, ta ? m : k, ta ? Up(k, 16) : m16);
        Nd2Nz(l1b, Gm<T>(in + 262144), tb ? n : k, tb ? k : n, tb ? n16 : Up(k, kC0 > 16 ? kC0 : 16));
        Sync<HardEvent::MTE2_MTE1>();
        for (uint32_t i = 0; i < m16 / 16; ++i) {
            if (ta) {
                // k x m in zN panels of k16 rows: strip i of A is column panel i, its fractals transposed.
                LoadData(l0a[i * kc / kC0 * kFractal], l1[i * k16 * kC0],
                         LoadData2DParams(0, k16 / 16, 1, 0, 0, true, 0));
            } else {
                LoadData(l0a[i * kc / kC0 * kFractal], l1[i * kFractal],
                         LoadData2DParams(0, kc / kC0, m16 / 16, 0, 0, false, 0));
            }
        }
        if (tb) {
            // n x k in zN is B's nZ already.
            LoadData(l0b, l1b, LoadData2DParams(0, kc / kC0 * (n16 / 16), 1, 0, 0, false, 0));
        } else if (sizeof(T) == 2) {
            for (uint32_t i = 0; i < k16 / 16; ++i)
                LoadData(l0b[i * n16 / 16 * kFractal], l1b[i * kFractal],
                         LoadData2DParams(0, n16 / 16, k16 / 16, 0, 0, true, 0));
        } else {
            // 1-byte squares of 32 x 32, made of two fractals one below the other.
            const uint32_t k32 = Up(k, 32);
            for (uint32_t i = 0; i < k32 / 32; ++i)
                LoadDataWithTranspose(l0b[i * n16 / 16 * kFractal], l1b[i * 2 * kFractal],
                                      LoadData2dTransposeParams(0, n16 / 32, k32 / 32, 1, 0, 0));
        }
        Sync<HardEvent::MTE1_M>();
    }
    __aicore__ inline void Multiply(uint32_t m, uint32_t n, uint32_t k, bool twice) {
        MmadParams q;
        q.m = Up(m, 16);
        q.n = n;
        q.k = k;
        Mmad(l0c, l0a, l0b, q);
        if (twice) {
            PipeBarrier<PIPE_M>();
            q.cmatrixInitVal = false;
            Mmad(l0c, l0a, l0b, q);
        }
        Sync<HardEvent::M_FIX>();
    }
    uint32_t m16, n16, k16, kc;
    LocalTensor<T> l0a, l0b;
    LocalTensor<C> l0c;

private:
    __aicore__ inline static uint32_t Up(uint32_t v, uint32_t step) { return (v + step - 1) / step * step; }
    __aicore__ inline static void Nd2Nz(const LocalTensor<T>& dst, const GlobalTensor<T>& src, uint32_t rows,
                                        uint32_t cols, uint32_t padded) {
        DataCopy(dst, src, Nd2NzParams(1, rows, cols, 0, cols, padded, 1, 0));
    }
};

}  // namespace

// Parameters, 32-bit words: m, n, k, A is stored transposed (k x m), B is stored transposed (n x k), accumulate twice.
// `in` holds A, then B at byte 262144; C is m x n in `out`.
#define PRODUCT(T, C)                                                                                        \
    extern "C" __global__ __aicore__ void product_##T##_##C(GM_ADDR in, GM_ADDR out, GM_ADDR parameters) {   \
        KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY);                                                      \
        if ASCEND_IS_AIC {                                                                                   \
            TPipe pipe;                                                                                      \
            pipe.Destroy();                                                                                  \
            GlobalTensor<int32_t> p = Gm<int32_t>(parameters);                                               \
            const uint32_t m = p.GetValue(0), n = p.GetValue(1), k = p.GetValue(2);                          \
            TileProduct<T, C> tile;                                                                          \
            tile.Load(pipe, in, m, n, k, p.GetValue(3) != 0, p.GetValue(4) != 0);                            \
            tile.Multiply(m, n, k, p.GetValue(5) != 0);                                                      \
            Fixpipe<C, C, CFG_ROW_MAJOR>(Gm<C>(out), tile.l0c, FixpipeParamsV220(n, m, tile.m16, n, false)); \
        }                                                                                                    \
    }
PRODUCT(half, float)
PRODUCT(bfloat16_t, float)
PRODUCT(int8_t, int32_t)
