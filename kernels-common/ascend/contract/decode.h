// SPDX-License-Identifier: BSD-3-Clause
// What the decode kernel asks of the host: which calls it serves, its tile shapes and workspace. Plain C++, so that
// the host, which has no Ascend C, includes it too.
#pragma once

#include "contract/fast_path.h"

namespace flash_attn_npu::ascend {

// How decode cuts a call. A task is one sequence and `heads` neighbouring kv heads: heads of a token are neighbours in
// most caches, so one transfer takes whole cache rows (2 KB for 8 heads of 128) and page sizes do not matter.
struct DecodeShape {
    static constexpr int32_t kRows = 16;           // packed rows of a kv head: one fractal of the cube
    static constexpr int32_t kTaskRows = 128;      // packed rows of a task
    static constexpr int32_t kTaskColumns = 1024;  // elements of a cache row that a task takes
    static constexpr int32_t kTaskHeads = 16;
    static constexpr int32_t kUncutTasks = 4 * arch::Chip::kCores;
    static constexpr int32_t kTileElements = 32 * 1024;  // of K or V in one L1 buffer
    static constexpr int32_t kHeadElements = 16 * 1024;  // of one head in half of L0B
    static constexpr int32_t kTileScores = 512;          // heads * keys of a tile: an accumulator of the cube
    static constexpr int32_t kStepScores = 2048;         // heads * keys of a step: P in L1, S in the vector cores
    static constexpr int32_t kStepKeys = 1024;           // row pitch that a vector instruction can address
    static constexpr int32_t kStrip = 64;  // columns of S in a vector register: rows of P are whole strips
    // fp8: the vector cores need room to convert K and V, so that O and S of a task are smaller; L1 has room for more.
    static constexpr int32_t kStagedTileElements = 48 * 1024;
    static constexpr int32_t kStagedTaskElements = 8 * 1024;   // of O
    static constexpr int32_t kStagedStepElements = 16 * 1024;  // of S

    int32_t heads;      // kv heads of a task; the last group of heads may be smaller
    int32_t groups;     // of kv heads
    int32_t tile_keys;  // keys loaded at a time, a multiple of 16
    int32_t step_keys;  // keys that go through softmax together, a multiple of tile_keys
    int32_t pitch;      // of S and P rows in the workspace: step_keys in whole vector strips
    int32_t k_cols;     // head dims in whole fractals
    int32_t v_cols;

    FA_HOST_DEVICE explicit DecodeShape(const Forward& p) {
        constexpr int32_t kFractal = 16;
        k_cols = round_up(p.head_dim, kFractal);
        v_cols = round_up(p.head_dim_v, kFractal);
        const int32_t widest = max_of(k_cols, v_cols);
        const int32_t rows = max_of(1, p.max_seqlen_q * p.heads_per_kv_head());
        const bool staged = p.is_fp8();
        const int32_t most_heads = staged ? min_of(kTaskHeads, kStagedTaskElements / (rows * widest)) : kTaskHeads;
        const int32_t fitting = min_of(min_of(kTaskColumns / widest, kTaskRows / rows), most_heads);
        // Where sequences are not cut for the cores, more groups keep the cores busy.
        const int32_t whole = max_of(1, p.batch * p.num_splits);
        const int32_t wanted = p.num_splits > 0 ? ceil_div(kUncutTasks, whole) : 1;
        groups = ceil_div(p.num_heads_kv, clamp(min_of(fitting, p.num_heads_kv / wanted), 1, p.num_heads_kv));
        heads = ceil_div(p.num_heads_kv, groups);
        const int32_t elements = staged ? kStagedTileElements : kTileElements;
        const int32_t keys = min_of(elements / (heads * widest), kHeadElements / widest);
        tile_keys = min_of(keys, kTileScores / heads) / kFractal * kFractal;
        step_keys = tile_keys;
        int32_t most_keys = min_of(kStepScores / heads, kStepKeys);
        if (staged) most_keys = min_of(most_keys, kStagedStepElements / round_up(heads * rows, 2));
        while (round_up(step_keys + tile_keys, kStrip) <= most_keys) step_keys += tile_keys;
        pitch = round_up(step_keys, kStrip);
    }
};

// Through which the cube core and the vector cores of an AI core pass S, P and O of two steps, and where it leaves the
// results of tasks that it shares with other cores: at most its first one and its last one.
struct DecodeWorkspace {
    static constexpr int64_t kSlots = 2;
    static constexpr int64_t kScores = kSlots * DecodeShape::kStepScores * DecodeShape::kRows * 4;
    static constexpr int64_t kProbabilities = kScores / 2;
    static constexpr int64_t kOutputs = kSlots * DecodeShape::kTaskColumns * DecodeShape::kRows * 4;
    static constexpr int64_t kPartialOutput = kOutputs / kSlots;
    static constexpr int64_t kPartialLse = DecodeShape::kTaskRows * 4;

    static constexpr int64_t kP = kScores;
    static constexpr int64_t kO = kP + kProbabilities;
    static constexpr int64_t kPartials = kO + kOutputs;
    static constexpr int64_t kPartialBytes = kPartialOutput + kPartialLse;
    static constexpr int64_t kBytes = kPartials + 2 * kPartialBytes;

    // fp8: a ring of tiles of K and V as half, on their way from the vector cores to the cube core. As many as a step
    // of K and one of V have, roughly: the vector cores run ahead by so much.
    static constexpr int32_t kStagedTiles = 8;
    static constexpr int64_t kStaged = round_up(kBytes, int64_t{512});
    static constexpr int64_t kStagedTileBytes = int64_t{DecodeShape::kStagedTileElements} * 2;
    static constexpr int64_t kStagedBytes = kStaged + kStagedTiles * kStagedTileBytes;
};

// Bytes of core_workspace for one AI core.
FA_HOST_DEVICE int64_t decode_core_workspace_bytes(const Forward& p, const Plan&) {
    return p.is_fp8() ? DecodeWorkspace::kStagedBytes : DecodeWorkspace::kBytes;
}

// Whether flash_attn_decode_* can serve the call. It cuts sequences for the cores by itself (all AI cores should be
// launched): plan.num_splits is 1, or what the caller asked for, whose partial results flash_attn_combine merges.
FA_HOST_DEVICE bool decode_can_implement(const Forward& p, const Plan& plan) {
    // fp8 scores are scaled before their maxima are taken: any scale of any head will do.
    const bool scale = p.is_fp8() || (p.score.scale > 0 && !has_descale(p));
    return fast_path_can_implement(p) && scale && p.head_dim <= 256 && p.head_dim_v <= 256 &&
           int64_t{p.max_seqlen_q} * p.heads_per_kv_head() <= DecodeShape::kRows &&
           plan.num_splits == max_of(1, p.num_splits);
}

}  // namespace flash_attn_npu::ascend
