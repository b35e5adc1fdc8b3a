// SPDX-License-Identifier: BSD-3-Clause
// The matmuls of decode: S = q k^T and O = P v for several kv heads, whose packed rows are one fractal of the cube
// each.
#pragma once
#include "decode/loader.h"
#include "tile/copy_l1_to_l0.h"
#include "tile/tile_mmad.h"

namespace flash_attn_npu::ascend::decode {

template <class ArchTag, class Element>
class DecodeMmad {
public:
    __aicore__ inline DecodeMmad(arch::Resource<ArchTag>& resource, const Forward& request, const DecodeShape& shape,
                                 GM_ADDR workspace)
        : dim_(static_cast<uint32_t>(request.head_dim)), shape_(shape) {
        l0Q_ = resource.l0ABuf.template GetBufferByByte<Element>(0);
        l0COutput_ = resource.l0CBuf.template GetBufferByByte<float>(0);
        for (uint32_t i = 0; i < STAGES; ++i) {
            l0P_[i] = resource.l0ABuf.template GetBufferByByte<Element>(Q_BYTES + P_BYTES * i);
            l0B_[i] = resource.l0BBuf.template GetBufferByByte<Element>(HEAD_BYTES * i);
            l0CScores_[i] = resource.l0CBuf.template GetBufferByByte<float>(OUTPUT_BYTES + SCORES_BYTES * i);
        }
        gmS_.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(workspace));
        gmO_.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(workspace + DecodeWorkspace::kO));
    }

    /// q stays in L0A until the piece has met its last keys.
    __aicore__ inline void LoadQueries(const AscendC::LocalTensor<Element>& l1, const DecodeTile& tile) {
        qRing_.BeginFill();
        for (uint32_t head = 0; head < tile.heads; ++head) {
            copyToL0A_(l0Q_[head * QueryElements()], l1[head * QueryElements()], layout::zN{ROWS}, ROWS, dim_);
        }
        qRing_.EndFill();
        qRing_.BeginUse();
    }

    /// S of the tile's keys, all heads, to the workspace.
    __aicore__ inline void MultiplyK(const AscendC::LocalTensor<Element>& l1, const DecodeTile& tile) {
        const uint32_t keys = RoundUp<16>(tile.keys);
        const auto& l0C = l0CScores_[scoresRing_.BeginFill()];
        for (uint32_t head = 0; head < tile.heads; ++head) {
            const uint32_t l0 = l0Ring_.BeginFill();
            tile::CopyFractals(l0B_[l0], l1[head * keys * shape_.k_cols], keys * shape_.k_cols / FRACTAL);
            l0Ring_.EndFill();
            l0Ring_.BeginUse();
            tileMmad_(l0C[head * ROWS * keys], l0Q_[head * QueryElements()], l0B_[l0], ROWS, tile.keys, dim_,
                      /*initC=*/true, /*unitFlag=*/0);
            l0Ring_.EndUse();
        }
        scoresRing_.EndFill();
        if (tile.last_of_piece) qRing_.EndUse();

        scoresRing_.BeginUse();
        CopyHeadsL0CToGm(gmS_[tile.slot * SLOT_SCORES + tile.offset], l0C, static_cast<uint32_t>(shape_.pitch),
                         tile.heads, tile.head_rows, tile.keys);
        scoresRing_.EndUse();
    }

    /// O += P v over the tile's keys, all heads; after the last tile of a step O goes to the workspace.
    __aicore__ inline void MultiplyV(const AscendC::LocalTensor<Element>& l1, const AscendC::LocalTensor<Element>& l1P,
                                     const DecodeTile& tile) {
        const uint32_t keys = RoundUp<16>(tile.keys), cols = static_cast<uint32_t>(shape_.v_cols);
        if (tile.first) outputRing_.BeginFill();
        for (uint32_t head = 0; head < tile.heads; ++head) {
            const uint32_t l0 = l0Ring_.BeginFill();
            tile::CopyFractals(l0P_[l0], l1P[ROWS * (head * tile.PCols() + tile.offset)], ROWS * keys / FRACTAL);
            copyValuesToL0B_(l0B_[l0], l1[head * keys * cols], layout::zN{keys}, tile.keys, cols);
            l0Ring_.EndFill();
            l0Ring_.BeginUse();
            tileMmad_(l0COutput_[head * ROWS * cols], l0P_[l0], l0B_[l0], ROWS, cols, tile.keys, tile.first,
                      /*unitFlag=*/0);
            l0Ring_.EndUse();
        }
        if (!tile.last) return;
        outputRing_.EndFill();
        outputRing_.BeginUse();
        CopyHeadsL0CToGm(gmO_[tile.slot * SLOT_OUTPUT], l0COutput_, cols, tile.heads, tile.head_rows, cols);
        outputRing_.EndUse();
    }

private:
    using Shape = DecodeShape;
    using Event = AscendC::HardEvent;
    static constexpr uint32_t STAGES = 2;
    static constexpr uint32_t ROWS = Shape::kRows;
    static constexpr uint32_t FRACTAL = ArchTag::BYTE_PER_FRACTAL / sizeof(Element);  // elements
    static constexpr uint32_t Q_BYTES = ROWS * Shape::kTaskColumns * sizeof(Element);
    static constexpr uint32_t P_BYTES = ROWS * Shape::kTileScores * sizeof(Element);  // of one head
    static constexpr uint32_t HEAD_BYTES = Shape::kHeadElements * sizeof(Element);
    static constexpr uint32_t OUTPUT_BYTES = ROWS * Shape::kTaskColumns * sizeof(float);
    static constexpr uint32_t SCORES_BYTES = ROWS * Shape::kTileScores * sizeof(float);
    static_assert(Q_BYTES + STAGES * P_BYTES <= ArchTag::L0A_SIZE, "L0A overflows");
    static_assert(STAGES * HEAD_BYTES <= ArchTag::L0B_SIZE, "L0B overflows");
    static_assert(OUTPUT_BYTES + STAGES * SCORES_BYTES <= ArchTag::L0C_SIZE, "L0C overflows");
    static constexpr uint32_t SLOT_SCORES = Shape::kStepScores * ROWS;
    static constexpr uint32_t SLOT_OUTPUT = Shape::kTaskColumns * ROWS;

    __aicore__ inline uint32_t QueryElements() const { return ROWS * static_cast<uint32_t>(shape_.k_cols); }

    const uint32_t dim_;
    const Shape& shape_;
    AscendC::LocalTensor<Element> l0Q_, l0P_[STAGES], l0B_[STAGES];
    AscendC::LocalTensor<float> l0COutput_, l0CScores_[STAGES];
    AscendC::GlobalTensor<float> gmS_, gmO_;
    arch::BufferRing<Event::MTE1_M, Event::M_MTE1, STAGES> l0Ring_;  // L0B, and L0A's share of P
    arch::BufferRing<Event::MTE1_M, Event::M_MTE1, 1, STAGES> qRing_;
    arch::BufferRing<Event::M_FIX, Event::FIX_M, STAGES> scoresRing_;
    arch::BufferRing<Event::M_FIX, Event::FIX_M, 1, STAGES> outputRing_;
    tile::CopyL1ToL0A<ArchTag, Element> copyToL0A_;
    tile::CopyL1ToL0B<ArchTag, Element> copyValuesToL0B_;
    tile::TileMmad<ArchTag, Element> tileMmad_;
};

}  // namespace flash_attn_npu::ascend::decode
