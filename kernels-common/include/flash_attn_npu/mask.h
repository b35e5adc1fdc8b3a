// SPDX-License-Identifier: BSD-3-Clause
// Which keys a query sees, and which queries see a key: the one definition, for causal, sliding window, attention_chunk
// and all backends.
#pragma once

#include "flash_attn_npu/platform.h"

namespace flash_attn_npu {

// Half-open range of keys [begin, end), counted from the first valid key of the sequence; empty when end <= begin.
struct KeyRange {
    int32_t begin;
    int32_t end;

    FA_HOST_DEVICE constexpr bool empty() const { return end <= begin; }
    FA_HOST_DEVICE constexpr int32_t size() const { return empty() ? 0 : end - begin; }
};

FA_HOST_DEVICE constexpr KeyRange intersect(KeyRange a, KeyRange b) {
    return KeyRange{max_of(a.begin, b.begin), min_of(a.end, b.end)};
}

// Half-open range of query rows [begin, end) of one sequence; empty when end <= begin.
struct RowRange {
    int32_t begin;
    int32_t end;

    FA_HOST_DEVICE constexpr bool empty() const { return end <= begin; }
    FA_HOST_DEVICE constexpr int32_t size() const { return empty() ? 0 : end - begin; }
};

enum class Coverage : int32_t { kNone, kPartial, kAll };

// The options of one call. "Causal" is window_right == 0: the API layer has already folded `causal` in, together with
// each API's own rules for what counts as an unlimited window.
struct MaskOptions {
    int32_t window_left = -1;     // keys visible to the left of the diagonal; -1: all
    int32_t window_right = -1;    // keys visible to the right of the diagonal; -1: all
    int32_t attention_chunk = 0;  // > 0: a query sees only keys of its own chunk
};

// The mask of one sequence. Query row i stands at key position i + seqlen_k - seqlen_q (bottom-right alignment), and
// sees the keys of one interval. Both interval ends never decrease with i; the row-range answers rely on that.
struct Mask {
    MaskOptions options;
    int32_t seqlen_q;
    int32_t seqlen_k;

    FA_HOST_DEVICE constexpr int32_t position(int32_t i) const { return i + seqlen_k - seqlen_q; }

    FA_HOST_DEVICE constexpr KeyRange visible(int32_t i) const {
        const int32_t p = position(i);
        KeyRange keys{0, seqlen_k};
        if (options.window_left >= 0) keys.begin = max_of(keys.begin, p - options.window_left);
        // Compare before adding: a window as large as INT32_MAX must not overflow.
        if (options.window_right >= 0 && options.window_right < seqlen_k - 1 - p) {
            keys.end = p + options.window_right + 1;
        }
        if (options.attention_chunk > 0) {
            const int32_t chunk = floor_div(p, options.attention_chunk);
            // 64-bit: the chunk may be far larger than the sequence.
            const int64_t chunk_begin = int64_t{chunk} * options.attention_chunk;
            const int64_t chunk_end = chunk_begin + options.attention_chunk;
            keys.begin = static_cast<int32_t>(max_of<int64_t>(keys.begin, chunk_begin));
            keys.end = static_cast<int32_t>(min_of<int64_t>(keys.end, chunk_end));
        }
        return keys;
    }

    // Keys that at least one of the rows [i0, i1) sees (the hull of their intervals).
    FA_HOST_DEVICE constexpr KeyRange visible_to_any(int32_t i0, int32_t i1) const {
        return KeyRange{visible(i0).begin, visible(i1 - 1).end};
    }

    // Keys that all of the rows [i0, i1) see.
    FA_HOST_DEVICE constexpr KeyRange visible_to_all(int32_t i0, int32_t i1) const {
        return KeyRange{visible(i1 - 1).begin, visible(i0).end};
    }

    FA_HOST_DEVICE constexpr Coverage coverage(int32_t i0, int32_t i1, KeyRange keys) const {
        const KeyRange any = visible_to_any(i0, i1);
        if (intersect(any, keys).empty()) return Coverage::kNone;
        const KeyRange all = visible_to_all(i0, i1);
        return all.begin <= keys.begin && keys.end <= all.end ? Coverage::kAll : Coverage::kPartial;
    }

    // The transposed question, for passes that hold keys and walk over queries. Rows that see key j of
    // [0, seqlen_k): an interval, whose ends never decrease with j.
    FA_HOST_DEVICE constexpr RowRange seeing(int32_t j) const {
        // In positions, and in 64 bits: windows and chunks may be as large as INT32_MAX.
        const int64_t first = int64_t{seqlen_k} - seqlen_q;  // the position of row 0
        int64_t begin = first;
        int64_t end = seqlen_k;
        if (options.window_right >= 0) begin = max_of(begin, int64_t{j} - options.window_right);
        if (options.window_left >= 0) end = min_of(end, int64_t{j} + options.window_left + 1);
        if (options.attention_chunk > 0) {
            const int64_t chunk_begin = int64_t{j / options.attention_chunk} * options.attention_chunk;
            begin = max_of(begin, chunk_begin);
            end = min_of(end, chunk_begin + options.attention_chunk);
        }
        return RowRange{static_cast<int32_t>(begin - first), static_cast<int32_t>(end - first)};
    }

    // Rows that see at least one of the keys, a range that is not empty within [0, seqlen_k).
    FA_HOST_DEVICE constexpr RowRange seeing_any(KeyRange keys) const {
        return RowRange{seeing(keys.begin).begin, seeing(keys.end - 1).end};
    }

    // Rows that see all of them.
    FA_HOST_DEVICE constexpr RowRange seeing_all(KeyRange keys) const {
        return RowRange{seeing(keys.end - 1).begin, seeing(keys.begin).end};
    }
};

}  // namespace flash_attn_npu
