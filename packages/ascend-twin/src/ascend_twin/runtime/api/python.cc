// SPDX-License-Identifier: BSD-3-Clause
// The C functions Python calls (twin/c_api.h).
#include <dlfcn.h>

#include <cstring>
#include <sstream>
#include <stdexcept>

#include "machine/cores.h"
#include "machine/json.h"
#include "timing/progress.h"
#include "twin/c_api.h"

namespace twin {

namespace {

thread_local std::string text;

/// Arguments of an extern "C" kernel: pointers and integers as 64-bit words, floats by themselves. On x86-64 and
/// aarch64 each kind has registers of its own, taken in order, so that only the order within a kind counts; more than
/// eight floats would go to the stack.
struct Words {
    uint64_t word[32];
    float real[8];
};
using W = uint64_t;
void invoke_words(const void* function, const void* args) {
    const Words& w = *static_cast<const Words*>(args);
    using F = void (*)(W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W, W,
                       float, float, float, float, float, float, float, float);
    const uint64_t* a = w.word;
    const float* f = w.real;
    reinterpret_cast<F>(const_cast<void*>(function))(
        a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10], a[11], a[12], a[13], a[14], a[15], a[16],
        a[17], a[18], a[19], a[20], a[21], a[22], a[23], a[24], a[25], a[26], a[27], a[28], a[29], a[30], a[31], f[0],
        f[1], f[2], f[3], f[4], f[5], f[6], f[7]);
}

}  // namespace
}  // namespace twin

extern "C" {

void twin_set_options(int mode, uint64_t seed, int threads, int cores, int kind, int auto_sync, int skip_math,
                      int max_findings) {
    auto& o = twin::Device::get().options;
    o = {static_cast<twin::Mode>(mode), seed, threads, cores, kind, auto_sync != 0, skip_math != 0, max_findings};
}

void twin_set_tiling_key(uint64_t key) { twin::set_tiling_key(key); }

void twin_register_gm(uint64_t address, uint64_t bytes, const char* name, int initialised, int read_only) {
    twin::Device::get().register_gm(address, bytes, name, initialised, read_only);
}
void twin_unregister_gm(uint64_t address) { twin::Device::get().unregister_gm(address); }

void twin_initialise_gm(uint64_t address, uint64_t bytes) {
    twin::GmRange* range = twin::Device::get().find_gm(address, bytes);
    if (range && !range->valid.empty()) std::memset(range->valid.data() + (address - range->begin), 1, bytes);
}
int twin_physical_cores() { return twin::Device::get().options.physical_cores; }

const char* twin_launch(const void* cube, const void* vec, int kind, uint64_t blocks, const uint64_t* args,
                        uint64_t count, const float* reals, uint64_t real_count, const char* name) {
    try {
        if (count > 32) throw std::runtime_error("more than 32 pointers and integers as kernel arguments");
        if (real_count > 8) throw std::runtime_error("more than 8 floats as kernel arguments");
        twin::KernelEntry entry;
        entry.name = name;
        entry.cube = cube;
        entry.vec = vec;
        entry.kind = kind;
        entry.uses_cube = true;
        twin::Words words{};
        std::memcpy(words.word, args, count * 8);
        std::memcpy(words.real, reals, real_count * 4);
        twin::launch_entry(entry, {&twin::invoke_words, &words, sizeof(words)}, blocks);
        return nullptr;
    } catch (const std::exception& e) {
        twin::text = e.what();
        return twin::text.c_str();
    }
}

const char* twin_findings() {
    using twin::quoted;
    auto& device = twin::Device::get();
    std::ostringstream out;
    out << "{\"errors\":" << device.errors << ",\"findings\":[";
    bool first = true;
    for (const auto& f : device.findings) {
        out << (first ? "" : ",")
            << "{\"severity\":" << (f.severity == twin::Severity::kError ? "\"error\"" : "\"warning\"")
            << ",\"class\":" << quoted(f.error_class) << ",\"message\":" << quoted(f.message)
            << ",\"file\":" << quoted(f.file) << ",\"line\":" << f.line << ",\"api\":" << quoted(f.api)
            << ",\"core\":" << quoted(f.core) << ",\"count\":" << f.count << "}";
        first = false;
    }
    out << "]}";
    twin::text = out.str();
    return twin::text.c_str();
}

const char* twin_output() {
    twin::text = twin::Device::get().output;
    twin::Device::get().output.clear();
    return twin::text.c_str();
}

int twin_recorded() { return static_cast<int>(twin::recorded_launches().size()); }

uint64_t twin_recorded_lines(int index) {
    uint64_t lines = 0;
    for (const auto& core : twin::recorded_launches().at(index).cores) lines += core.program.lines.size();
    return lines;
}

const char* twin_simulate(int index, const char* chip, const char* changes, int traced, double traced_us, int runs) {
    try {
        twin::text = twin::simulate(twin::recorded_launches().at(index), chip, changes, traced, traced_us, runs);
    } catch (const std::exception& e) {
        twin::text = std::string("error: ") + e.what();
    }
    return twin::text.c_str();
}

const char* twin_costs() {
    std::ostringstream out;
    out << "{";
    bool first = true;
#define COST(name, value, low, high, unit, confidence, source)                                               \
    out << (first ? "" : ",") << "\"" #name "\":[" << (value) << "," << (low) << "," << (high) << ",\"" unit \
        << "\",\"" confidence "\"," << twin::quoted(source) << "]";                                          \
    first = false;
#include "timing/costs.def"
    out << "}";
    twin::text = out.str();
    return twin::text.c_str();
}

const char* twin_corners() {
    twin::text.clear();
#define CORNER(name) twin::text += twin::text.empty() ? "[\"" #name "\"" : ",\"" #name "\"";
#include "timing/costs.def"
    twin::text += "]";
    return twin::text.c_str();
}

const char* twin_chips() {
    std::ostringstream out;
    out << "{";
#define CHIP(name, cores, mhz, hbm, l2)                                                                               \
    out << (out.tellp() > 1 ? "," : "") << "\"" name "\":[" << (cores) << "," << (mhz) << "," << (hbm) << "," << (l2) \
        << "]";
#include "timing/chips.def"
#undef CHIP
    out << "}";
    twin::text = out.str();
    return twin::text.c_str();
}

uint64_t twin_progress_done() { return twin::Progress::get().done; }
uint64_t twin_progress_whole() { return twin::Progress::get().whole; }
void twin_clear_progress() { twin::Progress::get().done = twin::Progress::get().whole = 0; }

void twin_clear() {
    twin::Device::get().clear_findings();
    twin::recorded_launches().clear();
}

}  // extern "C"
