// SPDX-License-Identifier: BSD-3-Clause
// Merges the pieces of a task that several cores shared: out = sum of out_c * exp(lse_c - lse) over the cores c.
#pragma once
#include "decode/results.h"
#include "tile/strided_rows.h"

namespace flash_attn_npu::ascend::decode {

/// `scores` holds the rows of O of every piece, `tree` a row per piece: first its LSE, then its weights.
template <class ArchTag, class Element, bool STAGED>
class Merge {
public:
    __aicore__ inline Merge(Buffers<ArchTag, STAGED>& ub, decode::Results<ArchTag, Element, STAGED>& results,
                            const AttentionArguments& arguments, const DecodeShape& shape)
        : ub_(ub),
          results_(results),
          pitch_(static_cast<uint32_t>(shape.v_cols)),
          stride_(static_cast<int64_t>(arguments.core_workspace_bytes / sizeof(float))) {}

    /// `rows` of the task, after all cores have left their pieces.
    __aicore__ inline void operator()(const Piece& piece, const Rows& rows) {
        if (rows.size() == 0) return;
        const auto lse = ub_.Temporary(0);
        const int32_t pieces = piece.last_core - piece.first_core + 1;
        Load(piece, rows);
        ub_.scores_ring.BeginUse();
        Weights(lse, pieces, rows.size());
        Add(pieces, rows);
        ub_.scores_ring.EndUse();
        results_.Store(piece, rows, lse);
    }

private:
    using Ub = Buffers<ArchTag, STAGED>;
    using Results = decode::Results<ArchTag, Element, STAGED>;
    static constexpr uint32_t kBlock = Results::kBlock;

    __aicore__ inline void Load(const Piece& piece, const Rows& rows) {
        const uint32_t elements = static_cast<uint32_t>(rows.size()) * pitch_;
        ub_.scores_ring.BeginFill();
        // All but the first core have it at the same place.
        for (int32_t i = 0, count = 1; i <= piece.last_core - piece.first_core; i += count) {
            count = i == 0 ? 1 : piece.last_core - piece.first_core;
            const AscendC::GlobalTensor<float> gm = results_.Shared(piece, piece.first_core + i);
            LoadStrided(ub_.tree[i * Ub::kRows], Ub::kRows, gm[Results::kSharedLse + rows.begin],
                        static_cast<uint32_t>(rows.size()), count);
            LoadStrided(ub_.scores[i * elements], elements, gm[int64_t{rows.begin} * pitch_], elements, count);
        }
        ub_.scores_ring.EndFill();
    }
    // The same `elements` of the workspaces of `cores` cores.
    __aicore__ inline void LoadStrided(const AscendC::LocalTensor<float>& dst, uint32_t pitch,
                                       const AscendC::GlobalTensor<float>& src, uint32_t elements, int32_t cores) {
        tile::LoadRows(dst, src, tile::RowsShape{static_cast<uint32_t>(cores), elements, stride_, pitch});
    }

    // Turns the pieces' LSE into weights, and lse into that of the task.
    __aicore__ inline void Weights(const AscendC::LocalTensor<float>& lse, int32_t pieces, int32_t rows) {
        const auto sum = ub_.Temporary(1), maximum = ub_.Temporary(2), &weights = ub_.tree;
        AscendC::Duplicate(maximum, tile::kHidden, rows);
        AscendC::Duplicate(sum, 0.0f, rows);
        tile::VectorBarrier();
        tile::WeightsFromLse(tile::PartTable{weights, pieces, rows, Ub::kRows}, maximum, sum, [&] {
            constexpr uint8_t kNext = Ub::kRows / kBlock;
            AscendC::Exp(weights, weights, static_cast<uint64_t>(rows), static_cast<uint8_t>(pieces),
                         AscendC::UnaryRepeatParams(1, 1, kNext, kNext));
        });
        AscendC::Ln(lse, sum, rows);
        // Brcb reads eight rows at a time.
        const uint32_t end = static_cast<uint32_t>(rows), padded = RoundUp<8>(end);
        const tile::RowTile table{weights, static_cast<uint32_t>(pieces), Ub::kRows, Ub::kRows};
        if (end < padded) tile::FillColumns(table, 0, table.rows, end, padded, 0.0f);
        tile::VectorBarrier();
        AscendC::Add(lse, lse, maximum, rows);
        tile::VectorBarrier();
    }

    // output = sum of the pieces' rows times their weights.
    __aicore__ inline void Add(int32_t pieces, const Rows& rows) {
        const uint32_t count = static_cast<uint32_t>(rows.size()), elements = count * pitch_;
        const uint32_t blocks = RoundUp<8>(count) * kBlock;  // `part` holds the weights of every piece
        for (int32_t i = 0; i < pieces; ++i) {
            tile::BroadcastToBlocks(ub_.part[i * blocks], ub_.tree[i * Ub::kRows], count);
        }
        tile::VectorBarrier();
        for (int32_t i = 0; i < pieces; ++i) {
            tile::MultiplyRows(tile::RowTile{ub_.scores[i * elements], count, pitch_, pitch_}, ub_.part[i * blocks]);
        }
        tile::VectorBarrier();
        for (uint32_t left = static_cast<uint32_t>(pieces); left > 1;) {
            const uint32_t half = left / 2;
            left -= half;
            AscendC::Add(ub_.scores, ub_.scores, ub_.scores[left * elements], static_cast<int32_t>(half * elements));
            tile::VectorBarrier();
        }
        tile::ScaleTile(tile::RowTile{ub_.output, count, pitch_, pitch_},
                        tile::RowTile{ub_.scores, count, pitch_, pitch_}, 1.0f);
        tile::VectorBarrier();
    }

    Ub& ub_;
    Results& results_;
    const uint32_t pitch_;
    const int64_t stride_;  // from core to core in workspace, in floats
};

}  // namespace flash_attn_npu::ascend::decode
