// SPDX-License-Identifier: BSD-3-Clause
// DataCopy and DataCopyPad: runs of bytes between global and local memories, L1 to BT and FB, UB to UB.
#include <algorithm>
#include <cstring>

#include "machine/cores.h"
#include "machine/timing_only.h"
#include "semantics/movement/atomic.h"
#include "semantics/numeric.h"
#include "semantics/refuse.h"

namespace twin {

namespace {

/// A DataCopy as it is executed: what depends on the core is looked up when it is issued.
struct Copy {
    CopyArgs a;
    Pipe pipe;
    uint32_t element;   // bytes
    uint64_t dst_run;   // bytes that a run takes in the memory that receives it
    bool to_gm, widen;  // widen: a bias of half becomes float on its way to BT
    Atomic atomic = Atomic::kNone;
    DType atomic_type = DType::kFloat;
    // DataCopyPad: what stands around a run. Without padding elements it repeats the run's first element; with them it
    // is the padding register, which isPad sets.
    bool pads = false, filler_known = true;
    uint64_t filler = 0;

    uint64_t dst_bytes() const { return (a.runs - 1) * a.dst_stride + dst_run; }
    uint64_t src_bytes() const { return (a.runs - 1) * a.src_stride + a.length; }
    /// The run is copied as it is, without anything around it.
    bool bare() const { return to_gm || a.plain; }
};

/// The pipe that moves from `s` to `d`; kCount: there is no such path.
Pipe pipe_of(Memory s, Memory d) {
    if (s == Memory::kGm && (d == Memory::kUb || d == Memory::kL1)) return Pipe::kMte2;
    if (d == Memory::kGm && (s == Memory::kUb || s == Memory::kL1)) return Pipe::kMte3;
    if (d == Memory::kUb && s == Memory::kUb) return Pipe::kV;
    if (s == Memory::kL1 && d == Memory::kBt) return Pipe::kMte1;
    if (s == Memory::kL1 && d == Memory::kFb) return Pipe::kFix;
    return Pipe::kCount;
}

bool legal(Core& core, const CopyArgs& a, uint32_t es, const Loc& loc) {
    if (a.runs > 4095) return refused(core, loc, format("blockCount %u is over 4095", a.runs));
    if (a.plain && a.length % 32) {
        core.error("misaligned_length",
                   format("%s: %llu bytes, not a multiple of 32 (DataCopyPad takes any length)", loc.api,
                          (unsigned long long)a.length),
                   loc);
        return false;
    }
    if (!a.plain && a.length > 2097151)
        return refused(core, loc, format("blockLen %llu is over 2097151", (unsigned long long)a.length));
    if (!a.plain && (uint64_t(a.left) * es > 32 || uint64_t(a.right) * es > 32))
        return refused(core, loc, "leftPadding and rightPadding are at most 32 bytes");
    return true;
}

Cost cost_of(const Core& core, const Copy& copy) {
    const CopyArgs& a = copy.a;
    if (copy.pipe == Pipe::kV)
        return {VectorCost{VecOp::kCopy, static_cast<uint32_t>((a.length + 255) / 256 * a.runs), 4}};
    if (copy.pipe == Pipe::kMte1 || copy.pipe == Pipe::kFix)
        return {TableCost{static_cast<uint32_t>(a.length * a.runs)}};
    const Ref& gm = copy.to_gm ? a.dst : a.src;
    const auto stride = static_cast<int64_t>(copy.to_gm ? a.dst_stride : a.src_stride);
    const bool atomic = copy.to_gm && core.atomic != Atomic::kNone;
    return {GmCost{{a.runs, static_cast<uint32_t>(a.length), stride, atomic, gm.l2_bypass}, copy.to_gm}, gm.address};
}

void check(Core& c, const Copy& copy, const Loc& at) {
    const CopyArgs& a = copy.a;
    for (uint32_t i = 0; i < a.runs; ++i) {
        Ref from = a.src, to = a.dst;
        from.address += i * a.src_stride;
        to.address += i * a.dst_stride;
        c.checker->access(copy.pipe, from, a.length, Touch::kRead, copy.to_gm ? Uninit::kReport : Uninit::kCarry, at);
        c.checker->access(copy.pipe, to, copy.dst_run, copy.atomic != Atomic::kNone ? Touch::kAtomic : Touch::kWrite,
                          Uninit::kReport, at);
    }
    uint8_t* vd = c.resolve_valid(a.dst, copy.dst_bytes());
    const uint8_t* vs = c.resolve_valid(a.src, copy.src_bytes());
    for (uint32_t i = 0; vd && i < a.runs; ++i) {
        uint8_t* to = vd + i * a.dst_stride;
        if (copy.bare()) {
            if (copy.widen || !vs)
                std::memset(to, 1, copy.dst_run);
            else
                std::memmove(to, vs + i * a.src_stride, a.length);
            continue;
        }
        std::memset(to, copy.filler_known && (copy.pads || !vs || vs[i * a.src_stride]), copy.dst_run);
        if (vs)
            std::memmove(to + a.left * copy.element, vs + i * a.src_stride, a.length);
        else
            std::memset(to + a.left * copy.element, 1, a.length);
    }
}

void widen_run(uint8_t* to, const uint8_t* from, uint64_t bytes) {
    for (uint64_t e = 0; e < bytes / 2; ++e) {
        half h;
        std::memcpy(&h, from + e * 2, 2);
        const float f = widen(h);
        std::memcpy(to + e * 4, &f, 4);
    }
}

void padded_run(uint8_t* to, const uint8_t* from, const Copy& copy) {
    const uint64_t es = copy.element, left = copy.a.left * copy.element;
    const uint64_t undefined = ~0ull;  // a NaN
    const void* value = !copy.filler_known ? static_cast<const void*>(&undefined)
                        : copy.pads        ? static_cast<const void*>(&copy.filler)
                                           : from;
    for (uint64_t at_byte = 0; at_byte < copy.dst_run; at_byte += es)
        if (at_byte < left || at_byte >= left + copy.a.length)
            std::memcpy(to + at_byte, value, std::min<uint64_t>(es, copy.dst_run - at_byte));
    std::memcpy(to + left, from, copy.a.length);
}

void execute(Core& c, const Copy& copy, const Loc& at) {
    const CopyArgs& a = copy.a;
    uint8_t* dst = c.resolve(a.dst, copy.dst_bytes(), "destination", at);
    uint8_t* src = c.resolve(a.src, copy.src_bytes(), "source", at);
    if (!dst || !src) return;
    if (c.checker) check(c, copy, at);
    if (skip_math() && c.checker) return;
    for (uint32_t i = 0; i < a.runs; ++i) {
        uint8_t* to = dst + i * a.dst_stride;
        const uint8_t* from = src + i * a.src_stride;
        if (copy.widen)
            widen_run(to, from, a.length);
        else if (copy.to_gm)
            store_gm(to, from, a.length, copy.atomic, copy.atomic_type);
        else if (a.plain)
            std::memmove(to, from, a.length);
        else
            padded_run(to, from, copy);
    }
}

}  // namespace

void copy(const CopyArgs& a, const Loc& loc) {
    Core& core = current();
    const Memory d = a.dst.memory, s = a.src.memory;
    if (!here(core, d == Memory::kL1 || s == Memory::kL1, loc)) return;
    const Pipe pipe = pipe_of(s, d);
    if (pipe == Pipe::kCount) {
        core.error("no_such_path", format("%s: dav-2201 has no path from %s to %s", loc.api, name_of(s), name_of(d)),
                   loc);
        return;
    }
    const uint32_t es = std::max(1u, bytes_of(a.type));
    if (!legal(core, a, es, loc)) return;
    if (a.runs == 0 || a.length == 0) return;
    Copy copy{a, pipe, es, 0, d == Memory::kGm, d == Memory::kBt && a.pad_value == 1 && !a.pad};
    copy.dst_run =
        copy.bare() ? a.length * (copy.widen ? 2 : 1) : (a.length + (uint64_t(a.left) + a.right) * es + 31) / 32 * 32;
    const Cost cost = cost_of(core, copy);
    if (copy.to_gm) copy.atomic = core.atomic;
    copy.atomic_type = core.atomic_type;
    if (!copy.bare() && a.pad) {
        if (es == 8 && a.pad_value != 0) return illegal(core, loc, "paddingValue of 8-byte types can only be 0");
        core.copy_pad_value = a.pad_value;
        core.copy_pad_set = true;
    }
    copy.pads = a.left + a.right > 0;
    copy.filler_known = !copy.pads || core.copy_pad_set;
    copy.filler = core.copy_pad_value;
    if (left_out(a)) return core.record_only(pipe, loc, cost);
    core.issue(pipe, loc, cost, [copy](Core& c, const Loc& at) { execute(c, copy, at); });
}

void set_copy_pad_value(uint64_t bits) {
    Core& core = current();
    core.copy_pad_value = bits;
    core.copy_pad_set = true;
}

}  // namespace twin
