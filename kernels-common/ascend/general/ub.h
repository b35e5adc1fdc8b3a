// SPDX-License-Identifier: BSD-3-Clause
// UB of a vector core in the attention kernel, laid out at compile time.
#pragma once
#include "arch/buffer_ring.h"
#include "arch/memory_plan.h"
#include "tile/fp8.h"
#include "tile/softmax.h"

namespace flash_attn_npu::ascend::general {

struct UbPlan : arch::MemoryPlan {
    static constexpr uint32_t kRows = 64;             // of a vector core in a row tile
    static constexpr uint32_t kInElements = 8192;     // float, of an input buffer
    static constexpr uint32_t kOutBytes = 16 * 1024;  // of an output buffer
    static constexpr uint32_t kOElements = 16384;     // float: 64 rows of 256 features or 32 of 512
    static constexpr uint32_t kTreeRows = 32;
    static constexpr uint32_t kStepKeys = 512;
    static constexpr uint32_t kSlots = 3;

    arch::Place<float> in[2] = {Take<float, kInElements>(), Take<float, kInElements>()};
    arch::Place<float> out[2] = {Take<float, kOutBytes / sizeof(float)>(), Take<float, kOutBytes / sizeof(float)>()};
    arch::Place<float> o = Take<float, kOElements>();
    arch::Place<float> statistics = Take<float, 3 * kSlots * kRows>();
    arch::Place<float> row_temporary = Take<float, 2 * kRows>();
    arch::Place<float> blocks = Take<float, kRows * 8>();
    arch::Place<float> tree = Take<float, kTreeRows * 64>();
    arch::Place<float> columns = Take<float, kStepKeys>();
    arch::Place<float> distance = Take<float, kStepKeys>();
    arch::Place<float> constant = Take<float, 64>();
    arch::Place<int16_t> fp8_constants = Take<int16_t, tile::Fp8ToHalf::kConstantBytes / sizeof(int16_t)>();
};

/// Rings with the pipes and the bookkeeping of rows, shared by the blocks of the vector program.
template <class ArchTag>
class Buffers {
public:
    static constexpr uint32_t kRows = UbPlan::kRows, kInElements = UbPlan::kInElements, kOutBytes = UbPlan::kOutBytes,
                              kTreeRows = UbPlan::kTreeRows;

    __aicore__ inline explicit Buffers(arch::Resource<ArchTag>& resource) {
        for (uint32_t i = 0; i < 2; ++i) {
            in[i] = arch::TensorAt(resource.ubBuf, kPlan.in[i]);
            out[i] = arch::TensorAt(resource.ubBuf, kPlan.out[i]);
        }
        o = arch::TensorAt(resource.ubBuf, kPlan.o);
        statistics = arch::TensorAt(resource.ubBuf, kPlan.statistics);
        row_temporary = arch::TensorAt(resource.ubBuf, kPlan.row_temporary);
        blocks = arch::TensorAt(resource.ubBuf, kPlan.blocks);
        tree = arch::TensorAt(resource.ubBuf, kPlan.tree);
        columns = arch::TensorAt(resource.ubBuf, kPlan.columns);
        distance = arch::TensorAt(resource.ubBuf, kPlan.distance);
        constant = arch::TensorAt(resource.ubBuf, kPlan.constant);
        fp8_constants = arch::TensorAt(resource.ubBuf, kPlan.fp8_constants);
        AscendC::Duplicate(statistics, 0.0f, static_cast<int32_t>(3 * kSlots * kRows));
        AscendC::Duplicate(row_temporary, 0.0f, static_cast<int32_t>(2 * kRows));
        AscendC::CreateVecIndex(columns, 0.0f, UbPlan::kStepKeys);
        tile::VectorBarrier();
    }

    // Running maximum and sum of the rows of a task; factor by which a step changes what was accumulated before it.
    __aicore__ inline AscendC::LocalTensor<float> Maximum(int32_t task) const { return Statistic(0, task); }
    __aicore__ inline AscendC::LocalTensor<float> Sum(int32_t task) const { return Statistic(1, task); }
    __aicore__ inline AscendC::LocalTensor<float> Factor(int32_t step) const { return Statistic(2, step); }

    __aicore__ inline tile::RowStatistics Statistics(int32_t task, int32_t step, uint32_t row) const {
        return tile::RowStatistics{Maximum(task)[row], Sum(task)[row], Factor(step)[row]};
    }

    AscendC::LocalTensor<float> in[2], out[2];  // the rings' buffers
    AscendC::LocalTensor<float> o;              // accumulated output
    AscendC::LocalTensor<float> statistics, row_temporary;
    AscendC::LocalTensor<float> blocks;   // a row statistic, broadcast to 32-byte blocks
    AscendC::LocalTensor<float> tree;     // of reductions over rows; scratch of softcap
    AscendC::LocalTensor<float> columns;  // 0, 1, 2, ...
    AscendC::LocalTensor<float> distance, constant;
    AscendC::LocalTensor<int16_t> fp8_constants;
    arch::BufferRing<AscendC::HardEvent::MTE2_V, AscendC::HardEvent::V_MTE2, 2> in_ring;
    arch::BufferRing<AscendC::HardEvent::V_MTE3, AscendC::HardEvent::MTE3_V, 2> out_ring;

private:
    static constexpr UbPlan kPlan{};
    static constexpr uint32_t kSlots = UbPlan::kSlots;
    static_assert(kPlan.end() <= ArchTag::kUbBytes, "UB overflows");

    __aicore__ inline AscendC::LocalTensor<float> Statistic(uint32_t which, int32_t number) const {
        return statistics[(which * kSlots + number % kSlots) * kRows];
    }
};

}  // namespace flash_attn_npu::ascend::general
