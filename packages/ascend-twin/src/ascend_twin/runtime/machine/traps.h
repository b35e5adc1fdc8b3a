// SPDX-License-Identifier: BSD-3-Clause
// Faults of the host that are none on the device, for the duration of a launch.
#pragma once

namespace twin {

class DivisionTraps {
public:
    DivisionTraps();
    ~DivisionTraps();
    DivisionTraps(const DivisionTraps&) = delete;
};

}  // namespace twin
