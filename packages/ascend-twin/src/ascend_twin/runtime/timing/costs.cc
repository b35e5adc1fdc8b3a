// SPDX-License-Identifier: BSD-3-Clause
#include "timing/costs.h"

#include <sstream>
#include <stdexcept>

namespace twin {

Costs Costs::with(const std::string& changes) {
    Costs costs;
    std::istringstream in(changes);
    std::string item;
    while (std::getline(in, item, ',')) {
        if (item.empty()) continue;
        const size_t eq = item.find('=');
        if (eq == std::string::npos) throw std::runtime_error("a change of a cost is name=value, not " + item);
        const std::string key = item.substr(0, eq);
        const double v = std::stod(item.substr(eq + 1));
        bool found = false;
#define COST(name, value, low, high, unit, confidence, source) \
    if (key == #name) {                                        \
        costs.name = v;                                        \
        found = true;                                          \
    }
#include "timing/costs.def"
        if (!found) throw std::runtime_error("no cost is called " + key);
    }
    return costs;
}

Chip Chip::named(const std::string& name) {
#define CHIP(chip, cores, mhz, hbm, l2) \
    if (name == chip) return {chip, cores, mhz, hbm, l2};
#include "timing/chips.def"
#undef CHIP
    throw std::runtime_error("no chip is called " + name);
}

}  // namespace twin
