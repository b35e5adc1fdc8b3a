// SPDX-License-Identifier: BSD-3-Clause
// Keys of one kv head as runs of rows at a constant stride in memory: what a copy instruction can take at a time.
#pragma once

#include "flash_attn_npu/kv_view.h"
#include "flash_attn_npu/mask.h"

namespace flash_attn_npu {

// Walks through keys [keys.begin, keys.end) of `head`: after Next(), keys [key(), key() + length()) lie
// cache.stride_row apart from element offset() on. Pages that follow each other in memory are one run: allocators often
// hand out neighbouring pages, and small ones would be slow to copy one by one.
class KvRuns {
public:
    FA_HOST_DEVICE KvRuns(const KvTensor& cache, const KvView& view, int32_t head, KeyRange keys)
        : cache_(cache), view_(view), head_(head), end_(keys.end), next_(keys.begin) {
        if (next_ < end_) page_ = view_.run(next_, end_);
    }

    // False when there is no further run.
    FA_HOST_DEVICE bool Next() {
        if (next_ >= end_) return false;
        key_ = next_;
        offset_ = cache_.offset(page_.block, page_.row, head_);
        do {
            next_ += page_.length;
            if (next_ < end_) page_ = view_.run(next_, end_);
        } while (next_ < end_ &&
                 cache_.offset(page_.block, page_.row, head_) == offset_ + length() * cache_.stride_row);
        return true;
    }

    FA_HOST_DEVICE int32_t key() const { return key_; }
    FA_HOST_DEVICE int32_t length() const { return next_ - key_; }
    FA_HOST_DEVICE int64_t offset() const { return offset_; }

private:
    const KvTensor& cache_;
    const KvView& view_;
    const int32_t head_;
    const int32_t end_;
    int32_t key_ = 0;
    int32_t next_;
    int64_t offset_ = 0;
    KvRun page_{};  // from next_ on
};

}  // namespace flash_attn_npu
