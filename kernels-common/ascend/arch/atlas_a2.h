// SPDX-License-Identifier: BSD-3-Clause
// The numbers of dav-2201 (the 910B family). Plain C++, so that the host, which has no Ascend C, includes it too.
#pragma once
#include <cstdint>

namespace flash_attn_npu::ascend::arch {

struct AtlasA2 {
    static constexpr int32_t kCores = 24;      // AI cores of the largest 910B; plans cut work for so many
    static constexpr int32_t kCubeRows = 128;  // rows of a product that fill the cube's L0A and L0C
    static constexpr uint32_t kL1Bytes = 512 * 1024;
    static constexpr uint32_t kL0ABytes = 64 * 1024;
    static constexpr uint32_t kL0BBytes = 64 * 1024;
    static constexpr uint32_t kL0CBytes = 128 * 1024;
    static constexpr uint32_t kUbBytes = 192 * 1024;
    static constexpr uint32_t kBytesPerC0 = 32;
    static constexpr uint32_t kBytesPerFractal = 512;
    static constexpr uint32_t kC0PerFractal = 16;
    static constexpr int64_t kL2Bytes = int64_t{192} << 20;
};

// The chip that this library is built for: another one is a file like this and a set of instances.
using Chip = AtlasA2;

}  // namespace flash_attn_npu::ascend::arch
