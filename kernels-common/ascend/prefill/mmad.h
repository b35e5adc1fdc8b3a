// SPDX-License-Identifier: BSD-3-Clause
// The cube core's two products of the prefill kernel, tile by tile: scores S = q k^T, as half, and increments of the
// output O = P v, as float. Tiles of the two alternate, and share the stages of L0A and L0B.
#pragma once

#include "prefill/operands.h"
#include "tile/copy_l0c_to_gm.h"
#include "tile/copy_l1_to_l0.h"
#include "tile/tile_mmad.h"

namespace flash_attn_npu::ascend::prefill {

template <class ArchTag, class Element, class Shape>
class Mmad {
public:
    struct Flags {
        uint16_t scores, probabilities, output;  // cross-core: S of a sub-block, P, O are in the workspace
    };

    __aicore__ inline Mmad(arch::Resource<ArchTag>& resource, const AttentionArguments& a, Steps& steps,
                           __gm__ uint8_t* workspace, Flags flags)
        : workspace_(workspace),
          flags_(flags),
          steps_(steps),
          queries_(resource, a),
          keys_(resource, a, steps),
          operands_(resource, a, steps, workspace, flags.probabilities) {
        for (uint32_t i = 0; i < Shape::kL0Stages; ++i) {
            l0a_[i] = resource.l0ABuf.template GetBufferByByte<Element>(i * Shape::kL0AStage * 2);
            l0b_[i] = resource.l0BBuf.template GetBufferByByte<Element>(i * Shape::kL0BStage * 2);
        }
        for (uint32_t i = 0; i < 2; ++i) {
            l0c_scores_[i] = resource.l0CBuf.template GetBufferByByte<float>(i * Shape::kSTile * 4);
        }
        for (uint32_t i = 0; i < Shape::kOTiles; ++i) {
            l0c_output_[i] = resource.l0CBuf.template GetBufferByByte<float>((Shape::kOAt + i * Shape::kOTile) * 4);
        }
    }

    /// Before step 0.
    __aicore__ inline void Begin() {
        LoadQueries(0, 0, Shape::kSubBlocks);
        keys_.LoadAhead(0);
    }

    __aicore__ inline static int32_t ScoreTiles(const Step& step) { return step.Tiles() * step.SubBlocks(); }
    __aicore__ inline static int32_t OutputTiles(const Step& step) {
        return step.Tiles() * step.SubBlocks() * static_cast<int32_t>(Shape::kPasses);
    }

    /// Tile `item` of the scores of a step: a key tile meets all sub-blocks before the next.
    __aicore__ inline void Scores(const Step& step, int32_t item) {
        const int32_t subs = step.SubBlocks(), tile = item / subs, sub = item % subs;
        const bool first_use = step.first && tile == 0, last_tile = tile + 1 == step.Tiles();
        if (first_use) queries_.Begin(sub);
        MultiplyQK(step, sub, tile);
        if (step.last && last_tile) {
            queries_.End(sub);
            LoadQueries(step.number + 1, sub, sub + 1 == subs ? static_cast<int32_t>(Shape::kSubBlocks) : sub + 1);
        }
        // Not right after a tile's last use: the load would wait for it, and what is queued behind would wait too.
        if (sub == 0) keys_.LoadAhead(step.number + 1);
        if (last_tile) AscendC::CrossCoreSetFlag<2, PIPE_FIX>(flags_.scores);
    }

    /// Tile `item` of the output of a step: pass by pass, all tiles of a sub-block, then the next sub-block.
    __aicore__ inline void Output(const Step& step, int32_t item) {
        const int32_t tiles = step.Tiles(), subs = step.SubBlocks();
        const int32_t tile = item % tiles, sub = item / tiles % subs, pass = item / tiles / subs;
        const bool last_tile = tile + 1 == tiles;
        operands_.LoadAhead(step.number);
        // Value tiles of the next step come one for two tiles of this one, so that loads are spread evenly.
        if (item % 2 == 1) operands_.LoadOneValueTile(step.number + 1);
        MultiplyPV(step, sub, pass, tile);
        if (last_tile && pass + 1 == static_cast<int32_t>(Shape::kPasses)) {
            AscendC::CrossCoreSetFlag<2, PIPE_FIX>(flags_.output);
        }
        if (last_tile && sub + 1 == subs) operands_.EndPass(step);
    }

    /// A step without keys: nothing to multiply.
    __aicore__ inline void Skip(const Step& step) {
        LoadQueries(step.number + 1, 0, Shape::kSubBlocks);
        keys_.LoadAhead(step.number + 1);
    }

    /// Between steps: what the output of step `number` needs first.
    __aicore__ inline void LoadOutputOperands(int32_t number) { operands_.LoadAhead(number); }

private:
    // Mmad and Fixpipe hand over L0C tiles by the unit flag.
    static constexpr uint8_t kUnitCheck = 2, kUnitLast = 3;
    static constexpr int32_t kNoKeys = -1;

    /// Queries of sub-blocks [sub, sub_end) of step `number`, which begins a task.
    __aicore__ inline void LoadQueries(int32_t number, int32_t sub, int32_t sub_end) {
        const Step* step = steps_.At(number);
        for (; step != nullptr && sub < min_of(sub_end, step->SubBlocks()); ++sub) queries_.Load(*step, sub);
    }

    /// S tile of 128 rows x 128 keys as two of 64 rows, so that one leaves L0C while the other is made.
    __aicore__ inline void MultiplyQK(const Step& step, int32_t sub, int32_t tile) {
        constexpr uint32_t kDepth = Shape::kScoreDepth;
        const uint32_t rows = RoundUp<Shape::kStripRows>(step.Rows(sub));
        const uint32_t keys = RoundUp<Shape::kPanel>(step.TileKeys(tile).size());
        if (sub == 0) {
            key_tile_ = keys_.Begin();
            for (uint32_t i = 0; i < Shape::kL0Stages; ++i) keys_in_[i] = kNoKeys;
        }
        for (uint32_t feature = 0; feature < Shape::kHeadDim; feature += kDepth) {
            const bool last = feature + kDepth == Shape::kHeadDim;
            const uint32_t fill = l0_ring_.BeginFill();
            CopyPanelsToL0A(l0a_[fill], queries_.Tile(sub)[feature * Shape::kRows], layout::zN{Shape::kRows}, rows,
                            kDepth);
            // The next sub-block may find the keys where the one before it left them.
            const bool there = keys_in_[fill] == static_cast<int32_t>(feature);
            if (!there) tile::CopyFractals(l0b_[fill], key_tile_[feature * keys], keys * kDepth / Shape::kFractal);
            keys_in_[fill] = static_cast<int32_t>(feature);
            if (last && sub + 1 == step.SubBlocks()) keys_.End();
            l0_ring_.EndFill();
            const uint32_t use = l0_ring_.BeginUse();
            for (uint32_t row = 0, half = 0; row < rows; row += Shape::kHalfRows, ++half) {
                const uint32_t half_rows = Min(Shape::kHalfRows, rows - row);
                Multiply(l0c_scores_[half], l0a_[use][row * kDepth], l0b_[use], half_rows, keys, kDepth, feature == 0,
                         last);
                if (last) StoreScores(step, sub, tile, row, half_rows, keys, l0c_scores_[half]);
            }
            l0_ring_.EndUse();
        }
    }

    __aicore__ inline void MultiplyPV(const Step& step, int32_t sub, int32_t pass, int32_t tile) {
        constexpr uint32_t kDepth = Shape::kDepth;
        const uint32_t rows = RoundUp<Shape::kStripRows>(step.Rows(sub));
        const uint32_t keys = step.TileKeys(tile).size();
        const bool last_use = sub + 1 == step.SubBlocks();
        const bool last_tile = tile + 1 == step.Tiles();
        const AscendC::LocalTensor<Element> p = operands_.BeginProbabilities();
        const AscendC::LocalTensor<Element> v = operands_.Values(tile);
        const AscendC::LocalTensor<float> o = l0c_output_[output_tile_];
        for (uint32_t key = 0; key < keys; key += kDepth) {
            const bool last = key + kDepth >= keys;
            const uint32_t depth = Min(kDepth, keys - key);
            const uint32_t fill = l0_ring_.BeginFill();
            tile::CopyFractals(l0a_[fill], p[key * rows], rows * RoundUp<Shape::kPanel>(depth) / Shape::kFractal);
            keys_in_[fill] = kNoKeys;
            copy_l1_to_l0b_(l0b_[fill], v[key * Shape::kPanel], layout::zN{Shape::kKeyTile}, depth, Shape::kOutCols);
            if (last) operands_.End(tile, last_use);
            l0_ring_.EndFill();
            const uint32_t use = l0_ring_.BeginUse();
            Multiply(o, l0a_[use], l0b_[use], rows, Shape::kOutCols, depth, tile == 0 && key == 0, last_tile && last);
            l0_ring_.EndUse();
        }
        if (last_tile) {
            StoreOutput(step, sub, pass, rows, o);
            output_tile_ = (output_tile_ + 1) % Shape::kOTiles;
        }
    }

    __aicore__ inline void Multiply(const AscendC::LocalTensor<float>& c, const AscendC::LocalTensor<Element>& a,
                                    const AscendC::LocalTensor<Element>& b, uint32_t m, uint32_t n, uint32_t k,
                                    bool init, bool last) const {
        mmad_(c, a, b, m, n, k, init, last ? kUnitLast : kUnitCheck);
    }

    /// S of a sub-block: panels of 16 keys, each 128 rows x 16 (zN).
    __aicore__ inline void StoreScores(const Step& step, int32_t sub, int32_t tile, uint32_t row, uint32_t rows,
                                       uint32_t keys, const AscendC::LocalTensor<float>& src) const {
        AscendC::GlobalTensor<half> s;
        s.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(workspace_ + places_.s(step.Slot(), sub)));
        AscendC::FixpipeParamsV220 params;
        params.nSize = static_cast<uint16_t>(keys);
        params.mSize = static_cast<uint16_t>(rows);
        params.srcStride = static_cast<uint16_t>(rows);
        params.dstStride = Shape::kRows;
        params.ndNum = 1;
        params.quantPre = QuantMode_t::F322F16;
        params.unitFlag = kUnitLast;
        AscendC::Fixpipe<half, float, AscendC::CFG_NZ>(s[tile * Shape::kKeyTile * Shape::kRows + row * Shape::kPanel],
                                                       src, params);
    }

    /// O of a sub-block: 128 rows x HEAD_DIM_V, row-major.
    __aicore__ inline void StoreOutput(const Step& step, int32_t sub, int32_t pass, uint32_t rows,
                                       const AscendC::LocalTensor<float>& src) const {
        AscendC::GlobalTensor<float> o;
        o.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(workspace_ + places_.o(step.Slot(), sub)));
        copy_l0c_to_gm_(o[pass * Shape::kOutCols], src, layout::RowMajor{rows, Shape::kOutCols, Shape::kHeadDimV}, rows,
                        kUnitLast);
    }

    __gm__ uint8_t* workspace_;
    const Flags flags_;
    Steps& steps_;
    Queries<ArchTag, Element, Shape> queries_;
    Keys<ArchTag, Element, Shape> keys_;
    OutputOperands<ArchTag, Element, Shape> operands_;
    const PrefillWorkspace places_{Shape::kHeadDimV};
    AscendC::LocalTensor<Element> key_tile_;  // of the scores under way
    uint32_t output_tile_ = 0;
    AscendC::LocalTensor<Element> l0a_[Shape::kL0Stages], l0b_[Shape::kL0Stages];
    int32_t keys_in_[Shape::kL0Stages] = {};  // first feature of the key tile under way that an L0B stage holds
    AscendC::LocalTensor<float> l0c_scores_[2], l0c_output_[Shape::kOTiles];
    arch::BufferRing<AscendC::HardEvent::MTE1_M, AscendC::HardEvent::M_MTE1, Shape::kL0Stages> l0_ring_;
    tile::CopyL1ToL0B<ArchTag, Element> copy_l1_to_l0b_;
    tile::TileMmad<ArchTag, Element> mmad_;
    tile::CopyL0CToGm<ArchTag, float> copy_l0c_to_gm_;
};

}  // namespace flash_attn_npu::ascend::prefill
