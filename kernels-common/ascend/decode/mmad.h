// SPDX-License-Identifier: BSD-3-Clause
// The matmuls of decode: S = q k^T and O = P v for several kv heads, whose packed rows are one fractal of the cube
// each.
#pragma once
#include "decode/loader.h"
#include "tile/copy_l1_to_l0.h"
#include "tile/tile_mmad.h"

namespace flash_attn_npu::ascend::decode {

template <class ArchTag, class Element>
class Mmad {
public:
    __aicore__ inline Mmad(arch::Resource<ArchTag>& resource, const Forward& request, const DecodeShape& shape,
                           GM_ADDR workspace)
        : dim_(static_cast<uint32_t>(request.head_dim)), shape_(shape) {
        l0_q_ = resource.l0ABuf.template GetBufferByByte<Element>(0);
        l0c_output_ = resource.l0CBuf.template GetBufferByByte<float>(0);
        for (uint32_t i = 0; i < kStages; ++i) {
            l0_p_[i] = resource.l0ABuf.template GetBufferByByte<Element>(kQBytes + kPBytes * i);
            l0b_[i] = resource.l0BBuf.template GetBufferByByte<Element>(kHeadBytes * i);
            l0c_scores_[i] = resource.l0CBuf.template GetBufferByByte<float>(kOutputBytes + kScoresBytes * i);
        }
        gm_s_.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(workspace));
        gm_o_.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(workspace + DecodeWorkspace::kO));
    }

    /// q stays in L0A until the piece has met its last keys.
    __aicore__ inline void LoadQueries(const AscendC::LocalTensor<Element>& l1, const Tile& tile) {
        q_ring_.BeginFill();
        for (uint32_t head = 0; head < tile.heads; ++head) {
            copy_to_l0a_(l0_q_[head * QueryElements()], l1[head * QueryElements()], layout::zN{kRows}, kRows, dim_);
        }
        q_ring_.EndFill();
        q_ring_.BeginUse();
    }

    /// S of the tile's keys, all heads, to the workspace.
    __aicore__ inline void MultiplyK(const AscendC::LocalTensor<Element>& l1, const Tile& tile) {
        const uint32_t keys = RoundUp<16>(tile.keys);
        const auto& l0c = l0c_scores_[scores_ring_.BeginFill()];
        for (uint32_t head = 0; head < tile.heads; ++head) {
            const uint32_t l0 = l0_ring_.BeginFill();
            tile::CopyFractals(l0b_[l0], l1[head * keys * shape_.k_cols], keys * shape_.k_cols / kFractal);
            l0_ring_.EndFill();
            l0_ring_.BeginUse();
            tile_mmad_(l0c[head * kRows * keys], l0_q_[head * QueryElements()], l0b_[l0], kRows, tile.keys, dim_,
                       /*init_c=*/true, /*unit_flag=*/0);
            l0_ring_.EndUse();
        }
        scores_ring_.EndFill();
        if (tile.last_of_piece) q_ring_.EndUse();

        scores_ring_.BeginUse();
        CopyHeadsL0CToGm(gm_s_[tile.slot * kSlotScores + tile.offset], l0c, static_cast<uint32_t>(shape_.pitch),
                         tile.heads, tile.head_rows, tile.keys);
        scores_ring_.EndUse();
    }

    /// O += P v over the tile's keys, all heads; after the last tile of a step O goes to the workspace.
    __aicore__ inline void MultiplyV(const AscendC::LocalTensor<Element>& l1, const AscendC::LocalTensor<Element>& l1_p,
                                     const Tile& tile) {
        const uint32_t keys = RoundUp<16>(tile.keys), cols = static_cast<uint32_t>(shape_.v_cols);
        if (tile.first) output_ring_.BeginFill();
        for (uint32_t head = 0; head < tile.heads; ++head) {
            const uint32_t l0 = l0_ring_.BeginFill();
            tile::CopyFractals(l0_p_[l0], l1_p[kRows * (head * tile.PCols() + tile.offset)], kRows * keys / kFractal);
            copy_values_to_l0b_(l0b_[l0], l1[head * keys * cols], layout::zN{keys}, tile.keys, cols);
            l0_ring_.EndFill();
            l0_ring_.BeginUse();
            tile_mmad_(l0c_output_[head * kRows * cols], l0_p_[l0], l0b_[l0], kRows, cols, tile.keys, tile.first,
                       /*unit_flag=*/0);
            l0_ring_.EndUse();
        }
        if (!tile.last) return;
        output_ring_.EndFill();
        output_ring_.BeginUse();
        CopyHeadsL0CToGm(gm_o_[tile.slot * kSlotOutput], l0c_output_, cols, tile.heads, tile.head_rows, cols);
        output_ring_.EndUse();
    }

private:
    using Shape = DecodeShape;
    using Event = AscendC::HardEvent;
    static constexpr uint32_t kStages = 2;
    static constexpr uint32_t kRows = Shape::kRows;
    static constexpr uint32_t kFractal = ArchTag::kBytesPerFractal / sizeof(Element);  // elements
    static constexpr uint32_t kQBytes = kRows * Shape::kTaskColumns * sizeof(Element);
    static constexpr uint32_t kPBytes = kRows * Shape::kTileScores * sizeof(Element);  // of one head
    static constexpr uint32_t kHeadBytes = Shape::kHeadElements * sizeof(Element);
    static constexpr uint32_t kOutputBytes = kRows * Shape::kTaskColumns * sizeof(float);
    static constexpr uint32_t kScoresBytes = kRows * Shape::kTileScores * sizeof(float);
    static_assert(kQBytes + kStages * kPBytes <= ArchTag::kL0ABytes, "L0A overflows");
    static_assert(kStages * kHeadBytes <= ArchTag::kL0BBytes, "L0B overflows");
    static_assert(kOutputBytes + kStages * kScoresBytes <= ArchTag::kL0CBytes, "L0C overflows");
    static constexpr uint32_t kSlotScores = Shape::kStepScores * kRows;
    static constexpr uint32_t kSlotOutput = Shape::kTaskColumns * kRows;

    __aicore__ inline uint32_t QueryElements() const { return kRows * static_cast<uint32_t>(shape_.k_cols); }

    const uint32_t dim_;
    const Shape& shape_;
    AscendC::LocalTensor<Element> l0_q_, l0_p_[kStages], l0b_[kStages];
    AscendC::LocalTensor<float> l0c_output_, l0c_scores_[kStages];
    AscendC::GlobalTensor<float> gm_s_, gm_o_;
    arch::BufferRing<Event::MTE1_M, Event::M_MTE1, kStages> l0_ring_;  // L0B, and L0A's share of P
    arch::BufferRing<Event::MTE1_M, Event::M_MTE1, 1, kStages> q_ring_;
    arch::BufferRing<Event::M_FIX, Event::FIX_M, kStages> scores_ring_;
    arch::BufferRing<Event::M_FIX, Event::FIX_M, 1, kStages> output_ring_;
    tile::CopyL1ToL0A<ArchTag, Element> copy_to_l0a_;
    tile::CopyL1ToL0B<ArchTag, Element> copy_values_to_l0b_;
    tile::TileMmad<ArchTag, Element> tile_mmad_;
};

}  // namespace flash_attn_npu::ascend::decode
