// SPDX-License-Identifier: BSD-3-Clause
// Host side for the forward kernels of flash-attention-npu, read in place from ASCEND_TWIN_PEER: the kernel is theirs
// and unmodified, and so is the plan of split-KV calls; this file fills the tiling structure and launches.
// PEER_TREE (2, 3, 4), PEER_TYPE and PEER_TND choose what is built.
#include "fwd_dispatch_impl.hpp"

// In every tree the same plan; its tiling structure is the one that the kernel has included.
#include "../flash_attn_npu_3/fa_split.h"

struct Call {
    uint8_t *q, *k, *v, *o, *lse, *mask, *lengths_q, *lengths_k, *workspace, *tiling, *page_table;
    int32_t *host_lengths_q, *host_lengths_k;  // running sums with the leading zero (TND); keys of each batch
    int64_t batch, heads, heads_k, seqlen_q, seqlen_k, head_dim, head_dim_v, cores, pages, pages_per_batch, page_size,
        left, right, splits;  // 0: one pass over the keys, -1: the plan decides
    float scale, softcap;
};

extern "C" __attribute__((visibility("default"))) uint64_t peer_tiling_bytes() { return sizeof(FAInferTilingData); }

static bool causal(const Call* c) { return c->left < 0 && c->right == 0; }
static bool local(const Call* c) { return !causal(c) && (c->left >= 0 || c->right >= 0); }

/// Fills c->tiling; bytes of workspace.
extern "C" __attribute__((visibility("default"))) uint64_t peer_tiling(const Call* c) {
    auto* t = reinterpret_cast<FAInferTilingData*>(c->tiling);
    std::memset(static_cast<void*>(t), 0, sizeof(*t));
    t->set_batch(c->batch);
    t->set_numHeads(c->heads);
    t->set_kvHeads(c->heads_k);
    t->set_embeddingSize(c->head_dim);
    t->set_embeddingSizeV(c->head_dim_v);
    t->set_blockSize(c->page_table ? c->page_size : 128);
    t->set_numBlocks(c->pages);
    t->set_maxNumBlocksPerBatch(c->pages_per_batch);
    t->set_scaleValue(c->softcap > 0 ? c->scale / c->softcap : c->scale);
    t->set_maxQSeqlen(c->seqlen_q);
    t->set_maxKvSeqlen(c->seqlen_k);
    if (local(c)) {
        t->set_windowSizeLeft(c->left < 0 ? c->seqlen_k : c->left);
        t->set_windowSizeRight(c->right < 0 ? c->seqlen_k : c->right);
    }
    t->set_maskType(local(c) ? 2 : causal(c) ? 1 : 0);
#if PEER_TREE != 4
    t->set_softcapValue(c->softcap);
#endif
    const uint32_t group = c->heads / c->heads_k;
    const bool split = c->splits != 0;
    fa_split::SplitContext plan{int32_t(c->batch),    int32_t(c->heads),
                                int32_t(c->heads_k),  int32_t(c->seqlen_q),
                                int32_t(c->head_dim), c->host_lengths_q,
                                c->host_lengths_k,    PEER_TND != 0,
                                uint32_t(c->cores),   int32_t(c->splits < 0 ? 0 : c->splits)};
    uint32_t tasks = 0;
    for (int64_t b = 0; b < c->batch; ++b) {
        const auto p = fa_split::getBatchParams(b, group, plan);
        tasks += p.curQNBlockNum * p.curQSBlockNum;
        if (b == 0) t->set_firstBatchTaskNum(tasks);
    }
    t->set_totalTaskNum(tasks);
#if PEER_TREE != 2
    t->set_flashDecodeFlag(split);
    t->set_numSplits(c->splits > 0 ? c->splits : 1);
#endif
    if (split) fa_split::splitBN2S1GS2(t, plan);
    // S, P, O and the running O: three slots per core each.
    const uint64_t slot = uint64_t(c->cores) * WORKSPACE_BLOCK_SIZE_DB * 3;
    t->set_mm1OutSize(slot * 4);
    t->set_smOnlineOutSize(slot * 2);
    t->set_mm2OutSize(slot * 4);
    t->set_UpdateSize(slot * 4);
    t->set_workSpaceSize(slot * 14 + t->get_splitLseTotalSize() + t->get_splitOTotalSize());
    return t->get_workSpaceSize();
}

extern "C" __attribute__((visibility("default"))) void peer_forward(const Call* c) {
    FwdLaunchArgs a{};
    const auto* t = reinterpret_cast<const FAInferTilingData*>(c->tiling);
    const uint32_t cores = c->splits != 0 && t->get_needCoreNum() ? t->get_needCoreNum() : c->cores;
#if PEER_TREE == 2
    a.blockDim = cores;
#else
    a.launchBlockDim = cores;
#endif
#if PEER_TREE != 4
    a.has_softcap = c->softcap > 0;
#endif
    a.is_causal = causal(c);
    a.is_local = local(c);
    a.flashDecodeFlag = c->splits != 0;
    a.paged_KV = c->page_table != nullptr;
    a.blockTableDevice = c->page_table;
    a.qDevice = c->q;
    a.kDevice = c->k;
    a.vDevice = c->v;
    a.maskDevice = c->mask;
    a.oDevice = c->o;
    a.softmaxLseDevice = c->lse;
    a.qSeqDevice = c->lengths_q;
    a.kvSeqDevice = c->lengths_k;
    a.workspaceDevice = c->workspace;
    a.tilingDevice = c->tiling;
#if PEER_TREE == 2
    launch_fwd_impl<PEER_TYPE, PEER_TND>(a);
#else
    launch_fwd_dtype<PEER_TYPE, PEER_TND>(a);
#endif
}
