// SPDX-License-Identifier: BSD-3-Clause
// Block matmul: two buffers each in L1, L0A and L0B; the next L1 tile is loaded while the current one is multiplied,
// also across output tiles. Cube and Fixpipe hand over L0C tiles by the unit flag.
#pragma once
#include "tile/copy_gm_to_l1.h"
#include "tile/copy_l0c_to_gm.h"
#include "tile/copy_l1_to_l0.h"
#include "tile/tile_mmad.h"

namespace flash_attn_npu::ascend::matmul {

template <class ArchTag, class L1TileShape, class L0TileShape, class Element, class ElementC>
class BlockMmadPingpong {
public:
    static constexpr uint32_t kStages = 2;
    static constexpr uint32_t kL1ABytes = L1TileShape::M * L1TileShape::K * sizeof(Element);
    static constexpr uint32_t kL1BBytes = L1TileShape::N * L1TileShape::K * sizeof(Element);
    static constexpr uint32_t kL0ABytes = ArchTag::kL0ABytes / kStages;
    static constexpr uint32_t kL0BBytes = ArchTag::kL0BBytes / kStages;
    static_assert(kStages * (kL1ABytes + kL1BBytes) <= ArchTag::kL1Bytes, "the L1 tiles do not fit");
    static_assert(L0TileShape::M * L0TileShape::K * sizeof(Element) <= kL0ABytes, "the L0A tile does not fit");
    static_assert(L0TileShape::N * L0TileShape::K * sizeof(Element) <= kL0BBytes, "the L0B tile does not fit");
    static_assert(L1TileShape::M * L1TileShape::N * sizeof(float) <= ArchTag::kL0CBytes, "the L0C tile does not fit");
    static_assert(L1TileShape::M == L0TileShape::M && L1TileShape::N == L0TileShape::N,
                  "L1 and L0 tiles share M and N");

    /// A tile of the output and where its operands start.
    struct Tile {
        AscendC::GlobalTensor<Element> gmA, gmB;
        AscendC::GlobalTensor<ElementC> gmC;
        layout::RowMajor layoutA, layoutB, layoutC;
        GemmCoord shape;
    };

    __aicore__ inline explicit BlockMmadPingpong(arch::Resource<ArchTag>& resource) {
        for (uint32_t i = 0; i < kStages; ++i) {
            l1A_[i] = resource.l1Buf.template GetBufferByByte<Element>(kL1ABytes * i);
            l1B_[i] = resource.l1Buf.template GetBufferByByte<Element>(kL1ABytes * kStages + kL1BBytes * i);
            l0A_[i] = resource.l0ABuf.template GetBufferByByte<Element>(kL0ABytes * i);
            l0B_[i] = resource.l0BBuf.template GetBufferByByte<Element>(kL0BBytes * i);
            AscendC::SetFlag<AscendC::HardEvent::MTE1_MTE2>(i);
            AscendC::SetFlag<AscendC::HardEvent::M_MTE1>(i);
        }
        l0C_ = resource.l0CBuf.template GetBufferByByte<float>(0);
    }

    __aicore__ inline ~BlockMmadPingpong() {
        for (uint32_t i = 0; i < kStages; ++i) {
            AscendC::WaitFlag<AscendC::HardEvent::MTE1_MTE2>(i);
            AscendC::WaitFlag<AscendC::HardEvent::M_MTE1>(i);
        }
    }

    /// Loads the first K step of a tile; call once before the first Multiply.
    __aicore__ inline void Preload(const Tile& tile) { LoadStep(tile, 0, loadStage_); }

    /// Multiplies `tile`, whose first step is loaded, and loads the first step of `next` (if any) on the way.
    __aicore__ inline void Multiply(const Tile& tile, const Tile* next) {
        const uint32_t steps = CeilDiv<L1TileShape::K>(tile.shape.k);
        for (uint32_t step = 0; step < steps; ++step) {
            const uint32_t stage = loadStage_;
            loadStage_ = (loadStage_ + 1) % kStages;
            if (step + 1 < steps) {
                LoadStep(tile, step + 1, loadStage_);
            } else if (next != nullptr) {
                LoadStep(*next, 0, loadStage_);
            }
            MultiplyStep(tile, step, step + 1 == steps, stage);
        }
        copyL0CToGm_(tile.gmC, l0C_, tile.layoutC, RoundUp<16>(tile.shape.m), kUnitLast);
    }

private:
    static constexpr uint8_t kUnitCheck = 2, kUnitLast = 3;

    __aicore__ inline void LoadStep(const Tile& tile, uint32_t step, uint32_t stage) {
        const uint32_t k0 = step * L1TileShape::K;
        const uint32_t k = Min(L1TileShape::K, tile.shape.k - k0);
        AscendC::WaitFlag<AscendC::HardEvent::MTE1_MTE2>(stage);
        copyGmToL1_(l1A_[stage], tile.gmA[tile.layoutA.GetOffset(0, k0)], layout::zN{L1TileShape::M},
                    tile.layoutA.GetTileLayout(tile.shape.m, k));
        copyGmToL1_(l1B_[stage], tile.gmB[tile.layoutB.GetOffset(k0, 0)], layout::zN{L1TileShape::K},
                    tile.layoutB.GetTileLayout(k, tile.shape.n));
        AscendC::SetFlag<AscendC::HardEvent::MTE2_MTE1>(stage);
    }

    __aicore__ inline void MultiplyStep(const Tile& tile, uint32_t step, bool lastStep, uint32_t stage) {
        const uint32_t k = Min(L1TileShape::K, tile.shape.k - step * L1TileShape::K);
        const uint32_t parts = CeilDiv<L0TileShape::K>(k);
        AscendC::WaitFlag<AscendC::HardEvent::MTE2_MTE1>(stage);
        for (uint32_t part = 0; part < parts; ++part) {
            const uint32_t k0 = part * L0TileShape::K;
            const uint32_t kPart = Min(L0TileShape::K, k - k0);
            AscendC::WaitFlag<AscendC::HardEvent::M_MTE1>(l0Stage_);
            copyL1ToL0A_(l0A_[l0Stage_], l1A_[stage][layout::zN{L1TileShape::M}.template GetOffset<Element>(0, k0)],
                         layout::zN{L1TileShape::M}, tile.shape.m, kPart);
            copyL1ToL0B_(l0B_[l0Stage_], l1B_[stage][layout::zN{L1TileShape::K}.template GetOffset<Element>(k0, 0)],
                         layout::zN{L1TileShape::K}, kPart, tile.shape.n);
            if (part + 1 == parts) {
                AscendC::SetFlag<AscendC::HardEvent::MTE1_MTE2>(stage);
            }
            AscendC::SetFlag<AscendC::HardEvent::MTE1_M>(l0Stage_);
            AscendC::WaitFlag<AscendC::HardEvent::MTE1_M>(l0Stage_);
            tileMmad_(l0C_, l0A_[l0Stage_], l0B_[l0Stage_], tile.shape.m, tile.shape.n, kPart, step == 0 && part == 0,
                      lastStep && part + 1 == parts ? kUnitLast : kUnitCheck);
            AscendC::SetFlag<AscendC::HardEvent::M_MTE1>(l0Stage_);
            l0Stage_ = (l0Stage_ + 1) % kStages;
        }
    }

    AscendC::LocalTensor<Element> l1A_[kStages], l1B_[kStages], l0A_[kStages], l0B_[kStages];
    AscendC::LocalTensor<float> l0C_;
    uint32_t loadStage_ = 0, l0Stage_ = 0;
    tile::CopyGmToL1<ArchTag, Element> copyGmToL1_;
    tile::CopyL1ToL0A<ArchTag, Element> copyL1ToL0A_;
    tile::CopyL1ToL0B<ArchTag, Element> copyL1ToL0B_;
    tile::TileMmad<ArchTag, Element> tileMmad_;
    tile::CopyL0CToGm<ArchTag, ElementC> copyL0CToGm_;
};

}  // namespace flash_attn_npu::ascend::matmul
