// SPDX-License-Identifier: BSD-3-Clause
// PIPE_M: Mmad.
#include <algorithm>
#include <cstring>
#include <vector>

#include "semantics/cube/multiply.h"
#include "semantics/cube/unit_flag.h"
#include "semantics/refuse.h"

namespace twin {

namespace {

uint32_t up(uint32_t value, uint32_t step) { return (value + step - 1) / step * step; }

/// Reads and writes, and which elements of the result come from bytes that nothing has written.
void check(Core& c, const Matmul& t, const Loc& at) {
    const MmadArgs& a = t.a;
    // Padding rows are read as well, so they take part in ordering; only logical elements must be initialised.
    c.checker->access(Pipe::kM, a.a, t.a_bytes(), Touch::kRead, Uninit::kCarry, at);
    c.checker->access(Pipe::kM, a.b, t.b_bytes(), Touch::kRead, Uninit::kCarry, at);
    if (a.from_bias) c.checker->access(Pipe::kM, a.bias, uint64_t(a.n) * 4, Touch::kRead, Uninit::kReport, at);
    const uint8_t* va = c.resolve_valid(a.a, t.a_bytes());
    const uint8_t* vb = c.resolve_valid(a.b, t.b_bytes());
    uint8_t* vc = c.resolve_valid(a.c, t.c_bytes());
    const auto byte = [&t](uint64_t element) { return element * t.bits / 8; };
    // Rounding m or n up is common practice: rows and columns made of stale bytes are garbage nobody stores.
    // They are marked so, and Fixpipe reports it when one is stored after all.
    std::vector<uint8_t> rows(a.m, 1), columns(a.n, 1);
    for (uint32_t r = 0; va && r < a.m; ++r)
        for (uint32_t k = 0; k < a.k; ++k) rows[r] &= va[byte(t.a_at(r, k))];
    const uint64_t index_at = a.b.address / 4;
    for (uint32_t k = 0; vb && k < t.kb; ++k)
        for (uint32_t n = 0; n < a.n; ++n) {
            const uint64_t at_element = t.b_at(k, n);
            columns[n] &= vb[byte(at_element)];
            if (a.sparse) columns[n] &= c.sparse_valid[index_at + at_element / 4];
        }
    const auto none = [](const std::vector<uint8_t>& v) { return std::find(v.begin(), v.end(), 1) == v.end(); };
    if (none(rows) || none(columns))
        c.error("uninitialised_read",
                format("Mmad: every %s of %s has an element that nothing has written", none(rows) ? "row" : "column",
                       none(rows) ? "A" : "B"),
                at);
    c.checker->access(Pipe::kM, a.c, t.c_bytes(), Touch::kWrite, Uninit::kCarry, at);
    const bool fresh = a.init || a.from_bias;
    for (uint32_t j = 0; vc && j < a.n; ++j)
        for (uint32_t i = 0; i < a.m; ++i) {
            uint8_t* v = vc + t.c_at(i, j);
            std::memset(v, rows[i] && columns[j] && (fresh || *v), 4);
        }
    // With enough fractals in flight the pipe is ordered with itself; below 10 the kernel must say so.
    if (t.m16 / 16 * (t.n16 / 16) >= 10) c.checker->barrier(Pipe::kM);
}

void execute(Core& c, const Matmul& t, const Loc& at) {
    const MmadArgs& a = t.a;
    uint8_t* pc = c.resolve(a.c, t.c_bytes(), "result", at);
    const uint8_t* pa = c.resolve(a.a, t.a_bytes(), "A", at);
    const uint8_t* pb = c.resolve(a.b, t.b_bytes(), "B", at);
    const uint8_t* bias = nullptr;
    if (a.from_bias) {
        bias = c.resolve(a.bias, uint64_t(a.n) * 4, "bias", at);
        if (a.bias.memory != Memory::kBt) c.error("no_such_path", "Mmad: the bias is read from C2 (BT)", at);
        if (!bias || a.bias.memory != Memory::kBt) return;
    }
    if (!pa || !pb || !pc) return;
    if (c.checker) check(c, t, at);
    if (skip_math()) return;
    multiply(t, pc, pa, pb, bias, a.sparse ? &c.sparse_index[a.b.address / 4] : nullptr);
}

bool legal(Core& core, const MmadArgs& a, const Loc& loc) {
    if (a.m > 4095 || a.n > 4095 || a.k > 4095)
        return refused(core, loc, format("m, n, k are at most 4095, not %u, %u, %u", a.m, a.n, a.k));
    if (a.unit_flag != 0 && a.unit_flag != 2 && a.unit_flag != 3) return refused(core, loc, "unitFlag is 0, 2 or 3");
    if (a.c.memory != Memory::kL0C || a.a.memory != Memory::kL0A || a.b.memory != Memory::kL0B) {
        core.error("no_such_path",
                   format("Mmad multiplies L0A by L0B into L0C, not %s by %s into %s", name_of(a.a.memory),
                          name_of(a.b.memory), name_of(a.c.memory)),
                   loc);
        return false;
    }
    if (a.c.address % 1024) {
        core.error(
            "misaligned",
            format("Mmad: the result starts at L0C byte %llu, not a multiple of 1024", (unsigned long long)a.c.address),
            loc);
        return false;
    }
    if (a.sparse && a.k % 4) return refused(core, loc, format("k is a multiple of 4, not %u", a.k));
    return true;
}

}  // namespace

void mmad(const MmadArgs& args, const Loc& loc) {
    Core& core = current();
    MmadArgs a = args;
    a.hf32 = core.hf32 && a.a_type == DType::kFloat;
    a.hf32_ties_to_zero = core.hf32_ties_to_zero;
    if (!here(core, true, loc)) return;
    if (a.m == 0 || a.n == 0 || a.k == 0 || !legal(core, a, loc)) return;
    Matmul t;
    t.a = a;
    t.bits = bits_of(a.a_type);
    t.c0 = 256 / t.bits;
    t.m16 = up(a.m, 16), t.n16 = up(a.n, 16);
    t.kc = up(a.k, t.c0), t.kr = a.k_align ? up(a.k, 16) : t.kc;
    t.kb = a.sparse ? a.k / 2 : a.k, t.kbc = up(t.kb, t.c0);
    t.gemv = a.m == 1 && !a.sparse;
    const uint32_t k0 = a.a_type == DType::kFloat ? (a.hf32 ? 8 : 4) : t.c0;  // HF32 doubles the rate
    const uint32_t tiles = t.m16 / 16 * (t.n16 / 16) * ((t.kb + k0 - 1) / k0);
    const Cost cost{MmadCost{tiles, a.m, a.n, t.kb, a.unit_flag}, a.c.address};
    const auto op = [t](Core& c, const Loc& at) { execute(c, t, at); };
    issue_unit(core, Pipe::kM, Pipe::kFix, loc, cost, a.unit_flag, a.c.address, t.c_bytes(), 0, op);
}

void set_hf32(bool enable) { current().hf32 = enable; }
void set_hf32_ties(bool towards_zero) { current().hf32_ties_to_zero = towards_zero; }

}  // namespace twin
