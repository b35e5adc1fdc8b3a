// SPDX-License-Identifier: BSD-3-Clause
// Host side for the backward kernel of flash-attention-npu (FAGGeneral, of its v3 and v4 trees and of v2's dense
// calls), read in place from ASCEND_TWIN_PEER: kernel and tiling are theirs and unmodified, this file fills their
// arguments.
// PEER_TYPE, PEER_DIM, PEER_LAYOUT, PEER_MASK, PEER_DETERMINISTIC and PEER_SOFTCAP choose the one instance that is
// built.
#include <algorithm>
#include <cstring>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include "kernel_operator.h"

#include "catlass/catlass.hpp"

#include "fag_kernel.cpp"
#include "fag_tiling.cpp"

struct Call {
    uint8_t *dout, *q, *k, *v, *o, *lse, *mask, *lengths_q, *lengths_k, *dq, *dk, *dv, *workspace, *tiling;
    int32_t *host_lengths_q, *host_lengths_k;  // running sums without the leading zero; layout TND
    int64_t batch, heads, heads_k, seqlen_q, seqlen_k, head_dim, left, right, cores;
    float scale, softcap;
};

extern "C" __attribute__((visibility("default"))) uint64_t peer_tiling_bytes() { return sizeof(FAGTilingData); }

/// Fills c->tiling; bytes of workspace.
extern "C" __attribute__((visibility("default"))) uint64_t peer_tiling(const Call* c) {
    FAGTiling::FAGInfo info;
    info.scaleValue = PEER_SOFTCAP ? c->scale / c->softcap : c->scale;
    info.softcapValue = c->softcap;
    info.keepProb = 1;
    info.window_size_left = c->left;
    info.window_size_right = c->right;
    info.maskType = static_cast<int32_t>(!PEER_MASK                     ? FAGTiling::MaskType::NO_MASK
                                         : c->left < 0 && c->right == 0 ? FAGTiling::MaskType::MASK_CAUSUAL
                                                                        : FAGTiling::MaskType::MASK_BAND);
    info.layout = PEER_LAYOUT;
    info.batch = c->batch;
    info.qSeqlen = c->seqlen_q;
    info.qHeadNum = c->heads;
    info.qkHeadDim = info.vHeadDim = c->head_dim;
    info.kvSeqlen = c->seqlen_k;
    info.kvHeadNum = c->heads_k;
    info.isDeterministic = PEER_DETERMINISTIC;
    info.qSeqlenList = c->host_lengths_q;
    info.kvSeqlenList = c->host_lengths_k;
    FAGTilingData tiling;
    if (FAGTiling::GetFAGTilingParam(info, c->cores, c->cores * 2, 192 * 1024, tiling) != 0) return 0;
    tiling.actualSeqQlen.clear();  // the device does not read these
    tiling.actualSeqKvlen.clear();
    std::memcpy(c->tiling, static_cast<const void*>(&tiling), sizeof(tiling));
    return tiling.workspaceSize;
}

extern "C" __attribute__((visibility("default"))) void peer_backward(const Call* c) {
    FAGGeneral<DTemplateType::PEER_DIM, PEER_TYPE, PEER_LAYOUT, PEER_MASK, 0, PEER_DETERMINISTIC, PEER_SOFTCAP>
        <<<c->cores, nullptr, nullptr>>>(0, c->dout, c->q, c->k, c->v, c->o, nullptr, PEER_MASK ? c->mask : nullptr,
                                         c->lse, c->lengths_q, c->lengths_k, c->dq, c->dk, c->dv, nullptr, c->workspace,
                                         c->tiling);
}
