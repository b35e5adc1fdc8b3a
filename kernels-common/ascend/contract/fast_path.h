// SPDX-License-Identifier: BSD-3-Clause
// What every fast path asks of a call; the rest of the calls are the general kernel's. Plain C++, so that the host
// includes it too.
#pragma once

#include "contract/arguments.h"

namespace flash_attn_npu::ascend {

FA_HOST_DEVICE bool has_descale(const Forward& p) {
    return p.score.q_descale.data || p.score.k_descale.data || p.score.v_descale.data;
}

// The usual output dtype, and scores that are nothing but scaled products of q and k.
FA_HOST_DEVICE bool fast_path_can_implement(const Forward& p) {
    const bool fp8 = p.is_fp8() && p.out_dtype == DType::kBFloat16;
    const bool half = (p.dtype == DType::kFloat16 || p.dtype == DType::kBFloat16) && p.out_dtype == p.dtype;
    return (fp8 || half) && !p.score.has_softcap() && !p.score.has_alibi() && p.qv.data == nullptr;
}

}  // namespace flash_attn_npu::ascend
