// SPDX-License-Identifier: BSD-3-Clause
// The C functions that a device library built for the twin (_twin.so) calls around its launches (twin/c_api.h).
#include <cstring>

#include "machine/cores.h"
#include "twin/c_api.h"

extern "C" {

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

void twin_clear_findings() { twin::Device::get().clear_findings(); }

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

double twin_take_predicted_us(const char* chip) {
    double us = 0;
    for (const auto& launch : twin::recorded_launches())
        us += twin::predicted_us(launch, chip != nullptr ? chip : TWIN_DEFAULT_CHIP);
    twin::recorded_launches().clear();
    return us;
}

}  // extern "C"
