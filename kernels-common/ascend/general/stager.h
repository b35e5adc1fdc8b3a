// SPDX-License-Identifier: BSD-3-Clause
// fp8 caches: the vector cores convert the K and V of a step to half, ahead of the cube, into workspace. The halves are
// Fp8ToHalf::kFactor times the values; scale and the end of a row take it back.
#pragma once
#include "contract/general.h"
#include "general/steps.h"
#include "general/ub.h"
#include "tile/fp8.h"
#include "tile/load_fp8_rows.h"
#include "tile/strided_rows.h"

namespace flash_attn_npu::ascend::general {

template <class ArchTag>
class StageKeys {
public:
    __aicore__ inline StageKeys(Buffers<ArchTag>& ub, const AttentionArguments& arguments)
        : ub_(ub), request_(arguments.request), convert_(ub.fp8_constants) {}

    /// This core's half of the step's keys: `cols` features of rows of `cache` to rows of gm, `stride` elements apart.
    __aicore__ inline void operator()(const Step& step, int32_t sub_block, const KvTensor& cache, uint32_t cols,
                                      const AscendC::GlobalTensor<half>& gm, uint32_t stride) {
        const int32_t half_way = step.keys.begin + (step.keys.size() + 1) / 2;
        const KeyRange keys = sub_block == 0 ? KeyRange{step.keys.begin, half_way} : KeyRange{half_way, step.keys.end};
        const uint32_t pitch = RoundUp<kBlock>(cols);  // of rows in UB: bytes on the way in, elements on the way out
        const int32_t chunk = static_cast<int32_t>(kChunkElements / pitch);
        if (keys.empty()) return;
        Load(step, cache, Chunk(keys, keys.begin, chunk), cols);
        for (int32_t key = keys.begin; key < keys.end; key += chunk) {
            const KeyRange next = Chunk(keys, key + chunk, chunk);
            if (!next.empty()) Load(step, cache, next, cols);
            const uint32_t rows = static_cast<uint32_t>(Chunk(keys, key, chunk).size());
            Convert(rows * pitch);
            Store(gm[static_cast<uint64_t>(key - step.keys.begin) * stride], rows, cols, pitch, stride);
        }
    }

private:
    using Ub = Buffers<ArchTag>;
    static constexpr uint32_t kBlock = tile::LoadFp8Rows::kBlock;
    static constexpr uint32_t kChunkElements = 8192;
    static_assert(kChunkElements <= Ub::kInElements * sizeof(float), "codes do not fit");
    static_assert(kChunkElements * sizeof(half) <= Ub::kOutBytes, "halves do not fit");
    __aicore__ inline static KeyRange Chunk(KeyRange keys, int32_t begin, int32_t chunk) {
        return KeyRange{begin, min_of(begin + chunk, keys.end)};
    }

    __aicore__ inline void Load(const Step& step, const KvTensor& cache, KeyRange keys, uint32_t cols) {
        load_rows_(ub_.in[ub_.in_ring.BeginFill()].template ReinterpretCast<uint8_t>(), cache,
                   request_.kv_view(step.task.s.n), step.task.kv_head, 1, keys, cols);
        ub_.in_ring.EndFill();
    }

    __aicore__ inline void Convert(uint32_t count) {
        const uint32_t in = ub_.in_ring.BeginUse();
        const uint32_t out = ub_.out_ring.BeginFill();
        convert_.Scaled(ub_.out[out].template ReinterpretCast<half>(), ub_.in[in].template ReinterpretCast<uint8_t>(),
                        count);
        ub_.in_ring.EndUse();
        ub_.out_ring.EndFill();
    }

    __aicore__ inline void Store(const AscendC::GlobalTensor<half>& gm, uint32_t rows, uint32_t cols, uint32_t pitch,
                                 uint32_t stride) {
        const uint32_t out = ub_.out_ring.BeginUse();
        tile::StoreRows(gm, ub_.out[out].template ReinterpretCast<half>(), tile::RowsShape{rows, cols, stride, pitch});
        ub_.out_ring.EndUse();
    }

    Ub& ub_;
    const Forward& request_;
    tile::LoadFp8Rows load_rows_;
    tile::Fp8ToHalf convert_;
};

}  // namespace flash_attn_npu::ascend::general
