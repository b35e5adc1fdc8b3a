// SPDX-License-Identifier: BSD-3-Clause
// LoadDataWithSparse: fractals of a matrix whose zeros are left out, with their indices.
#include <cstring>

#include "machine/cores.h"
#include "machine/timing_only.h"
#include "semantics/refuse.h"

namespace twin {

void load_sparse(const LoadSparseArgs& a, const Loc& loc) {
    Core& core = current();
    if (!here(core, true, loc)) return;
    if (a.dst.memory != Memory::kL0B || a.src.memory != Memory::kL1 || a.index.memory != Memory::kL1) {
        core.error("no_such_path", format("%s goes from L1 to L0B", loc.api), loc);
        return;
    }
    if (a.repeat == 0) return;
    load_2d({DType::kInt8, a.dst, a.src, a.start, a.repeat, 1, 0, false, false}, loc);
    // With the fractals go their indices, to the same place in a buffer a quarter as large.
    const Cost cost{LoadCost{Memory::kL0B, a.repeat * 128}};
    if (timing_only()) return core.record_only(Pipe::kMte1, loc, cost);
    core.issue(Pipe::kMte1, loc, cost, [a](Core& c, const Loc& at) {
        Ref from = a.index;
        from.address += uint64_t(a.start) * 128;
        const uint64_t bytes = uint64_t(a.repeat) * 128, to = a.dst.address / 4;
        const uint8_t* index = c.resolve(from, bytes, "indices", at);
        if (!index || to + bytes > c.sparse_index.size()) return;
        if (c.checker) {
            c.checker->access(Pipe::kMte1, from, bytes, Touch::kRead, Uninit::kCarry, at);
            std::memcpy(&c.sparse_valid[to], c.resolve_valid(from, bytes), bytes);
        }
        std::memcpy(&c.sparse_index[to], index, bytes);
    });
}

}  // namespace twin
