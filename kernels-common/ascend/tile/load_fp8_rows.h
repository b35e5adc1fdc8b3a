// SPDX-License-Identifier: BSD-3-Clause
// Rows of fp8 K or V from the cache to UB, for the vector cores to convert.
#pragma once
#include "arch/resource.h"
#include "flash_attn_npu/kv_runs.h"
#include "flash_attn_npu/request.h"
#include "tile/layout.h"
#include "tile/strided_rows.h"

namespace flash_attn_npu::ascend::tile {

/// Keys [keys.begin, keys.end) of `heads` neighbouring kv heads: (key, head, feature) in UB, each head's `dim` features
/// followed by zeros up to a whole 32-byte block, so that the conversion finds numbers there too.
struct LoadFp8Rows {
    static constexpr uint32_t kBlock = 32;  // bytes

    __aicore__ inline void operator()(const AscendC::LocalTensor<uint8_t>& dst, const KvTensor& cache,
                                      const KvView& view, int32_t head, uint32_t heads, KeyRange keys,
                                      uint32_t dim) const {
        const uint32_t row = heads * RoundUp<kBlock>(dim);
        AscendC::GlobalTensor<uint8_t> gm;
        gm.SetGlobalBuffer(reinterpret_cast<__gm__ uint8_t*>(cache.data));
        for (KvRuns run(cache, view, head, keys); run.Next();) {
            LoadRun(dst[(run.key() - keys.begin) * row], gm[run.offset()], static_cast<uint32_t>(run.length()), cache,
                    heads, dim);
        }
    }

private:
    __aicore__ inline void LoadRun(const AscendC::LocalTensor<uint8_t>& dst, const AscendC::GlobalTensor<uint8_t>& src,
                                   uint32_t keys, const KvTensor& cache, uint32_t heads, uint32_t dim) const {
        const uint32_t pitch = RoundUp<kBlock>(dim);
        if (cache.stride_head == dim && pitch == dim) {
            Load(dst, src, keys, heads * dim, cache.stride_row, heads * dim);
            return;
        }
        for (uint32_t head = 0; head < heads; ++head) {
            Load(dst[head * pitch], src[head * cache.stride_head], keys, dim, cache.stride_row, heads * pitch);
        }
    }

    // Rows of `bytes`, `stride` apart in memory and `pitch` in UB.
    __aicore__ inline void Load(const AscendC::LocalTensor<uint8_t>& dst, const AscendC::GlobalTensor<uint8_t>& src,
                                uint32_t rows, uint32_t bytes, int64_t stride, uint32_t pitch) const {
        if (stride == static_cast<int64_t>(bytes) && pitch == bytes) {
            LoadRows<true>(dst, src, RowsShape{1, rows * bytes, 0, rows * bytes});
            return;
        }
        LoadRows<true>(dst, src, RowsShape{rows, bytes, stride, pitch});
    }
};

}  // namespace flash_attn_npu::ascend::tile
