// Host side for the forward kernel of flash-attention-npu, read in place from PEER_HOME: the kernel is theirs and
// unmodified, this file only fills its tiling structure and launches it (layout b, s, h, d; K/V dense or in pages).
#include "fwd_dispatch_impl.hpp"

template void launch_fwd_dtype<half, false>(const FwdLaunchArgs&);
template void launch_fwd_dtype<bfloat16_t, false>(const FwdLaunchArgs&);

struct Call {
    uint8_t *q, *k, *v, *o, *lse, *mask, *seqlens_k, *workspace, *tiling, *page_table;
    uint64_t workspace_bytes;
    uint32_t batch, heads, heads_k, seqlen_q, seqlen_k, head_dim, cores, causal, bf16, pages, pages_per_batch,
        page_size;
    float scale;
};

extern "C" __attribute__((visibility("default"))) uint64_t peer_tiling_bytes() { return sizeof(FAInferTilingData); }

/// Bytes of workspace the kernel wants on `cores` AI cores: S, P, O and the running O, three slots each.
extern "C" __attribute__((visibility("default"))) uint64_t peer_workspace_bytes(uint32_t cores) {
    const uint64_t slot = uint64_t(cores) * WORKSPACE_BLOCK_SIZE_DB * 3;
    return slot * (4 + 2 + 4 + 4);
}

extern "C" __attribute__((visibility("default"))) void peer_forward(const Call* c) {
    auto* t = reinterpret_cast<FAInferTilingData*>(c->tiling);
    std::memset(static_cast<void*>(t), 0, sizeof(*t));
    t->set_batch(c->batch);
    t->set_numHeads(c->heads);
    t->set_kvHeads(c->heads_k);
    t->set_embeddingSize(c->head_dim);
    t->set_embeddingSizeV(c->head_dim);
    t->set_blockSize(c->page_table ? c->page_size : 128);
    t->set_numBlocks(c->pages);
    t->set_maxNumBlocksPerBatch(c->pages_per_batch);
    t->set_scaleValue(c->scale);
    t->set_maxQSeqlen(c->seqlen_q);
    t->set_maxKvSeqlen(c->seqlen_k);
    if (c->causal) t->set_maskType(static_cast<uint32_t>(FaiKenel::MaskType::MASK_CAUSAL));
    // Tasks: query blocks of 128 rows, short queries pack several heads of a group.
    const uint32_t group = c->heads / c->heads_k;
    const uint32_t heads_per_task = GetQNBlockTile(c->seqlen_q, group);
    const uint32_t tasks = (group + heads_per_task - 1) / heads_per_task * c->heads_k * ((c->seqlen_q + 127) / 128);
    t->set_firstBatchTaskNum(tasks);
    t->set_totalTaskNum(tasks * c->batch);
    t->set_numSplits(1);
    const uint64_t slot = uint64_t(c->cores) * WORKSPACE_BLOCK_SIZE_DB * 3;
    t->set_mm1OutSize(slot * 4);
    t->set_smOnlineOutSize(slot * 2);
    t->set_mm2OutSize(slot * 4);
    t->set_UpdateSize(slot * 4);
    t->set_workSpaceSize(c->workspace_bytes);

    FwdLaunchArgs a{};
    a.launchBlockDim = c->cores;
    a.is_bf16 = c->bf16;
    a.is_causal = c->causal;
    a.paged_KV = c->page_table != nullptr;
    a.blockTableDevice = c->page_table;
    a.qDevice = c->q;
    a.kDevice = c->k;
    a.vDevice = c->v;
    a.maskDevice = c->causal ? c->mask : nullptr;
    a.oDevice = c->o;
    a.softmaxLseDevice = c->lse;
    a.qSeqDevice = c->seqlens_k;
    a.kvSeqDevice = c->seqlens_k;
    a.workspaceDevice = c->workspace;
    a.tilingDevice = c->tiling;
    launch_fwd<false>(a);
}
