// SPDX-License-Identifier: BSD-3-Clause
// PIPE_FIX: Fixpipe, and the registers it reads.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "machine/cores.h"
#include "semantics/cube/unit_flag.h"
#include "semantics/movement/atomic.h"
#include "semantics/numeric.h"
#include "semantics/refuse.h"

namespace twin {

void set_fix_config(const Ref& scale, bool clear_unit_flags, const Loc& loc) {
    Core& core = current();
    scalar_note(loc);
    if (!core.cube) return core.warning("wrong_core", format("%s has no effect on an AIV", loc.api), loc);
    if (scale.memory != Memory::kFb && !(clear_unit_flags && scale.memory == Memory::kL0C))
        return illegal(core, loc, "the tensor is of the fixpipe buffer (C2PIPE2GM)");
    core.has_fix_scale = scale.memory == Memory::kFb;
    if (core.has_fix_scale) core.fix_scale = scale;
    if (clear_unit_flags) std::fill(core.unit_flags.begin(), core.unit_flags.end(), uint8_t{0});
}
void set_nd_state(uint32_t nd_num, uint32_t src_nd_stride, uint32_t dst_nd_stride) {
    Core& core = current();
    core.nd_num = nd_num;
    core.src_nd_stride = src_nd_stride;
    core.dst_nd_stride = dst_nd_stride;
}
void get_nd_state(uint32_t* nd_num, uint32_t* src_nd_stride, uint32_t* dst_nd_stride) {
    Core& core = current();
    *nd_num = core.nd_num;
    *src_nd_stride = core.src_nd_stride;
    *dst_nd_stride = core.dst_nd_stride;
}
void set_prequant(uint64_t bits) { current().prequant = bits; }
uint64_t get_prequant() { return current().prequant; }

namespace {

/// The scale register keeps 1 sign, 8 exponent and 10 mantissa bits.
float scale_of(uint64_t bits) { return float_of_bits(static_cast<uint32_t>(bits) & 0xffffe000u); }

/// Rounded within 9 bits, the offset of the scale word added; its sign bit, not the destination's type, picks int8 or
/// uint8.
uint8_t to_8_bits(double scaled, uint64_t word) {
    const double rounded = std::isnan(scaled) ? 0 : std::nearbyint(std::min(255.0, std::max(-256.0, scaled)));
    const double moved = rounded + static_cast<double>(word >> 37 & 0x1ff);
    return word >> 46 & 1 ? static_cast<uint8_t>(saturate_to<int8_t>(moved)) : saturate_to<uint8_t>(moved);
}

/// One element through the quantisation stage, as bytes of the destination type.
uint64_t quantise(const FixpipeArgs& a, uint32_t raw, uint64_t word, bool saturate) {
    const float scale = scale_of(word);
    uint64_t out = 0;
    if (a.src_type == DType::kFloat) {
        float v = float_of_bits(raw);
        if (a.relu && v < 0) v = 0;
        switch (a.quant) {
            case Quant::kF32ToF16: {
                const half h = to_half(v, saturate);
                std::memcpy(&out, &h, 2);
                return out;
            }
            case Quant::kF32ToBf16: return to_bf16(v, saturate).bits;
            case Quant::kF32ToB8:
            case Quant::kVF32ToB8: {
                return to_8_bits(static_cast<double>(v) * scale, word);
            }
            default: return bits_of_float(v);
        }
    }
    int32_t v = static_cast<int32_t>(raw);
    if (a.relu && v < 0) v = 0;
    switch (a.quant) {
        case Quant::kDeqF16:
        case Quant::kVdeqF16: {
            const half h = to_half(static_cast<float>(v) * scale, saturate);
            std::memcpy(&out, &h, 2);
            return out;
        }
        case Quant::kReq8:
        case Quant::kVreq8: {
            return to_8_bits(static_cast<double>(v) * scale, word);
        }
        default: return static_cast<uint32_t>(v);
    }
}

bool legal_pair(const FixpipeArgs& a) {
    const bool b8 = a.dst_type == DType::kInt8 || a.dst_type == DType::kUint8;
    if (a.src_type == DType::kFloat) switch (a.quant) {
            case Quant::kNone: return a.dst_type == DType::kFloat;
            case Quant::kF32ToF16: return a.dst_type == DType::kHalf;
            case Quant::kF32ToBf16: return a.dst_type == DType::kBf16;
            case Quant::kF32ToB8:
            case Quant::kVF32ToB8: return b8;
            default: return false;
        }
    switch (a.quant) {
        case Quant::kNone: return a.dst_type == DType::kInt32;
        case Quant::kDeqF16:
        case Quant::kVdeqF16: return a.dst_type == DType::kHalf;
        case Quant::kReq8:
        case Quant::kVreq8: return b8;
        default: return false;
    }
}

/// A scale per column from the fixpipe buffer.
bool scales_by_column(const FixpipeArgs& a) {
    return a.quant == Quant::kVF32ToB8 || a.quant == Quant::kVdeqF16 || a.quant == Quant::kVreq8;
}

bool legal(Core& core, const FixpipeArgs& a, const Loc& loc) {
    const bool to_gm = a.dst.memory == Memory::kGm;
    if (a.src.memory != Memory::kL0C || (!to_gm && a.dst.memory != Memory::kL1)) {
        {
            no_path(core, loc, a.src.memory, a.dst.memory);
            return false;
        }
    }
    if (!legal_pair(a)) return refused(core, loc, "this quantisation mode does not produce this destination type");
    if (!to_gm && a.quant == Quant::kNone) return refused(core, loc, "L1 takes converted results only (no NoQuant)");
    if (scales_by_column(a) && !a.has_scale)
        return refused(core, loc, "a vector quantisation mode needs the scale tensor");
    if (a.row_major && !to_gm) return refused(core, loc, "L1 takes NZ only");
    if (a.n > 4095) return refused(core, loc, format("nSize %u is over 4095", a.n));
    if (a.row_major ? a.m > 8192 : a.m > 65535) return refused(core, loc, format("mSize %u is too large", a.m));
    if (!a.row_major && a.n % (a.channel_split ? 8 : 16))
        return refused(core, loc, format("NZ output needs nSize in multiples of 16, not %u", a.n));
    if (a.row_major && a.nd_num > 1 && (a.src_nd_stride < 1 || a.src_nd_stride > 512))
        return refused(core, loc, "srcNdStride is 1 to 512");
    if (a.src_stride < a.m && a.n > 16)
        return refused(core, loc, format("srcStride %u is less than mSize %u: panels overlap", a.src_stride, a.m));
    if (a.row_major && a.dst_stride < a.n && a.m > 1)
        return refused(core, loc, format("dstStride %u is less than nSize %u: rows overlap", a.dst_stride, a.n));
    return true;
}

/// A Fixpipe as it is executed: what depends on the core is looked up when it is issued.
struct Fix {
    FixpipeArgs a;
    uint32_t es;  // bytes of an element of the destination
    uint32_t c0;  // columns of a panel of the destination
    bool by_column, saturate;
    Atomic atomic;
    DType atomic_type;

    uint64_t src_bytes() const {
        return uint64_t(a.nd_num - 1) * a.src_nd_stride * 1024 +
               (uint64_t((a.n + 15) / 16 - 1) * a.src_stride * 16 + uint64_t(a.m) * 16) * 4;
    }
    uint64_t dst_bytes() const {
        if (a.row_major)
            return (uint64_t(a.nd_num - 1) * a.dst_nd_stride + uint64_t(a.m - 1) * a.dst_stride + a.n) * es;
        return uint64_t((a.n + c0 - 1) / c0 - 1) * a.dst_stride * 32 + uint64_t(a.m) * ((a.n - 1) % c0 + 1) * es;
    }
};

Cost cost_of(const Core& core, const Fix& f) {
    const FixpipeArgs& a = f.a;
    FixpipeCost cost;
    cost.elements = a.m * a.n * a.nd_num;
    cost.bytes = cost.elements * f.es;
    cost.unit_flag = a.unit_flag;
    cost.block = static_cast<uint32_t>(a.src.address / 512);
    cost.to_gm = a.dst.memory == Memory::kGm;
    if (!cost.to_gm) return {cost};
    const bool atomic = core.atomic != Atomic::kNone;
    if (a.row_major)
        cost.gm = {a.m * a.nd_num, a.n * f.es, int64_t(a.dst_stride) * f.es, atomic, a.dst.l2_bypass};
    else
        cost.gm = {(a.n + f.c0 - 1) / f.c0, a.m * f.c0 * f.es, int64_t(a.dst_stride) * 32, atomic, a.dst.l2_bypass};
    return {cost, a.dst.address};
}

void check(Core& c, const Fix& f, const Loc& at) {
    const FixpipeArgs& a = f.a;
    c.checker->barrier(Pipe::kFix);
    const Touch touch = f.atomic != Atomic::kNone ? Touch::kAtomic : Touch::kWrite;
    if (f.by_column) c.checker->access(Pipe::kFix, a.scale, uint64_t(a.n) * 8, Touch::kRead, Uninit::kReport, at);
    for (uint32_t b = 0; b < a.nd_num; ++b) {
        for (uint32_t j = 0; j < a.n; j += 16) {
            Ref from = a.src;
            from.address += uint64_t(b) * a.src_nd_stride * 1024 + uint64_t(j / 16) * a.src_stride * 64;
            if (a.n - j >= 16) {
                c.checker->access(Pipe::kFix, from, uint64_t(a.m) * 64, Touch::kRead, Uninit::kReport, at);
            } else {
                for (uint32_t i = 0; i < a.m; ++i, from.address += 64)
                    c.checker->access(Pipe::kFix, from, (a.n - j) * 4, Touch::kRead, Uninit::kReport, at);
            }
        }
        for (uint32_t i = 0; a.row_major && i < a.m; ++i) {
            Ref to = a.dst;
            to.address += (uint64_t(b) * a.dst_nd_stride + uint64_t(i) * a.dst_stride) * f.es;
            c.checker->access(Pipe::kFix, to, a.n * f.es, touch, Uninit::kReport, at);
            if (uint8_t* valid = c.resolve_valid(to, a.n * f.es)) std::memset(valid, 1, a.n * f.es);
        }
    }
    for (uint32_t j = 0; !a.row_major && j < a.n; j += f.c0) {
        Ref to = a.dst;
        to.address += uint64_t(j / f.c0) * a.dst_stride * 32;
        const uint64_t bytes = uint64_t(a.m) * std::min(f.c0, a.n - j) * f.es;
        c.checker->access(Pipe::kFix, to, bytes, touch, Uninit::kReport, at);
        if (uint8_t* valid = c.resolve_valid(to, bytes)) std::memset(valid, 1, bytes);
    }
}

void execute(Core& c, const Fix& f, const Loc& at) {
    const FixpipeArgs& a = f.a;
    uint8_t* src = c.resolve(a.src, f.src_bytes(), "source", at);
    uint8_t* dst = c.resolve(a.dst, f.dst_bytes(), "destination", at);
    const uint8_t* scales = f.by_column ? c.resolve(a.scale, uint64_t(a.n) * 8, "scale", at) : nullptr;
    if (!src || !dst || (f.by_column && !scales)) return;
    if (c.checker) check(c, f, at);
    if (skip_math()) return;
    std::vector<uint8_t> line(uint64_t(a.row_major ? a.n : f.c0) * f.es);
    const auto value = [&](uint32_t b, uint32_t i, uint32_t j) {
        const uint32_t raw = load<uint32_t>(src + uint64_t(b) * a.src_nd_stride * 1024 +
                                            (uint64_t(j / 16) * a.src_stride * 16 + uint64_t(i) * 16 + j % 16) * 4);
        return quantise(a, raw, scales ? load<uint64_t>(scales + j * 8) : a.deq_scalar, f.saturate);
    };
    for (uint32_t b = 0; b < a.nd_num; ++b)
        for (uint32_t i = 0; i < a.m; ++i) {
            if (a.row_major) {
                for (uint32_t j = 0; j < a.n; ++j) {
                    const uint64_t v = value(b, i, j);
                    std::memcpy(&line[j * f.es], &v, f.es);
                }
                store_gm(dst + (uint64_t(b) * a.dst_nd_stride + uint64_t(i) * a.dst_stride) * f.es, line.data(),
                         a.n * f.es, f.atomic, f.atomic_type);
                continue;
            }
            for (uint32_t p = 0; p < (a.n + f.c0 - 1) / f.c0; ++p) {
                const uint32_t width = std::min(f.c0, a.n - p * f.c0);
                for (uint32_t x = 0; x < width; ++x) {
                    const uint64_t v = value(b, i, p * f.c0 + x);
                    std::memcpy(&line[x * f.es], &v, f.es);
                }
                store_gm(dst + uint64_t(p) * a.dst_stride * 32 + uint64_t(i) * width * f.es, line.data(), width * f.es,
                         f.atomic, f.atomic_type);
            }
        }
}

}  // namespace

void fixpipe(const FixpipeArgs& args, const Loc& loc) {
    Core& core = current();
    FixpipeArgs a = args;
    if (!a.has_scale && core.has_fix_scale) {
        a.scale = core.fix_scale;
        a.has_scale = true;
    }
    if (!here(core, true, loc)) return;
    if (a.n == 0 || a.m == 0 || !legal(core, a, loc)) return;
    const uint32_t es = bytes_of(a.dst_type);
    const uint32_t c0 = a.row_major ? 16 : a.channel_split ? 8 : (es == 1 ? 32 : 16);
    const Atomic atomic = a.dst.memory == Memory::kGm ? core.atomic : Atomic::kNone;
    const Fix f{a, es, c0, scales_by_column(a), core.saturate(), atomic, core.atomic_type};
    const Cost cost = cost_of(core, f);
    // The wrapper puts a barrier of its own pipe in front.
    if (core.recorder) core.recorder->barrier(Pipe::kFix, loc);
    const auto op = [f](Core& c, const Loc& at) { execute(c, f, at); };
    const uint64_t tile = uint64_t((a.m + 15) / 16 * 16) * ((a.n + 15) / 16 * 16) * 4;
    issue_unit(core, Pipe::kFix, Pipe::kM, loc, cost, a.unit_flag, a.src.address, tile, 1, op);
}

}  // namespace twin
