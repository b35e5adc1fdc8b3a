// SPDX-License-Identifier: BSD-3-Clause
// How one call is cut into work: row tiles, KV splits, workspace. Closed-form arithmetic on upper bounds, so the same
// code runs on the host and as scalar code on every AI core, and a launch needs no device-to-host read.
//
// Rows are packed (GQA): row r of kv head g is query position r / group of query head g * group + r % group. The heads
// of a group lie next to each other so that they share K and V and a tile's causal boundary stays tight.
#pragma once

#include "flash_attn_npu/mask.h"
#include "flash_attn_npu/request.h"

namespace flash_attn_npu {

// What a kernel computes at a time; chosen by the backend per dtype and head dim.
struct TileShape {
    int32_t rows;  // packed query rows of a row tile
    int32_t keys;  // keys of a step; splits are cut at multiples of it
};

// Position and head of one packed row.
struct PackedRow {
    int32_t i;       // query position in the sequence
    int32_t head_q;  // query head
};

struct Plan {
    TileShape tile{};
    int32_t group = 1;       // query heads per kv head
    int32_t row_tiles = 0;   // of the longest sequence
    int32_t num_splits = 1;  // > 1: partial results and a combine step

    FA_HOST_DEVICE PackedRow packed_row(int32_t kv_head, int32_t r) const {
        return PackedRow{r / group, kv_head * group + r % group};
    }
    FA_HOST_DEVICE int32_t packed_rows(const Sequence& s) const { return s.seqlen_q * group; }

    // The keys split `split` of a row tile works on, given the keys the tile sees at all. Splits differ by at most one
    // step, lie on multiples of tile.keys, and together cover `visible`.
    FA_HOST_DEVICE KeyRange split_range(KeyRange visible, int32_t split) const {
        if (num_splits == 1 || visible.empty()) return visible;
        const int64_t first = visible.begin / tile.keys;
        const int64_t steps = ceil_div(visible.end, tile.keys) - first;
        const int32_t begin = static_cast<int32_t>((first + steps * split / num_splits) * tile.keys);
        const int32_t end = static_cast<int32_t>((first + steps * (split + 1) / num_splits) * tile.keys);
        return intersect(visible, KeyRange{begin, end});
    }

    // Partial results are stored like the API returns them: (split, batch, head, row) or (split, head, packed row).
    FA_HOST_DEVICE int64_t accum_row(const Forward& p, const Sequence& s, int32_t split, PackedRow row) const {
        if (p.cu_seqlens_q) return (int64_t{split} * p.num_heads_q + row.head_q) * p.total_q + s.q_row + row.i;
        return ((int64_t{split} * p.batch + s.n) * p.num_heads_q + row.head_q) * p.max_seqlen_q + row.i;
    }
    FA_HOST_DEVICE int64_t accum_rows(const Forward& p) const {
        return int64_t{num_splits} * p.num_heads_q * (p.cu_seqlens_q ? p.total_q : int64_t{p.batch} * p.max_seqlen_q);
    }
};

// How many splits fill a machine: enough that `wanted_tiles` tiles exist, each with at least `min_keys` keys. Depends
// on the request's bounds only, never on the machine's thread or core count, so that results do not either.
struct SplitPolicy {
    int32_t wanted_tiles;
    int32_t min_keys;
    int32_t max_splits;
};

FA_HOST_DEVICE int32_t automatic_splits(int64_t tiles_without_split, int32_t max_seqlen_k, SplitPolicy policy) {
    if (tiles_without_split <= 0 || tiles_without_split >= policy.wanted_tiles) return 1;
    const int32_t by_tiles = static_cast<int32_t>(policy.wanted_tiles / tiles_without_split);
    const int32_t by_keys = max_seqlen_k / policy.min_keys;
    return max_of(1, min_of(min_of(by_tiles, by_keys), policy.max_splits));
}

// `kv_heads_per_tile`: kv heads a kernel works on in one go (the cpu's decode kernel reads whole cache rows).
FA_HOST_DEVICE Plan make_plan(const Forward& p, TileShape tile, SplitPolicy policy, int32_t kv_heads_per_tile = 1) {
    Plan plan;
    plan.tile = tile;
    plan.group = p.heads_per_kv_head();
    plan.row_tiles = static_cast<int32_t>(ceil_div<int64_t>(int64_t{p.max_seqlen_q} * plan.group, tile.rows));
    const int64_t tiles = int64_t{p.batch} * ceil_div(p.num_heads_kv, kv_heads_per_tile) * plan.row_tiles;
    // The longest range one row tile can see bounds what splitting can win. No row has more than max_seqlen_q - 1 keys
    // to its right, so a window that is unlimited there still bounds the range.
    int32_t keys = p.max_seqlen_k;
    if (p.mask.window_left >= 0) {
        const int32_t last_row = p.max_seqlen_q - 1;
        const int64_t right = p.mask.window_right >= 0 ? min_of(p.mask.window_right, last_row) : last_row;
        const int64_t window = p.mask.window_left + right + ceil_div(tile.rows, plan.group);
        keys = static_cast<int32_t>(min_of<int64_t>(keys, window));
    }
    plan.num_splits = p.num_splits > 0 ? p.num_splits : automatic_splits(tiles, keys, policy);
    return plan;
}

}  // namespace flash_attn_npu
