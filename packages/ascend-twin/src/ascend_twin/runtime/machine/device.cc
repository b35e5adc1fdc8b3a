// SPDX-License-Identifier: BSD-3-Clause
#include "machine/device.h"

#include <cstring>

#include "checking/checker.h"

namespace twin {

Device& Device::get() {
    static Device device;
    return device;
}

void Device::register_gm(uint64_t begin, uint64_t bytes, const std::string& name, bool initialised, bool read_only) {
    auto range = std::make_unique<GmRange>();
    range->begin = begin;
    range->end = begin + bytes;
    range->name = name;
    range->read_only = read_only;
    if (checking()) {
        range->valid.assign(bytes, initialised ? 1 : 0);
        range->blocks = std::make_unique<BlockTable>(bytes + 32);
    }
    std::lock_guard<std::mutex> lock(mutex);
    ranges_[begin] = std::move(range);
}

void Device::unregister_gm(uint64_t begin) {
    std::lock_guard<std::mutex> lock(mutex);
    ranges_.erase(begin);
}

GmRange* Device::find_gm(uint64_t address, uint64_t bytes) {
    auto it = ranges_.upper_bound(address);
    if (it == ranges_.begin()) return nullptr;
    GmRange* range = (--it)->second.get();
    return address >= range->begin && address + bytes <= range->end ? range : nullptr;
}

void Device::reset_gm_races() {
    caches.clear();
    for (auto& entry : ranges_) {
        GmRange& range = *entry.second;
        if (!checking()) continue;
        if (range.valid.empty()) range.valid.assign(range.end - range.begin, 1);
        if (!range.blocks) range.blocks = std::make_unique<BlockTable>(range.end - range.begin + 32);
        range.blocks->clear();
    }
}

void Device::report(Severity severity, const std::string& error_class, const std::string& message, const Loc& loc,
                    const std::string& core) {
    std::lock_guard<std::mutex> lock(mutex);
    if (severity == Severity::kError) ++errors;
    const std::string file = loc.file ? loc.file : "?";
    const std::string key =
        error_class + "|" + file + ":" + std::to_string(loc.line) + "|" + core.substr(core.find('.') + 1);
    if (!seen_.insert(key).second) {
        for (auto& finding : findings)
            if (finding.error_class == error_class && finding.line == loc.line && finding.file == file) {
                ++finding.count;
                break;
            }
        return;
    }
    if (static_cast<int>(findings.size()) >= options.max_findings) return;
    findings.push_back({severity, error_class, message, file, loc.api ? loc.api : "?", core, loc.line, 1});
}

void Device::clear_findings() {
    findings.clear();
    seen_.clear();
    errors = 0;
}

}  // namespace twin
