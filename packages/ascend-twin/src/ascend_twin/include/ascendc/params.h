// SPDX-License-Identifier: BSD-3-Clause
// Parameter structs of the API: field names, order, types and defaults are the vendor's.
#pragma once
#include "ascendc/enums.h"

namespace AscendC {

struct DataCopyParams {
    DataCopyParams() {}
    DataCopyParams(const uint16_t count, const uint16_t len, const uint16_t src_gap, const uint16_t dst_gap)
        : blockCount(count), blockLen(len), srcGap(src_gap), dstGap(dst_gap) {}
    uint16_t blockCount = 1;
    uint16_t blockLen = 0;
    union {
        uint16_t srcGap = 0;
        uint16_t srcStride;
    };
    union {
        uint16_t dstGap = 0;
        uint16_t dstStride;
    };
};

struct DataCopyEnhancedParams {
    BlockMode blockMode = BlockMode::BLOCK_MODE_NORMAL;
    DeqScale deqScale = DeqScale::DEQ_NONE;
    uint64_t deqValue = 0;
    uint8_t sidStoreMode = 0;
    bool isRelu = false;
    pad_t padMode = pad_t::PAD_NONE;
    uint64_t padValue = 0;
    uint64_t deqTensorAddr = 0;
};

struct DataCopyExtParams {
    DataCopyExtParams() {}
    DataCopyExtParams(const uint16_t count, const uint32_t len, const uint32_t src, const uint32_t dst,
                      const uint32_t rsv_)
        : blockCount(count), blockLen(len), srcStride(src), dstStride(dst), rsv(rsv_) {}
    uint16_t blockCount = 1;
    uint32_t blockLen = 0;
    uint32_t srcStride = 0;
    uint32_t dstStride = 0;
    uint32_t rsv = 0;
};

template <typename T>
struct DataCopyPadExtParams {
    DataCopyPadExtParams() {}
    DataCopyPadExtParams(const bool pad, const uint8_t left, const uint8_t right, T value)
        : isPad(pad), leftPadding(left), rightPadding(right), paddingValue(value) {}
    bool isPad = false;
    uint8_t leftPadding = 0;
    uint8_t rightPadding = 0;
    T paddingValue = 0;
};

struct DataCopyPadParams {
    DataCopyPadParams() {}
    DataCopyPadParams(const bool pad, const uint8_t left, const uint8_t right, const uint64_t value)
        : isPad(pad), leftPadding(left), rightPadding(right), paddingValue(value) {}
    bool isPad = false;
    uint8_t leftPadding = 0;
    uint8_t rightPadding = 0;
    uint64_t paddingValue = 0;
};

struct Nd2NzParams {
    Nd2NzParams() {}
    Nd2NzParams(const uint16_t nd, const uint16_t n, const uint16_t d, const uint16_t src_matrix, const uint16_t src_d,
                const uint16_t c0, const uint16_t row, const uint16_t dst_matrix)
        : ndNum(nd),
          nValue(n),
          dValue(d),
          srcNdMatrixStride(src_matrix),
          srcDValue(src_d),
          dstNzC0Stride(c0),
          dstNzNStride(row),
          dstNzMatrixStride(dst_matrix) {}
    uint16_t ndNum = 0;
    uint16_t nValue = 0;
    uint16_t dValue = 0;
    uint16_t srcNdMatrixStride = 0;
    uint16_t srcDValue = 0;
    uint16_t dstNzC0Stride = 0;
    uint16_t dstNzNStride = 0;
    uint16_t dstNzMatrixStride = 0;
};

struct Nz2NdParamsFull {
    Nz2NdParamsFull() {}
    Nz2NdParamsFull(const uint16_t nd, const uint16_t n, const uint16_t d, const uint16_t src_matrix,
                    const uint16_t src_n, const uint16_t dst_d, const uint16_t dst_matrix)
        : ndNum(nd),
          nValue(n),
          dValue(d),
          srcNdMatrixStride(src_matrix),
          srcNStride(src_n),
          dstDStride(dst_d),
          dstNdMatrixStride(dst_matrix) {}
    uint16_t ndNum = 1;
    uint16_t nValue = 0;
    uint16_t dValue = 0;
    uint16_t srcNdMatrixStride = 1;
    uint16_t srcNStride = 0;
    uint16_t dstDStride = 0;
    uint16_t dstNdMatrixStride = 1;
};

struct DataCopyCO12DstParams {
    DataCopyCO12DstParams() {}
    DataCopyCO12DstParams(const uint16_t n, const uint16_t m, const uint32_t dst, const uint16_t src,
                          const QuantMode_t quant, const uint8_t relu, const bool split, const bool nz2nd)
        : nSize(n),
          mSize(m),
          dstStride(dst),
          srcStride(src),
          quantPre(quant),
          reluPre(relu),
          channelSplit(split),
          nz2ndEn(nz2nd) {}
    uint8_t sid = 0;
    uint16_t nSize = 0;
    uint16_t mSize = 0;
    uint32_t dstStride = 0;
    uint16_t srcStride = 0;
    uint8_t unitFlag = 0;
    uint8_t clipReluPre = 0;
    uint8_t eltWiseOp = 0;
    QuantMode_t quantPre = QuantMode_t::NoQuant;
    uint8_t reluPre = 0;
    bool channelSplit = false;
    bool nz2ndEn = false;
};

struct SliceInfo {
    SliceInfo() {}
    SliceInfo(const uint32_t start, const uint32_t end, const uint32_t gap, const uint32_t len,
              const uint32_t shape = 1)
        : startIndex(start), endIndex(end), stride(gap), burstLen(len), shapeValue(shape) {}
    uint32_t startIndex = 0;
    uint32_t endIndex = 31;
    uint32_t stride = 0;
    uint32_t burstLen = 32;
    uint32_t shapeValue = 0;
};

struct CopyRepeatParams {
    CopyRepeatParams() {}
    CopyRepeatParams(const uint16_t dst, const uint16_t src, const uint16_t dst_rep, const uint16_t src_rep)
        : dstStride(dst), srcStride(src), dstRepeatSize(dst_rep), srcRepeatSize(src_rep) {}
    uint16_t dstStride = 1;
    uint16_t srcStride = 1;
    uint16_t dstRepeatSize = 8;
    uint16_t srcRepeatSize = 8;
};

struct LoadData2DParams {
    LoadData2DParams() {}
    LoadData2DParams(const uint16_t start, const uint8_t repeat, const uint16_t stride, const uint8_t sid_,
                     const uint16_t gap, const bool transpose, const uint8_t mode)
        : startIndex(start),
          dstGap(gap),
          srcStride(stride),
          ifTranspose(transpose),
          repeatTimes(repeat),
          sid(sid_),
          addrMode(mode) {}
    uint16_t startIndex = 0;
    uint16_t dstGap = 0;
    uint16_t srcStride = 0;
    bool ifTranspose = 0;
    uint8_t repeatTimes = 0;
    uint8_t sid = 0;
    uint8_t addrMode = 0;
};
using LoadData2dParams = LoadData2DParams;

struct LoadData2dTransposeParams {
    LoadData2dTransposeParams() {}
    LoadData2dTransposeParams(const uint16_t start, const uint8_t repeat, const uint16_t stride, const uint16_t gap,
                              const uint16_t frac_gap, const uint8_t mode = 0)
        : startIndex(start),
          repeatTimes(repeat),
          srcStride(stride),
          dstGap(gap),
          dstFracGap(frac_gap),
          addrMode(mode) {}
    uint16_t startIndex = 0;
    uint8_t repeatTimes = 0;
    uint16_t srcStride = 0;
    uint16_t dstGap = 0;
    uint16_t dstFracGap = 0;
    uint8_t addrMode = 0;
};

struct LoadData2dTransposeParamsV2 {
    LoadData2dTransposeParamsV2() {}
    LoadData2dTransposeParamsV2(const uint16_t start, const uint8_t repeat, const uint16_t stride, const uint16_t gap,
                                const uint16_t dst_frac_gap, const uint16_t src_frac_gap, const uint8_t mode = 0)
        : startIndex(start),
          repeatTimes(repeat),
          srcStride(stride),
          dstGap(gap),
          dstFracGap(dst_frac_gap),
          srcFracGap(src_frac_gap),
          addrMode(mode) {}
    uint16_t startIndex = 0;
    uint8_t repeatTimes = 0;
    uint16_t srcStride = 0;
    uint16_t dstGap = 0;
    uint16_t dstFracGap = 0;
    uint16_t srcFracGap = 0;
    uint8_t addrMode = 0;
};

struct IsResetLoad3dConfig {
    bool isSetFMatrix = true;
    bool isSetPadding = true;
};
constexpr IsResetLoad3dConfig IS_RESER_LOAD3D_DEFAULT_CONFIG = {true, true};

template <typename T>
struct LoadData3DParamsV2 {
    LoadData3DParamsV2() {}
    LoadData3DParamsV2(const uint8_t pads[PAD_SIZE], const uint16_t h, const uint16_t w, const uint16_t channel,
                       const uint16_t k_ext, const uint16_t m_ext, const uint16_t k_start, const uint16_t m_start,
                       const uint8_t stride_w, const uint8_t stride_h, const uint8_t filter_w, const uint8_t filter_h,
                       const uint8_t dilation_w, const uint8_t dilation_h, const bool transpose, const bool small_k,
                       const T pad)
        : LoadData3DParamsV2(pads, h, w, channel, k_ext, m_ext, k_start, m_start, stride_w, stride_h, filter_w,
                             filter_h, dilation_w, dilation_h, transpose, small_k, pad, false, false, false) {}
    LoadData3DParamsV2(const uint8_t pads[PAD_SIZE], const uint16_t h, const uint16_t w, const uint16_t channel,
                       const uint16_t k_ext, const uint16_t m_ext, const uint16_t k_start, const uint16_t m_start,
                       const uint8_t stride_w, const uint8_t stride_h, const uint8_t filter_w, const uint8_t filter_h,
                       const uint8_t dilation_w, const uint8_t dilation_h, const bool transpose, const bool small_k,
                       const T pad, const bool filter_size_w, const bool filter_size_h, const bool f_matrix)
        : l1H(h),
          l1W(w),
          channelSize(channel),
          kExtension(k_ext),
          mExtension(m_ext),
          kStartPt(k_start),
          mStartPt(m_start),
          strideW(stride_w),
          strideH(stride_h),
          filterW(filter_w),
          filterH(filter_h),
          dilationFilterW(dilation_w),
          dilationFilterH(dilation_h),
          enTranspose(transpose),
          enSmallK(small_k),
          padValue(pad),
          filterSizeW(filter_size_w),
          filterSizeH(filter_size_h),
          fMatrixCtrl(f_matrix) {
        for (int i = 0; i < PAD_SIZE; ++i) padList[i] = pads[i];
    }
    uint8_t padList[PAD_SIZE] = {0};
    uint16_t l1H = 0;
    uint16_t l1W = 0;
    uint16_t channelSize = 0;
    uint16_t kExtension = 0;
    uint16_t mExtension = 0;
    uint16_t kStartPt = 0;
    uint16_t mStartPt = 0;
    uint8_t strideW = 1;
    uint8_t strideH = 1;
    uint8_t filterW = 1;
    uint8_t filterH = 1;
    uint8_t dilationFilterW = 1;
    uint8_t dilationFilterH = 1;
    bool enTranspose = false;
    bool enSmallK = false;
    T padValue = 0;
    bool filterSizeW = false;
    bool filterSizeH = false;
    bool fMatrixCtrl = false;
};

/// LoadData3DParamsV2 with its registers packed: extConfig = mStart << 48 | kStart << 32 | mExtension << 16 |
/// kExtension.
struct LoadData3DParamsV2Pro {
    uint16_t channelSize = 0;
    bool enTranspose = false;
    bool enSmallK = false;
    bool filterSizeW = false;
    bool filterSizeH = false;
    bool fMatrixCtrl = false;
    uint64_t extConfig = 0;
    uint64_t filterConfig = 0x10101010101;
};

template <typename T>
struct InitConstValueParams {
    InitConstValueParams() {}
    InitConstValueParams(const uint16_t repeat, const uint16_t blocks, const uint16_t gap, const T value)
        : repeatTimes(repeat), blockNum(blocks), dstGap(gap), initValue(value) {}
    InitConstValueParams(const uint16_t repeat, const T value) : repeatTimes(repeat), initValue(value) {}
    uint16_t repeatTimes = 0;
    uint16_t blockNum = 0;
    uint16_t dstGap = 0;
    T initValue = 0;
};

struct MmadParams {
    MmadParams() {}
    MmadParams(const uint16_t m_, const uint16_t n_, const uint16_t k_, const bool bias, const int32_t offset,
               const bool sparse, const bool winograd_a, const bool winograd_b)
        : m(m_),
          n(n_),
          k(k_),
          isBias(bias),
          fmOffset(offset),
          enSsparse(sparse),
          enWinogradA(winograd_a),
          enWinogradB(winograd_b) {}
    MmadParams(const uint16_t m_, const uint16_t n_, const uint16_t k_, const uint8_t flag, const bool source,
               const bool init)
        : m(m_), n(n_), k(k_), unitFlag(flag), cmatrixSource(source), cmatrixInitVal(init) {}
    uint16_t m = 0;
    uint16_t n = 0;
    uint16_t k = 0;
    bool isBias = false;
    int32_t fmOffset = 0;
    bool enSsparse = false;
    bool enWinogradA = false;
    bool enWinogradB = false;
    uint8_t unitFlag = 0;
    bool kDirectionAlign = false;
    bool cmatrixSource = false;
    bool cmatrixInitVal = true;
    bool disableGemv = false;
    uint8_t fixShiftVal = 0;
};

enum class CO2Layout : uint8_t { NZ = 0, ROW_MAJOR, COLUMN_MAJOR };
struct FixpipeConfig {
    CO2Layout format;
    constexpr FixpipeConfig(CO2Layout f) : format(f) {}
};
inline constexpr FixpipeConfig CFG_NZ = {CO2Layout::NZ};
inline constexpr FixpipeConfig CFG_ROW_MAJOR = {CO2Layout::ROW_MAJOR};
inline constexpr FixpipeConfig CFG_COLUMN_MAJOR = {CO2Layout::COLUMN_MAJOR};

struct FixpipeParamsV220 {
    FixpipeParamsV220() {}
    FixpipeParamsV220(const uint16_t n, const uint16_t m, const uint16_t src, const uint32_t dst, const bool relu)
        : nSize(n), mSize(m), srcStride(src), dstStride(dst), reluEn(relu) {}
    FixpipeParamsV220(const uint16_t n, const uint16_t m, const uint16_t src, const uint32_t dst, const bool relu,
                      const QuantMode_t quant, const int64_t scalar, const uint16_t nd, const uint16_t src_nd,
                      const uint16_t dst_nd, const uint8_t unit, const bool split = false)
        : nSize(n),
          mSize(m),
          srcStride(src),
          dstStride(dst),
          quantPre(quant),
          deqScalar(static_cast<uint64_t>(scalar)),
          ndNum(nd),
          srcNdStride(src_nd),
          dstNdStride(dst_nd),
          reluEn(relu),
          unitFlag(unit),
          isChannelSplit(split) {}
    uint16_t nSize = 0;
    uint16_t mSize = 0;
    uint16_t srcStride = 0;
    uint32_t dstStride = 0;
    QuantMode_t quantPre = QuantMode_t::NoQuant;
    uint64_t deqScalar = 0;
    uint16_t ndNum = 1;
    uint16_t srcNdStride = 0;
    uint16_t dstNdStride = 0;
    bool reluEn = false;
    uint8_t unitFlag = 0;
    bool isChannelSplit = false;
};

struct UnaryRepeatParams {
    UnaryRepeatParams() {}
    UnaryRepeatParams(const uint16_t dst_blk, const uint16_t src_blk, const uint8_t dst_rep, const uint8_t src_rep,
                      const bool half_block = false)
        : dstBlkStride(dst_blk),
          srcBlkStride(src_blk),
          dstRepStride(dst_rep),
          srcRepStride(src_rep),
          halfBlock(half_block) {}
    uint32_t blockNumber = 8;
    uint16_t dstBlkStride = 1;
    uint16_t srcBlkStride = 1;
    uint8_t dstRepStride = 8;
    uint8_t srcRepStride = 8;
    bool repeatStrideMode = false;
    bool strideSizeMode = false;
    bool halfBlock = false;
};

struct BinaryRepeatParams {
    BinaryRepeatParams() {}
    BinaryRepeatParams(const uint8_t dst_blk, const uint8_t src0_blk, const uint8_t src1_blk, const uint8_t dst_rep,
                       const uint8_t src0_rep, const uint8_t src1_rep)
        : dstBlkStride(dst_blk),
          src0BlkStride(src0_blk),
          src1BlkStride(src1_blk),
          dstRepStride(dst_rep),
          src0RepStride(src0_rep),
          src1RepStride(src1_rep) {}
    uint32_t blockNumber = 8;
    uint8_t dstBlkStride = 1;
    uint8_t src0BlkStride = 1;
    uint8_t src1BlkStride = 1;
    uint8_t dstRepStride = 8;
    uint8_t src0RepStride = 8;
    uint8_t src1RepStride = 8;
    bool repeatStrideMode = false;
    bool strideSizeMode = false;
};

struct BrcbRepeatParams {
    BrcbRepeatParams() {}
    BrcbRepeatParams(const uint16_t blk, const uint16_t rep) : dstBlkStride(blk), dstRepStride(rep) {}
    uint32_t blockNumber = 8;
    uint16_t dstRepStride = 8;
    uint16_t dstBlkStride = 1;
};

struct GatherRepeatParams {
    GatherRepeatParams() {}
    GatherRepeatParams(const uint8_t blk, const uint8_t rep) : dstRepStride(rep), dstBlkStride(blk) {}
    uint32_t blockNumber = 8;
    uint16_t dstRepStride = 8;
    uint8_t dstBlkStride = 1;
};

struct GatherMaskParams {
    GatherMaskParams() {}
    GatherMaskParams(const uint8_t blk, const uint16_t repeat, const uint16_t rep0, const uint8_t rep1)
        : src0BlockStride(blk), repeatTimes(repeat), src0RepeatStride(rep0), src1RepeatStride(rep1) {}
    uint8_t src0BlockStride = 1;
    uint16_t repeatTimes = 0;
    uint16_t src0RepeatStride = 8;
    uint8_t src1RepeatStride = 8;
};

struct TransDataTo5HDParams {
    TransDataTo5HDParams() {}
    TransDataTo5HDParams(const bool dst_high, const bool src_high, const uint8_t repeat, const uint16_t dst,
                         const uint16_t src)
        : dstHighHalf(dst_high), srcHighHalf(src_high), repeatTimes(repeat), dstRepStride(dst), srcRepStride(src) {}
    bool dstHighHalf = false;
    bool srcHighHalf = false;
    uint8_t repeatTimes = 1;
    uint16_t dstRepStride = 0;
    uint16_t srcRepStride = 0;
};

}  // namespace AscendC
