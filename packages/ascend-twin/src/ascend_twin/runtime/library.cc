// SPDX-License-Identifier: BSD-3-Clause
// The C functions that a device library built for the twin (_twin.so) calls around its launches.
#include <cstdlib>
#include <cstring>

#include "cores.h"

extern "C" {

/// Mode by name (null: as it is), order of the cores, host threads. False: no such mode.
int twin_configure(const char* mode, uint64_t seed, int threads) {
    auto& options = twin::Device::get().options;
    options.threads = threads;
    if (mode == nullptr) return 1;
    const char* const names[] = {"fast", "check", "cycles"};
    for (int i = 0; i < 3; ++i) {
        if (std::strcmp(mode, names[i]) != 0) continue;
        options.mode = static_cast<twin::Mode>(i);
        options.seed = seed;
        return 1;
    }
    return 0;
}

int twin_checking() { return twin::Device::get().checking(); }

/// Forgets findings; recorded launches stay.
void twin_clear_findings() { twin::Device::get().clear_findings(); }

/// The errors (not warnings) since the last clear, one per line; null when there are none.
const char* twin_error_text() {
    static thread_local std::string text;
    text.clear();
    for (const auto& f : twin::Device::get().findings) {
        if (f.severity != twin::Severity::kError) continue;
        if (!text.empty()) text += "\n";
        text += f.file + ":" + std::to_string(f.line) + ": [" + f.error_class + "] " + f.core + ": " + f.message;
    }
    return text.empty() ? nullptr : text.c_str();
}

/// Predicted time of the launches recorded in cycles mode since the last call, launch overhead included; 0 without any.
double twin_take_predicted_us() {
    double us = 0;
    for (const auto& launch : twin::recorded_launches()) {
        const std::string report = twin::simulate(launch, "910B2", "", 0);
        const char key[] = "\"task_us\":";
        const size_t found = report.find(key);
        if (found != std::string::npos) us += std::strtod(report.c_str() + found + sizeof(key) - 1, nullptr);
    }
    twin::recorded_launches().clear();
    return us;
}

}  // extern "C"
