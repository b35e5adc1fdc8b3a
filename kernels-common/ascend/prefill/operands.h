// SPDX-License-Identifier: BSD-3-Clause
// What the prefill kernel's cube core reads from global memory, as streams of tiles in the order in which they are
// used: each is loaded ahead as far as its ring in L1 allows.
#pragma once

#include "prefill/copy.h"
#include "prefill/shape.h"

namespace flash_attn_npu::ascend::prefill {

// Events between MTE2 and MTE1, both ways: who owns which.
struct Events {
    static constexpr int32_t kKeys = 0, kProbabilities = 3, kQueries = 5;
};

/// Queries of the sub-blocks of a task: loaded once, and again as soon as the task's last scores are on their way.
template <class ArchTag, class Element, class Shape>
class Queries {
public:
    __aicore__ inline Queries(arch::Resource<ArchTag>& resource, const AttentionArguments& a) : a_(a) {
        for (uint32_t sub = 0; sub < Shape::kSubBlocks; ++sub) {
            l1_[sub] = resource.l1Buf.template GetBufferByByte<Element>((Shape::kQAt + sub * Shape::kQTile) * 2);
        }
    }

    /// step: the first of a task.
    __aicore__ inline void Load(const Step& step, int32_t sub) {
        if (step.keys.empty()) return;
        const Forward& p = a_.request;
        const Task& task = step.task;
        AscendC::GlobalTensor<Element> q;
        q.SetGlobalBuffer(reinterpret_cast<__gm__ Element*>(p.q.data));
        const int64_t origin = p.q.offset(task.s.n, task.s.q_row, task.kv_head * a_.plan.group);
        buffers_.BeginFill(static_cast<uint32_t>(sub));
        const uint32_t rows = static_cast<uint32_t>(step.Rows(sub));
        // Rows that fill the last fractal are computed with, so they have to be numbers.
        if (rows % Shape::kStripRows != 0) ZeroL1<Element>(l1_[sub], Shape::kQTile);
        copy_(l1_[sub], layout::zN{Shape::kRows}, q[origin], p.q.stride_row, p.q.stride_head, a_.plan.group,
              step.RowBegin(sub), step.RowBegin(sub) + step.Rows(sub), Shape::kHeadDim);
        buffers_.EndFill(static_cast<uint32_t>(sub));
    }

    /// Before the first and after the last use of a task's queries.
    __aicore__ inline void Begin(int32_t sub) { buffers_.BeginUse(static_cast<uint32_t>(sub)); }
    __aicore__ inline void End(int32_t sub) { buffers_.EndUse(static_cast<uint32_t>(sub)); }
    __aicore__ inline const AscendC::LocalTensor<Element>& Tile(int32_t sub) const { return l1_[sub]; }

private:
    const AttentionArguments& a_;
    AscendC::LocalTensor<Element> l1_[Shape::kSubBlocks];
    arch::BufferSet<AscendC::HardEvent::MTE2_MTE1, AscendC::HardEvent::MTE1_MTE2, Shape::kSubBlocks, Events::kQueries>
        buffers_;
    tile::CopyPackedRowsToL1<ArchTag, Element> copy_;
};

/// Key tiles of all steps, in order. In L1 a tile has exactly its own number of fractal rows.
template <class ArchTag, class Element, class Shape>
class Keys {
public:
    __aicore__ inline Keys(arch::Resource<ArchTag>& resource, const AttentionArguments& a, Steps& steps)
        : a_(a), steps_(steps) {
        for (uint32_t i = 0; i < Shape::kKRing; ++i) {
            l1_[i] = resource.l1Buf.template GetBufferByByte<Element>((Shape::kKAt + i * Shape::kKTile) * 2);
        }
    }

    /// Loads tiles up to step `limit` while the ring has room.
    __aicore__ inline void LoadAhead(int32_t limit) {
        while (loaded_ < used_ + Shape::kKRing && Find(limit)) {
            const Step& step = *steps_.At(step_);
            Load(step, step.TileKeys(tile_));
            ++tile_;
            ++loaded_;
        }
    }

    __aicore__ inline const AscendC::LocalTensor<Element>& Begin() { return l1_[ring_.BeginUse()]; }
    __aicore__ inline void End() {
        ring_.EndUse();
        ++used_;
    }

private:
    // Is there a tile to load, in the current step or a later one up to `limit`?
    __aicore__ inline bool Find(int32_t limit) {
        for (; step_ <= limit; ++step_, tile_ = 0) {
            const Step* step = steps_.At(step_);
            if (step == nullptr) return false;
            if (tile_ < step->Tiles()) return true;
        }
        return false;
    }

    __aicore__ inline void Load(const Step& step, KeyRange keys) {
        const AscendC::LocalTensor<Element> tile = l1_[ring_.BeginFill()];
        const uint32_t rows = RoundUp<Shape::kStripRows>(keys.size());
        // Scores of keys that do not exist are masked later, but have to be numbers.
        if (rows != static_cast<uint32_t>(keys.size())) ZeroL1<Element>(tile, rows * Shape::kHeadDim);
        copy_(tile, layout::zN{rows}, a_.request.k_cache, a_.request.kv_view(step.task.s.n), step.task.kv_head, keys, 0,
              Shape::kHeadDim);
        ring_.EndFill();
    }

    const AttentionArguments& a_;
    Steps& steps_;
    AscendC::LocalTensor<Element> l1_[Shape::kKRing];
    arch::BufferRing<AscendC::HardEvent::MTE2_MTE1, AscendC::HardEvent::MTE1_MTE2, Shape::kKRing, Events::kKeys> ring_;
    int32_t step_ = 0, tile_ = 0;  // to load next
    uint32_t loaded_ = 0, used_ = 0;
    tile::CopyKeysToL1<ArchTag, Element> copy_;
};

/// Tiles of P and V: for each pass over the columns of V, and each sub-block in it, P tile k meets V tile k.
///
/// V needs no events of its own. A V tile is loaded before the P tile it is first used with, so the event that says
/// "P is there" says it of V too. And it is overwritten only after the P tile of its last use has been overwritten, for
/// which the load has waited.
template <class ArchTag, class Element, class Shape>
class OutputOperands {
public:
    /// probabilities_ready: cross-core flag that says that P of a sub-block is in the workspace.
    __aicore__ inline OutputOperands(arch::Resource<ArchTag>& resource, const AttentionArguments& a, Steps& steps,
                                     __gm__ uint8_t* workspace, uint16_t probabilities_ready)
        : a_(a), steps_(steps), workspace_(workspace), probabilities_ready_(probabilities_ready) {
        for (uint32_t i = 0; i < Shape::kPRing; ++i) {
            l1_p_[i] = resource.l1Buf.template GetBufferByByte<Element>((Shape::kPAt + i * Shape::kPTile) * 2);
        }
        for (uint32_t i = 0; i < Shape::kVRing; ++i) {
            l1_v_[i] = resource.l1Buf.template GetBufferByByte<Element>((Shape::kVAt + i * Shape::kVTile) * 2);
            last_use_[i] = kFree;
        }
    }

    /// Loads P tiles (and what they need of V) up to step `limit` while the ring has room.
    __aicore__ inline void LoadAhead(int32_t limit) {
        while (p_loaded_ < used_ + static_cast<int32_t>(Shape::kPRing) && Find(limit)) {
            const Step& step = *steps_.At(step_);
            const int32_t tiles = step.Tiles(), per_pass = tiles * step.SubBlocks();
            const int32_t tile = item_ % tiles, sub = item_ % per_pass / tiles, pass = item_ / per_pass;
            while (v_loaded_ <= v_first_ + pass * tiles + tile) LoadValues(step_);
            if (pass == 0 && tile == 0) AscendC::CrossCoreWaitFlag(probabilities_ready_);
            LoadProbabilities(step, sub, tile);
            ++item_;
        }
    }
    /// Loads one V tile of the steps up to `limit`, if there is one and room for it.
    __aicore__ inline void LoadOneValueTile(int32_t limit) {
        if (last_use_[v_loaded_ % Shape::kVRing] + static_cast<int32_t>(Shape::kPRing) < p_loaded_) LoadValues(limit);
    }

    /// The operands to use next: P tile, and the V tile that belongs to it.
    __aicore__ inline const AscendC::LocalTensor<Element>& BeginProbabilities() { return l1_p_[ring_.BeginUse()]; }
    __aicore__ inline const AscendC::LocalTensor<Element>& Values(int32_t tile) const {
        return l1_v_[(v_used_ + tile) % Shape::kVRing];
    }
    /// last_use: by the last sub-block of the pass.
    __aicore__ inline void End(int32_t tile, bool last_use) {
        if (last_use) last_use_[(v_used_ + tile) % Shape::kVRing] = used_;
        ring_.EndUse();
        ++used_;
    }
    __aicore__ inline void EndPass(const Step& step) { v_used_ += step.Tiles(); }

private:
    static constexpr int32_t kFree = -1 - static_cast<int32_t>(Shape::kPRing);
    static constexpr int32_t kInUse = 0x7fffffff - static_cast<int32_t>(Shape::kPRing);

    __aicore__ inline static int32_t ValueTiles(const Step& step) {
        return step.Tiles() * static_cast<int32_t>(Shape::kPasses);
    }

    __aicore__ inline bool Find(int32_t limit) {
        for (; step_ <= limit; ++step_) {
            const Step* step = steps_.At(step_);
            if (step == nullptr) return false;
            if (item_ < ValueTiles(*step) * step->SubBlocks()) return true;
            item_ = 0;
            v_first_ += ValueTiles(*step);
        }
        return false;
    }

    // P of a sub-block is stored as strips of 16 rows; a tile is the same columns of every strip. In L1, what one Mmad
    // takes is one piece.
    __aicore__ inline void LoadProbabilities(const Step& step, int32_t sub, int32_t tile) {
        constexpr uint32_t kBlocksPerFractal = Shape::kFractal * 2 / 32;
        const uint32_t panels = CeilDiv<Shape::kPanel>(step.TileKeys(tile).size());
        const uint32_t strips = CeilDiv<Shape::kStripRows>(step.Rows(sub));
        AscendC::GlobalTensor<Element> p;
        p.SetGlobalBuffer(
            reinterpret_cast<__gm__ Element*>(workspace_ + PrefillWorkspace(Shape::kHeadDimV).p(step.Slot(), sub)));
        const uint32_t buffer = ring_.BeginFill();
        for (uint32_t panel = 0; panel < panels; panel += Shape::kDepth / Shape::kPanel) {
            const uint32_t piece = Min(Shape::kDepth / Shape::kPanel, panels - panel);
            AscendC::DataCopyParams params;
            params.blockCount = static_cast<uint16_t>(strips);
            params.blockLen = static_cast<uint16_t>(piece * kBlocksPerFractal);
            params.srcGap = static_cast<uint16_t>((Shape::kStepPanels - piece) * kBlocksPerFractal);
            params.dstGap = 0;
            AscendC::DataCopy(l1_p_[buffer][panel * strips * Shape::kFractal],
                              p[(tile * Shape::kKeyTile / Shape::kPanel + panel) * Shape::kFractal], params);
        }
        ring_.EndFill();
        ++p_loaded_;
    }

    __aicore__ inline void LoadValues(int32_t limit) {
        for (; v_step_ <= limit; ++v_step_, v_item_ = 0) {
            const Step* step = steps_.At(v_step_);
            if (step == nullptr) return;
            if (v_item_ == ValueTiles(*step)) continue;
            const uint32_t col = static_cast<uint32_t>(v_item_ / step->Tiles()) * Shape::kOutCols;
            copy_(l1_v_[v_loaded_ % Shape::kVRing], layout::zN{Shape::kKeyTile}, a_.request.v_cache,
                  a_.request.kv_view(step->task.s.n), step->task.kv_head, step->TileKeys(v_item_ % step->Tiles()), col,
                  Shape::kOutCols);
            last_use_[v_loaded_ % Shape::kVRing] = kInUse;
            ++v_item_;
            ++v_loaded_;
            return;
        }
    }

    const AttentionArguments& a_;
    Steps& steps_;
    __gm__ uint8_t* workspace_;
    const uint16_t probabilities_ready_;
    AscendC::LocalTensor<Element> l1_p_[Shape::kPRing], l1_v_[Shape::kVRing];
    arch::BufferRing<AscendC::HardEvent::MTE2_MTE1, AscendC::HardEvent::MTE1_MTE2, Shape::kPRing,
                     Events::kProbabilities>
        ring_;
    // All counts run over all steps. P tiles: loaded, used; `item_` of `step_` is loaded next.
    int32_t p_loaded_ = 0, used_ = 0, step_ = 0, item_ = 0;
    // V tiles: loaded; first of the step whose P is loaded, and of the pass in use; `v_item_` of `v_step_` is next.
    int32_t v_loaded_ = 0, v_first_ = 0, v_used_ = 0, v_step_ = 0, v_item_ = 0;
    int32_t last_use_[Shape::kVRing];  // P tile with which the V tile of a buffer was used last
    tile::CopyKeysToL1<ArchTag, Element> copy_;
};

}  // namespace flash_attn_npu::ascend::prefill
