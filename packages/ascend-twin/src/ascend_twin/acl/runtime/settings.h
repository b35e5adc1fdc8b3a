// SPDX-License-Identifier: BSD-3-Clause
// What the environment chooses, read once.
#pragma once

#include <cstdint>
#include <string>

namespace acl_emulation {

struct Settings {
    int devices = 2;                  // ASCEND_TWIN_ACL_DEVICES
    std::string soc = "Ascend910B2";  // ASCEND_TWIN_ACL_SOC
    std::string cann = "8.5.0";       // ASCEND_TWIN_ACL_CANN
    uint64_t memory = 64ull << 30;    // ASCEND_TWIN_ACL_MEMORY_GIB, per device
    int64_t dispatch_us = 0;          // ASCEND_TWIN_ACL_DISPATCH_US: what a launch costs the host thread that makes it
    int64_t delay_us = 0;    // ASCEND_TWIN_ACL_DELAY_US: before every task, so that missing synchronisation shows
    bool cycles = false;     // ASCEND_TWIN_ACL_TIME=cycles: events are stamped with the cycle model's time
    bool host_guard = true;  // ASCEND_TWIN_ACL_HOST_GUARD=0: host code may touch device memory
    bool poison = true;      // ASCEND_TWIN_ACL_POISON=0: fresh device memory is zero and not NaN

    static const Settings& get();
};

}  // namespace acl_emulation
