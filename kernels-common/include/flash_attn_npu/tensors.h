// SPDX-License-Identifier: BSD-3-Clause
// How tensors of one call are addressed. Strides count elements; the last dimension is always contiguous.
#pragma once

#include "flash_attn_npu/platform.h"

namespace flash_attn_npu {

// q, qv, out, new k, new v: (batch, seqlen, heads, dim), or packed (total, heads, dim) with stride_batch == 0 and the
// first row of each sequence taken from cu_seqlens.
struct RowTensor {
    FA_GM void* data = nullptr;
    int64_t stride_batch = 0;
    int64_t stride_row = 0;
    int64_t stride_head = 0;

    FA_HOST_DEVICE int64_t offset(int32_t batch, int64_t row, int32_t head) const {
        return batch * stride_batch + row * stride_row + head * stride_head;
    }
};

// One side (K or V) of the cache: blocks are sequences (dense), pages (paged) or the whole tensor (packed).
struct KvTensor {
    FA_GM void* data = nullptr;
    int64_t stride_block = 0;
    int64_t stride_row = 0;
    int64_t stride_head = 0;

    FA_HOST_DEVICE int64_t offset(int64_t block, int64_t row, int32_t head) const {
        return block * stride_block + row * stride_row + head * stride_head;
    }
};

// A float32 per (batch, head), e.g. descales and ALiBi slopes; stride_batch == 0 broadcasts over the batch.
struct PerHead {
    FA_GM const float* data = nullptr;
    int64_t stride_batch = 0;
    int64_t stride_head = 0;

    FA_HOST_DEVICE float at(int32_t batch, int32_t head, float otherwise) const {
        return data ? data[batch * stride_batch + head * stride_head] : otherwise;
    }
};

}  // namespace flash_attn_npu
