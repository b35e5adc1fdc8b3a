// SPDX-License-Identifier: BSD-3-Clause
// Mmad in all its types and modes, and Fixpipe of its result in all conversions, to GM and to L1.
//
// The host lays A out as L0A wants it (zZ) and B as L0B wants it (nZ), one after the other per step of k.
#include "harness.h"

namespace api_test {

// L1: A from byte 0, B, the bias, the scales; Fixpipe's results after them.
constexpr uint32_t kB = 64 * 1024, kBias = 128 * 1024, kScales = 132 * 1024, kIn = 140 * 1024, kResult = 256 * 1024;
constexpr uint32_t kOutBytes = 64 * 1024;

// Numbers.
constexpr uint32_t kM = 0, kN = 1, kK = 2, kSteps = 3, kUnitFlag = 4, kHasBias = 5, kAlignK = 6, kABytes = 7,
                   kBBytes = 8, kNSize = 9, kMSize = 10, kSrcStride = 11, kDstStride = 12, kQuant = 13, kScale = 14,
                   kNdNum = 15, kSrcNd = 16, kDstNd = 17, kRelu = 18, kSplit = 19, kVector = 20, kToL1 = 21, kKeep = 22,
                   kFrom = 23, kHf32 = 24, kAtomic = 25, kByCopy = 26;

template <typename T>
struct Product {
    using Type = float;
};
template <>
struct Product<int8_t> {
    using Type = int32_t;
};
template <>
struct Product<int4b_t> {
    using Type = int32_t;
};

using Numbers = GlobalTensor<int64_t>;

/// C = sum of A[s] B[s], with a bias in the way that kHasBias names.
template <typename T, typename C>
__aicore__ inline void Multiply(Numbers& p, LocalTensor<uint8_t>& l1, LocalTensor<T>& a, LocalTensor<T>& b,
                                LocalTensor<C>& c, LocalTensor<C>& bias) {
    if (p.GetValue(kHf32)) {  // 1: ties to even, 2: ties towards zero
        SetHF32Mode(HF32Mode::ENABLE);
        SetHF32TransMode(p.GetValue(kHf32) == 2 ? HF32TransMode::NEAREST_ZERO : HF32TransMode::NEAREST_EVEN);
    }
    MmadParams m;
    m.m = static_cast<uint16_t>(p.GetValue(kM));
    m.n = static_cast<uint16_t>(p.GetValue(kN));
    m.k = static_cast<uint16_t>(p.GetValue(kK));
    m.kDirectionAlign = p.GetValue(kAlignK) != 0;
    const uint32_t steps = static_cast<uint32_t>(p.GetValue(kSteps));
    const uint32_t aBytes = static_cast<uint32_t>(p.GetValue(kABytes)),
                   bBytes = static_cast<uint32_t>(p.GetValue(kBBytes));
    const bool unit = p.GetValue(kUnitFlag) != 0;
    if (p.GetValue(kHasBias)) {
        DataCopy(bias, l1[kBias].template ReinterpretCast<C>(),
                 DataCopyParams(1, static_cast<uint16_t>((m.n * 4 + 63) / 64 * 2), 0, 0));
        PipeBarrier<PIPE_ALL>();
    }
    for (uint32_t s = 0; s < steps; ++s) {
        const LoadData2DParams la(0, static_cast<uint8_t>(aBytes / 512), 1, 0, 0, false, 0);
        const LoadData2DParams lb(0, static_cast<uint8_t>(bBytes / 512), 1, 0, 0, false, 0);
        LoadData(a, l1[s * aBytes].template ReinterpretCast<T>(), la);
        LoadData(b, l1[kB + s * bBytes].template ReinterpretCast<T>(), lb);
        SetFlag<HardEvent::MTE1_M>(0);
        WaitFlag<HardEvent::MTE1_M>(0);
        m.unitFlag = unit ? (s + 1 == steps ? 3 : 2) : 0;
        m.cmatrixInitVal = s == 0;
        m.cmatrixSource = false;
        if (s == 0 && p.GetValue(kHasBias) == 1) {
            Mmad(c, a, b, bias, m);
        } else if (s == 0 && p.GetValue(kHasBias) == 2) {
            m.cmatrixInitVal = false;
            m.cmatrixSource = true;
            Mmad(c, a, b, bias, m);
        } else if (s == 0 && p.GetValue(kHasBias) == 3) {  // no bias named: the bias table from its first byte
            m.cmatrixInitVal = false;
            m.cmatrixSource = true;
            Mmad(c, a, b, m);
        } else {
            Mmad(c, a, b, m);
        }
        PipeBarrier<PIPE_M>();
        SetFlag<HardEvent::M_MTE1>(1);
        WaitFlag<HardEvent::M_MTE1>(1);
    }
    if (!unit) {
        SetFlag<HardEvent::M_FIX>(0);
        WaitFlag<HardEvent::M_FIX>(0);
    }
}

__aicore__ inline FixpipeParamsV220 FixpipeParameters(Numbers& p) {
    FixpipeParamsV220 f;
    f.nSize = static_cast<uint16_t>(p.GetValue(kNSize));
    f.mSize = static_cast<uint16_t>(p.GetValue(kMSize));
    f.srcStride = static_cast<uint16_t>(p.GetValue(kSrcStride));
    f.dstStride = static_cast<uint32_t>(p.GetValue(kDstStride));
    f.quantPre = static_cast<QuantMode_t>(p.GetValue(kQuant));
    f.deqScalar = static_cast<uint64_t>(p.GetValue(kScale));
    f.ndNum = static_cast<uint16_t>(p.GetValue(kNdNum));
    f.srcNdStride = static_cast<uint16_t>(p.GetValue(kSrcNd));
    f.dstNdStride = static_cast<uint16_t>(p.GetValue(kDstNd));
    f.reluEn = p.GetValue(kRelu) != 0;
    f.unitFlag = p.GetValue(kUnitFlag) != 0 ? 3 : 0;
    f.isChannelSplit = p.GetValue(kSplit) != 0;
    return f;
}

/// The older call: DataCopy with the conversion's registers.
template <bool rowMajor, typename D, typename C>
__aicore__ inline void StoreByCopy(Numbers& p, GlobalTensor<D>& gm, LocalTensor<C>& from, LocalTensor<uint64_t>& scales,
                                   const FixpipeParamsV220& f) {
    DataCopyCO12DstParams o;
    o.nSize = f.nSize;
    o.mSize = f.mSize;
    o.srcStride = f.srcStride;
    o.dstStride = f.dstStride;
    o.quantPre = f.quantPre;
    o.reluPre = f.reluEn;
    o.unitFlag = f.unitFlag;
    o.channelSplit = f.isChannelSplit;
    o.nz2ndEn = rowMajor;
    SetFixpipeNz2ndFlag(f.ndNum, f.srcNdStride, f.dstNdStride);
    SetFixpipePreQuantFlag(f.deqScalar);
    if (p.GetValue(kByCopy) >= 2) {  // a scale for each column
        LocalTensor<uint64_t> columns(TPosition::C2PIPE2GM, 0, 256);
        DataCopy(columns, scales, DataCopyParams(1, static_cast<uint16_t>((f.nSize * 8 + 127) / 128), 0, 0));
        if (p.GetValue(kByCopy) == 2)
            SetFixPipeConfig(columns);
        else
            SetFixPipeConfig(LocalTensor<uint64_t>(TPosition::C2PIPE2GM, 0, 256), columns, false);
    }
    PipeBarrier<PIPE_FIX>();
    DataCopy(gm, from, o);
}

template <bool rowMajor, typename D, typename C>
__aicore__ inline void StoreByFixpipe(Numbers& p, GlobalTensor<uint8_t>& source, GlobalTensor<uint8_t>& result,
                                      GlobalTensor<D>& gm, LocalTensor<uint8_t>& l1, LocalTensor<C>& from,
                                      LocalTensor<uint64_t>& scales, FixpipeParamsV220& f) {
    if (p.GetValue(kAtomic)) {  // what is there before
        DataCopy(gm, l1[kScales].template ReinterpretCast<D>(), f.mSize * f.dstStride);
        PipeBarrier<PIPE_ALL>();
    }
    if constexpr (!IsSameType<D, uint8_t>::value) {
        if (p.GetValue(kAtomic) == 1) SetAtomicAdd<D>();
        if (p.GetValue(kAtomic) == 2) SetAtomicMax<D>();
    }
    if constexpr (rowMajor) {
        if (p.GetValue(kVector))
            Fixpipe<D, C, CFG_ROW_MAJOR>(gm, from, scales, f);
        else
            Fixpipe<D, C, CFG_ROW_MAJOR>(gm, from, f);
    } else {
        if (p.GetValue(kToL1)) {
            LocalTensor<uint8_t> there = l1[kResult];
            DataCopy(there, source, kOutBytes);  // a background that shows stray writes
            PipeBarrier<PIPE_ALL>();
            if constexpr (sizeof(D) < 4) {
                LocalTensor<D> dst = there.template ReinterpretCast<D>();
                if (p.GetValue(kVector))
                    Fixpipe<D, C, CFG_NZ>(dst, from, scales, f);
                else
                    Fixpipe<D, C, CFG_NZ>(dst, from, f);
            }
            PipeBarrier<PIPE_ALL>();
            DataCopy(result, there, kOutBytes);
        } else {
            if (p.GetValue(kVector))
                Fixpipe<D, C, CFG_NZ>(gm, from, scales, f);
            else
                Fixpipe<D, C, CFG_NZ>(gm, from, f);
        }
    }
    SetAtomicNone();
}

template <typename T, typename D, bool rowMajor>
__aicore__ inline void Run(GM_ADDR in, GM_ADDR out, GM_ADDR params) {
    using C = typename Product<T>::Type;
    Numbers p;
    p.SetGlobalBuffer(reinterpret_cast<__gm__ int64_t*>(params));
    GlobalTensor<uint8_t> source, result;
    source.SetGlobalBuffer(reinterpret_cast<__gm__ uint8_t*>(in));
    result.SetGlobalBuffer(reinterpret_cast<__gm__ uint8_t*>(out));
    TPipe pipe;
    TBuf<TPosition::A1> b1;
    TBuf<TPosition::A2> b2;
    TBuf<TPosition::B2> b3;
    TBuf<TPosition::CO1> b4;
    TBuf<TPosition::C2> b5;
    pipe.InitBuffer(b1, 512 * 1024);
    pipe.InitBuffer(b2, 64 * 1024);
    pipe.InitBuffer(b3, 64 * 1024);
    pipe.InitBuffer(b4, 128 * 1024);
    pipe.InitBuffer(b5, 1024);
    LocalTensor<uint8_t> l1 = b1.Get<uint8_t>();
    LocalTensor<T> a = b2.Get<T>(), b = b3.Get<T>();
    LocalTensor<C> c = b4.Get<C>();
    LocalTensor<C> bias = b5.Get<C>();
    pipe.Destroy();
    SetCtrlSpr<48, 48>(p.GetValue(kKeep));
    DataCopy(l1, source, kIn);
    PipeBarrier<PIPE_ALL>();

    Multiply<T, C>(p, l1, a, b, c, bias);
    FixpipeParamsV220 f = FixpipeParameters(p);
    LocalTensor<C> from = c[static_cast<uint32_t>(p.GetValue(kFrom))];
    LocalTensor<uint64_t> scales = l1[kScales].template ReinterpretCast<uint64_t>();
    GlobalTensor<D> gm;
    gm.SetGlobalBuffer(reinterpret_cast<__gm__ D*>(out));
    if (p.GetValue(kByCopy))
        StoreByCopy<rowMajor>(p, gm, from, scales, f);
    else
        StoreByFixpipe<rowMajor>(p, source, result, gm, l1, from, scales, f);
}

}  // namespace api_test

using namespace api_test;

#ifdef __DAV_C220_CUBE__
#define MATMUL(T, D, F, rowMajor)                       \
    API_KERNEL(T##_##D##_##F) {                         \
        KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY); \
        Run<T, D, rowMajor>(in, out, params);           \
    }
#else
#define MATMUL(T, D, F, rowMajor) \
    API_KERNEL(T##_##D##_##F) { KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIC_ONLY); }
#endif
#define BOTH(T, D) MATMUL(T, D, ND, true) MATMUL(T, D, NZ, false)

MATMUL(half, float, ND, true)
MATMUL(bfloat16_t, float, ND, true)
BOTH(float, float)
BOTH(float, half)
BOTH(float, bfloat16_t)
BOTH(float, int8_t)
BOTH(float, uint8_t)
BOTH(int8_t, int32_t)
BOTH(int8_t, half)
BOTH(int8_t, int8_t)
BOTH(int8_t, uint8_t)
MATMUL(int4b_t, int32_t, ND, true)
