// SPDX-License-Identifier: BSD-3-Clause
// Facts about the chip for host code.
#pragma once
#include <cstdint>

#include "twin/abi.h"
#include "twin/c_api.h"

namespace platform_ascendc {
enum class CoreMemType { L0_A, L0_B, L0_C, L1, L2, UB, HBM };
enum class SocVersion { ASCEND910B };
class PlatformAscendC {
public:
    uint32_t GetCoreNum() const { return GetCoreNumAic(); }
    uint32_t GetCoreNumAic() const { return static_cast<uint32_t>(twin_physical_cores()); }
    uint32_t GetCoreNumAiv() const { return 2 * GetCoreNumAic(); }
    SocVersion GetSocVersion() const { return SocVersion::ASCEND910B; }
    uint32_t GetLibApiWorkSpaceSize() const { return 16 << 20; }
    void GetCoreMemSize(CoreMemType type, uint64_t& bytes) const {
        switch (type) {
            case CoreMemType::L0_A: bytes = twin::bytes_of(twin::Memory::kL0A); break;
            case CoreMemType::L0_B: bytes = twin::bytes_of(twin::Memory::kL0B); break;
            case CoreMemType::L0_C: bytes = twin::bytes_of(twin::Memory::kL0C); break;
            case CoreMemType::L1: bytes = twin::bytes_of(twin::Memory::kL1); break;
            case CoreMemType::L2: bytes = 192 << 20; break;
            case CoreMemType::UB: bytes = twin::bytes_of(twin::Memory::kUb); break;
            default: bytes = 64ull << 30;
        }
    }
};
class PlatformAscendCManager {
public:
    static PlatformAscendC* GetInstance() {
        static PlatformAscendC platform;
        return &platform;
    }
};
}  // namespace platform_ascendc
