// Where the cube core reads K and V: straight from the cache, or from half copies that the vector cores made of an fp8
// cache (the cube multiplies no fp8).
#pragma once

#include "kernel/attention_limits.h"
#include "kernel/steps.h"
#include "tile/copy_attention_to_l1.h"

namespace flash_attn_npu::ascend::kernel {

template <class ArchTag, class Element>
class CachedKeys {
public:
    static constexpr bool STAGED = false;

    __aicore__ inline explicit CachedKeys(const AttentionArguments& arguments) : problem_(arguments.problem) {}

    /// Columns [col, col + cols) of K or V for keys of the step.
    __aicore__ inline void Load(const AscendC::LocalTensor<Element>& dst, const layout::zN& layoutDst, bool ofV,
                                const Step& step, KeyRange keys, uint32_t col, uint32_t cols) const {
        copyKeysToL1_(dst, layoutDst, ofV ? problem_.v_cache : problem_.k_cache, problem_.kv_view(step.task.s.n),
                      step.task.kv_head, keys, col, cols);
    }

private:
    const Problem& problem_;
    tile::CopyKeysToL1<ArchTag, Element> copyKeysToL1_;
};

}  // namespace flash_attn_npu::ascend::kernel
