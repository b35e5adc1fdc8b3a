// SPDX-License-Identifier: BSD-3-Clause
// What the environment chooses, read once.
#pragma once

#include <cstdint>
#include <string>

namespace acl_emulation {

struct Settings {
    int devices = 2;                  // ACL_EMULATION_DEVICES
    std::string soc = "Ascend910B2";  // ACL_EMULATION_SOC
    std::string cann = "8.5.0";       // ACL_EMULATION_CANN
    uint64_t memory = 64ull << 30;    // ACL_EMULATION_MEMORY_GIB, per device
    int64_t dispatch_us = 0;          // ACL_EMULATION_DISPATCH_US: what a launch costs the host thread that makes it
    int64_t delay_us = 0;    // ACL_EMULATION_DELAY_US: before every task, so that missing synchronisation shows
    bool cycles = false;     // ACL_EMULATION_TIME=cycles: events are stamped with the cycle model's time
    bool host_guard = true;  // ACL_EMULATION_HOST_GUARD=0: host code may touch device memory
    bool poison = true;      // ACL_EMULATION_POISON=0: fresh device memory is zero and not NaN

    static const Settings& get();
};

}  // namespace acl_emulation
