// SPDX-License-Identifier: BSD-3-Clause
// Ways in which sources of others use the API.
#include "kernel_operator.h"

namespace idioms {

using AscendC::LocalTensor;

using Binary = void (*)(const LocalTensor<float>&, const LocalTensor<float>&, const LocalTensor<float>&, uint64_t,
                        uint8_t, const AscendC::BinaryRepeatParams&);

__aicore__ inline void Apply(Binary f, const LocalTensor<float>& x, const LocalTensor<float>& y) {
    f(x, x, y, 64, 1, {1, 1, 1, 8, 8, 8});
}
template <typename T, Binary f>
__aicore__ inline void Fold(const LocalTensor<T>& x, const LocalTensor<T>& y) {
    f(x, x, y, AscendC::MASK_PLACEHOLDER, 1, {1, 1, 1, 8, 8, 8});
}

struct Tiling {
    uint32_t scale;
    float offset;
};

}  // namespace idioms

/// 64 numbers: y = (x * first + second - x) * factor, by functions that are found by their arguments or handed on.
extern "C" __global__ __aicore__ void lookups(GM_ADDR in, float first, GM_ADDR out, uint32_t factor, float second) {
    if ASCEND_IS_AIV {
        using namespace idioms;
        AscendC::TPipe pipe;
        AscendC::TBuf<AscendC::TPosition::VECCALC> narrow, wide, other;
        pipe.InitBuffer(narrow, 128);
        pipe.InitBuffer(wide, 256);
        pipe.InitBuffer(other, 256);
        auto h = narrow.Get<half>();
        auto x = wide.Get<float>(), y = other.Get<float>();
        AscendC::GlobalTensor<half> from;
        AscendC::GlobalTensor<float> to;
        from.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(in));
        to.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(out));
        DataCopy(h, from, 64);
        AscendC::PipeBarrier<PIPE_ALL>();
        Cast<float, half>(y, h, AscendC::RoundMode::CAST_NONE, 64);
        AscendC::PipeBarrier<PIPE_V>();
        Muls<float>(x, y, first, 64);
        AscendC::PipeBarrier<PIPE_V>();
        Adds<float>(x, x, second, 64);
        AscendC::PipeBarrier<PIPE_V>();
        Apply(AscendC::Sub<float>, x, y);
        AscendC::PipeBarrier<PIPE_V>();
        AscendC::ResetMask();
        for (uint32_t i = 1; i < factor; i *= 2) {
            Fold<float, AscendC::Add<float, false>>(x, x);
            AscendC::PipeBarrier<PIPE_V>();
        }
        AscendC::PipeBarrier<PIPE_ALL>();
        DataCopy(to, x, 64);
    }
}

/// The idioms of operator projects: y[0] is the scale or the bits of the offset, by tiling key.
extern "C" __global__ __aicore__ void project(GM_ADDR y, GM_ADDR workspace, GM_ADDR tiling) {
    REGISTER_TILING_DEFAULT(idioms::Tiling);
    GET_TILING_DATA(data, tiling);
    GET_TILING_DATA_WITH_STRUCT(idioms::Tiling, again, tiling);
    GET_TILING_DATA_MEMBER(idioms::Tiling, offset, offset, tiling);
    AscendC::GlobalTensor<uint32_t> out;
    out.SetGlobalBuffer(reinterpret_cast<__gm__ uint32_t*>(y));
    GM_ADDR user = AscendC::GetUserWorkspace(workspace);
    if (user == nullptr) return;
    if (TILING_KEY_IS(1)) {
        KERNEL_TASK_TYPE(1, KERNEL_TYPE_AIV_ONLY);
        out.SetValue(0, data.scale);
    } else if (TILING_KEY_IS(2)) {
        KERNEL_TASK_TYPE(2, KERNEL_TYPE_AIV_ONLY);
        out.SetValue(0, static_cast<uint32_t>(again.offset + offset));
    }
}
