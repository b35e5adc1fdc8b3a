// SPDX-License-Identifier: BSD-3-Clause
// Where the cube core reads K and V: straight from the cache, or from half copies that the vector cores made of an fp8
// cache (the cube multiplies no fp8).
#pragma once

#include "contract/general.h"
#include "general/steps.h"
#include "tile/copy_attention_to_l1.h"

namespace flash_attn_npu::ascend::general {

template <class ArchTag, class Element>
class CachedKeys {
public:
    static constexpr bool kStaged = false;

    __aicore__ inline CachedKeys(const AttentionArguments& arguments, __gm__ uint8_t*) : request_(arguments.request) {}

    /// Columns [col, col + cols) of K or V for keys of the step.
    __aicore__ inline void Load(const AscendC::LocalTensor<Element>& dst, const layout::zN& layout_dst, bool of_v,
                                const Step& step, KeyRange keys, uint32_t col, uint32_t cols) const {
        copy_keys_to_l1_(dst, layout_dst, of_v ? request_.v_cache : request_.k_cache, request_.kv_view(step.task.s.n),
                         step.task.kv_head, keys, col, cols);
    }

private:
    const Forward& request_;
    tile::CopyKeysToL1<ArchTag, Element> copy_keys_to_l1_;
};

/// The copies in a core's workspace, `memory`.
template <class ArchTag, class Element>
class StagedKeys {
public:
    static constexpr bool kStaged = true;

    __aicore__ inline StagedKeys(const AttentionArguments& arguments, __gm__ uint8_t* memory)
        : workspace_(arguments.request, arguments.plan), memory_(memory) {}

    __aicore__ inline void Load(const AscendC::LocalTensor<Element>& dst, const layout::zN& layout_dst, bool of_v,
                                const Step& step, KeyRange keys, uint32_t col, uint32_t cols) const {
        const uint64_t stride = Stride(of_v);
        copy_gm_to_l1_(dst, Rows(of_v, step)[(keys.begin - step.keys.begin) * stride + col], layout_dst,
                       layout::RowMajor{static_cast<uint32_t>(keys.size()), cols, stride});
    }

    /// Where the keys of a step are, and how many elements a row has.
    __aicore__ inline AscendC::GlobalTensor<Element> Rows(bool of_v, const Step& step) const {
        const int32_t slot = step.slot(AttentionWorkspace::kStagedSlots);
        AscendC::GlobalTensor<Element> rows;
        rows.SetGlobalBuffer(
            reinterpret_cast<__gm__ Element*>(memory_ + (of_v ? workspace_.v(slot) : workspace_.k(slot))));
        return rows;
    }
    __aicore__ inline uint32_t Stride(bool of_v) const { return of_v ? workspace_.v_stride : workspace_.k_stride; }

private:
    const AttentionWorkspace workspace_;
    __gm__ uint8_t* memory_;
    tile::CopyGmToL1<ArchTag, Element> copy_gm_to_l1_;
};

}  // namespace flash_attn_npu::ascend::general
