// SPDX-License-Identifier: BSD-3-Clause
// Copies between GM and UB and inside UB, by run, by count, padded; atomics to GM.
#include "harness.h"

namespace api_test {

/// `data`: source in GM; `out`: destination in GM, also loaded as the image of UB first. Numbers per case below.
class MoveCases {
public:
    __aicore__ inline MoveCases(GM_ADDR data, GM_ADDR out, GM_ADDR params) {
        params_.SetGlobalBuffer(reinterpret_cast<__gm__ int64_t*>(params));
        data_.SetGlobalBuffer(reinterpret_cast<__gm__ uint8_t*>(data));
        out_.SetGlobalBuffer(reinterpret_cast<__gm__ uint8_t*>(out));
        TBuf<TPosition::VECCALC> buffer;
        pipe_.InitBuffer(buffer, kBytes);
        ub_ = buffer.Get<uint8_t>();
        pipe_.Destroy();
    }
    __aicore__ inline int64_t operator[](uint32_t word) { return params_.GetValue(word); }
    template <typename T>
    __aicore__ inline LocalTensor<T> Ub(uint32_t word) {
        return ub_[static_cast<uint32_t>((*this)[word])].template ReinterpretCast<T>();
    }
    template <typename T>
    __aicore__ inline GlobalTensor<T> Data(uint32_t word) {
        GlobalTensor<T> g;
        g.SetGlobalBuffer(reinterpret_cast<__gm__ T*>(data_.GetPhyAddr(static_cast<uint64_t>((*this)[word]))));
        return g;
    }
    template <typename T>
    __aicore__ inline GlobalTensor<T> Out(uint32_t word) {
        GlobalTensor<T> g;
        g.SetGlobalBuffer(reinterpret_cast<__gm__ T*>(out_.GetPhyAddr(static_cast<uint64_t>((*this)[word]))));
        return g;
    }
    /// UB holds the beginning of `data`.
    __aicore__ inline void Fill() {
        DataCopy(ub_, data_, kBytes);
        PipeBarrier<PIPE_ALL>();
    }
    /// UB goes to the beginning of `out`.
    __aicore__ inline void Dump() {
        PipeBarrier<PIPE_ALL>();
        DataCopy(out_, ub_, kBytes);
    }
    static constexpr uint32_t kBytes = 64 * 1024;

private:
    TPipe pipe_;
    LocalTensor<uint8_t> ub_;
    GlobalTensor<uint8_t> data_, out_;
    GlobalTensor<int64_t> params_;
};

// Numbers: UB byte, GM byte; runs, length, source gap, destination gap; then what the call adds.
constexpr uint32_t kUbAt = 0, kGmAt = 1, kRuns = 2, kLength = 3, kSrcGap = 4, kDstGap = 5, kIsPad = 6, kLeft = 7,
                   kRight = 8, kValue = 9, kUbFrom = 10, kCount = 11, kOp = 12;

__aicore__ inline DataCopyParams Runs(MoveCases& c) {
    return DataCopyParams(static_cast<uint16_t>(c[kRuns]), static_cast<uint16_t>(c[kLength]),
                          static_cast<uint16_t>(c[kSrcGap]), static_cast<uint16_t>(c[kDstGap]));
}
__aicore__ inline DataCopyExtParams ExtRuns(MoveCases& c) {
    return DataCopyExtParams(static_cast<uint16_t>(c[kRuns]), static_cast<uint32_t>(c[kLength]),
                             static_cast<uint32_t>(c[kSrcGap]), static_cast<uint32_t>(c[kDstGap]), 0);
}

template <typename T>
__aicore__ inline void RunIn(MoveCases& c) {
    c.Fill();
    if (c[kCount])
        DataCopy(c.Ub<T>(kUbAt), c.Data<T>(kGmAt), static_cast<uint32_t>(c[kCount]));
    else
        DataCopy(c.Ub<T>(kUbAt), c.Data<T>(kGmAt), Runs(c));
    c.Dump();
}
template <typename T>
__aicore__ inline void RunOut(MoveCases& c) {
    c.Fill();
    if (c[kCount])
        DataCopy(c.Out<T>(kGmAt), c.Ub<T>(kUbAt), static_cast<uint32_t>(c[kCount]));
    else
        DataCopy(c.Out<T>(kGmAt), c.Ub<T>(kUbAt), Runs(c));
}
template <typename T>
__aicore__ inline void RunInside(MoveCases& c) {
    c.Fill();
    if (c[kCount])
        DataCopy(c.Ub<T>(kUbAt), c.Ub<T>(kUbFrom), static_cast<uint32_t>(c[kCount]));
    else
        DataCopy(c.Ub<T>(kUbAt), c.Ub<T>(kUbFrom), Runs(c));
    c.Dump();
}
template <typename T>
__aicore__ inline void RunPadIn(MoveCases& c) {
    c.Fill();
    const DataCopyPadExtParams<T> pad(c[kIsPad] == 1, static_cast<uint8_t>(c[kLeft]), static_cast<uint8_t>(c[kRight]),
                                      c[kIsPad] == 1 ? FromBits<T>(c[kValue]) : T(0));
    if (c[kIsPad] == 2) SetPadValue(FromBits<T>(c[kValue]));
    DataCopyPad(c.Ub<T>(kUbAt), c.Data<T>(kGmAt), ExtRuns(c), pad);
    PipeBarrier<PIPE_ALL>();
    // Whole blocks leave, with what fills up the last one of each run.
    const uint32_t filled = static_cast<uint32_t>(c[kCount]);
    DataCopyPad(c.Out<T>(kOp), c.Ub<T>(kUbAt),
                DataCopyExtParams(static_cast<uint16_t>(c[kRuns]), filled, static_cast<uint32_t>(c[kDstGap]), 0, 0));
}
template <typename T>
__aicore__ inline void RunPadOut(MoveCases& c) {
    c.Fill();
    DataCopyPad(c.Out<T>(kGmAt), c.Ub<T>(kUbAt), ExtRuns(c));
}
/// The older forms: lengths and GM gaps in bytes, UB gaps in blocks.
template <typename T>
__aicore__ inline void RunPadOld(MoveCases& c) {
    c.Fill();
    if (c[kOp] == 0) {
        const DataCopyPadParams pad(c[kIsPad] != 0, static_cast<uint8_t>(c[kLeft]), static_cast<uint8_t>(c[kRight]),
                                    static_cast<uint64_t>(c[kValue]));
        DataCopyPad(c.Ub<T>(kUbAt), c.Data<T>(kGmAt), Runs(c), pad);
        c.Dump();
    } else {
        DataCopyPad(c.Out<T>(kGmAt), c.Ub<T>(kUbAt), Runs(c));
    }
}
/// kOp: 0 add, 1 max, 2 min. A plain store of what is at UB byte kSrcGap, two atomic ones onto it, and then another
/// plain one after SetAtomicNone.
template <typename T>
__aicore__ inline void RunAtomic(MoveCases& c) {
    c.Fill();
    const uint32_t count = static_cast<uint32_t>(c[kCount]);
    DataCopy(c.Out<T>(kGmAt), c.Ub<T>(kSrcGap), count);
    PipeBarrier<PIPE_MTE3>();
    if (c[kOp] == 0)
        SetAtomicAdd<T>();
    else if (c[kOp] == 1)
        SetAtomicMax<T>();
    else
        SetAtomicMin<T>();
    DataCopy(c.Out<T>(kGmAt), c.Ub<T>(kUbAt), count);
    PipeBarrier<PIPE_MTE3>();
    DataCopy(c.Out<T>(kGmAt), c.Ub<T>(kUbFrom), count);
    SetAtomicNone();
    PipeBarrier<PIPE_MTE3>();
    DataCopy(c.Out<T>(kGmAt)[count], c.Ub<T>(kUbAt), count);
}

}  // namespace api_test

using namespace api_test;

#ifdef __DAV_C220_VEC__
#define MOVE(OP, T)                                                                             \
    extern "C" __global__ __aicore__ void OP##_##T(GM_ADDR data, GM_ADDR out, GM_ADDR params) { \
        KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);                                         \
        MoveCases c(data, out, params);                                                         \
        Run##OP<T>(c);                                                                          \
    }
#else
#define MOVE(OP, T)                                                                             \
    extern "C" __global__ __aicore__ void OP##_##T(GM_ADDR data, GM_ADDR out, GM_ADDR params) { \
        KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);                                         \
    }
#endif
#define MOVES(OP) MOVE(OP, int8_t) MOVE(OP, half) MOVE(OP, bfloat16_t) MOVE(OP, float) MOVE(OP, int64_t)

MOVES(In)
MOVES(Out)
MOVE(Inside, half)
MOVE(Inside, float)
MOVES(PadIn)
MOVES(PadOut)
MOVE(PadOld, half)
MOVE(PadOld, float)
MOVE(Atomic, half)
MOVE(Atomic, bfloat16_t)
MOVE(Atomic, float)
MOVE(Atomic, int8_t)
MOVE(Atomic, int16_t)
MOVE(Atomic, int32_t)
