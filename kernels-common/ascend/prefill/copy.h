// SPDX-License-Identifier: BSD-3-Clause
// Moves of whole fractals between L1 and L0 in the prefill kernel, with as few instructions as the layouts allow.
#pragma once
#include "tile/copy_attention_to_l1.h"

namespace flash_attn_npu::ascend::prefill {

/// Zeros in L1, complete before later loads of the same pipe start.
template <class Element>
__aicore__ inline void ZeroL1(const AscendC::LocalTensor<Element>& dst, uint32_t elements) {
    static_assert(sizeof(Element) == sizeof(half), "zeros of any two-byte type are the same");
    AscendC::InitConstValueParams<half> params;
    params.repeatTimes = 1;
    params.blockNum = static_cast<uint16_t>(elements * sizeof(Element) / 32);
    params.dstGap = 0;
    params.initValue = static_cast<half>(0.0f);
    AscendC::InitConstValue(dst.template ReinterpretCast<half>(), params);
    AscendC::PipeBarrier<PIPE_MTE2>();
}

/// L1 zN -> L0A zZ, one instruction for each of the `cols` / 16 panels: fewer than strips of rows when tiles are
/// narrow.
template <class Element>
__aicore__ inline void CopyPanelsToL0A(const AscendC::LocalTensor<Element>& dst,
                                       const AscendC::LocalTensor<Element>& src, const layout::zN& layout_src,
                                       uint32_t rows, uint32_t cols) {
    constexpr uint32_t kC0 = 32 / sizeof(Element), kFractal = 512 / sizeof(Element);
    AscendC::LoadData2DParams params;
    params.startIndex = 0;
    params.repeatTimes = static_cast<uint8_t>(CeilDiv<16>(rows));
    params.srcStride = 1;
    params.dstGap = static_cast<uint16_t>(cols / kC0 - 1);
    params.ifTranspose = false;
    for (uint32_t panel = 0; panel < cols / kC0; ++panel) {
        AscendC::LoadData(dst[panel * kFractal], src[panel * layout_src.rows * kC0], params);
    }
}

}  // namespace flash_attn_npu::ascend::prefill
