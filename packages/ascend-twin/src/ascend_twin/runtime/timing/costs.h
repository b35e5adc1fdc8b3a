// SPDX-License-Identifier: BSD-3-Clause
// The constants of costs.def and chips.def as values, with changes by name.
#pragma once
#include <string>

namespace twin {

struct Costs {
#define COST(name, value, low, high, unit, confidence, source) double name = value;
#include "timing/costs.def"
    /// "name=value,name=value"; throws on an unknown name.
    static Costs with(const std::string& changes);
};

struct Chip {
    std::string name;
    int cores;
    double mhz, hbm, l2;
    static Chip named(const std::string& name);
};

}  // namespace twin
