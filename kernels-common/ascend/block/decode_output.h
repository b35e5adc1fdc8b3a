// O on a vector core in decode: rescale and accumulate the steps of a piece, normalise, and store: as the result, as the
// caller's partial result, or for the cores that share the task.
#pragma once
#include "block/decode_ub.h"
#include "tile/copy_rows_to_gm.h"
#include "tile/score.h"

namespace flash_attn_npu::ascend::block {

template <class ArchTag, class Element>
class DecodeOutput {
public:
    /// workspace: of the first core; this one is `core`.
    __aicore__ inline DecodeOutput(DecodeUb<ArchTag>& ub, const kernel::AttentionArguments& arguments,
                                   const kernel::DecodeShape& shape, const kernel::DecodePartition& partition,
                                   int32_t core)
        : ub_(ub),
          problem_(arguments.problem),
          plan_(arguments.plan),
          partition_(partition),
          dim_(static_cast<uint32_t>(arguments.problem.head_dim_v)),
          pitch_(static_cast<uint32_t>(shape.v_cols)),
          workspace_(arguments.core_workspace),
          workspaceBytes_(arguments.core_workspace_bytes),
          core_(core) {
        gmO_.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(CoreWorkspace(core) + Workspace::kO));
    }

    /// O = O * factor + the step's part.
    __aicore__ inline void Accumulate(const kernel::DecodeStep& step, const DecodeRows& rows) {
        if (rows.size() == 0) return;
        LoadPart(gmO_[int64_t{step.slot()} * SLOT_ELEMENTS + int64_t{rows.begin} * pitch_], rows);
        ub_.partRing.BeginUse();
        if (step.first) {
            tile::ScaleTile(Output(rows), Part(rows), 1.0f);
        } else {
            tile::BroadcastToBlocks(ub_.blocks, ub_.Factor(step), Output(rows).rows);
            tile::VectorBarrier();
            tile::MultiplyRows(Output(rows), ub_.blocks);
            tile::VectorBarrier();
            tile::AddTile(Output(rows), Part(rows));
        }
        tile::VectorBarrier();
        ub_.partRing.EndUse();
    }

    /// The end of a piece.
    __aicore__ inline void Finish(const kernel::DecodeStep& step, const DecodeRows& rows) {
        if (rows.size() == 0) return;
        const kernel::DecodePiece& piece = step.piece;
        const auto lse = ub_.Temporary(0);
        Normalise(step, rows, lse);
        if (piece.shared()) {
            EmptyHiddenRows(piece, piece.keys, rows, lse, tile::kNoMaximum);
            Stage<float>(rows, lse);
            CopyToSharers(piece, rows);
        } else if (plan_.num_splits > 1) {
            EmptyHiddenRows(piece, piece.keys, rows, lse, -kInfinity());
            Stage<float>(rows, lse);
            CopyPartial(piece, rows);
        } else {
            EmptyHiddenRows(piece, piece.keys, rows, lse, problem_.lse_of_masked_row);
            Stage<Element>(rows, lse);
            CopyResult(piece, rows);
        }
        ub_.stagingRing.EndUse();
    }

    /// A piece without keys: zeros.
    __aicore__ inline void StoreEmpty(const kernel::DecodePiece& piece, const DecodeRows& rows) {
        if (rows.size() == 0) return;
        const bool partial = plan_.num_splits > 1;
        ub_.stagingRing.BeginFill();
        AscendC::Duplicate(ub_.staging, 0.0f, rows.size() * static_cast<int32_t>(pitch_));
        AscendC::Duplicate(ub_.stagedLse, partial ? -kInfinity() : problem_.lse_of_masked_row,
                           rows.size() * static_cast<int32_t>(BLOCK));
        ub_.stagingRing.EndFill();
        ub_.stagingRing.BeginUse();
        if (partial) {
            CopyPartial(piece, rows);
        } else {
            CopyResult(piece, rows);
        }
        ub_.stagingRing.EndUse();
    }

    /// Merges the pieces of a shared task, for `rows`: out = sum of out_c * exp(lse_c - lse) over the cores c.
    __aicore__ inline void Merge(const kernel::DecodePiece& piece, const DecodeRows& rows) {
        if (rows.size() == 0) return;
        const auto lse = ub_.Temporary(0);
        const int32_t pieces = piece.last_core - piece.first_core + 1;
        LoadPieces(piece, rows);
        ub_.scoresRing.BeginUse();
        Weights(lse, pieces, rows.size());
        AddPieces(pieces, rows);
        ub_.scoresRing.EndUse();
        EmptyHiddenRows(piece, piece.task_keys, rows, lse, problem_.lse_of_masked_row);
        Stage<Element>(rows, lse);
        CopyResult(piece, rows);
        ub_.stagingRing.EndUse();
    }

private:
    using Ub = DecodeUb<ArchTag>;
    using Workspace = kernel::DecodeWorkspace;
    static constexpr int64_t SLOT_ELEMENTS = int64_t{kernel::DecodeShape::kTaskColumns} * kernel::DecodeShape::kRows;

    __aicore__ inline static float kInfinity() { return 3.0e38f * 10.0f; }
    __aicore__ inline tile::RowTile Output(const DecodeRows& rows) const {
        return tile::RowTile{ub_.output, static_cast<uint32_t>(rows.size()), pitch_, pitch_};
    }
    __aicore__ inline tile::RowTile Part(const DecodeRows& rows) const {
        return tile::RowTile{ub_.part, static_cast<uint32_t>(rows.size()), pitch_, pitch_};
    }

    __aicore__ inline void LoadPart(const AscendC::GlobalTensor<float>& gm, const DecodeRows& rows) {
        ub_.partRing.BeginFill();
        AscendC::DataCopy(ub_.part, gm, static_cast<uint32_t>(rows.size()) * pitch_);
        ub_.partRing.EndFill();
    }

    // O = O / sum, lse = maximum * scale + ln(sum). Rows without keys get finite nonsense.
    __aicore__ inline void Normalise(const kernel::DecodeStep& step, const DecodeRows& rows,
                                     const AscendC::LocalTensor<float>& lse) {
        constexpr float kTiny = 1e-30f;
        const int32_t count = rows.size();
        const auto sum = ub_.Sum(step), maximum = ub_.Maximum(step);
        AscendC::Maxs(sum, sum, kTiny, count);
        AscendC::Muls(maximum, maximum, problem_.score.scale, count);
        tile::VectorBarrier();
        tile::BroadcastToBlocks(ub_.blocks, sum, Output(rows).rows);
        AscendC::Ln(lse, sum, count);
        tile::VectorBarrier();
        AscendC::Add(lse, lse, maximum, count);
        tile::DivideRows(Output(rows), ub_.blocks);
        tile::VectorBarrier();
    }

    // Rows that see none of `keys`: zeros, and `value` for the LSE. A vector core has at most 64 rows: one bit each.
    __aicore__ inline void EmptyHiddenRows(const kernel::DecodePiece& piece, KeyRange keys, const DecodeRows& rows,
                                           const AscendC::LocalTensor<float>& lse, float value) {
        const Mask mask = problem_.mask_of(piece.s);
        uint64_t hidden[2] = {0, 0};
        for (int32_t row = rows.begin; row < rows.end; ++row) {
            if (!intersect(mask.visible(piece.position(row, plan_.group)), keys).empty()) continue;
            const uint32_t local = static_cast<uint32_t>(row - rows.begin);
            hidden[0] |= uint64_t{1} << local;
            AscendC::Duplicate(ub_.output[local * pitch_], 0.0f, static_cast<int32_t>(pitch_));
        }
        if (hidden[0] == 0) return;
        AscendC::Duplicate(lse, value, hidden, 1, 1, 8);
        tile::VectorBarrier();
    }

    // ---- where results go
    // O, rounded if Element is narrower, and lse, ready to be copied.
    template <class T>
    __aicore__ inline void Stage(const DecodeRows& rows, const AscendC::LocalTensor<float>& lse) {
        const tile::RowTile output = Output(rows);
        ub_.stagingRing.BeginFill();
        if constexpr (sizeof(T) == sizeof(float)) {
            tile::ScaleTile(tile::RowTile{ub_.staging, output.rows, output.cols, output.pitch}, output, 1.0f);
        } else {
            tile::RoundTile(ub_.staging.template ReinterpretCast<T>(), pitch_, output);
        }
        tile::BroadcastToBlocks(ub_.stagedLse, lse, output.rows);
        ub_.stagingRing.EndFill();
        ub_.stagingRing.BeginUse();
    }

    __aicore__ inline void CopyResult(const kernel::DecodePiece& piece, const DecodeRows& rows) {
        const int32_t head = piece.head_begin * plan_.group;
        const RowTensor& out = problem_.out;
        CopyRows(reinterpret_cast<__gm__ Element*>(out.data) + out.offset(piece.s.n, piece.s.q_row, head),
                 out.stride_row, out.stride_head, ub_.staging.template ReinterpretCast<Element>(), pitch_, dim_, piece,
                 rows);
        if (problem_.lse == nullptr) return;
        CopyRows(problem_.lse + piece.s.n * problem_.lse_stride_batch + head * problem_.lse_stride_head + piece.s.q_row,
                 1, problem_.lse_stride_head, ub_.stagedLse, BLOCK, 1, piece, rows);
    }

    __aicore__ inline void CopyPartial(const kernel::DecodePiece& piece, const DecodeRows& rows) {
        const PackedRow first{0, piece.head_begin * plan_.group};
        const int64_t row = plan_.accum_row(problem_, piece.s, piece.split, first);
        const int64_t heads = plan_.accum_row(problem_, piece.s, piece.split, PackedRow{0, first.head_q + 1}) - row;
        CopyRows(problem_.out_accum + row * dim_, dim_, heads * dim_, ub_.staging, pitch_, dim_, piece, rows);
        CopyRows(problem_.lse_accum + row, 1, heads, ub_.stagedLse, BLOCK, 1, piece, rows);
    }

    __aicore__ inline void CopyToSharers(const kernel::DecodePiece& piece, const DecodeRows& rows) {
        const AscendC::GlobalTensor<float> gm = Shared(piece, core_);
        const uint32_t count = static_cast<uint32_t>(rows.size());
        AscendC::DataCopy(gm[int64_t{rows.begin} * pitch_], ub_.staging, count * pitch_);
        AscendC::DataCopyPad(gm[PARTIAL_LSE + rows.begin], ub_.stagedLse,
                             AscendC::DataCopyExtParams(static_cast<uint16_t>(count), sizeof(float), 0, 0, 0));
    }

    // dst: first position, first query head of the task.
    template <class T>
    __aicore__ inline void CopyRows(__gm__ T* dst, int64_t strideRow, int64_t strideHead,
                                    const AscendC::LocalTensor<T>& src, uint32_t pitch, uint32_t cols,
                                    const kernel::DecodePiece& piece, const DecodeRows& rows) const {
        AscendC::GlobalTensor<T> gm;
        gm.SetGlobalBuffer(dst);
        const tile::CopyPackedRowsToGm<T> copy;
        if (piece.head_rows == plan_.group) {
            // One position: the query heads of all kv heads are one group.
            copy(gm, strideRow, strideHead, piece.rows(), src, pitch, cols, rows.begin, rows.end);
            return;
        }
        for (int32_t row = rows.begin; row < rows.end;) {
            const int32_t head = row / piece.head_rows, head_row = head * piece.head_rows;
            const int32_t end = min_of(rows.end, head_row + piece.head_rows);
            copy(gm[head * plan_.group * strideHead], strideRow, strideHead, plan_.group,
                 src[(row - rows.begin) * pitch], pitch, cols, row - head_row, end - head_row);
            row = end;
        }
    }

    // ---- tasks that several cores share
    __aicore__ inline GM_ADDR CoreWorkspace(int32_t core) const { return workspace_ + core * workspaceBytes_; }
    // Where `core` leaves its piece: apart from the one of the task it began with.
    __aicore__ inline AscendC::GlobalTensor<float> Shared(const kernel::DecodePiece& piece, int32_t core) const {
        const int64_t slot = partition_.Share(core) < piece.begin ? Workspace::kPartialBytes : 0;
        AscendC::GlobalTensor<float> gm;
        gm.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(CoreWorkspace(core) + Workspace::kPartials + slot));
        return gm;
    }

    // While pieces are merged, `scores` holds their rows of O, `tree` a row per piece: first its LSE, then its weights.
    __aicore__ inline void LoadPieces(const kernel::DecodePiece& piece, const DecodeRows& rows) {
        const uint32_t elements = static_cast<uint32_t>(rows.size()) * pitch_;
        ub_.scoresRing.BeginFill();
        // All but the first core have it at the same place.
        for (int32_t i = 0, count = 1; i <= piece.last_core - piece.first_core; i += count) {
            count = i == 0 ? 1 : piece.last_core - piece.first_core;
            const AscendC::GlobalTensor<float> gm = Shared(piece, piece.first_core + i);
            LoadStrided(ub_.tree[i * Ub::ROWS], Ub::ROWS, gm[PARTIAL_LSE + rows.begin],
                        static_cast<uint32_t>(rows.size()), count);
            LoadStrided(ub_.scores[i * elements], elements, gm[int64_t{rows.begin} * pitch_], elements, count);
        }
        ub_.scoresRing.EndFill();
    }
    // The same `elements` of the workspaces of `cores` cores.
    __aicore__ inline void LoadStrided(const AscendC::LocalTensor<float>& dst, uint32_t pitch,
                                       const AscendC::GlobalTensor<float>& src, uint32_t elements, int32_t cores) {
        const uint32_t bytes = elements * sizeof(float), gap = static_cast<uint32_t>(workspaceBytes_) - bytes;
        AscendC::DataCopyPad(dst, src,
                             AscendC::DataCopyExtParams(static_cast<uint16_t>(cores), bytes, gap,
                                                        (pitch - RoundUp<BLOCK>(elements)) / BLOCK, 0),
                             AscendC::DataCopyPadExtParams<float>(false, 0, 0, 0.0f));
    }

    // Turns the pieces' LSE into weights, and lse into that of the task.
    __aicore__ inline void Weights(const AscendC::LocalTensor<float>& lse, int32_t pieces, int32_t rows) {
        const auto sum = ub_.Temporary(1), maximum = ub_.Temporary(2), &weights = ub_.tree;
        const uint64_t lanes = static_cast<uint64_t>(rows);
        const uint8_t repeats = static_cast<uint8_t>(pieces), next = Ub::ROWS / BLOCK;
        const AscendC::BinaryRepeatParams fold(1, 1, 1, 0, next, 0), byRow(1, 1, 1, next, next, 0);
        AscendC::Duplicate(maximum, tile::kHidden, rows);
        AscendC::Duplicate(sum, 0.0f, rows);
        tile::VectorBarrier();
        AscendC::Max(maximum, weights, maximum, lanes, repeats, fold);
        tile::VectorBarrier();
        AscendC::Sub(weights, weights, maximum, lanes, repeats, byRow);
        tile::VectorBarrier();
        AscendC::Exp(weights, weights, lanes, repeats, AscendC::UnaryRepeatParams(1, 1, next, next));
        tile::VectorBarrier();
        AscendC::Add(sum, weights, sum, lanes, repeats, fold);
        tile::VectorBarrier();
        AscendC::Div(weights, weights, sum, lanes, repeats, byRow);
        AscendC::Ln(lse, sum, rows);
        // Brcb reads eight rows at a time.
        const uint32_t end = static_cast<uint32_t>(rows), padded = RoundUp<8>(end);
        const tile::RowTile table{weights, static_cast<uint32_t>(pieces), Ub::ROWS, Ub::ROWS};
        if (end < padded) tile::FillColumns(table, 0, table.rows, end, padded, 0.0f);
        tile::VectorBarrier();
        AscendC::Add(lse, lse, maximum, rows);
        tile::VectorBarrier();
    }

    // output = sum of the pieces' rows times their weights.
    __aicore__ inline void AddPieces(int32_t pieces, const DecodeRows& rows) {
        const uint32_t count = static_cast<uint32_t>(rows.size()), elements = count * pitch_;
        const uint32_t blocks = RoundUp<8>(count) * BLOCK;  // `part` holds the weights of every piece
        for (int32_t i = 0; i < pieces; ++i) {
            tile::BroadcastToBlocks(ub_.part[i * blocks], ub_.tree[i * Ub::ROWS], count);
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
        tile::ScaleTile(Output(rows), tile::RowTile{ub_.scores, count, pitch_, pitch_}, 1.0f);
        tile::VectorBarrier();
    }

    static constexpr uint32_t BLOCK = 8;  // floats
    static constexpr int64_t PARTIAL_LSE = Workspace::kPartialOutput / static_cast<int64_t>(sizeof(float));

    Ub& ub_;
    const Problem& problem_;
    const Plan& plan_;
    const kernel::DecodePartition& partition_;
    const uint32_t dim_, pitch_;
    GM_ADDR workspace_;
    const uint64_t workspaceBytes_;
    const int32_t core_;
    AscendC::GlobalTensor<float> gmO_;
};

}  // namespace flash_attn_npu::ascend::block
