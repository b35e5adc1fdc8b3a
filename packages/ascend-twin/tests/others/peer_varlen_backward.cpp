// SPDX-License-Identifier: BSD-3-Clause
// Host side for FAGVarlenOpt, the backward kernel of flash-attention-npu's v2 tree for sequences of different lengths,
// read in place from ASCEND_TWIN_PEER: kernel and tiling are theirs and unmodified, this file fills their arguments.
// PEER_TYPE, PEER_CAUSAL and PEER_SOFTCAP choose the one instance that is built.
#include <algorithm>
#include <cstring>
#include <limits>
#include <vector>

#include "tiling/platform/platform_ascendc.h"

#include "kernel_operator.h"

#include "catlass/catlass.hpp"

#include "mha_varlen_bwd.cpp"

#include "fag_tiling.cpp"

struct Call {
    uint8_t *dout, *q, *k, *v, *o, *lse, *mask, *lengths_q, *lengths_k, *dq, *dk, *dv, *workspace, *tiling;
    int32_t *host_lengths_q, *host_lengths_k;  // running sums with the leading zero
    int64_t batch, heads, heads_k, seqlen_q, seqlen_k, head_dim, left, right, cores;
    float scale, softcap;
};

extern "C" __attribute__((visibility("default"))) uint64_t peer_tiling_bytes() { return sizeof(FAGv2TilingData); }

/// Fills c->tiling; bytes of workspace.
extern "C" __attribute__((visibility("default"))) uint64_t peer_tiling(const Call* c) {
    FAGTiling::FAGInfo info{};
    info.seqQShapeSize = c->batch;
    info.queryShape_0 = info.keyShape_0 = c->host_lengths_q[c->batch];
    info.queryShape_1 = c->heads;
    info.keyShape_1 = c->heads_k;
    info.queryShape_2 = c->head_dim;
    info.scaleValue = PEER_SOFTCAP ? c->scale / c->softcap : c->scale;
    info.softcapValue = c->softcap;
    uint32_t cores = c->cores;
    uint64_t workspace = 0;
    FAGTiling::GetFATilingParam(info, cores, reinterpret_cast<int64_t*>(c->tiling), workspace);
    return workspace;
}

extern "C" __attribute__((visibility("default"))) void peer_backward(const Call* c) {
    constexpr auto mask = PEER_CAUSAL ? MaskType::MASK_CAUSAL : MaskType::NO_MASK;
    FAG::FAGVarlenOpt<PEER_TYPE, mask, InputLayout::TND, PEER_SOFTCAP != 0><<<c->cores, nullptr, nullptr>>>(
        0, c->q, c->k, c->v, c->dout, nullptr, nullptr, nullptr, nullptr, nullptr, PEER_CAUSAL ? c->mask : nullptr,
        c->lse, nullptr, c->o, nullptr, c->lengths_q, c->lengths_k, nullptr, nullptr, c->dq, c->dk, c->dv, c->workspace,
        c->tiling, nullptr);
}
