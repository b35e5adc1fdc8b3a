// SPDX-License-Identifier: BSD-3-Clause
// L1 zN -> L0A zZ and L1 zN -> L0B nZ (transposing).
#pragma once
#include "arch/resource.h"
#include "tile/layout.h"

namespace flash_attn_npu::ascend::tile {

/// Fractals that lie in L1 as L0A or L0B wants them.
template <class Element>
__aicore__ inline void CopyFractals(const AscendC::LocalTensor<Element>& dst, const AscendC::LocalTensor<Element>& src,
                                    uint32_t fractals) {
    AscendC::LoadData2DParams params;
    params.startIndex = 0;
    params.repeatTimes = static_cast<uint8_t>(fractals);
    params.srcStride = 1;
    params.dstGap = 0;
    params.ifTranspose = false;
    AscendC::LoadData(dst, src, params);
}

/// A: rows x cols (M x K), both rounded up to fractals, from a zN tile whose panels have layout_src.rows rows.
template <class ArchTag, class Element>
struct CopyL1ToL0A {
    static constexpr uint32_t kC0 = ArchTag::kBytesPerC0 / sizeof(Element);
    static constexpr uint32_t kFractal = ArchTag::kBytesPerFractal / sizeof(Element);

    __aicore__ inline void operator()(const AscendC::LocalTensor<Element>& dst,
                                      const AscendC::LocalTensor<Element>& src, const layout::zN& layout_src,
                                      uint32_t rows, uint32_t cols) const {
        AscendC::LoadData2DParams params;
        params.startIndex = 0;
        params.repeatTimes = static_cast<uint8_t>(CeilDiv<kC0>(cols));
        params.srcStride = layout_src.rows / ArchTag::kC0PerFractal;
        params.dstGap = 0;
        params.ifTranspose = false;
        for (uint32_t strip = 0; strip < CeilDiv<16>(rows); ++strip) {
            AscendC::LoadData(dst[strip * CeilDiv<kC0>(cols) * kFractal], src[strip * kFractal], params);
        }
    }
};

/// B: rows x cols (K x N) row-major in L1; every 16 x 16 fractal is transposed on the way.
template <class ArchTag, class Element>
struct CopyL1ToL0B {
    static_assert(sizeof(Element) == 2, "transposing load of 2-byte elements");
    static constexpr uint32_t kC0 = ArchTag::kBytesPerC0 / sizeof(Element);
    static constexpr uint32_t kFractal = ArchTag::kBytesPerFractal / sizeof(Element);

    __aicore__ inline void operator()(const AscendC::LocalTensor<Element>& dst,
                                      const AscendC::LocalTensor<Element>& src, const layout::zN& layout_src,
                                      uint32_t rows, uint32_t cols) const {
        AscendC::LoadData2DParams params;
        params.startIndex = 0;
        params.repeatTimes = static_cast<uint8_t>(CeilDiv<16>(cols));
        params.srcStride = layout_src.rows / ArchTag::kC0PerFractal;
        params.dstGap = 0;
        params.ifTranspose = true;
        for (uint32_t strip = 0; strip < CeilDiv<16>(rows); ++strip) {
            AscendC::LoadData(dst[strip * CeilDiv<16>(cols) * kFractal], src[strip * kFractal], params);
        }
    }
};

/// B^T: cols x rows (N x K) row-major in L1, as keys are for q.k: fractals keep their order, nothing is transposed.
template <class ArchTag, class Element>
struct CopyL1ToL0BTransposed {
    static constexpr uint32_t kC0 = ArchTag::kBytesPerC0 / sizeof(Element);
    static constexpr uint32_t kFractal = ArchTag::kBytesPerFractal / sizeof(Element);
    static constexpr uint32_t kRepeatLimit = 255;

    __aicore__ inline void operator()(const AscendC::LocalTensor<Element>& dst,
                                      const AscendC::LocalTensor<Element>& src, const layout::zN& layout_src,
                                      uint32_t rows, uint32_t cols) const {
        AscendC::LoadData2DParams params;
        params.startIndex = 0;
        params.srcStride = 1;
        params.dstGap = 0;
        params.ifTranspose = false;
        const uint32_t panels = CeilDiv<kC0>(rows), fractals = CeilDiv<16>(cols);
        if (fractals * ArchTag::kC0PerFractal == layout_src.rows && panels * fractals <= kRepeatLimit) {
            // Whole panels lie in L1 as they must lie in L0B.
            params.repeatTimes = static_cast<uint8_t>(panels * fractals);
            AscendC::LoadData(dst, src, params);
            return;
        }
        params.repeatTimes = static_cast<uint8_t>(fractals);
        for (uint32_t panel = 0; panel < panels; ++panel) {
            AscendC::LoadData(dst[panel * fractals * kFractal], src[panel * layout_src.rows * kC0], params);
        }
    }
};

}  // namespace flash_attn_npu::ascend::tile
