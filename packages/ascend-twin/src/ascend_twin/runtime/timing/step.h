// SPDX-License-Identifier: BSD-3-Clause
// What a line of a program costs: the constants of the model meet the quantities of the instruction here.
#pragma once
#include <cstdint>
#include <tuple>
#include <vector>

#include "timing/costs.h"
#include "timing/program.h"

namespace twin {

/// Ways of bytes that the report counts.
enum Path { kGmL1, kGmUb, kL0cGm, kL0cL1, kL1Gm, kL1L0a, kL1L0b, kUbGm, kPaths };

/// What a record costs on this chip, worked out once, and what the timeline asks of it at every line.
struct Step {
    double issue = 0, duration = 0, latency = 0;  // cycles; of a transfer: before its bytes flow
    RecordKind kind;
    uint8_t pipe, other, id;
    bool has_address, unit_flag, transfer;
    double macs = 0;   // products of an Mmad
    int8_t path = -1;  // of bytes that move without a flow, -1: none move
    double moved = 0;  // bytes on that path

    auto fields() const {
        return std::tie(issue, duration, latency, kind, pipe, other, id, has_address, unit_flag, transfer, macs, path,
                        moved);
    }
};
/// What `r` costs by these constants.
Step step_of(const Record& r, const Costs& costs);
using Steps = std::vector<Step>;

}  // namespace twin
