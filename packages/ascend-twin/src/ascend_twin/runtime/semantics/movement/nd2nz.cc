// SPDX-License-Identifier: BSD-3-Clause
// DataCopy from ND in global memory to NZ in L1.
#include <algorithm>
#include <cstring>

#include "machine/cores.h"
#include "machine/timing_only.h"
#include "semantics/refuse.h"

namespace twin {

void nd2nz(const Nd2NzArgs& a, const Loc& loc) {
    Core& core = current();
    if (!here(core, true, loc)) return;
    if (a.dst.memory != Memory::kL1) {
        core.error("no_such_path", format("%s: ND->NZ goes from GM to L1", loc.api), loc);
        return;
    }
    if (a.nd_num > 4095 || a.n > 16384) return illegal(core, loc, "ndNum is at most 4095, nValue at most 16384");
    if (a.nd_num == 0 || a.n == 0 || a.d == 0) return;
    if (a.src_d < a.d) return illegal(core, loc, format("srcDValue %u is less than dValue %u", a.src_d, a.d));
    if (a.c0_stride == 0 || a.c0_stride > 16384 || a.n_stride == 0 || a.n_stride > 16384)
        return illegal(core, loc, "dstNzC0Stride and dstNzNStride are 1 to 16384");
    const uint32_t es = bytes_of(a.type), c0 = 32 / es;
    const uint32_t panels = (a.d + c0 - 1) / c0;
    const uint64_t src_bytes = (uint64_t(a.nd_num - 1) * a.src_matrix_stride + uint64_t(a.n - 1) * a.src_d + a.d) * es;
    const uint64_t dst_bytes = uint64_t(a.nd_num - 1) * a.dst_matrix_stride * es +
                               (uint64_t(panels - 1) * a.c0_stride + uint64_t(a.n - 1) * a.n_stride + 1) * 32;
    // One description for all matrices: rows of dValue elements; matrices are a repetition of them.
    const GmTransfer rows{uint32_t(a.nd_num) * a.n, a.d * es, int64_t(a.src_d) * es, false, a.src.l2_bypass};
    const Cost cost{GmCost{rows, false, true}, a.src.address};
    if (timing_only()) return core.record_only(Pipe::kMte2, loc, cost);
    core.issue(Pipe::kMte2, loc, cost, [=](Core& c, const Loc& at) {
        uint8_t* dst = c.resolve(a.dst, dst_bytes, "destination", at);
        uint8_t* src = c.resolve(a.src, src_bytes, "source", at);
        if (!dst || !src) return;
        const auto run = [&](uint8_t* to, const uint8_t* from, uint8_t fill) {
            for (uint32_t b = 0; b < a.nd_num; ++b)
                for (uint32_t r = 0; r < a.n; ++r)
                    for (uint32_t p = 0; p < panels; ++p) {
                        uint8_t* block = to + uint64_t(b) * a.dst_matrix_stride * es +
                                         (uint64_t(p) * a.c0_stride + uint64_t(r) * a.n_stride) * 32;
                        const uint32_t count = std::min(c0, a.d - p * c0);
                        if (from)
                            std::memcpy(
                                block, from + (uint64_t(b) * a.src_matrix_stride + uint64_t(r) * a.src_d + p * c0) * es,
                                count * es);
                        else
                            std::memset(block, 1, count * es);
                        std::memset(block + count * es, fill, 32 - count * es);
                    }
        };
        if (c.checker) {
            for (uint32_t b = 0; b < a.nd_num; ++b) {
                for (uint32_t r = 0; r < a.n; ++r) {
                    Ref from = a.src;
                    from.address += (uint64_t(b) * a.src_matrix_stride + uint64_t(r) * a.src_d) * es;
                    c.checker->access(Pipe::kMte2, from, a.d * es, Touch::kRead, Uninit::kCarry, at);
                }
                for (uint32_t p = 0; p < panels; ++p) {
                    Ref to = a.dst;
                    to.address += uint64_t(b) * a.dst_matrix_stride * es + uint64_t(p) * a.c0_stride * 32;
                    if (a.n_stride == 1)
                        c.checker->access(Pipe::kMte2, to, uint64_t(a.n) * 32, Touch::kWrite, Uninit::kCarry, at);
                    else
                        for (uint32_t r = 0; r < a.n; ++r, to.address += uint64_t(a.n_stride) * 32)
                            c.checker->access(Pipe::kMte2, to, 32, Touch::kWrite, Uninit::kCarry, at);
                }
            }
            if (uint8_t* valid = c.resolve_valid(a.dst, dst_bytes)) run(valid, c.resolve_valid(a.src, src_bytes), 1);
        }
        if (!skip_math()) run(dst, src, 0);
    });
}

}  // namespace twin
