// SPDX-License-Identifier: BSD-3-Clause
// LoadDataWithTranspose: squares of fractals, L1 to L0A and L0B.
#include <vector>

#include "machine/cores.h"
#include "machine/timing_only.h"
#include "semantics/movement/fractal.h"
#include "semantics/refuse.h"

namespace twin {

void load_transpose(const LoadTransposeArgs& a, const Loc& loc) {
    Core& core = current();
    if (!here(core, true, loc)) return;
    const uint32_t bits = bits_of(a.type);
    if (!l1_to_l0(a.src, a.dst)) return no_path(core, loc, a.src.memory, a.dst.memory);
    if (bits == 4 && a.dst.memory == Memory::kL0A) return illegal(core, loc, "int4 is transposed into L0B only");
    if (a.repeat == 0) return;
    const uint32_t fractals = bits == 16 ? 1 : bits == 4 ? 4 : 2;
    const FractalSteps steps{a.start, a.repeat, a.src_stride, a.decrease};
    if (steps.below_zero()) return illegal(core, loc, "the source index would go below zero");
    const Cost cost{LoadCost{a.dst.memory, a.repeat * fractals * 512}};
    if (timing_only()) return core.record_only(Pipe::kMte1, loc, cost);
    core.issue(Pipe::kMte1, loc, cost, [=](Core& c, const Loc& at) {
        const uint64_t src_bytes = (steps.last() + 1) * fractals * 512;
        const uint64_t dst_bytes =
            (uint64_t(a.repeat - 1) * (a.dst_gap + 1) + uint64_t(fractals - 1) * (a.dst_frac_gap + 1) + 1) * 512;
        uint8_t* dst = c.resolve(a.dst, dst_bytes, "destination", at);
        uint8_t* src = c.resolve(a.src, src_bytes, "source", at);
        if (!dst || !src) return;
        const auto run = [&](uint8_t* to, const uint8_t* from) {
            for (uint32_t i = 0; i < a.repeat; ++i) {
                const uint64_t square = steps.at(i);
                uint8_t* d[4];
                const uint8_t* s[4];
                for (uint32_t j = 0; j < fractals; ++j) {
                    d[j] = to + (uint64_t(i) * (a.dst_gap + 1) + uint64_t(j) * (a.dst_frac_gap + 1)) * 512;
                    s[j] = from + (square * fractals + j) * 512;
                }
                transpose_square(d, s, bits);
            }
        };
        if (c.checker) {
            for (uint32_t i = 0; i < a.repeat; ++i) {
                const uint64_t square = steps.at(i);
                Ref from = a.src;
                from.address += square * fractals * 512;
                c.checker->access(Pipe::kMte1, from, fractals * 512, Touch::kRead, Uninit::kCarry, at);
                for (uint32_t j = 0; j < fractals; ++j) {
                    Ref to = a.dst;
                    to.address += (uint64_t(i) * (a.dst_gap + 1) + uint64_t(j) * (a.dst_frac_gap + 1)) * 512;
                    c.checker->access(Pipe::kMte1, to, 512, Touch::kWrite, Uninit::kCarry, at);
                }
            }
            uint8_t* vd = c.resolve_valid(a.dst, dst_bytes);
            const uint8_t* vs = c.resolve_valid(a.src, src_bytes);
            if (vd && vs) {
                if (bits == 4) {
                    // A byte is valid when both its elements came from valid bytes.
                    std::vector<uint8_t> from(vs, vs + src_bytes), to(vd, vd + dst_bytes);
                    for (uint8_t& v : from) v = v ? 0xff : 0;
                    for (uint8_t& v : to) v = v ? 0xff : 0;
                    run(to.data(), from.data());
                    for (uint64_t i = 0; i < dst_bytes; ++i) vd[i] = to[i] == 0xff;
                } else {
                    run(vd, vs);
                }
            }
        }
        if (!skip_math()) run(dst, src);
    });
}

}  // namespace twin
