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
class PrefillMmad {
public:
    struct Flags {
        uint16_t scores, probabilities, output;  // cross-core: S of a sub-block, P, O are in the workspace
    };

    __aicore__ inline PrefillMmad(arch::Resource<ArchTag>& resource, const AttentionArguments& a, PrefillSteps& steps,
                                  __gm__ uint8_t* workspace, Flags flags)
        : workspace_(workspace),
          flags_(flags),
          steps_(steps),
          queries_(resource, a),
          keys_(resource, a, steps),
          operands_(resource, a, steps, workspace, flags.probabilities) {
        for (uint32_t i = 0; i < Shape::L0_STAGES; ++i) {
            l0A_[i] = resource.l0ABuf.template GetBufferByByte<Element>(i * Shape::L0A_STAGE * 2);
            l0B_[i] = resource.l0BBuf.template GetBufferByByte<Element>(i * Shape::L0B_STAGE * 2);
        }
        for (uint32_t i = 0; i < 2; ++i) {
            l0CScores_[i] = resource.l0CBuf.template GetBufferByByte<float>(i * Shape::S_TILE * 4);
        }
        for (uint32_t i = 0; i < Shape::O_TILES; ++i) {
            l0COutput_[i] = resource.l0CBuf.template GetBufferByByte<float>((Shape::O_AT + i * Shape::O_TILE) * 4);
        }
    }

    /// Before step 0.
    __aicore__ inline void Begin() {
        LoadQueries(0, 0, Shape::SUB_BLOCKS);
        keys_.LoadAhead(0);
    }

    __aicore__ inline static int32_t ScoreTiles(const PrefillStep& step) { return step.Tiles() * step.SubBlocks(); }
    __aicore__ inline static int32_t OutputTiles(const PrefillStep& step) {
        return step.Tiles() * step.SubBlocks() * static_cast<int32_t>(Shape::PASSES);
    }

    /// Tile `item` of the scores of a step: a key tile meets all sub-blocks before the next.
    __aicore__ inline void Scores(const PrefillStep& step, int32_t item) {
        const int32_t subs = step.SubBlocks(), tile = item / subs, sub = item % subs;
        const bool firstUse = step.first && tile == 0, lastTile = tile + 1 == step.Tiles();
        if (firstUse) queries_.Begin(sub);
        MultiplyQK(step, sub, tile);
        if (step.last && lastTile) {
            queries_.End(sub);
            LoadQueries(step.number + 1, sub, sub + 1 == subs ? static_cast<int32_t>(Shape::SUB_BLOCKS) : sub + 1);
        }
        // Not right after a tile's last use: the load would wait for it, and what is queued behind would wait too.
        if (sub == 0) keys_.LoadAhead(step.number + 1);
        if (lastTile) AscendC::CrossCoreSetFlag<2, PIPE_FIX>(flags_.scores);
    }

    /// Tile `item` of the output of a step: pass by pass, all tiles of a sub-block, then the next sub-block.
    __aicore__ inline void Output(const PrefillStep& step, int32_t item) {
        const int32_t tiles = step.Tiles(), subs = step.SubBlocks();
        const int32_t tile = item % tiles, sub = item / tiles % subs, pass = item / tiles / subs;
        const bool lastTile = tile + 1 == tiles;
        operands_.LoadAhead(step.number);
        // Value tiles of the next step come one for two tiles of this one, so that loads are spread evenly.
        if (item % 2 == 1) operands_.LoadOneValueTile(step.number + 1);
        MultiplyPV(step, sub, pass, tile);
        if (lastTile && pass + 1 == static_cast<int32_t>(Shape::PASSES)) {
            AscendC::CrossCoreSetFlag<2, PIPE_FIX>(flags_.output);
        }
        if (lastTile && sub + 1 == subs) operands_.EndPass(step);
    }

    /// A step without keys: nothing to multiply.
    __aicore__ inline void Skip(const PrefillStep& step) {
        LoadQueries(step.number + 1, 0, Shape::SUB_BLOCKS);
        keys_.LoadAhead(step.number + 1);
    }

    /// Between steps: what the output of step `number` needs first.
    __aicore__ inline void LoadOutputOperands(int32_t number) { operands_.LoadAhead(number); }

private:
    // Mmad and Fixpipe hand over L0C tiles by the unit flag.
    static constexpr uint8_t UNIT_CHECK = 2, UNIT_LAST = 3;
    static constexpr int32_t NO_KEYS = -1;

    /// Queries of sub-blocks [sub, subEnd) of step `number`, which begins a task.
    __aicore__ inline void LoadQueries(int32_t number, int32_t sub, int32_t subEnd) {
        const PrefillStep* step = steps_.At(number);
        for (; step != nullptr && sub < min_of(subEnd, step->SubBlocks()); ++sub) queries_.Load(*step, sub);
    }

    /// S tile of 128 rows x 128 keys as two of 64 rows, so that one leaves L0C while the other is made.
    __aicore__ inline void MultiplyQK(const PrefillStep& step, int32_t sub, int32_t tile) {
        constexpr uint32_t DEPTH = Shape::SCORE_DEPTH;
        const uint32_t rows = RoundUp<Shape::STRIP_ROWS>(step.Rows(sub));
        const uint32_t keys = RoundUp<Shape::PANEL>(step.TileKeys(tile).size());
        if (sub == 0) {
            keyTile_ = keys_.Begin();
            for (uint32_t i = 0; i < Shape::L0_STAGES; ++i) keysIn_[i] = NO_KEYS;
        }
        for (uint32_t feature = 0; feature < Shape::HEAD_DIM; feature += DEPTH) {
            const bool last = feature + DEPTH == Shape::HEAD_DIM;
            const uint32_t fill = l0Ring_.BeginFill();
            CopyPanelsToL0A(l0A_[fill], queries_.Tile(sub)[feature * Shape::ROWS], layout::zN{Shape::ROWS}, rows,
                            DEPTH);
            // The next sub-block may find the keys where the one before it left them.
            const bool there = keysIn_[fill] == static_cast<int32_t>(feature);
            if (!there) tile::CopyFractals(l0B_[fill], keyTile_[feature * keys], keys * DEPTH / Shape::FRACTAL);
            keysIn_[fill] = static_cast<int32_t>(feature);
            if (last && sub + 1 == step.SubBlocks()) keys_.End();
            l0Ring_.EndFill();
            const uint32_t use = l0Ring_.BeginUse();
            for (uint32_t row = 0, half = 0; row < rows; row += Shape::HALF_ROWS, ++half) {
                const uint32_t halfRows = Min(Shape::HALF_ROWS, rows - row);
                Multiply(l0CScores_[half], l0A_[use][row * DEPTH], l0B_[use], halfRows, keys, DEPTH, feature == 0,
                         last);
                if (last) StoreScores(step, sub, tile, row, halfRows, keys, l0CScores_[half]);
            }
            l0Ring_.EndUse();
        }
    }

    __aicore__ inline void MultiplyPV(const PrefillStep& step, int32_t sub, int32_t pass, int32_t tile) {
        constexpr uint32_t DEPTH = Shape::DEPTH;
        const uint32_t rows = RoundUp<Shape::STRIP_ROWS>(step.Rows(sub));
        const uint32_t keys = step.TileKeys(tile).size();
        const bool lastUse = sub + 1 == step.SubBlocks();
        const bool lastTile = tile + 1 == step.Tiles();
        const AscendC::LocalTensor<Element> p = operands_.BeginProbabilities();
        const AscendC::LocalTensor<Element> v = operands_.Values(tile);
        const AscendC::LocalTensor<float> o = l0COutput_[outputTile_];
        for (uint32_t key = 0; key < keys; key += DEPTH) {
            const bool last = key + DEPTH >= keys;
            const uint32_t depth = Min(DEPTH, keys - key);
            const uint32_t fill = l0Ring_.BeginFill();
            tile::CopyFractals(l0A_[fill], p[key * rows], rows * RoundUp<Shape::PANEL>(depth) / Shape::FRACTAL);
            keysIn_[fill] = NO_KEYS;
            copyL1ToL0B_(l0B_[fill], v[key * Shape::PANEL], layout::zN{Shape::KEY_TILE}, depth, Shape::OUT_COLS);
            if (last) operands_.End(tile, lastUse);
            l0Ring_.EndFill();
            const uint32_t use = l0Ring_.BeginUse();
            Multiply(o, l0A_[use], l0B_[use], rows, Shape::OUT_COLS, depth, tile == 0 && key == 0, lastTile && last);
            l0Ring_.EndUse();
        }
        if (lastTile) {
            StoreOutput(step, sub, pass, rows, o);
            outputTile_ = (outputTile_ + 1) % Shape::O_TILES;
        }
    }

    __aicore__ inline void Multiply(const AscendC::LocalTensor<float>& c, const AscendC::LocalTensor<Element>& a,
                                    const AscendC::LocalTensor<Element>& b, uint32_t m, uint32_t n, uint32_t k,
                                    bool init, bool last) const {
        mmad_(c, a, b, m, n, k, init, last ? UNIT_LAST : UNIT_CHECK);
    }

    /// S of a sub-block: panels of 16 keys, each 128 rows x 16 (zN).
    __aicore__ inline void StoreScores(const PrefillStep& step, int32_t sub, int32_t tile, uint32_t row, uint32_t rows,
                                       uint32_t keys, const AscendC::LocalTensor<float>& src) const {
        AscendC::GlobalTensor<half> s;
        s.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(workspace_ + places_.s(step.Slot(), sub)));
        AscendC::FixpipeParamsV220 params;
        params.nSize = static_cast<uint16_t>(keys);
        params.mSize = static_cast<uint16_t>(rows);
        params.srcStride = static_cast<uint16_t>(rows);
        params.dstStride = Shape::ROWS;
        params.ndNum = 1;
        params.quantPre = QuantMode_t::F322F16;
        params.unitFlag = UNIT_LAST;
        AscendC::Fixpipe<half, float, AscendC::CFG_NZ>(s[tile * Shape::KEY_TILE * Shape::ROWS + row * Shape::PANEL],
                                                       src, params);
    }

    /// O of a sub-block: 128 rows x HEAD_DIM_V, row-major.
    __aicore__ inline void StoreOutput(const PrefillStep& step, int32_t sub, int32_t pass, uint32_t rows,
                                       const AscendC::LocalTensor<float>& src) const {
        AscendC::GlobalTensor<float> o;
        o.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(workspace_ + places_.o(step.Slot(), sub)));
        copyL0CToGm_(o[pass * Shape::OUT_COLS], src, layout::RowMajor{rows, Shape::OUT_COLS, Shape::HEAD_DIM_V}, rows,
                     UNIT_LAST);
    }

    __gm__ uint8_t* workspace_;
    const Flags flags_;
    PrefillSteps& steps_;
    PrefillQueries<ArchTag, Element, Shape> queries_;
    PrefillKeys<ArchTag, Element, Shape> keys_;
    PrefillOutputOperands<ArchTag, Element, Shape> operands_;
    const PrefillWorkspace places_{Shape::HEAD_DIM_V};
    AscendC::LocalTensor<Element> keyTile_;  // of the scores under way
    uint32_t outputTile_ = 0;
    AscendC::LocalTensor<Element> l0A_[Shape::L0_STAGES], l0B_[Shape::L0_STAGES];
    int32_t keysIn_[Shape::L0_STAGES] = {};  // first feature of the key tile under way that an L0B stage holds
    AscendC::LocalTensor<float> l0CScores_[2], l0COutput_[Shape::O_TILES];
    arch::BufferRing<AscendC::HardEvent::MTE1_M, AscendC::HardEvent::M_MTE1, Shape::L0_STAGES> l0Ring_;
    tile::CopyL1ToL0B<ArchTag, Element> copyL1ToL0B_;
    tile::TileMmad<ArchTag, Element> mmad_;
    tile::CopyL0CToGm<ArchTag, float> copyL0CToGm_;
};

}  // namespace flash_attn_npu::ascend::prefill
