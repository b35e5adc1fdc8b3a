// SPDX-License-Identifier: BSD-3-Clause
// LoadData of fractals: L1 to L0A and L0B, global memory to all three.
#include "machine/cores.h"
#include "machine/timing_only.h"
#include "semantics/movement/fractal.h"
#include "semantics/refuse.h"

namespace twin {

void load_2d(const Load2dArgs& a, const Loc& loc) {
    Core& core = current();
    if (!here(core, true, loc)) return;
    const bool from_gm = a.src.memory == Memory::kGm;
    const bool to_l0 = a.dst.memory == Memory::kL0A || a.dst.memory == Memory::kL0B;
    if (!(to_l0 && (from_gm || a.src.memory == Memory::kL1)) && !(from_gm && a.dst.memory == Memory::kL1)) {
        return no_path(core, loc, a.src.memory, a.dst.memory);
    }
    if (a.repeat == 0) return;
    if (a.transpose && bits_of(a.type) != 16)
        return illegal(core, loc, "ifTranspose works on 16-bit types (LoadDataWithTranspose takes the others)");
    const FractalSteps steps{a.start, a.repeat, a.src_stride, a.decrease};
    if (steps.below_zero()) return illegal(core, loc, "the source index would go below zero");
    const uint64_t src_bytes = (steps.last() + 1) * 512;
    Cost cost{LoadCost{a.dst.memory, a.repeat * 512}};
    if (from_gm)
        cost = {GmCost{{a.repeat, 512, int64_t(a.src_stride) * 512, false, a.src.l2_bypass}},
                a.src.address + steps.first() * 512};
    const Pipe pipe = from_gm ? Pipe::kMte2 : Pipe::kMte1;
    if (timing_only()) return core.record_only(pipe, loc, cost);
    core.issue(pipe, loc, cost, [=](Core& c, const Loc& at) {
        const uint64_t dst_bytes = (uint64_t(a.repeat - 1) * (a.dst_gap + 1) + 1) * 512;
        uint8_t* dst = c.resolve(a.dst, dst_bytes, "destination", at);
        uint8_t* src = c.resolve(a.src, src_bytes, "source", at);
        if (!dst || !src) return;
        const auto source = [&](uint32_t i) { return steps.at(i) * 512; };
        const auto destination = [&](uint32_t i) { return uint64_t(i) * (a.dst_gap + 1) * 512; };
        if (c.checker) {
            uint8_t* vd = c.resolve_valid(a.dst, dst_bytes);
            const uint8_t* vs = c.resolve_valid(a.src, src_bytes);
            for (uint32_t i = 0; i < a.repeat; ++i) {
                Ref from = a.src, to = a.dst;
                from.address += source(i);
                to.address += destination(i);
                c.checker->access(pipe, from, 512, Touch::kRead, Uninit::kCarry, at);
                c.checker->access(pipe, to, 512, Touch::kWrite, Uninit::kCarry, at);
                if (vd && vs) copy_fractal(vd + destination(i), vs + source(i), a.transpose);
            }
        }
        if (skip_math()) return;
        for (uint32_t i = 0; i < a.repeat; ++i) copy_fractal(dst + destination(i), src + source(i), a.transpose);
    });
}

}  // namespace twin
