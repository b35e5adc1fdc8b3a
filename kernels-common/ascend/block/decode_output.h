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
        gmO_.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(CoreWorkspace(core) + kernel::DecodeWorkspace::kO));
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
            StoreForSharers(piece, rows, lse);
        } else if (plan_.num_splits > 1) {
            EmptyHiddenRows(piece, piece.keys, rows, lse, -kInfinity());
            StorePartial(piece, rows, lse);
        } else {
            StoreResult(piece, rows, lse);
        }
    }

    /// Merges the pieces of a shared task, for `rows`: out = sum of out_c * exp(lse_c - lse) over the cores c.
    __aicore__ inline void Merge(const kernel::DecodePiece& piece, const DecodeRows& rows) {
        if (rows.size() == 0) return;
        const auto lse = ub_.Temporary(0);
        const int32_t pieces = piece.last_core - piece.first_core + 1;
        LoadLse(piece, rows);
        ub_.scoresRing.BeginUse();
        Weights(lse, pieces, rows.size());
        for (int32_t i = 0; i < pieces; ++i) {
            AscendC::GlobalTensor<float> gm;
            gm.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(Shared(piece, piece.first_core + i)));
            LoadPart(gm[int64_t{rows.begin} * pitch_], rows);
            tile::BroadcastToBlocks(ub_.blocks, Weight(i), Part(rows).rows);
            ub_.partRing.BeginUse();
            tile::VectorBarrier();
            tile::MultiplyRows(Part(rows), ub_.blocks);
            tile::VectorBarrier();
            if (i == 0) {
                tile::ScaleTile(Output(rows), Part(rows), 1.0f);
            } else {
                tile::AddTile(Output(rows), Part(rows));
            }
            tile::VectorBarrier();
            ub_.partRing.EndUse();
        }
        ub_.scoresRing.EndUse();
        StoreResult(piece, rows, lse);
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
        if (step.keys.empty()) {
            AscendC::Duplicate(ub_.output, 0.0f, count * static_cast<int32_t>(pitch_));
        } else {
            tile::DivideRows(Output(rows), ub_.blocks);
        }
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
    __aicore__ inline void StoreResult(const kernel::DecodePiece& piece, const DecodeRows& rows,
                                       const AscendC::LocalTensor<float>& lse) {
        EmptyHiddenRows(piece, piece.task_keys, rows, lse, problem_.lse_of_masked_row);
        const int32_t head = piece.head_begin * plan_.group;
        const RowTensor& out = problem_.out;
        const auto staged = ub_.staging.template ReinterpretCast<Element>();
        ub_.stagingRing.BeginFill();
        tile::RoundTile(staged, pitch_, Output(rows));
        tile::BroadcastToBlocks(ub_.stagedLse, lse, Output(rows).rows);
        ub_.stagingRing.EndFill();
        ub_.stagingRing.BeginUse();
        CopyRows(reinterpret_cast<__gm__ Element*>(out.data) + out.offset(piece.s.n, piece.s.q_row, head),
                 out.stride_row, out.stride_head, staged, pitch_, dim_, piece, rows);
        if (problem_.lse != nullptr) {
            CopyRows(
                problem_.lse + piece.s.n * problem_.lse_stride_batch + head * problem_.lse_stride_head + piece.s.q_row,
                1, problem_.lse_stride_head, ub_.stagedLse, BLOCK, 1, piece, rows);
        }
        ub_.stagingRing.EndUse();
    }

    __aicore__ inline void StorePartial(const kernel::DecodePiece& piece, const DecodeRows& rows,
                                        const AscendC::LocalTensor<float>& lse) {
        const PackedRow first{0, piece.head_begin * plan_.group};
        const int64_t row = plan_.accum_row(problem_, piece.s, piece.split, first);
        const int64_t heads = plan_.accum_row(problem_, piece.s, piece.split, PackedRow{0, first.head_q + 1}) - row;
        Stage(rows, lse);
        CopyRows(problem_.out_accum + row * dim_, dim_, heads * dim_, ub_.staging, pitch_, dim_, piece, rows);
        CopyRows(problem_.lse_accum + row, 1, heads, ub_.stagedLse, BLOCK, 1, piece, rows);
        ub_.stagingRing.EndUse();
    }

    __aicore__ inline void StoreForSharers(const kernel::DecodePiece& piece, const DecodeRows& rows,
                                           const AscendC::LocalTensor<float>& lse) {
        AscendC::GlobalTensor<float> gm;
        gm.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(Shared(piece, core_)));
        const uint32_t count = static_cast<uint32_t>(rows.size());
        Stage(rows, lse);
        AscendC::DataCopy(gm[int64_t{rows.begin} * pitch_], ub_.staging, count * pitch_);
        AscendC::DataCopyPad(gm[PARTIAL_LSE + rows.begin], ub_.stagedLse,
                             AscendC::DataCopyExtParams(static_cast<uint16_t>(count), sizeof(float), 0, 0, 0));
        ub_.stagingRing.EndUse();
    }

    // O and lse as they are, ready to be copied.
    __aicore__ inline void Stage(const DecodeRows& rows, const AscendC::LocalTensor<float>& lse) {
        const tile::RowTile output = Output(rows);
        ub_.stagingRing.BeginFill();
        tile::ScaleTile(tile::RowTile{ub_.staging, output.rows, output.cols, output.pitch}, output, 1.0f);
        tile::BroadcastToBlocks(ub_.stagedLse, lse, output.rows);
        ub_.stagingRing.EndFill();
        ub_.stagingRing.BeginUse();
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
    __aicore__ inline GM_ADDR Shared(const kernel::DecodePiece& piece, int32_t core) const {
        const bool later = partition_.Share(core) < piece.begin;
        return CoreWorkspace(core) + Workspace::kPartials + (later ? Workspace::kPartialBytes : 0);
    }

    // A row of `scores` per piece: first its LSE, then its weight.
    __aicore__ inline AscendC::LocalTensor<float> Weight(int32_t piece) const { return ub_.scores[piece * Ub::ROWS]; }

    __aicore__ inline void LoadLse(const kernel::DecodePiece& piece, const DecodeRows& rows) {
        ub_.scoresRing.BeginFill();
        for (int32_t core = piece.first_core; core <= piece.last_core; ++core) {
            AscendC::GlobalTensor<float> gm;
            gm.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(Shared(piece, core)));
            AscendC::DataCopyPad(Weight(core - piece.first_core), gm[PARTIAL_LSE + rows.begin],
                                 AscendC::DataCopyExtParams(1, rows.size() * sizeof(float), 0, 0, 0),
                                 AscendC::DataCopyPadExtParams<float>(false, 0, 0, 0.0f));
        }
        ub_.scoresRing.EndFill();
    }

    // Turns the pieces' LSE into weights, and lse into that of the task.
    __aicore__ inline void Weights(const AscendC::LocalTensor<float>& lse, int32_t pieces, int32_t rows) {
        const auto sum = ub_.Temporary(1), maximum = ub_.Temporary(2);
        const uint64_t lanes = static_cast<uint64_t>(rows);
        const uint8_t repeats = static_cast<uint8_t>(pieces), next = Ub::ROWS / 8;
        const AscendC::BinaryRepeatParams byRow(1, 1, 1, next, next, 0);
        AscendC::Duplicate(maximum, tile::kHidden, rows);
        AscendC::Duplicate(sum, 0.0f, rows);
        tile::VectorBarrier();
        for (int32_t i = 0; i < pieces; ++i) {
            AscendC::Max(maximum, maximum, Weight(i), rows);
            tile::VectorBarrier();
        }
        AscendC::Sub(ub_.scores, ub_.scores, maximum, lanes, repeats, byRow);
        tile::VectorBarrier();
        AscendC::Exp(ub_.scores, ub_.scores, lanes, repeats, AscendC::UnaryRepeatParams(1, 1, next, next));
        tile::VectorBarrier();
        for (int32_t i = 0; i < pieces; ++i) {
            AscendC::Add(sum, sum, Weight(i), rows);
            tile::VectorBarrier();
        }
        AscendC::Div(ub_.scores, ub_.scores, sum, lanes, repeats, byRow);
        AscendC::Ln(lse, sum, rows);
        // Brcb reads eight rows at a time.
        const uint32_t end = static_cast<uint32_t>(rows), padded = RoundUp<8>(end);
        const tile::RowTile weights{ub_.scores, static_cast<uint32_t>(pieces), Ub::ROWS, Ub::ROWS};
        if (end < padded) tile::FillColumns(weights, 0, weights.rows, end, padded, 0.0f);
        tile::VectorBarrier();
        AscendC::Add(lse, lse, maximum, rows);
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
