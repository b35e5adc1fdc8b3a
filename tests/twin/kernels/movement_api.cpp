// Data movement and cube calls, one kernel per case; parameters are 32-bit words (../test_movement_api.py).
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

}  // namespace

#define HEAD(name, kind, core)                                                            \
    extern "C" __global__ __aicore__ void name(GM_ADDR in, GM_ADDR out, GM_ADDR params) { \
        KERNEL_TASK_TYPE_DEFAULT(kind);                                                   \
        if core {                                                                         \
            TPipe pipe;                                                                   \
            pipe.Destroy();                                                               \
            GlobalTensor<int32_t> p = Gm<int32_t>(params);
#define AIV_KERNEL(name) HEAD(name, KERNEL_TYPE_AIV_ONLY, ASCEND_IS_AIV)
#define AIC_KERNEL(name) HEAD(name, KERNEL_TYPE_AIC_ONLY, ASCEND_IS_AIC)
#define END \
    }       \
    }
#define P(i) static_cast<uint32_t>(p.GetValue(i))

// params: blockCount, blockLen, srcGap, dstGap. UB is cleared, filled with strides, and stored whole.
AIV_KERNEL(copy_in)
LocalTensor<half> ub = Whole<TPosition::VECIN, half>(pipe, 65536);
Duplicate(ub, static_cast<half>(0.0f), 32768);
Sync<HardEvent::V_MTE2>();
DataCopy(ub, Gm<half>(in), DataCopyParams(P(0), P(1), P(2), P(3)));
Sync<HardEvent::MTE2_MTE3>();
Sync<HardEvent::V_MTE3>();
DataCopy(Gm<half>(out), ub, 32768);
END

    AIV_KERNEL(copy_out) LocalTensor<half> ub = Whole<TPosition::VECIN, half>(pipe, 65536);
DataCopy(ub, Gm<half>(in), 32768);
Sync<HardEvent::MTE2_MTE3>();
DataCopy(Gm<half>(out), ub, DataCopyParams(P(0), P(1), P(2), P(3)));
END

    AIV_KERNEL(copy_inside) LocalTensor<half> ub = Whole<TPosition::VECIN, half>(pipe, 131072);
LocalTensor<half> to = ub[32768];
DataCopy(ub, Gm<half>(in), 32768);
Duplicate(to, static_cast<half>(0.0f), 32768);
Sync<HardEvent::MTE2_V>();
PipeBarrier<PIPE_V>();
DataCopy(to, ub, DataCopyParams(P(0), P(1), P(2), P(3)));
Sync<HardEvent::V_MTE3>();
DataCopy(Gm<half>(out), to, 32768);
END

    // params: blockCount, blockLen (bytes), srcStride, dstStride, left, right.
    AIV_KERNEL(pad_in) LocalTensor<int32_t> ub = Whole<TPosition::VECIN, int32_t>(pipe, 65536);
Duplicate(ub, static_cast<int32_t>(0), 16384);
Sync<HardEvent::V_MTE2>();
DataCopyExtParams e(P(0), P(1), P(2), P(3), 0);
DataCopyPadExtParams<int32_t> pad(true, P(4), P(5), -7);
DataCopyPad(ub, Gm<int32_t>(in), e, pad);
Sync<HardEvent::MTE2_MTE3>();
Sync<HardEvent::V_MTE3>();
DataCopy(Gm<int32_t>(out), ub, 16384);
END

    AIV_KERNEL(pad_out) LocalTensor<half> ub = Whole<TPosition::VECIN, half>(pipe, 65536);
DataCopy(ub, Gm<half>(in), 32768);
Sync<HardEvent::MTE2_MTE3>();
DataCopyPad(Gm<half>(out), ub, DataCopyExtParams(P(0), P(1), P(2), P(3), 0));
END
// Atomic store of 1024 elements. params: operation.
#define ATOMIC(T)                                               \
    AIV_KERNEL(atomic_##T)                                      \
    LocalTensor<T> ub = Whole<TPosition::VECIN, T>(pipe, 4096); \
    DataCopy(ub, Gm<T>(in), 1024);                              \
    Sync<HardEvent::MTE2_MTE3>();                               \
    if (P(0) == 0) SetAtomicAdd<T>();                           \
    if (P(0) == 1) SetAtomicMax<T>();                           \
    if (P(0) == 2) SetAtomicMin<T>();                           \
    DataCopy(Gm<T>(out), ub, 1024);                             \
    SetAtomicNone();                                            \
    END
ATOMIC(float) ATOMIC(half) ATOMIC(int32_t) ATOMIC(int16_t)

// ND -> NZ into L1, whose first 64 KB are stored raw. params: the eight fields.
#define ND2NZ(T)                                                                          \
    AIC_KERNEL(nd2nz_##T)                                                                 \
    LocalTensor<T> l1 = Whole<TPosition::A1, T>(pipe, 65536);                             \
    InitConstValue(l1, InitConstValueParams<T>(1, 2048, 0, static_cast<T>(0)));           \
    PipeBarrier<PIPE_MTE2>();                                                             \
    DataCopy(l1, Gm<T>(in), Nd2NzParams(P(0), P(1), P(2), P(3), P(4), P(5), P(6), P(7))); \
    Sync<HardEvent::MTE2_MTE3>();                                                         \
    DataCopy(Gm<T>(out), l1, 65536 / sizeof(T));                                          \
    END
ND2NZ(half) ND2NZ(float)

// C = A B for one tile. params: m, n, k, A is stored transposed (k x m), B is stored transposed (n x k), accumulate twice.
// `in` holds A, then B at byte 262144; C is m x n in `out`.
template <typename T, typename C>
class TileProduct {
public:
    static constexpr uint32_t C0 = 32 / sizeof(T), FRACTAL = 512 / sizeof(T);
    __aicore__ inline void Load(TPipe& pipe, GM_ADDR in, uint32_t m, uint32_t n, uint32_t k, bool ta, bool tb) {
        m16 = Up(m, 16), n16 = Up(n, 16), k16 = Up(k, 16), kc = Up(k, C0);
        LocalTensor<T> l1 = Whole<TPosition::A1, T>(pipe, 524288);
        l0a = Whole<TPosition::A2, T>(pipe, 65536);
        l0b = Whole<TPosition::B2, T>(pipe, 65536);
        l0c = Whole<TPosition::CO1, C>(pipe, 131072);
        LocalTensor<T> l1b = l1[262144 / sizeof(T)];
        // Tail rows of K must hold zeros where they are multiplied: none are, Mmad takes the exact k.
        Nd2Nz(l1, Gm<T>(in), ta ? k : m, ta ? m : k, ta ? Up(k, 16) : m16);
        Nd2Nz(l1b, Gm<T>(in + 262144), tb ? n : k, tb ? k : n, tb ? n16 : Up(k, C0 > 16 ? C0 : 16));
        Sync<HardEvent::MTE2_MTE1>();
        for (uint32_t i = 0; i < m16 / 16; ++i) {
            if (ta) {
                // k x m in zN panels of k16 rows: strip i of A is column panel i, its fractals transposed.
                LoadData(l0a[i * kc / C0 * FRACTAL], l1[i * k16 * C0], LoadData2DParams(0, k16 / 16, 1, 0, 0, true, 0));
            } else {
                LoadData(l0a[i * kc / C0 * FRACTAL], l1[i * FRACTAL],
                         LoadData2DParams(0, kc / C0, m16 / 16, 0, 0, false, 0));
            }
        }
        if (tb) {
            // n x k in zN is B's nZ already.
            LoadData(l0b, l1b, LoadData2DParams(0, kc / C0 * (n16 / 16), 1, 0, 0, false, 0));
        } else if (sizeof(T) == 2) {
            for (uint32_t i = 0; i < k16 / 16; ++i)
                LoadData(l0b[i * n16 / 16 * FRACTAL], l1b[i * FRACTAL],
                         LoadData2DParams(0, n16 / 16, k16 / 16, 0, 0, true, 0));
        } else {
            // 1-byte squares of 32 x 32, made of two fractals one below the other.
            const uint32_t k32 = Up(k, 32);
            for (uint32_t i = 0; i < k32 / 32; ++i)
                LoadDataWithTranspose(l0b[i * n16 / 16 * FRACTAL], l1b[i * 2 * FRACTAL],
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

// params: m, n, k, ta, tb, twice, relu
#define PRODUCT(name, T, C, OUT, QUANT)                                                            \
    AIC_KERNEL(product_##name)                                                                     \
    const uint32_t m = P(0), n = P(1), k = P(2);                                                   \
    TileProduct<T, C> tile;                                                                        \
    tile.Load(pipe, in, m, n, k, P(3) != 0, P(4) != 0);                                            \
    tile.Multiply(m, n, k, P(5) != 0);                                                             \
    FixpipeParamsV220 f(n, m, tile.m16, n, P(6) != 0);                                             \
    f.quantPre = QUANT;                                                                            \
    f.deqScalar = static_cast<uint32_t>(P(7)) | 1ull << 46; /* bit 46: 8-bit results are signed */ \
    Fixpipe<OUT, C, CFG_ROW_MAJOR>(Gm<OUT>(out), tile.l0c, f);                                     \
    END
PRODUCT(half_float, half, float, float, QuantMode_t::NoQuant)
PRODUCT(half_half, half, float, half, QuantMode_t::F322F16)
PRODUCT(half_bf16, half, float, bfloat16_t, QuantMode_t::F322BF16)
PRODUCT(bf16_float, bfloat16_t, float, float, QuantMode_t::NoQuant)
PRODUCT(int8_int32, int8_t, int32_t, int32_t, QuantMode_t::NoQuant)
PRODUCT(int8_half, int8_t, int32_t, half, QuantMode_t::DEQF16)
PRODUCT(int8_int8, int8_t, int32_t, int8_t, QuantMode_t::REQ8)
PRODUCT(half_int8, half, float, int8_t, QuantMode_t::QF322B8_PRE)

// NZ output: panels of 16 columns, dstStride in 32-byte blocks.
AIC_KERNEL(fixpipe_nz)
const uint32_t m = P(0), n = P(1), k = P(2);
TileProduct<half, float> tile;
tile.Load(pipe, in, m, n, k, false, false);
tile.Multiply(m, n, k, false);
FixpipeParamsV220 f(n, m, tile.m16, P(3), false);
f.quantPre = QuantMode_t::F322F16;
Fixpipe<half, float, CFG_NZ>(Gm<half>(out), tile.l0c, f);
END

    // L0C -> L1 as half, then L1 -> GM raw.
    AIC_KERNEL(fixpipe_to_l1) const uint32_t m = P(0),
                                             n = P(1), k = P(2);
TileProduct<half, float> tile;
tile.Load(pipe, in, m, n, k, false, false);
tile.Multiply(m, n, k, false);
LocalTensor<half> l1(TPosition::A1, 0, m* n);
FixpipeParamsV220 f(n, m, tile.m16, m, false);
f.quantPre = QuantMode_t::F322F16;
Fixpipe<half, float, CFG_NZ>(l1, tile.l0c, f);
Sync<HardEvent::FIX_MTE3>();
DataCopy(Gm<half>(out), l1, m* n);
END
