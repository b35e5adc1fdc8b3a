// SPDX-License-Identifier: BSD-3-Clause
// fp8 K and V to half, once per call, for prefill: what some query sees of every sequence, to where with_converted_kv
// says.
// Each vector core takes an equal part of the keys of each sequence.
#pragma once
#include "arch/buffer_ring.h"
#include "arch/memory_plan.h"
#include "contract/convert_kv.h"
#include "tile/fp8.h"
#include "tile/load_fp8_rows.h"

namespace flash_attn_npu::ascend::passes {

struct ConvertKvUbPlan : arch::MemoryPlan {
    static constexpr uint32_t kChunk = 24 * 1024;  // elements

    arch::Place<uint8_t> codes = Take<uint8_t, 2 * kChunk>();
    arch::Place<half> halves = Take<half, 2 * kChunk>();
    arch::Place<int16_t> constants = Take<int16_t, tile::Fp8ToHalf::kConstantBytes / sizeof(int16_t)>();
};

template <class ArchTag>
class ConvertKv {
public:
    __aicore__ inline ConvertKv(arch::Resource<ArchTag>& resource, const ConvertKvArguments& arguments)
        : p_(arguments.request),
          converted_(with_converted_kv(arguments.request, arguments.memory)),
          convert_(arch::TensorAt(resource.ubBuf, kPlan.constants)) {
        for (uint32_t i = 0; i < 2; ++i) {
            codes_[i] = arch::TensorAt(resource.ubBuf, kPlan.codes, kChunk * i);
            halves_[i] = arch::TensorAt(resource.ubBuf, kPlan.halves, kChunk * i);
        }
    }

    __aicore__ inline void operator()() {
        const int64_t core = AscendC::GetBlockIdx(), cores = AscendC::GetBlockNum();
        for (int32_t n = 0; n < p_.batch; ++n) {
            const Sequence s = p_.bounded_sequence(n);
            if (s.seqlen_q == 0) continue;
            const KeyRange seen = p_.mask_of(s).visible_to_any(0, s.seqlen_q);
            if (seen.empty()) continue;
            const int64_t keys = seen.size();
            const KeyRange share{seen.begin + static_cast<int32_t>(keys * core / cores),
                                 seen.begin + static_cast<int32_t>(keys * (core + 1) / cores)};
            Convert(n, share, p_.k_cache, converted_.k_cache, static_cast<uint32_t>(p_.head_dim));
            Convert(n, share, p_.v_cache, converted_.v_cache, static_cast<uint32_t>(p_.head_dim_v));
        }
    }

private:
    static constexpr ConvertKvUbPlan kPlan{};
    static constexpr uint32_t kChunk = ConvertKvUbPlan::kChunk;
    static_assert(kPlan.end() <= ArchTag::kUbBytes, "UB overflows");
    // dim: whole 32-byte blocks of codes.
    __aicore__ inline void Convert(int32_t n, KeyRange keys, const KvTensor& from, const KvTensor& to, uint32_t dim) {
        const int32_t most_heads = min_of(p_.num_heads_kv, static_cast<int32_t>(kChunk / dim));
        for (int32_t head = 0; head < p_.num_heads_kv; head += most_heads) {
            const uint32_t heads = static_cast<uint32_t>(min_of(most_heads, p_.num_heads_kv - head));
            const int32_t most_keys = static_cast<int32_t>(kChunk / (heads * dim));
            for (int32_t key = keys.begin; key < keys.end; key += most_keys) {
                const KeyRange chunk{key, min_of(key + most_keys, keys.end)};
                ConvertChunk(n, head, heads, chunk, from, to, dim);
            }
        }
    }

    __aicore__ inline void ConvertChunk(int32_t n, int32_t head, uint32_t heads, KeyRange keys, const KvTensor& from,
                                        const KvTensor& to, uint32_t dim) {
        const uint32_t rows = static_cast<uint32_t>(keys.size()), row = heads * dim;
        load_rows_(codes_[codes_ring_.BeginFill()], from, p_.kv_view(n), head, heads, keys, dim);
        codes_ring_.EndFill();
        const uint32_t codes = codes_ring_.BeginUse(), halves = halves_ring_.BeginFill();
        convert_.Scaled(halves_[halves], codes_[codes], rows * row);
        codes_ring_.EndUse();
        halves_ring_.EndFill();

        const KvRun run = converted_.kv_view(n).run(keys.begin, keys.end);
        AscendC::GlobalTensor<half> gm;
        gm.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(to.data));
        const uint32_t gap = static_cast<uint32_t>(to.stride_row - row);
        halves_ring_.BeginUse();
        AscendC::DataCopyPad(gm[to.offset(run.block, run.row, head)], halves_[halves],
                             gap == 0
                                 ? AscendC::DataCopyExtParams(1, rows * row * 2, 0, 0, 0)
                                 : AscendC::DataCopyExtParams(static_cast<uint16_t>(rows), row * 2, 0, gap * 2, 0));
        halves_ring_.EndUse();
    }

    using Event = AscendC::HardEvent;

    const Forward& p_;
    const Forward converted_;
    tile::LoadFp8Rows load_rows_;
    tile::Fp8ToHalf convert_;
    AscendC::LocalTensor<uint8_t> codes_[2];
    AscendC::LocalTensor<half> halves_[2];
    arch::BufferRing<Event::MTE2_V, Event::V_MTE2, 2> codes_ring_;
    arch::BufferRing<Event::V_MTE3, Event::MTE3_V, 2> halves_ring_;
};

}  // namespace flash_attn_npu::ascend::passes
