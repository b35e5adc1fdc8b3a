// SPDX-License-Identifier: BSD-3-Clause
// The cube side: LoadData, InitConstValue, Mmad, Fixpipe.
#pragma once
#include "ascendc/data_copy.h"

namespace AscendC {

template <typename T>
twin::Load2dArgs TwinLoad2d(const LocalTensor<T>& dst, const twin::Ref& src, const LoadData2DParams& p) {
    twin::Load2dArgs a;
    a.type = TwinType<T>;
    a.dst = dst.Twin();
    a.src = src;
    a.start = p.startIndex;
    a.repeat = p.repeatTimes;
    a.src_stride = p.srcStride;
    a.dst_gap = p.dstGap;
    a.transpose = p.ifTranspose;
    a.decrease = p.addrMode != 0;
    return a;
}
template <typename T>
void LoadData(const LocalTensor<T>& dst, const LocalTensor<T>& src, const LoadData2DParams& p,
              const twin::At& at = twin::At::here()) {
    twin::load_2d(TwinLoad2d(dst, src.Twin(), p), at.as("LoadData"));
}
template <typename T>
void LoadData(const LocalTensor<T>& dst, const GlobalTensor<T>& src, const LoadData2DParams& p,
              const twin::At& at = twin::At::here()) {
    twin::load_2d(TwinLoad2d(dst, src.Twin(), p), at.as("LoadData"));
}
template <typename T>
void LoadDataWithTranspose(const LocalTensor<T>& dst, const LocalTensor<T>& src, const LoadData2dTransposeParams& p,
                           const twin::At& at = twin::At::here()) {
    twin::load_transpose({TwinType<T>, dst.Twin(), src.Twin(), p.startIndex, p.repeatTimes, p.srcStride, p.dstGap,
                          p.dstFracGap, 0, p.addrMode != 0},
                         at.as("LoadDataWithTranspose"));
}
template <typename T>
void LoadDataWithTranspose(const LocalTensor<T>& dst, const LocalTensor<T>& src, const LoadData2dTransposeParamsV2& p,
                           const twin::At& at = twin::At::here()) {
    twin::load_transpose({TwinType<T>, dst.Twin(), src.Twin(), p.startIndex, p.repeatTimes, p.srcStride, p.dstGap,
                          p.dstFracGap, p.srcFracGap, p.addrMode != 0},
                         at.as("LoadDataWithTranspose"));
}

inline void SetFmatrix(uint16_t l1H, uint16_t l1W, const uint8_t padList[4], const FmatrixMode& mode,
                       const twin::At& at = twin::At::here()) {
    twin::set_f_matrix(l1H, l1W, padList, mode == FmatrixMode::FMATRIX_RIGHT);
    twin::scalar_note(at.as("SetFmatrix"));
}
template <typename T>
void SetLoadDataPaddingValue(const T value, const twin::At& at = twin::At::here()) {
    twin::set_pad_value(TwinBits(value));
    twin::scalar_note(at.as("SetLoadDataPaddingValue"));
}
/// L1 addresses of LoadData3D wrap to 0 there; 0: nowhere.
inline void SetLoadDataBoundary(uint32_t boundaryValue, const twin::At& at = twin::At::here()) {
    twin::set_load_boundary(boundaryValue);
    twin::scalar_note(at.as("SetLoadDataBoundary"));
}
struct LoadDataRepeatParam {
    LoadDataRepeatParam() {}
    LoadDataRepeatParam(const uint16_t stride, const uint8_t times, const uint8_t mode)
        : repeatStride(stride), repeatTime(times), repeatMode(mode) {}
    uint16_t repeatStride = 0;
    uint8_t repeatTime = 1;
    uint8_t repeatMode = 0;
    uint8_t reserved = 0;
};
inline void SetLoadDataRepeat(const LoadDataRepeatParam& p, const twin::At& at = twin::At::here()) {
    twin::set_load_repeat(p.repeatStride, p.repeatTime, p.repeatMode != 0);
    twin::scalar_note(at.as("SetLoadDataRepeat"));
}
/// Fractals of a dense int8 matrix with the indices MmadWithSparse needs; they go to a buffer of their own.
template <typename T = int8_t, typename U = uint8_t>
void LoadDataWithSparse(const LocalTensor<T>& dst, const LocalTensor<T>& src, const LocalTensor<U>& idx,
                        const LoadData2DParams& p, const twin::At& at = twin::At::here()) {
    static_assert(TwinSame<T, int8_t> && TwinSame<U, uint8_t>, "LoadDataWithSparse: int8, indices in uint8");
    twin::load_sparse({dst.Twin(), src.Twin(), idx.Twin(), p.startIndex, p.repeatTimes}, at.as("LoadDataWithSparse"));
}

template <typename T, const IsResetLoad3dConfig& config = IS_RESER_LOAD3D_DEFAULT_CONFIG>
void LoadData(const LocalTensor<T>& dst, const LocalTensor<T>& src, const LoadData3DParamsV2<PrimT<T>>& p,
              const twin::At& at = twin::At::here()) {
    if (config.isSetFMatrix) twin::set_f_matrix(p.l1H, p.l1W, p.padList, p.fMatrixCtrl);
    if (config.isSetPadding) twin::set_pad_value(TwinBits(p.padValue));
    twin::Load3dArgs a;
    a.type = TwinType<T>;
    a.dst = dst.Twin();
    a.src = src.Twin();
    for (int i = 0; i < 4; ++i) a.pad[i] = p.padList[i];
    a.l1_h = p.l1H;
    a.l1_w = p.l1W;
    a.channels = p.channelSize;
    a.k_extension = p.kExtension;
    a.m_extension = p.mExtension;
    a.k_start = p.kStartPt;
    a.m_start = p.mStartPt;
    a.stride_w = p.strideW;
    a.stride_h = p.strideH;
    a.filter_w = static_cast<uint16_t>(p.filterW + (p.filterSizeW ? 256 : 0));
    a.filter_h = static_cast<uint16_t>(p.filterH + (p.filterSizeH ? 256 : 0));
    a.dilation_w = p.dilationFilterW;
    a.dilation_h = p.dilationFilterH;
    a.transpose = p.enTranspose;
    a.f_matrix_right = p.fMatrixCtrl;
    a.pad_value = TwinBits(p.padValue);
    twin::load_3d(a, at.as("LoadData3Dv2"));
}

inline void Load3DSetFMatrixCal(uint16_t l1H, uint16_t l1W, const uint8_t padList[4],
                                const twin::At& at = twin::At::here()) {
    SetFmatrix(l1H, l1W, padList, FmatrixMode::FMATRIX_LEFT, at);
}
inline void Load3DSetFMatrixBCal(uint16_t l1H, uint16_t l1W, const uint8_t padList[4],
                                 const twin::At& at = twin::At::here()) {
    SetFmatrix(l1H, l1W, padList, FmatrixMode::FMATRIX_RIGHT, at);
}
template <typename T>
void LoadData(const LocalTensor<T>& dst, const LocalTensor<T>& src, const LoadData3DParamsV2Pro& p,
              const twin::At& at = twin::At::here()) {
    twin::Load3dArgs a;
    a.type = TwinType<T>;
    a.dst = dst.Twin();
    a.src = src.Twin();
    a.channels = p.channelSize;
    a.k_extension = static_cast<uint16_t>(p.extConfig);
    a.m_extension = static_cast<uint16_t>(p.extConfig >> 16);
    a.k_start = static_cast<uint16_t>(p.extConfig >> 32);
    a.m_start = static_cast<uint16_t>(p.extConfig >> 48);
    a.stride_w = static_cast<uint8_t>(p.filterConfig);
    a.stride_h = static_cast<uint8_t>(p.filterConfig >> 8);
    a.filter_w = static_cast<uint16_t>((p.filterConfig >> 16 & 0xff) + (p.filterSizeW ? 256 : 0));
    a.filter_h = static_cast<uint16_t>((p.filterConfig >> 24 & 0xff) + (p.filterSizeH ? 256 : 0));
    a.dilation_w = static_cast<uint8_t>(p.filterConfig >> 32);
    a.dilation_h = static_cast<uint8_t>(p.filterConfig >> 40);
    a.transpose = p.enTranspose;
    a.f_matrix_right = p.fMatrixCtrl;
    a.pad_value = 0;
    twin::load_3d(a, at.as("LoadData3Dv2"));
}

template <typename T, typename U = T>
void InitConstValue(const LocalTensor<T>& dst, const InitConstValueParams<U>& p,
                    const twin::At& at = twin::At::here()) {
    static_assert(sizeof(PrimT<T>) == sizeof(PrimT<U>) && sizeof(PrimT<T>) >= 2, "InitConstValue: 2- and 4-byte types");
    twin::fill({TwinType<U>, dst.Twin(), p.repeatTimes, p.blockNum, p.dstGap, TwinBits(p.initValue)},
               at.as("InitConstValue"));
}
template <typename T, typename U = T>
void Fill(const LocalTensor<T>& dst, const InitConstValueParams<U>& p, const twin::At& at = twin::At::here()) {
    InitConstValue<T, U>(dst, p, at);
}

enum class HF32Mode { ENABLE, DISABLE };
enum class HF32TransMode { NEAREST_ZERO, NEAREST_EVEN };
inline void SetHF32Mode(bool on, const twin::At& at = twin::At::here()) {
    twin::set_hf32(on);
    twin::scalar_note(at.as("SetHF32Mode"));
}
inline void SetHF32Mode(HF32Mode mode, const twin::At& at = twin::At::here()) {
    SetHF32Mode(mode == HF32Mode::ENABLE, at);
}
/// Which way ties go: towards zero, or to even.
inline void SetHF32TransMode(bool towardsZero, const twin::At& at = twin::At::here()) {
    twin::set_hf32_ties(towardsZero);
    twin::scalar_note(at.as("SetHF32TransMode"));
}
inline void SetHF32TransMode(HF32TransMode mode, const twin::At& at = twin::At::here()) {
    SetHF32TransMode(mode == HF32TransMode::NEAREST_ZERO, at);
}
inline void SetMMRowMajor(const twin::At& at = twin::At::here()) { twin::scalar_note(at.as("SetMMRowMajor")); }
inline void SetMMColumnMajor(const twin::At& at = twin::At::here()) { twin::scalar_note(at.as("SetMMColumnMajor")); }
inline void SetMMLayoutTransform(bool, const twin::At& at = twin::At::here()) {
    twin::scalar_note(at.as("SetMMLayoutTransform"));
}

template <typename C, typename A, typename B>
constexpr bool TwinMmadTypes() {
    if (TwinSame<C, float>) return TwinSame<A, B> && IsOneOf<A, half, bfloat16_t, float>;
    if (TwinSame<C, int32_t>) return TwinSame<A, B> && IsOneOf<A, int8_t, int4b_t>;
    return false;
}
template <typename T, typename U, typename S>
twin::MmadArgs TwinMmad(const LocalTensor<T>& dst, const LocalTensor<U>& a, const LocalTensor<S>& b,
                        const MmadParams& p) {
    static_assert(TwinMmadTypes<T, U, S>(), "Mmad: (float; half, bf16 or float pairs) or (int32; int8 or int4 pairs)");
    twin::MmadArgs m;
    m.c_type = TwinType<T>;
    m.a_type = TwinType<U>;
    m.b_type = TwinType<S>;
    m.c = dst.Twin();
    m.a = a.Twin();
    m.b = b.Twin();
    m.m = p.m;
    m.n = p.n;
    m.k = p.k;
    m.unit_flag = p.unitFlag;
    m.k_align = p.kDirectionAlign;
    m.from_bias = p.cmatrixSource;
    m.bias.memory = twin::Memory::kBt;  // from its first byte, where a call names no bias
    m.init = p.cmatrixInitVal;
    return m;
}
template <typename T, typename U, typename S>
void Mmad(const LocalTensor<T>& dst, const LocalTensor<U>& fm, const LocalTensor<S>& filter, const MmadParams& p,
          const twin::At& at = twin::At::here()) {
    twin::mmad(TwinMmad(dst, fm, filter, p), at.as("Mmad"));
}
template <typename T, typename U, typename S, typename V>
void Mmad(const LocalTensor<T>& dst, const LocalTensor<U>& fm, const LocalTensor<S>& filter, const LocalTensor<V>& bias,
          const MmadParams& p, const twin::At& at = twin::At::here()) {
    twin::MmadArgs m = TwinMmad(dst, fm, filter, p);
    m.bias = bias.Twin();
    m.bias_type = TwinType<V>;
    m.from_bias = true;
    twin::mmad(m, at.as("Mmad"));
}

/// A is full, B the dense half of a matrix of which each 4 rows have at most 2 elements per column (k counts A's
/// columns).
template <typename T = int32_t, typename U = int8_t>
void MmadWithSparse(const LocalTensor<T>& dst, const LocalTensor<U>& fm, const LocalTensor<U>& filter,
                    const MmadParams& p, const twin::At& at = twin::At::here()) {
    static_assert(TwinSame<T, int32_t> && TwinSame<U, int8_t>, "MmadWithSparse: int32 from int8");
    twin::MmadArgs m = TwinMmad(dst, fm, filter, p);
    m.sparse = true;
    twin::mmad(m, at.as("MmadWithSparse"));
}

constexpr twin::Quant TwinQuant(QuantMode_t mode) {
    switch (mode) {
        case F322F16: return twin::Quant::kF32ToF16;
        case F322BF16: return twin::Quant::kF32ToBf16;
        case REQ8: return twin::Quant::kReq8;
        case VREQ8: return twin::Quant::kVreq8;
        case DEQF16: return twin::Quant::kDeqF16;
        case VDEQF16: return twin::Quant::kVdeqF16;
        case QF322B8_PRE: return twin::Quant::kF32ToB8;
        case VQF322B8_PRE: return twin::Quant::kVF32ToB8;
        default: return twin::Quant::kNone;
    }
}
template <typename Dst, typename T, typename U>
void TwinFixpipe(const Dst& dst, const LocalTensor<U>& src, const twin::Ref* scale, CO2Layout format,
                 const FixpipeParamsV220& p, const twin::At& at) {
    static_assert(IsOneOf<U, float, int32_t>, "Fixpipe: the source is float or int32");
    twin::FixpipeArgs a;
    a.src_type = TwinType<U>;
    a.dst_type = TwinType<T>;
    a.dst = dst.Twin();
    a.src = src.Twin();
    if (scale) {
        a.scale = *scale;
        a.has_scale = true;
    }
    a.row_major = format == CO2Layout::ROW_MAJOR;
    a.n = p.nSize;
    a.m = p.mSize;
    a.src_stride = p.srcStride;
    a.dst_stride = p.dstStride;
    a.nd_num = p.ndNum;
    a.src_nd_stride = p.srcNdStride;
    a.dst_nd_stride = p.dstNdStride;
    a.quant = TwinQuant(p.quantPre);
    a.deq_scalar = p.deqScalar;
    a.relu = p.reluEn;
    a.channel_split = p.isChannelSplit;
    a.unit_flag = p.unitFlag;
    twin::fixpipe(a, at.as("Fixpipe"));
}
#define TWIN_FIXPIPE(DST)                                                                          \
    template <typename T, typename U, const FixpipeConfig& config = CFG_ROW_MAJOR>                 \
    void Fixpipe(const DST<T>& dst, const LocalTensor<U>& src, const FixpipeParamsV220& p,         \
                 const twin::At& at = twin::At::here()) {                                          \
        TwinFixpipe<DST<T>, T, U>(dst, src, nullptr, config.format, p, at);                        \
    }                                                                                              \
    template <typename T, typename U, const FixpipeConfig& config = CFG_ROW_MAJOR>                 \
    void Fixpipe(const DST<T>& dst, const LocalTensor<U>& src, const LocalTensor<uint64_t>& scale, \
                 const FixpipeParamsV220& p, const twin::At& at = twin::At::here()) {              \
        const twin::Ref ref = scale.Twin();                                                        \
        TwinFixpipe<DST<T>, T, U>(dst, src, &ref, config.format, p, at);                           \
    }
TWIN_FIXPIPE(GlobalTensor)
TWIN_FIXPIPE(LocalTensor)
#undef TWIN_FIXPIPE

inline void SetFixpipeNz2ndFlag(uint16_t nd_num, uint16_t src_nd_stride, uint16_t dst_nd_stride,
                                const twin::At& at = twin::At::here()) {
    twin::set_nd_state(nd_num, src_nd_stride, dst_nd_stride);
    twin::scalar_note(at.as("SetFixpipeNz2ndFlag"));
}
/// Per-column scales for the Fixpipes that follow, in the fixpipe buffer (C2PIPE2GM). isUnitFlag clears L0C's unit
/// flags, for which a tensor of L0C will do. The relu tensor is reserved.
template <typename T, bool setRelu = false>
void SetFixPipeConfig(const LocalTensor<T>& preData, bool isUnitFlag = false, const twin::At& at = twin::At::here()) {
    static_assert(!setRelu, "SetFixPipeConfig: parametric relu is not modelled");
    twin::set_fix_config(preData.Twin(), isUnitFlag, at.as("SetFixPipeConfig"));
}
template <typename T>
void SetFixPipeConfig(const LocalTensor<T>& reluPre, const LocalTensor<T>& quantPre, bool isUnitFlag = false,
                      const twin::At& at = twin::At::here()) {
    (void)reluPre;
    twin::set_fix_config(quantPre.Twin(), isUnitFlag, at.as("SetFixPipeConfig"));
}
inline void SetFixpipePreQuantFlag(uint64_t bits, const twin::At& at = twin::At::here()) {
    twin::set_prequant(bits);
    twin::scalar_note(at.as("SetFixpipePreQuantFlag"));
}
template <typename Dst, typename T, typename U>
void TwinCopyOut(const Dst& dst, const LocalTensor<U>& src, const DataCopyCO12DstParams& p, const twin::At& at) {
    FixpipeParamsV220 f(p.nSize, p.mSize, p.srcStride, p.dstStride, p.reluPre != 0);
    uint32_t nd = 1, src_nd = 0, dst_nd = 0;
    if (p.nz2ndEn) twin::get_nd_state(&nd, &src_nd, &dst_nd);
    f.ndNum = static_cast<uint16_t>(nd);
    f.srcNdStride = static_cast<uint16_t>(src_nd);
    f.dstNdStride = static_cast<uint16_t>(dst_nd);
    f.quantPre = p.quantPre;
    f.deqScalar = twin::get_prequant();
    f.unitFlag = p.unitFlag;
    f.isChannelSplit = p.channelSplit;
    TwinFixpipe<Dst, T, U>(dst, src, nullptr, p.nz2ndEn ? CO2Layout::ROW_MAJOR : CO2Layout::NZ, f, at);
}
template <typename T, typename U>
void DataCopy(const GlobalTensor<T>& dst, const LocalTensor<U>& src, const DataCopyCO12DstParams& p,
              const twin::At& at = twin::At::here()) {
    TwinCopyOut<GlobalTensor<T>, T, U>(dst, src, p, at);
}
template <typename T, typename U>
void DataCopy(const LocalTensor<T>& dst, const LocalTensor<U>& src, const DataCopyCO12DstParams& p,
              const twin::At& at = twin::At::here()) {
    TwinCopyOut<LocalTensor<T>, T, U>(dst, src, p, at);
}

}  // namespace AscendC
