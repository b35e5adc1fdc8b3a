// SPDX-License-Identifier: BSD-3-Clause
// One Mmad on L0 tiles.
#pragma once
#include "arch/resource.h"
#include "tile/layout.h"

namespace flash_attn_npu::ascend::tile {

/// unit_flag: 0 off; 2 the tile is not finished; 3 the tile is finished and Fixpipe may take it.
template <class ArchTag, class Element>
struct TileMmad {
    __aicore__ inline void operator()(const AscendC::LocalTensor<float>& l0c, const AscendC::LocalTensor<Element>& l0a,
                                      const AscendC::LocalTensor<Element>& l0b, uint32_t m, uint32_t n, uint32_t k,
                                      bool init_c, uint8_t unit_flag) const {
        AscendC::MmadParams params;
        // m is rounded up: m == 1 would switch the cube to vector-matrix mode, which reads L0A in another layout.
        params.m = RoundUp<16>(m);
        params.n = n;
        params.k = k;
        params.unitFlag = unit_flag;
        params.cmatrixInitVal = init_c;
        AscendC::Mmad(l0c, l0a, l0b, params);
        // Few fractals in flight: the next accumulation into the same tile would overtake this one.
        if (CeilDiv<16>(m) * CeilDiv<16>(n) < 10) {
            AscendC::PipeBarrier<PIPE_M>();
        }
    }
};

}  // namespace flash_attn_npu::ascend::tile
