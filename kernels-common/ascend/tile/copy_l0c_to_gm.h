// SPDX-License-Identifier: BSD-3-Clause
// L0C -> GM row-major through Fixpipe, with the conversion of the output type.
#pragma once
#include "arch/atlas_a2.h"
#include "tile/layout.h"

namespace flash_attn_npu::ascend::tile {

template <class Element>
struct FixpipeQuant;
template <>
struct FixpipeQuant<float> {
    static constexpr auto VALUE = QuantMode_t::NoQuant;
};
template <>
struct FixpipeQuant<half> {
    static constexpr auto VALUE = QuantMode_t::F322F16;
};
template <>
struct FixpipeQuant<bfloat16_t> {
    static constexpr auto VALUE = QuantMode_t::F322BF16;
};

template <class ArchTag, class Element>
struct CopyL0CToGm {
    /// l0CRows: rows of the L0C tile, rounded up to 16 (distance of its 16-column panels).
    __aicore__ inline void operator()(const AscendC::GlobalTensor<Element>& dst, const AscendC::LocalTensor<float>& src,
                                      const layout::RowMajor& layoutDst, uint32_t l0CRows, uint8_t unitFlag) const {
        AscendC::FixpipeParamsV220 params;
        params.nSize = layoutDst.cols;
        params.mSize = layoutDst.rows;
        params.srcStride = l0CRows;
        params.dstStride = layoutDst.stride;
        params.ndNum = 1;
        params.quantPre = FixpipeQuant<Element>::VALUE;
        params.unitFlag = unitFlag;
        AscendC::Fixpipe<Element, float, AscendC::CFG_ROW_MAJOR>(dst, src, params);
    }
};

}  // namespace flash_attn_npu::ascend::tile
