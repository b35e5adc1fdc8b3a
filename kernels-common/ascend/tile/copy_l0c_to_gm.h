// SPDX-License-Identifier: BSD-3-Clause
// L0C -> GM row-major through Fixpipe, with the conversion of the output type.
#pragma once
#include "arch/resource.h"
#include "tile/layout.h"

namespace flash_attn_npu::ascend::tile {

template <class Element>
struct FixpipeQuant;
template <>
struct FixpipeQuant<float> {
    static constexpr auto kValue = QuantMode_t::NoQuant;
};
template <>
struct FixpipeQuant<half> {
    static constexpr auto kValue = QuantMode_t::F322F16;
};
template <>
struct FixpipeQuant<bfloat16_t> {
    static constexpr auto kValue = QuantMode_t::F322BF16;
};

template <class ArchTag, class Element>
struct CopyL0CToGm {
    /// l0c_rows: rows of the L0C tile, rounded up to 16 (distance of its 16-column panels).
    __aicore__ inline void operator()(const AscendC::GlobalTensor<Element>& dst, const AscendC::LocalTensor<float>& src,
                                      const layout::RowMajor& layout_dst, uint32_t l0c_rows, uint8_t unit_flag) const {
        AscendC::FixpipeParamsV220 params;
        params.nSize = layout_dst.cols;
        params.mSize = layout_dst.rows;
        params.srcStride = l0c_rows;
        params.dstStride = layout_dst.stride;
        params.ndNum = 1;
        params.quantPre = FixpipeQuant<Element>::kValue;
        params.unitFlag = unit_flag;
        AscendC::Fixpipe<Element, float, AscendC::CFG_ROW_MAJOR>(dst, src, params);
    }
};

}  // namespace flash_attn_npu::ascend::tile
