// SPDX-License-Identifier: BSD-3-Clause
// UB of a vector core in the attention kernel, laid out at compile time.
#pragma once
#include "arch/buffer_ring.h"

namespace flash_attn_npu::ascend::general {

/// Rings with the pipes and the bookkeeping of rows, shared by the blocks of the vector program.
template <class ArchTag>
class AttentionUb {
public:
    static constexpr uint32_t ROWS = 64;              // of a vector core in a row tile
    static constexpr uint32_t IN_ELEMENTS = 8192;     // float, of an input buffer
    static constexpr uint32_t OUT_BYTES = 16 * 1024;  // of an output buffer
    static constexpr uint32_t O_ELEMENTS = 16384;     // float: 64 rows of 256 features or 32 of 512
    static constexpr uint32_t TREE_ROWS = 32;
    static constexpr uint32_t STEP_KEYS = 512;
    static constexpr uint32_t SLOTS = 3;
    static constexpr uint32_t FP8_CONSTANTS = 16;

    __aicore__ inline explicit AttentionUb(arch::Resource<ArchTag>& resource) {
        uint32_t offset = 0;
        for (uint32_t i = 0; i < 2; ++i) in[i] = Take(resource, offset, IN_ELEMENTS);
        for (uint32_t i = 0; i < 2; ++i) out[i] = Take(resource, offset, OUT_BYTES / sizeof(float));
        o = Take(resource, offset, O_ELEMENTS);
        statistics = Take(resource, offset, 3 * SLOTS * ROWS);
        rowTemporary = Take(resource, offset, 2 * ROWS);
        blocks = Take(resource, offset, ROWS * 8);
        tree = Take(resource, offset, TREE_ROWS * 64);
        columns = Take(resource, offset, STEP_KEYS);
        distance = Take(resource, offset, STEP_KEYS);
        constant = Take(resource, offset, 64);
        fp8Constants = Take(resource, offset, FP8_CONSTANTS);
        AscendC::Duplicate(statistics, 0.0f, static_cast<int32_t>(3 * SLOTS * ROWS));
        AscendC::Duplicate(rowTemporary, 0.0f, static_cast<int32_t>(2 * ROWS));
        AscendC::CreateVecIndex(columns, 0.0f, STEP_KEYS);
        AscendC::PipeBarrier<PIPE_V>();
    }

    // Running maximum and sum of the rows of a task; factor by which a step changes what was accumulated before it.
    __aicore__ inline AscendC::LocalTensor<float> Maximum(int32_t task) const { return Statistic(0, task); }
    __aicore__ inline AscendC::LocalTensor<float> Sum(int32_t task) const { return Statistic(1, task); }
    __aicore__ inline AscendC::LocalTensor<float> Factor(int32_t step) const { return Statistic(2, step); }

    AscendC::LocalTensor<float> in[2], out[2];  // the rings' buffers
    AscendC::LocalTensor<float> o;              // accumulated output
    AscendC::LocalTensor<float> statistics, rowTemporary;
    AscendC::LocalTensor<float> blocks;   // a row statistic, broadcast to 32-byte blocks
    AscendC::LocalTensor<float> tree;     // of reductions over rows; scratch of softcap
    AscendC::LocalTensor<float> columns;  // 0, 1, 2, ...
    AscendC::LocalTensor<float> distance, constant, fp8Constants;
    arch::BufferRing<AscendC::HardEvent::MTE2_V, AscendC::HardEvent::V_MTE2, 2> inRing;
    arch::BufferRing<AscendC::HardEvent::V_MTE3, AscendC::HardEvent::MTE3_V, 2> outRing;

private:
    static_assert(sizeof(float) * (2 * IN_ELEMENTS + O_ELEMENTS + (3 * SLOTS + 2 + 8) * ROWS + TREE_ROWS * 64 +
                                   2 * STEP_KEYS + 64 + FP8_CONSTANTS) +
                          2 * OUT_BYTES <=
                      ArchTag::UB_SIZE,
                  "UB overflows");

    __aicore__ inline static AscendC::LocalTensor<float> Take(arch::Resource<ArchTag>& resource, uint32_t& offset,
                                                              uint32_t elements) {
        const AscendC::LocalTensor<float> tensor = resource.ubBuf.template GetBufferByByte<float>(offset);
        offset += elements * sizeof(float);
        return tensor;
    }
    __aicore__ inline AscendC::LocalTensor<float> Statistic(uint32_t which, int32_t number) const {
        return statistics[(which * SLOTS + number % SLOTS) * ROWS];
    }
};

}  // namespace flash_attn_npu::ascend::general
