// SPDX-License-Identifier: BSD-3-Clause
// The scalar units' data caches (one per core, 64-byte lines, written back late, not coherent): which scalar accesses
// of global memory would see or leave old bytes. Check mode only; the bytes themselves are always up to date here.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "twin/abi.h"

namespace twin {

class Core;

class DataCaches {
public:
    /// A scalar access through the cache of `core`; reports stale reads and lines that two writers share.
    void scalar(Core& core, uint64_t address, uint64_t bytes, bool write, const Loc&);
    /// An access past the cache: by a mover, or ReadGmByPassDCache and WriteGmByPassDCache.
    void direct(Core& core, uint64_t address, uint64_t bytes, bool write, const Loc&);
    /// DataCacheCleanAndInvalid of the line that holds `address`, or of all lines.
    void clean_and_invalid(Core& core, uint64_t address, bool all);
    void clear() { lines_.clear(); }

private:
    /// A line in the cache of one core; a bit per byte.
    struct Copy {
        Core* core;
        uint64_t stale = 0;  // written by others since the line was loaded
        uint64_t dirty = 0;  // written by this core's scalar unit, not yet in global memory
        Loc stale_by{}, dirty_by{};
        std::string stale_core;
    };
    Copy* find(uint64_t line, const Core& core);
    void report_unclean_reads(Core& core, uint64_t line, uint64_t mask, const Core* except, const Loc&);
    void written(Core& core, uint64_t line, uint64_t mask, const Core* except, const Loc&);

    std::map<uint64_t, std::vector<Copy>> lines_;  // by address / 64
};

}  // namespace twin
