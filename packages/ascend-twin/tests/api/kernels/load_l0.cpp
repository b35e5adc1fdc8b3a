// SPDX-License-Identifier: BSD-3-Clause
// L1: fills, ND -> NZ, strided copies. L0A and L0B: LoadData 2D and 3D, LoadDataWithTranspose, InitConstValue.
//
// L0 cannot be read back, so it is multiplied by a unit matrix: with k = C0 every fractal of L0A is 16 rows of the
// product, every fractal of L0B 16 columns.
#include "../../kernels/memories.h"
#include "harness.h"

namespace api_test {

constexpr uint32_t kImage = 0, kUnit = 64 * 1024, kL1Bytes = 68 * 1024;
constexpr uint32_t kFractals = 32;  // of L0 that are looked at

/// With the GM arguments; `in` holds the L1 image (data first, a unit matrix after it).
struct Cube : twin_test::Memories {
    GlobalTensor<uint8_t> in, out;
    GlobalTensor<int64_t> params;
    __aicore__ inline Cube(GM_ADDR in_, GM_ADDR out_, GM_ADDR params_) {
        in.SetGlobalBuffer(reinterpret_cast<__gm__ uint8_t*>(in_));
        out.SetGlobalBuffer(reinterpret_cast<__gm__ uint8_t*>(out_));
        params.SetGlobalBuffer(reinterpret_cast<__gm__ int64_t*>(params_));
        DataCopy(l1, in, kL1Bytes);
        PipeBarrier<PIPE_ALL>();
    }
    __aicore__ inline int64_t operator[](uint32_t word) { return params.GetValue(word); }
    __aicore__ inline uint16_t U16(uint32_t word) { return static_cast<uint16_t>(params.GetValue(word)); }
    __aicore__ inline uint8_t U8(uint32_t word) { return static_cast<uint8_t>(params.GetValue(word)); }
};

template <typename T>
struct Product {
    using Type = float;
};
template <>
struct Product<int8_t> {
    using Type = int32_t;
};

/// The call under test. Number 0: which; 1: source byte in L1; then its parameters.
template <typename T>
__aicore__ inline void Load(Cube& c, LocalTensor<T> dst) {
    LocalTensor<T> src = c.l1[static_cast<uint32_t>(c[1])].template ReinterpretCast<T>();
    switch (c[0]) {
        case 0:
        case 3: {
            const LoadData2DParams p(c.U16(2), c.U8(3), c.U16(4), 0, c.U16(5), c[6] != 0, c.U8(7));
            if (c[0] == 0) {
                LoadData(dst, src, p);
            } else {
                GlobalTensor<T> gm;
                gm.SetGlobalBuffer(reinterpret_cast<__gm__ T*>(c.in.GetPhyAddr(static_cast<uint64_t>(c[1]))));
                LoadData(dst, gm, p);
            }
            break;
        }
        case 1: {
            const LoadData2dTransposeParams p(c.U16(2), c.U8(3), c.U16(4), c.U16(5), c.U16(6), c.U8(7));
            LoadDataWithTranspose(dst, src, p);
            break;
        }
        case 2: {
            const uint8_t pads[4] = {c.U8(17), c.U8(18), c.U8(19), c.U8(20)};
            // 22 to 24: repetitions; 25: where L1 wraps; 26: 256 more columns of the filter.
            if (c[23]) SetLoadDataRepeat(LoadDataRepeatParam(c.U16(22), c.U8(23), c.U8(24)));
            SetLoadDataBoundary(static_cast<uint32_t>(c[25]));
            const LoadData3DParamsV2<T> p(pads, c.U16(2), c.U16(3), c.U16(4), c.U16(5), c.U16(6), c.U16(7), c.U16(8),
                                          c.U8(9), c.U8(10), c.U8(11), c.U8(12), c.U8(13), c.U8(14), c[15] != 0, false,
                                          FromBits<T>(c.params.GetValue(16)), c[26] != 0, false, false);
            if (c[21] == 0) {
                LoadData(dst, src, p);
            } else if (c[21] == 1) {  // the image's sizes and the padding value by their own calls
                SetFmatrix(c.U16(2), c.U16(3), pads, FmatrixMode::FMATRIX_LEFT);
                SetLoadDataPaddingValue(FromBits<T>(c.params.GetValue(16)));
                static constexpr IsResetLoad3dConfig kNone{false, false};
                LoadData<T, kNone>(dst, src, p);
            } else {  // the packed parameters
                SetFmatrix(c.U16(2), c.U16(3), pads, FmatrixMode::FMATRIX_LEFT);
                SetLoadDataPaddingValue(FromBits<T>(c.params.GetValue(16)));
                LoadData3DParamsV2Pro q;
                q.channelSize = p.channelSize;
                q.enTranspose = p.enTranspose;
                q.filterSizeW = p.filterSizeW;
                q.extConfig = uint64_t(p.mStartPt) << 48 | uint64_t(p.kStartPt) << 32 | uint64_t(p.mExtension) << 16 |
                              p.kExtension;
                q.filterConfig = uint64_t(p.dilationFilterH) << 40 | uint64_t(p.dilationFilterW) << 32 |
                                 uint64_t(p.filterH) << 24 | uint64_t(p.filterW) << 16 | uint64_t(p.strideH) << 8 |
                                 p.strideW;
                LoadData<T>(dst, src, q);
            }
            break;
        }
        default: break;
    }
}
template <typename T>
__aicore__ inline void Fill(Cube& c, LocalTensor<T> dst) {
    const InitConstValueParams<T> p(c.U16(2), c.U16(3), c.U16(4), FromBits<T>(c.params.GetValue(5)));
    InitConstValue(dst, p);
}

/// Background and unit matrix, the call, the product: 16 rows (L0A) or columns (L0B) of it per fractal.
template <typename T, bool toB>
__aicore__ inline void Show(Cube& c) {
    using C = typename Product<T>::Type;
    const uint16_t c0 = 32 / sizeof(T), n = c0 < 16 ? 16 : c0;
    LocalTensor<T> image = c.l1[kImage].template ReinterpretCast<T>(), unit = c.l1[kUnit].template ReinterpretCast<T>();
    LocalTensor<T> a = c.l0a.template ReinterpretCast<T>(), b = c.l0b.template ReinterpretCast<T>();
    LocalTensor<T> tested = toB ? b : a;
    LoadData(tested, image, LoadData2DParams(0, kFractals, 1, 0, 0, false, 0));
    LoadData(toB ? a : b, unit, LoadData2DParams(0, n / 16, 1, 0, 0, false, 0));
    PipeBarrier<PIPE_ALL>();
    if constexpr (sizeof(T) >= 2) {
        if (c[0] == 4)
            Fill(c, tested);
        else
            Load(c, tested);
    } else {
        Load(c, tested);
    }
    PipeBarrier<PIPE_ALL>();
    MmadParams p;
    p.m = toB ? n : 16 * kFractals;
    p.n = toB ? 16 * kFractals : n;
    p.k = c0;
    LocalTensor<C> product = c.l0c.template ReinterpretCast<C>();
    Mmad(product, a, b, p);
    PipeBarrier<PIPE_ALL>();
    GlobalTensor<C> out;
    out.SetGlobalBuffer(reinterpret_cast<__gm__ C*>(c.out.GetPhyAddr(0)));
    FixpipeParamsV220 f;
    f.nSize = p.n;
    f.mSize = p.m;
    f.srcStride = p.m;
    f.dstStride = p.n;
    Fixpipe<C, C, CFG_ROW_MAJOR>(out, product, f);
}

/// The call leaves its result in L1, which goes out as it is. Number 0: 0 Nd2Nz, 1 runs, 2 count, 3
/// InitConstValue, 4 LoadData; 5 takes the image out in strided runs.
template <typename T>
__aicore__ inline void ShowL1(Cube& c) {
    LocalTensor<T> dst = c.l1[static_cast<uint32_t>(c[1])].template ReinterpretCast<T>();
    GlobalTensor<T> src;
    src.SetGlobalBuffer(reinterpret_cast<__gm__ T*>(c.in.GetPhyAddr(kL1Bytes)));
    switch (c[0]) {
        case 0:
            DataCopy(dst, src,
                     Nd2NzParams(c.U16(2), c.U16(3), c.U16(4), c.U16(5), c.U16(6), c.U16(7), c.U16(8), c.U16(9)));
            break;
        case 1: DataCopy(dst, src, DataCopyParams(c.U16(2), c.U16(3), c.U16(4), c.U16(5))); break;
        case 2: DataCopy(dst, src, static_cast<uint32_t>(c[2])); break;
        case 3:
            if constexpr (sizeof(T) >= 2) Fill(c, dst);
            break;
        case 4: LoadData(dst, src, LoadData2DParams(c.U16(2), c.U8(3), c.U16(4), 0, c.U16(5), false, c.U8(7))); break;
        default: break;
    }
    PipeBarrier<PIPE_ALL>();
    if (c[0] == 5) {  // strided runs on the way out
        GlobalTensor<T> to;
        to.SetGlobalBuffer(reinterpret_cast<__gm__ T*>(c.out.GetPhyAddr(0)));
        DataCopy(to, dst, DataCopyParams(c.U16(2), c.U16(3), c.U16(4), c.U16(5)));
        return;
    }
    DataCopy(c.out, c.l1, kUnit);
}

}  // namespace api_test

using namespace api_test;

#ifdef __DAV_C220_CUBE__
#define CUBE_KERNEL(name, ...)                          \
    API_KERNEL(name) {                                  \
        KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY); \
        Cube c(in, out, params);                        \
        __VA_ARGS__;                                    \
    }
#else
#define CUBE_KERNEL(name, ...) \
    API_KERNEL(name) { KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY); }
#endif
#define SHOW(T)                                 \
    CUBE_KERNEL(ShowA_##T, (Show<T, false>(c))) \
    CUBE_KERNEL(ShowB_##T, (Show<T, true>(c)))  \
    CUBE_KERNEL(ShowL1_##T, ShowL1<T>(c))

SHOW(half)
SHOW(bfloat16_t)
SHOW(float)
SHOW(int8_t)
