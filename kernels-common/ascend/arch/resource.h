// SPDX-License-Identifier: BSD-3-Clause
// The tensors over the local memories of a core.
#pragma once
#include "arch/atlas_a2.h"
#include "kernel_operator.h"

namespace flash_attn_npu::ascend::arch {

/// One local memory as a whole; GetBufferByByte hands out typed tensors by byte offset.
template <AscendC::TPosition POSITION, uint32_t BYTES>
class LocalTensorBuffer {
public:
    __aicore__ inline void Init(AscendC::TPipe& pipe) {
        AscendC::TBuf<POSITION> buffer;
        pipe.InitBuffer(buffer, BYTES);
        tensor_ = buffer.template Get<uint8_t>();
    }
    template <class Element>
    __aicore__ inline AscendC::LocalTensor<Element> GetBufferByByte(uint32_t offset) const {
        return tensor_[offset].template ReinterpretCast<Element>();
    }

private:
    AscendC::LocalTensor<uint8_t> tensor_;
};

/// All local memories of a core. Events and addresses are the kernel's own: the pipe hands out no queues.
template <class ArchTag>
struct Resource {
    AscendC::TPipe pipe;
    LocalTensorBuffer<AscendC::TPosition::A1, ArchTag::kL1Bytes> l1Buf;
    LocalTensorBuffer<AscendC::TPosition::A2, ArchTag::kL0ABytes> l0ABuf;
    LocalTensorBuffer<AscendC::TPosition::B2, ArchTag::kL0BBytes> l0BBuf;
    LocalTensorBuffer<AscendC::TPosition::CO1, ArchTag::kL0CBytes> l0CBuf;
    LocalTensorBuffer<AscendC::TPosition::VECCALC, ArchTag::kUbBytes> ubBuf;

    __aicore__ inline Resource() {
        if ASCEND_IS_AIC {
            l1Buf.Init(pipe);
            l0ABuf.Init(pipe);
            l0BBuf.Init(pipe);
            l0CBuf.Init(pipe);
        }
        if ASCEND_IS_AIV {
            ubBuf.Init(pipe);
        }
        pipe.Destroy();
    }
};

}  // namespace flash_attn_npu::ascend::arch
