// SPDX-License-Identifier: BSD-3-Clause
// The numbers of dav-2201 (the 910B family). Plain C++, so that the host, which has no Ascend C, includes it too.
#pragma once
#include <cstdint>

namespace flash_attn_npu::ascend::arch {

struct AtlasA2 {
    static constexpr int32_t kCores = 24;      // AI cores of the largest 910B; plans cut work for so many
    static constexpr int32_t kCubeRows = 128;  // rows of a product that fill the cube's L0A and L0C
    static constexpr uint32_t L1_SIZE = 512 * 1024;
    static constexpr uint32_t L0A_SIZE = 64 * 1024;
    static constexpr uint32_t L0B_SIZE = 64 * 1024;
    static constexpr uint32_t L0C_SIZE = 128 * 1024;
    static constexpr uint32_t UB_SIZE = 192 * 1024;
    static constexpr uint32_t BYTE_PER_C0 = 32;
    static constexpr uint32_t BYTE_PER_FRACTAL = 512;
    static constexpr uint32_t C0_NUM_PER_FRACTAL = 16;
};

}  // namespace flash_attn_npu::ascend::arch
