// SPDX-License-Identifier: BSD-3-Clause
// Copies of lines in data caches: loaded by scalar accesses, made stale by other writers, gone by cleaning.
// Every loaded line counts as still cached: when the hardware evicts one is not documented.
#include "checking/data_cache.h"

#include <algorithm>

#include "machine/core.h"

namespace twin {
namespace {

constexpr uint64_t kLine = 64;

/// Bits of the bytes of `line` that lie in [begin, end).
uint64_t bytes_of_line(uint64_t line, uint64_t begin, uint64_t end) {
    const uint64_t lo = std::max(begin, line * kLine) - line * kLine;
    const uint64_t hi = std::min(end, (line + 1) * kLine) - line * kLine;
    return (hi - lo == kLine ? ~0ull : (1ull << (hi - lo)) - 1) << lo;
}

std::string at(const Loc& loc) { return format("%s (%s:%d)", loc.api, loc.file, loc.line); }

}  // namespace

DataCaches::Copy* DataCaches::find(uint64_t line, const Core& core) {
    const auto found = lines_.find(line);
    if (found == lines_.end()) return nullptr;
    for (Copy& copy : found->second)
        if (copy.core == &core) return &copy;
    return nullptr;
}

void DataCaches::report_unclean_reads(Core& core, uint64_t line, uint64_t mask, const Core* except, const Loc& loc) {
    for (const Copy& copy : lines_[line])
        if (copy.core != except && copy.dirty & mask)
            core.error(
                "unclean_scalar_write",
                format("%s reads what %s on %s wrote into its data cache: DataCacheCleanAndInvalid must write it "
                       "out before",
                       loc.api, at(copy.dirty_by).c_str(), copy.core->name().c_str()),
                loc);
}

void DataCaches::written(Core& core, uint64_t line, uint64_t mask, const Core* except, const Loc& loc) {
    for (Copy& copy : lines_[line]) {
        if (copy.core == except) continue;
        if (copy.dirty)
            core.error("shared_cache_line",
                       format("%s writes into a 64-byte line that the data cache of %s will write back whole, since %s",
                              loc.api, copy.core->name().c_str(), at(copy.dirty_by).c_str()),
                       loc);
        copy.stale |= mask;
        copy.stale_by = loc;
        copy.stale_core = core.name();
    }
}

void DataCaches::scalar(Core& core, uint64_t address, uint64_t bytes, bool write, const Loc& loc) {
    for (uint64_t line = address / kLine; line <= (address + bytes - 1) / kLine; ++line) {
        const uint64_t mask = bytes_of_line(line, address, address + bytes);
        report_unclean_reads(core, line, write ? 0 : mask, &core, loc);
        Copy* mine = find(line, core);
        if (!mine) {
            lines_[line].push_back(Copy{&core});
            mine = &lines_[line].back();
        }
        if (mine->stale & mask && !write)
            core.error("stale_scalar_read",
                       format("%s reads its data cache; %s on %s wrote the bytes after the line was loaded: "
                              "DataCacheCleanAndInvalid must drop it before",
                              loc.api, at(mine->stale_by).c_str(), mine->stale_core.c_str()),
                       loc);
        if (!write) continue;
        if (mine->stale & ~mask)
            core.error("shared_cache_line",
                       format("%s makes a 64-byte line dirty whose other bytes %s on %s wrote after it was loaded: "
                              "writing it back restores the old ones",
                              loc.api, at(mine->stale_by).c_str(), mine->stale_core.c_str()),
                       loc);
        mine->stale &= ~mask;
        mine->dirty |= mask;
        mine->dirty_by = loc;
        written(core, line, mask, &core, loc);
    }
}

void DataCaches::direct(Core& core, uint64_t address, uint64_t bytes, bool write, const Loc& loc) {
    if (bytes == 0) return;
    const uint64_t last = (address + bytes - 1) / kLine;
    for (auto at = lines_.lower_bound(address / kLine); at != lines_.end() && at->first <= last; ++at) {
        const uint64_t mask = bytes_of_line(at->first, address, address + bytes);
        if (write)
            written(core, at->first, mask, nullptr, loc);
        else
            report_unclean_reads(core, at->first, mask, nullptr, loc);
    }
}

void DataCaches::clean_and_invalid(Core& core, uint64_t address, bool all) {
    const auto drop = [&](std::vector<Copy>& copies) {
        copies.erase(std::remove_if(copies.begin(), copies.end(), [&](const Copy& c) { return c.core == &core; }),
                     copies.end());
    };
    if (!all) {
        const auto found = lines_.find(address / kLine);
        if (found != lines_.end()) drop(found->second);
        return;
    }
    for (auto& line : lines_) drop(line.second);
}

}  // namespace twin
