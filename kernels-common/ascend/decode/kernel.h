// SPDX-License-Identifier: BSD-3-Clause
// Attention for few query rows (decode), where reading K and V from memory is all the work. A core takes all kv heads
// of a range of keys, so that whole cache rows are read; the keys of all sequences are divided evenly over the cores.
//
//   cube    S(g) = q k^T                 O(g-1) = P(g-1) v
//   vector         P(g) = softmax(S(g))                    accumulate O(g-1)
//   at the end, where cores shared a task: all vector cores meet, then each of the sharers merges some of its rows
//
// fp8: the vector cores also convert K and V, ahead of the cube: K(g+1) before P(g), V(g) after it. Tiles of halves
// travel through a ring in workspace, with a flag each way.
//
// S, P and O travel through two slots of workspace. Slots need no flags of their own: S(g+2) is written after P(g) was
// waited for, P(g+2) and O(g+2) after O(g) was.
#pragma once

#include "decode/loader.h"
#include "decode/merge.h"
#include "decode/mmad.h"
#include "decode/output.h"
#include "decode/softmax.h"
#include "decode/stager.h"
#include "shared/ai_core.h"

namespace flash_attn_npu::ascend::decode {

/// Element: of the cube's operands. STAGED: they are converted from fp8.
template <class ArchTag, class Element, class ElementOut, bool STAGED>
class Decode {
public:
    __aicore__ inline explicit Decode(const AttentionArguments& arguments)
        : a_(arguments), shape_(arguments.request), core_(arguments) {}

    __aicore__ inline void Cube() {
        arch::Resource<ArchTag> resource;
        Loader<ArchTag, Element, STAGED> loader(resource, a_, shape_, core_.index, core_.count, core_.workspace,
                                                kFlags);
        Mmad<ArchTag, Element> mmad(resource, a_.request, shape_, core_.workspace);
        Tile tile;
        AscendC::LocalTensor<Element> l1, l1_p;
        while (loader.Next(tile, l1)) {
            switch (tile.operand) {
                case Operand::kQ: mmad.LoadQueries(l1, tile); break;
                case Operand::kK:
                    mmad.MultiplyK(l1, tile);
                    if (tile.last) AscendC::CrossCoreSetFlag<2, PIPE_FIX>(kFlags.s_ready);
                    break;
                case Operand::kV:
                    if (tile.first) l1_p = loader.BeginP();
                    mmad.MultiplyV(l1, l1_p, tile);
                    if (tile.last) {
                        loader.EndP();
                        AscendC::CrossCoreSetFlag<2, PIPE_FIX>(kFlags.o_ready);
                    }
                    break;
            }
            loader.Release(tile);
        }
    }

    __aicore__ inline void Vector() {
        arch::Resource<ArchTag> resource;
        Buffers<ArchTag, STAGED> ub(resource);
        if constexpr (STAGED) {
            StagedKeys<ArchTag> keys(ub, a_, shape_, core_.index, core_.count, core_.workspace, kFlags,
                                     AscendC::GetSubBlockIdx());
            VectorSteps(ub, keys);
        } else {
            CachedKeys keys;
            VectorSteps(ub, keys);
        }
    }

private:
    static constexpr Flags kFlags{/*s_ready=*/0, /*p_ready=*/1, /*o_ready=*/2, /*keys_ready=*/3,
                                  /*keys_free=*/4};

    /// Keys: CachedKeys or StagedKeys.
    template <class Keys>
    __aicore__ inline void VectorSteps(Buffers<ArchTag, STAGED>& ub, Keys& keys) {
        Partition partition(a_, shape_, core_.index, core_.count);
        const int32_t sub_block = AscendC::GetSubBlockIdx();
        Softmax<ArchTag, Element, STAGED> softmax(ub, a_, shape_, core_.workspace);
        Results<ArchTag, ElementOut, STAGED> results(ub, a_, shape_, partition, core_.index);
        Output<ArchTag, ElementOut, STAGED> output(ub, results, a_.request, shape_, core_.workspace);

        Steps steps(shape_, partition);
        Step step[2];
        int32_t current = 0;
        bool more = true, pending = false;  // pending: the O of the step before is due
        Piece shared[2];                    // a core shares at most its first task and its last one
        int32_t shares = 0;
        keys.Keys();
        while (more || pending) {
            more = more && steps.Next(step[current]);
            if (more) {
                const Step& now = step[current];
                const Rows rows(now.piece, sub_block, 2);
                if (now.keys.empty()) {
                    results.StoreNothing(now.piece, rows);
                    continue;
                }
                keys.Keys();
                AscendC::CrossCoreWaitFlag(kFlags.s_ready);
                if (now.first) softmax.Begin(now);
                softmax(now, rows);
                AscendC::CrossCoreSetFlag<2, PIPE_MTE3>(kFlags.p_ready);
                keys.Values();
            }
            if (pending) {
                const Step& before = step[1 - current];
                const Rows rows(before.piece, sub_block, 2);
                AscendC::CrossCoreWaitFlag(kFlags.o_ready);
                output.Accumulate(before, rows);
                if (before.last) {
                    output.Finish(before, rows);
                    if (before.piece.shared()) shared[shares++] = before.piece;
                }
            }
            pending = more;
            current = 1 - current;
        }

        if (!partition.cuts()) return;
        AscendC::SyncAll<true>();
        Merge<ArchTag, ElementOut, STAGED> merge(ub, results, a_, shape_);
        for (int32_t i = 0; i < shares; ++i) {
            const Piece& piece = shared[i];
            const int32_t sharers = 2 * (piece.last_core - piece.first_core + 1);
            merge(piece, Rows(piece, 2 * (core_.index - piece.first_core) + sub_block, sharers));
        }
    }

    const AttentionArguments& a_;
    const DecodeShape shape_;
    const AiCore core_;
};

}  // namespace flash_attn_npu::ascend::decode
