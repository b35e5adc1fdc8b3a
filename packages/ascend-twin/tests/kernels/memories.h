// SPDX-License-Identifier: BSD-3-Clause
// The local memories of a core as tensors of bytes, for kernels of tests that place everything by hand.
#pragma once
#include "kernel_operator.h"

namespace twin_test {

/// UB, L1, L0A, L0B and L0C by byte offset, as CATLASS's Resource gives them.
struct Memories {
    AscendC::TPipe pipe;
    AscendC::LocalTensor<uint8_t> ub, l1, l0a, l0b, l0c;
    __aicore__ inline Memories() {
        if ASCEND_IS_AIV {
            AscendC::TBuf<AscendC::TPosition::VECCALC> b;
            pipe.InitBuffer(b, 192 * 1024);
            ub = b.Get<uint8_t>();
        }
        if ASCEND_IS_AIC {
            AscendC::TBuf<AscendC::TPosition::A1> b1;
            AscendC::TBuf<AscendC::TPosition::A2> b2;
            AscendC::TBuf<AscendC::TPosition::B2> b3;
            AscendC::TBuf<AscendC::TPosition::CO1> b4;
            pipe.InitBuffer(b1, 512 * 1024);
            pipe.InitBuffer(b2, 64 * 1024);
            pipe.InitBuffer(b3, 64 * 1024);
            pipe.InitBuffer(b4, 128 * 1024);
            l1 = b1.Get<uint8_t>();
            l0a = b2.Get<uint8_t>();
            l0b = b3.Get<uint8_t>();
            l0c = b4.Get<uint8_t>();
        }
        pipe.Destroy();
    }
    template <typename T>
    __aicore__ inline AscendC::LocalTensor<T> Ub(uint32_t at) {
        return ub[at].ReinterpretCast<T>();
    }
    template <typename T>
    __aicore__ inline AscendC::LocalTensor<T> L1(uint32_t at) {
        return l1[at].ReinterpretCast<T>();
    }
    template <typename T>
    __aicore__ inline AscendC::LocalTensor<T> L0A(uint32_t at) {
        return l0a[at].ReinterpretCast<T>();
    }
    template <typename T>
    __aicore__ inline AscendC::LocalTensor<T> L0B(uint32_t at) {
        return l0b[at].ReinterpretCast<T>();
    }
    __aicore__ inline AscendC::LocalTensor<float> L0C(uint32_t at) { return l0c[at].ReinterpretCast<float>(); }
};

}  // namespace twin_test
