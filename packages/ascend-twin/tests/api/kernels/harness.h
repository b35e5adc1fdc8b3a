// SPDX-License-Identifier: BSD-3-Clause
// What every kernel of this folder does: for each case, a memory image comes in, one API call works on it, the whole
// image goes out again, so that a stray write is seen as well as a wrong one.
//
// Arguments of a kernel: `in` and `out` hold `cases` images of `bytes` bytes each; `params` is an int64 array:
// cases, bytes, words, and then `words` numbers per case, whose meaning is the kernel's.
#pragma once
#include "kernel_operator.h"

namespace api_test {

using namespace AscendC;

__aicore__ inline uint64_t Bits(int64_t word) { return static_cast<uint64_t>(word); }

/// The low bytes of a number as a value of T: how scalars of any type come in.
template <typename T>
__aicore__ inline T FromBits(int64_t word) {
    T value;
    value = *reinterpret_cast<T*>(&word);
    return value;
}

/// The cases of a vector kernel; images live in UB from byte 0.
class UbCases {
public:
    __aicore__ inline UbCases(GM_ADDR in, GM_ADDR out, GM_ADDR params) {
        params_.SetGlobalBuffer(reinterpret_cast<__gm__ int64_t*>(params));
        count = static_cast<uint32_t>(params_.GetValue(0));
        bytes_ = static_cast<uint32_t>(params_.GetValue(1));
        words_ = static_cast<uint32_t>(params_.GetValue(2));
        in_.SetGlobalBuffer(reinterpret_cast<__gm__ uint8_t*>(in));
        out_.SetGlobalBuffer(reinterpret_cast<__gm__ uint8_t*>(out));
        TBuf<TPosition::VECCALC> buffer;
        pipe_.InitBuffer(buffer, 184 * 1024);
        ub_ = buffer.Get<uint8_t>();
        pipe_.Destroy();
    }
    /// Starts case i: its image is in UB when this returns.
    __aicore__ inline void Load(uint32_t i) {
        at_ = i;
        DataCopy(ub_, in_[static_cast<uint64_t>(i) * bytes_], bytes_);
        PipeBarrier<PIPE_ALL>();
    }
    __aicore__ inline void Store() {
        PipeBarrier<PIPE_ALL>();
        DataCopy(out_[static_cast<uint64_t>(at_) * bytes_], ub_, bytes_);
        PipeBarrier<PIPE_ALL>();
    }
    /// Number `word` of this case.
    __aicore__ inline int64_t operator[](uint32_t word) { return params_.GetValue(3 + at_ * words_ + word); }
    /// Tensor that starts at the byte given by number `word`.
    template <typename T>
    __aicore__ inline LocalTensor<T> At(uint32_t word) {
        return ub_[static_cast<uint32_t>((*this)[word])].template ReinterpretCast<T>();
    }
    uint32_t count;

private:
    TPipe pipe_;
    LocalTensor<uint8_t> ub_;
    GlobalTensor<uint8_t> in_, out_;
    GlobalTensor<int64_t> params_;
    uint32_t at_, bytes_, words_;
};

// Numbers of a vector case, the same for all vector kernels (see vector_case.py).
constexpr uint32_t kForm = 0, kMaskLow = 1, kMaskHigh = 2, kRepeat = 3, kDst = 4, kSrc0 = 5, kSrc1 = 6, kDstBlk = 7,
                   kSrc0Blk = 8, kSrc1Blk = 9, kDstRep = 10, kSrc0Rep = 11, kSrc1Rep = 12, kScalar = 13, kCtrl48 = 14,
                   kExtra = 15;

__aicore__ inline BinaryRepeatParams BinaryStrides(UbCases& c) {
    return BinaryRepeatParams(static_cast<uint8_t>(c[kDstBlk]), static_cast<uint8_t>(c[kSrc0Blk]),
                              static_cast<uint8_t>(c[kSrc1Blk]), static_cast<uint8_t>(c[kDstRep]),
                              static_cast<uint8_t>(c[kSrc0Rep]), static_cast<uint8_t>(c[kSrc1Rep]));
}
__aicore__ inline UnaryRepeatParams UnaryStrides(UbCases& c) {
    return UnaryRepeatParams(static_cast<uint16_t>(c[kDstBlk]), static_cast<uint16_t>(c[kSrc0Blk]),
                             static_cast<uint8_t>(c[kDstRep]), static_cast<uint8_t>(c[kSrc0Rep]));
}

}  // namespace api_test

#define API_KERNEL(name) extern "C" __global__ __aicore__ void name(GM_ADDR in, GM_ADDR out, GM_ADDR params)

/// A kernel of vector code: `__VA_ARGS__` runs for each case `c`. The cube program is left empty by the preprocessor
/// and not by ASCEND_IS_AIV, so that the many instantiations are compiled once.
#ifdef __DAV_C220_VEC__
#define UB_KERNEL(name, ...)                            \
    API_KERNEL(name) {                                  \
        KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY); \
        api_test::UbCases c(in, out, params);           \
        for (uint32_t i = 0; i < c.count; ++i) {        \
            c.Load(i);                                  \
            SetCtrlSpr<48, 48>(c[api_test::kCtrl48]);   \
            __VA_ARGS__;                                \
            c.Store();                                  \
        }                                               \
    }
#else
#define UB_KERNEL(name, ...) \
    API_KERNEL(name) { KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY); }
#endif

/// All forms of a vector instruction: count; first lanes; lane bits; mask register in normal and in counter mode.
/// KEPT is OP with its template arguments and isSetMask = false, MASK_TYPE the type SetVectorMask is given.
#define MASK_FORMS(OP, KEPT, MASK_TYPE, STRIDES, ...)                                                   \
    const uint8_t repeat = static_cast<uint8_t>(c[api_test::kRepeat]);                                  \
    uint64_t mask[2] = {api_test::Bits(c[api_test::kMaskLow]), api_test::Bits(c[api_test::kMaskHigh])}; \
    switch (c[api_test::kForm]) {                                                                       \
        case 1: OP(__VA_ARGS__, mask[0], repeat, STRIDES); break;                                       \
        case 2: OP(__VA_ARGS__, mask, repeat, STRIDES); break;                                          \
        case 3:                                                                                         \
            SetMaskNorm();                                                                              \
            SetVectorMask<MASK_TYPE, MaskMode::NORMAL>(mask[1], mask[0]);                               \
            KEPT(__VA_ARGS__, MASK_PLACEHOLDER, repeat, STRIDES);                                       \
            ResetMask();                                                                                \
            break;                                                                                      \
        case 4:                                                                                         \
            SetMaskCount();                                                                             \
            SetVectorMask<MASK_TYPE, MaskMode::COUNTER>(0, mask[0]);                                    \
            KEPT(__VA_ARGS__, MASK_PLACEHOLDER, repeat, STRIDES);                                       \
            SetMaskNorm();                                                                              \
            ResetMask();                                                                                \
            break;                                                                                      \
        default: break;                                                                                 \
    }
#define ALL_FORMS(OP, KEPT, MASK_TYPE, COUNT_TYPE, STRIDES, ...)         \
    if (c[api_test::kForm] == 0) {                                       \
        OP(__VA_ARGS__, static_cast<COUNT_TYPE>(c[api_test::kMaskLow])); \
    } else {                                                             \
        MASK_FORMS(OP, KEPT, MASK_TYPE, STRIDES, __VA_ARGS__)            \
    }
