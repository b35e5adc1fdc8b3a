// SPDX-License-Identifier: BSD-3-Clause
// MTE1, MTE2, MTE3: DataCopy, DataCopyPad, ND->NZ, LoadData, constant fills, atomics to global memory.
//
// A mover runs twice in check mode: on the data and on the validity bytes behind it.
#include <algorithm>

#include "cores.h"
#include "numeric.h"
#include "timing_only.h"

namespace twin {
namespace {

bool skip_math() { return Device::get().options.skip_math; }

/// On the device a call meant for the other kind of core compiles to nothing.
bool here(Core& core, bool cube, const Loc& loc) {
    if (core.cube == cube) return true;
    core.warning("wrong_core", format("%s has no effect on %s", loc.api, core.cube ? "an AIC" : "an AIV"), loc);
    return false;
}

void illegal(Core& core, const Loc& loc, const std::string& what) {
    core.error("illegal_parameter", std::string(loc.api) + ": " + what, loc);
}

template <typename T, typename F>
void combine(uint8_t* dst, const uint8_t* src, uint64_t bytes, F f) {
    for (uint64_t i = 0; i + sizeof(T) <= bytes; i += sizeof(T)) {
        T a, b;
        std::memcpy(&a, dst + i, sizeof(T));
        std::memcpy(&b, src + i, sizeof(T));
        a = f(a, b);
        std::memcpy(dst + i, &a, sizeof(T));
    }
}

template <typename T>
void combine_op(uint8_t* dst, const uint8_t* src, uint64_t bytes, Atomic op) {
    const auto value = [op](T a, T b) -> T {
        if (op == Atomic::kMax) return std::max(a, b);
        if (op == Atomic::kMin) return std::min(a, b);
        return static_cast<T>(a + b);
    };
    combine<T>(dst, src, bytes, value);
}

std::mutex& atomic_mutex(const uint8_t* address) {
    static std::mutex stripes[64];
    return stripes[reinterpret_cast<uint64_t>(address) / 512 % 64];
}

void atomic_bytes(uint8_t* dst, const uint8_t* src, uint64_t bytes, Atomic op, DType type) {
    std::lock_guard<std::mutex> lock(atomic_mutex(dst));
    switch (type) {
        case DType::kFloat: return combine_op<float>(dst, src, bytes, op);
        case DType::kHalf:
            return combine<half>(dst, src, bytes, [op](half a, half b) -> half {
                if (op == Atomic::kMax) return std::max(a, b);
                if (op == Atomic::kMin) return std::min(a, b);
                return static_cast<half>(static_cast<float>(a) + static_cast<float>(b));
            });
        case DType::kBf16:
            return combine<bf16>(dst, src, bytes, [op](bf16 a, bf16 b) {
                const float x = widen(a), y = widen(b);
                return to_bf16_rne(op == Atomic::kMax ? std::max(x, y) : op == Atomic::kMin ? std::min(x, y) : x + y);
            });
        case DType::kInt32:
            if (op == Atomic::kAdd) return combine_op<uint32_t>(dst, src, bytes, op);
            return combine_op<int32_t>(dst, src, bytes, op);
        case DType::kInt16: return combine_op<int16_t>(dst, src, bytes, op);
        case DType::kInt8: return combine_op<int8_t>(dst, src, bytes, op);
        default: return;
    }
}

}  // namespace

/// Writes to global memory, honouring the atomic mode of the core (used by MTE3 and Fixpipe).
void store_gm(uint8_t* dst, const uint8_t* src, uint64_t bytes, Atomic op, DType type) {
    if (op == Atomic::kNone)
        std::memmove(dst, src, bytes);
    else
        atomic_bytes(dst, src, bytes, op, type);
}

// ---------------------------------------------------------------------------------------------- DataCopy
void copy(const CopyArgs& a, const Loc& loc) {
    Core& core = current();
    const Memory d = a.dst.memory, s = a.src.memory;
    const bool to_gm = d == Memory::kGm, from_gm = s == Memory::kGm;
    const bool cube_side = d == Memory::kL1 || s == Memory::kL1;
    if (!here(core, cube_side, loc)) return;
    Pipe pipe;
    const bool widen_bias = d == Memory::kBt && a.pad_value == 1 && !a.pad;
    if (from_gm && (d == Memory::kUb || d == Memory::kL1))
        pipe = Pipe::kMte2;
    else if (to_gm && (s == Memory::kUb || s == Memory::kL1))
        pipe = Pipe::kMte3;
    else if (d == Memory::kUb && s == Memory::kUb)
        pipe = Pipe::kV;
    else if (s == Memory::kL1 && d == Memory::kBt)
        pipe = Pipe::kMte1;
    else if (s == Memory::kL1 && d == Memory::kFb)
        pipe = Pipe::kFix;
    else {
        core.error("no_such_path", format("%s: dav-2201 has no path from %s to %s", loc.api, name_of(s), name_of(d)),
                   loc);
        return;
    }
    if (a.runs > 4095) return illegal(core, loc, format("blockCount %u is over 4095", a.runs));
    if (a.plain && a.length % 32) {
        core.error("misaligned_length",
                   format("%s: %llu bytes, not a multiple of 32 (DataCopyPad takes any length)", loc.api,
                          (unsigned long long)a.length),
                   loc);
        return;
    }
    if (!a.plain && a.length > 2097151)
        return illegal(core, loc, format("blockLen %llu is over 2097151", (unsigned long long)a.length));
    const uint32_t es = std::max(1u, bytes_of(a.type));
    if (!a.plain && (uint64_t(a.left) * es > 32 || uint64_t(a.right) * es > 32))
        return illegal(core, loc, "leftPadding and rightPadding are at most 32 bytes");
    if (a.runs == 0 || a.length == 0) return;
    // Bytes a run takes in the local memory that receives it.
    const uint64_t dst_run = to_gm || a.plain ? a.length * (widen_bias ? 2 : 1)
                                              : (a.length + (uint64_t(a.left) + a.right) * es + 31) / 32 * 32;
    Cost cost;
    if (pipe == Pipe::kV) {
        cost = {CostKind::kVector,
                static_cast<uint32_t>((a.length + 255) / 256 * a.runs),
                static_cast<uint32_t>(VecOp::kCopy),
                4,
                0,
                {}};
    } else if (pipe == Pipe::kMte1 || pipe == Pipe::kFix) {
        cost = {CostKind::kTable, static_cast<uint32_t>(a.length * a.runs), 0, 0, 0, {}};
    } else {
        cost.kind = to_gm ? CostKind::kGmWrite : CostKind::kGmRead;
        cost.gm = {to_gm ? a.dst.address : a.src.address, a.runs,
                   static_cast<uint32_t>(a.length),       static_cast<int64_t>(to_gm ? a.dst_stride : a.src_stride),
                   to_gm && core.atomic != Atomic::kNone, to_gm ? a.dst.l2_bypass : a.src.l2_bypass};
    }
    const Atomic atomic = to_gm ? core.atomic : Atomic::kNone;
    const DType atomic_type = core.atomic_type;
    // DataCopyPad: what stands around a run. Without padding elements it repeats the run's first element; with them it
    // is the padding register, which isPad sets.
    const bool into_local = !a.plain && !to_gm, pads = a.left + a.right > 0;
    if (into_local && a.pad) {
        if (es == 8 && a.pad_value != 0) return illegal(core, loc, "paddingValue of 8-byte types can only be 0");
        core.copy_pad_value = a.pad_value;
        core.copy_pad_set = true;
    }
    const bool filler_known = !pads || core.copy_pad_set;
    const uint64_t filler = core.copy_pad_value;
    if (left_out(a)) return core.record_only(pipe, loc, cost);
    core.issue(pipe, loc, cost, [=](Core& c, const Loc& at) {
        uint8_t* dst = c.resolve(a.dst, (a.runs - 1) * a.dst_stride + dst_run, "destination", at);
        uint8_t* src = c.resolve(a.src, (a.runs - 1) * a.src_stride + a.length, "source", at);
        if (!dst || !src) return;
        if (c.checker) {
            for (uint32_t i = 0; i < a.runs; ++i) {
                Ref from = a.src, to = a.dst;
                from.address += i * a.src_stride;
                to.address += i * a.dst_stride;
                c.checker->access(pipe, from, a.length, Touch::kRead, to_gm ? Uninit::kReport : Uninit::kCarry, at);
                c.checker->access(pipe, to, dst_run, atomic != Atomic::kNone ? Touch::kAtomic : Touch::kWrite,
                                  Uninit::kReport, at);
            }
            uint8_t* vd = c.resolve_valid(a.dst, (a.runs - 1) * a.dst_stride + dst_run);
            const uint8_t* vs = c.resolve_valid(a.src, (a.runs - 1) * a.src_stride + a.length);
            for (uint32_t i = 0; vd && i < a.runs; ++i) {
                uint8_t* to = vd + i * a.dst_stride;
                if (to_gm || a.plain) {
                    if (widen_bias || !vs)
                        std::memset(to, 1, dst_run);
                    else
                        std::memmove(to, vs + i * a.src_stride, a.length);
                    continue;
                }
                std::memset(to, filler_known && (pads || !vs || vs[i * a.src_stride]), dst_run);
                if (vs)
                    std::memmove(to + a.left * es, vs + i * a.src_stride, a.length);
                else
                    std::memset(to + a.left * es, 1, a.length);
            }
        }
        if (skip_math() && c.checker) return;
        for (uint32_t i = 0; i < a.runs; ++i) {
            uint8_t* to = dst + i * a.dst_stride;
            const uint8_t* from = src + i * a.src_stride;
            if (widen_bias) {
                for (uint64_t e = 0; e < a.length / 2; ++e) {
                    half h;
                    std::memcpy(&h, from + e * 2, 2);
                    const float f = widen(h);
                    std::memcpy(to + e * 4, &f, 4);
                }
            } else if (to_gm) {
                store_gm(to, from, a.length, atomic, atomic_type);
            } else if (a.plain) {
                std::memmove(to, from, a.length);
            } else {
                const uint64_t undefined = ~0ull;  // a NaN
                const void* value = !filler_known ? static_cast<const void*>(&undefined)
                                    : pads        ? static_cast<const void*>(&filler)
                                                  : from;
                for (uint64_t at_byte = 0; at_byte < dst_run; at_byte += es)
                    if (at_byte < a.left * es || at_byte >= a.left * es + a.length)
                        std::memcpy(to + at_byte, value, std::min<uint64_t>(es, dst_run - at_byte));
                std::memcpy(to + a.left * es, from, a.length);
            }
        }
    });
}

// ---------------------------------------------------------------------------------------------- ND -> NZ
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
    Cost cost;
    cost.kind = CostKind::kGmRead;
    cost.b = 1;
    cost.c = uint32_t(a.nd_num) * a.n;
    // One description for all matrices: rows of dValue elements; matrices are a repetition of them.
    cost.gm = {a.src.address, uint32_t(a.nd_num) * a.n, a.d * es, int64_t(a.src_d) * es, false, a.src.l2_bypass};
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

// ---------------------------------------------------------------------------------------------- LoadData
namespace {

void transpose_square(uint8_t* const* dst, const uint8_t* const* src, uint32_t bits) {
    // Fractals are 16 rows of 32 bytes; a square is S x S elements made of S / 16 of them, side by side for wide types
    // (columns 0-7, 8-15), one below the other for narrow ones (rows 0-15, 16-31, ...).
    if (bits == 16) {
        for (int r = 0; r < 16; ++r)
            for (int c = 0; c < 16; ++c) std::memcpy(dst[0] + (c * 16 + r) * 2, src[0] + (r * 16 + c) * 2, 2);
    } else if (bits == 32) {
        for (int r = 0; r < 16; ++r)
            for (int c = 0; c < 16; ++c)
                std::memcpy(dst[r / 8] + (c * 8 + r % 8) * 4, src[c / 8] + (r * 8 + c % 8) * 4, 4);
    } else if (bits == 8) {
        for (int r = 0; r < 32; ++r)
            for (int c = 0; c < 32; ++c) dst[c / 16][c % 16 * 32 + r] = src[r / 16][r % 16 * 32 + c];
    } else {
        for (int r = 0; r < 64; ++r)
            for (int c = 0; c < 64; ++c) {
                const uint8_t nibble = src[r / 16][(r % 16 * 64 + c) / 2] >> (c % 2 * 4) & 15;
                uint8_t& to = dst[c / 16][(c % 16 * 64 + r) / 2];
                to = r % 2 ? (to & 0x0f) | nibble << 4 : (to & 0xf0) | nibble;
            }
    }
}

void copy_fractal(uint8_t* dst, const uint8_t* src, bool transpose, uint8_t) {
    if (!transpose)
        std::memcpy(dst, src, 512);
    else
        transpose_square(&dst, &src, 16);
}

CostKind load_kind(Memory dst) { return dst == Memory::kL0A ? CostKind::kLoadL0A : CostKind::kLoadL0B; }

}  // namespace

void load_2d(const Load2dArgs& a, const Loc& loc) {
    Core& core = current();
    if (!here(core, true, loc)) return;
    const bool from_gm = a.src.memory == Memory::kGm;
    const bool to_l0 = a.dst.memory == Memory::kL0A || a.dst.memory == Memory::kL0B;
    if (!(to_l0 && (from_gm || a.src.memory == Memory::kL1)) && !(from_gm && a.dst.memory == Memory::kL1)) {
        core.error("no_such_path",
                   format("%s: no path from %s to %s", loc.api, name_of(a.src.memory), name_of(a.dst.memory)), loc);
        return;
    }
    if (a.repeat == 0) return;
    if (a.transpose && bits_of(a.type) != 16)
        return illegal(core, loc, "ifTranspose works on 16-bit types (LoadDataWithTranspose takes the others)");
    if (a.decrease && uint64_t(a.start) < uint64_t(a.repeat - 1) * a.src_stride)
        return illegal(core, loc, "the source index would go below zero");
    const uint64_t first = a.decrease ? a.start - uint64_t(a.repeat - 1) * a.src_stride : a.start;
    const uint64_t last = a.decrease ? a.start : a.start + uint64_t(a.repeat - 1) * a.src_stride;
    Cost cost;
    if (from_gm) {
        cost.kind = CostKind::kGmRead;
        cost.gm = {a.src.address + first * 512, a.repeat, 512, int64_t(a.src_stride) * 512, false, a.src.l2_bypass};
    } else {
        cost = {load_kind(a.dst.memory), a.repeat * 512, 0, 0, 0, {}};
    }
    const Pipe pipe = from_gm ? Pipe::kMte2 : Pipe::kMte1;
    if (timing_only()) return core.record_only(pipe, loc, cost);
    core.issue(pipe, loc, cost, [=](Core& c, const Loc& at) {
        const uint64_t dst_bytes = (uint64_t(a.repeat - 1) * (a.dst_gap + 1) + 1) * 512;
        uint8_t* dst = c.resolve(a.dst, dst_bytes, "destination", at);
        uint8_t* src = c.resolve(a.src, (last + 1) * 512, "source", at);
        if (!dst || !src) return;
        const auto source = [&](uint32_t i) {
            return (a.decrease ? a.start - uint64_t(i) * a.src_stride : a.start + uint64_t(i) * a.src_stride) * 512;
        };
        if (c.checker) {
            uint8_t* vd = c.resolve_valid(a.dst, dst_bytes);
            const uint8_t* vs = c.resolve_valid(a.src, (last + 1) * 512);
            for (uint32_t i = 0; i < a.repeat; ++i) {
                Ref from = a.src, to = a.dst;
                from.address += source(i);
                to.address += uint64_t(i) * (a.dst_gap + 1) * 512;
                c.checker->access(pipe, from, 512, Touch::kRead, Uninit::kCarry, at);
                c.checker->access(pipe, to, 512, Touch::kWrite, Uninit::kCarry, at);
                if (vd && vs) copy_fractal(vd + uint64_t(i) * (a.dst_gap + 1) * 512, vs + source(i), a.transpose, 1);
            }
        }
        if (skip_math()) return;
        for (uint32_t i = 0; i < a.repeat; ++i)
            copy_fractal(dst + uint64_t(i) * (a.dst_gap + 1) * 512, src + source(i), a.transpose, 0);
    });
}

void load_transpose(const LoadTransposeArgs& a, const Loc& loc) {
    Core& core = current();
    if (!here(core, true, loc)) return;
    const uint32_t bits = bits_of(a.type);
    if (a.src.memory != Memory::kL1 || (a.dst.memory != Memory::kL0A && a.dst.memory != Memory::kL0B)) {
        core.error("no_such_path",
                   format("%s: no path from %s to %s", loc.api, name_of(a.src.memory), name_of(a.dst.memory)), loc);
        return;
    }
    if (bits == 4 && a.dst.memory == Memory::kL0A) return illegal(core, loc, "int4 is transposed into L0B only");
    if (a.repeat == 0) return;
    const uint32_t fractals = bits == 16 ? 1 : bits == 4 ? 4 : 2;
    if (a.decrease && uint64_t(a.start) < uint64_t(a.repeat - 1) * a.src_stride)
        return illegal(core, loc, "the source index would go below zero");
    const uint64_t last = a.decrease ? a.start : a.start + uint64_t(a.repeat - 1) * a.src_stride;
    const Cost cost{load_kind(a.dst.memory), a.repeat * fractals * 512, 0, 0, 0, {}};
    if (timing_only()) return core.record_only(Pipe::kMte1, loc, cost);
    core.issue(Pipe::kMte1, loc, cost, [=](Core& c, const Loc& at) {
        const uint64_t src_bytes = (last + 1) * fractals * 512;
        const uint64_t dst_bytes =
            (uint64_t(a.repeat - 1) * (a.dst_gap + 1) + uint64_t(fractals - 1) * (a.dst_frac_gap + 1) + 1) * 512;
        uint8_t* dst = c.resolve(a.dst, dst_bytes, "destination", at);
        uint8_t* src = c.resolve(a.src, src_bytes, "source", at);
        if (!dst || !src) return;
        const auto run = [&](uint8_t* to, const uint8_t* from) {
            for (uint32_t i = 0; i < a.repeat; ++i) {
                const uint64_t square =
                    a.decrease ? a.start - uint64_t(i) * a.src_stride : a.start + uint64_t(i) * a.src_stride;
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
                const uint64_t square =
                    a.decrease ? a.start - uint64_t(i) * a.src_stride : a.start + uint64_t(i) * a.src_stride;
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

void set_f_matrix(uint16_t h, uint16_t w, const uint8_t* pad, bool right) {
    Core& core = current();
    core.f_matrix_h[right] = h;
    core.f_matrix_w[right] = w;
    for (int i = 0; i < 4; ++i) core.f_matrix_pad[right][i] = pad[i];
}
void set_pad_value(uint64_t bits) { current().pad_value = bits; }
void set_copy_pad_value(uint64_t bits) {
    Core& core = current();
    core.copy_pad_value = bits;
    core.copy_pad_set = true;
}

void set_load_repeat(uint32_t stride, uint32_t times, bool along_k) {
    Core& core = current();
    core.load_repeat_stride = stride;
    core.load_repeat_times = times;
    core.load_repeat_along_k = along_k;
}
void set_load_boundary(uint32_t bytes) { current().load_boundary = bytes; }

/// Image to column: output row m is a filter position, column k runs over (channel block, filter h, filter w, C0).
/// Repetitions (SetLoadDataRepeat) make the output higher or wider; it is laid out as one matrix.
void load_3d(const Load3dArgs& args, const Loc& loc) {
    Core& core = current();
    if (!here(core, true, loc)) return;
    Load3dArgs a = args;
    a.l1_h = core.f_matrix_h[a.f_matrix_right];
    a.l1_w = core.f_matrix_w[a.f_matrix_right];
    for (int i = 0; i < 4; ++i) a.pad[i] = core.f_matrix_pad[a.f_matrix_right][i];
    uint64_t pad_value = core.pad_value;
    if (a.src.memory != Memory::kL1 || (a.dst.memory != Memory::kL0A && a.dst.memory != Memory::kL0B)) {
        core.error("no_such_path",
                   format("%s: no path from %s to %s", loc.api, name_of(a.src.memory), name_of(a.dst.memory)), loc);
        return;
    }
    const bool to_b = a.dst.memory == Memory::kL0B;
    if (a.type == DType::kInt4) {  // moves by pairs, which stay together
        if (a.transpose || to_b) return illegal(core, loc, "int4 goes to L0A untransposed only");
        if (a.channels % 8) return illegal(core, loc, "channelSize of int4 is a multiple of 8");
        a.type = DType::kInt8;
        a.channels /= 2;
        a.k_extension = static_cast<uint16_t>((a.k_extension + 1) / 2);
        a.k_start /= 2;
        pad_value = (pad_value & 15) * 17;
    }
    const uint32_t es = bytes_of(a.type), c0 = 32 / es;
    if (a.filter_w == 0 || a.filter_h == 0) return;
    if (a.l1_h == 0 || a.l1_w == 0 || a.stride_w == 0 || a.stride_h == 0)
        return illegal(core, loc, "image and stride sizes are at least 1");
    if (a.k_start % c0) return illegal(core, loc, "kStartPt is a multiple of C0");
    const uint32_t times = core.load_repeat_times, stride = core.load_repeat_stride;
    const bool along_k = core.load_repeat_along_k;
    if (times == 0) return;
    const uint32_t boundary = core.load_boundary;
    if (boundary && (boundary < 1024 || a.src.address >= boundary))
        return illegal(core, loc, "SetLoadDataBoundary: at least 1024 bytes, after the source's start");
    const uint32_t out_w = (a.l1_w + a.pad[0] + a.pad[1] - (a.filter_w - 1) * a.dilation_w - 1) / a.stride_w + 1;
    const uint32_t m_step = (a.m_extension + 15) / 16 * 16, k_step = (a.k_extension + c0 - 1) / c0 * c0;
    const uint32_t m16 = m_step * (along_k ? 1 : times), kc = k_step * (along_k ? times : 1);
    const Cost cost{CostKind::kLoad3d, m16 * kc * es, to_b ? 1u : 0u, 0, 0, {}};
    if (timing_only()) return core.record_only(Pipe::kMte1, loc, cost);
    core.issue(Pipe::kMte1, loc, cost, [=](Core& c, const Loc& at) {
        const uint64_t dst_bytes = uint64_t(a.transpose || to_b ? (m16 + c0 - 1) / c0 * c0 : m16) *
                                   (a.transpose || to_b ? (kc + 15) / 16 * 16 : kc) * es;
        const uint64_t image = uint64_t((a.channels + c0 - 1) / c0) * a.l1_h * a.l1_w * 32;
        const bool wraps = boundary && a.src.address + image > boundary;
        Ref source = a.src;
        uint64_t src_bytes = image;
        if (wraps) source.address = 0, src_bytes = boundary;
        uint8_t* dst = c.resolve(a.dst, dst_bytes, "destination", at);
        uint8_t* src = c.resolve(source, src_bytes, "source", at);
        if (!dst || !src) return;
        const uint32_t kr = kc, cc16 = (kc + 15) / 16 * 16;
        const auto run = [&](uint8_t* to, const uint8_t* from, uint64_t fill) {
            for (uint32_t i = 0; i < m16; ++i)
                for (uint32_t j = 0; j < kc; ++j) {
                    const uint32_t m = a.m_start + i / m_step * stride * 16 + i % m_step;
                    const uint32_t k = a.k_start + j / k_step * stride * c0 + j % k_step;
                    const uint32_t channel_block = k / (c0 * a.filter_w * a.filter_h),
                                   rest = k / c0 % (a.filter_w * a.filter_h);
                    const int32_t y = int32_t(m / out_w * a.stride_h + rest / a.filter_w * a.dilation_h) - a.pad[2];
                    const int32_t x = int32_t(m % out_w * a.stride_w + rest % a.filter_w * a.dilation_w) - a.pad[0];
                    // zZ in L0A, of the transposed matrix (k rows, m columns) with enTranspose; nZ in L0B.
                    uint64_t offset;
                    if (a.transpose && !to_b) {
                        offset = uint64_t(j / 16) * 16 * m16 + uint64_t(i / c0) * 16 * c0 + (j % 16) * c0 + i % c0;
                    } else if (to_b) {
                        // Row index is i (K of the Mmad), column j: fractals of 16 columns by C0 rows, row-major over
                        // i.
                        offset = uint64_t(i / c0) * cc16 * c0 + uint64_t(j / 16) * 16 * c0 + (j % 16) * c0 + i % c0;
                    } else {
                        offset = uint64_t(i / 16) * 16 * kr + uint64_t(j / c0) * 16 * c0 + (i % 16) * c0 + j % c0;
                    }
                    uint8_t* element = to + offset * es;
                    if (y >= 0 && y < a.l1_h && x >= 0 && x < a.l1_w && channel_block * c0 < a.channels) {
                        uint64_t byte = ((uint64_t(channel_block) * a.l1_h + y) * a.l1_w + x) * 32 + k % c0 * es;
                        if (wraps) byte = (a.src.address + byte) % boundary;
                        std::memcpy(element, from + byte, es);
                    } else {
                        std::memcpy(element, &fill, es);
                    }
                }
        };
        if (c.checker) {
            c.checker->access(Pipe::kMte1, source, src_bytes, Touch::kRead, Uninit::kCarry, at);
            c.checker->access(Pipe::kMte1, a.dst, dst_bytes, Touch::kWrite, Uninit::kCarry, at);
            uint8_t* vd = c.resolve_valid(a.dst, dst_bytes);
            const uint8_t* vs = c.resolve_valid(source, src_bytes);
            if (vd && vs) run(vd, vs, 0x0101010101010101ull);
        }
        if (!skip_math()) run(dst, src, pad_value);
    });
}

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
    const Cost cost{CostKind::kLoadL0B, a.repeat * 128, 0, 0, 0, {}};
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

void fill(const FillArgs& a, const Loc& loc) {
    Core& core = current();
    if (!here(core, true, loc)) return;
    const bool l1 = a.dst.memory == Memory::kL1;
    if (!l1 && a.dst.memory != Memory::kL0A && a.dst.memory != Memory::kL0B) {
        core.error("no_such_path", format("%s fills L1, L0A and L0B", loc.api), loc);
        return;
    }
    if (a.repeat > 32767 || a.blocks > 32767) return illegal(core, loc, "repeatTimes and blockNum are at most 32767");
    if (a.repeat == 0 || a.blocks == 0) return;
    const uint64_t unit = l1 ? 32 : 512;
    const Pipe pipe = l1 ? Pipe::kMte2 : Pipe::kMte1;
    const Cost cost{
        l1 ? CostKind::kFillL1 : CostKind::kFillL0, static_cast<uint32_t>(a.repeat * a.blocks * unit), 0, 0, 0, {}};
    if (timing_only()) return core.record_only(pipe, loc, cost);
    core.issue(pipe, loc, cost, [=](Core& c, const Loc& at) {
        const uint64_t stride = uint64_t(a.blocks + a.gap) * unit, length = a.blocks * unit;
        uint8_t* dst = c.resolve(a.dst, (a.repeat - 1) * stride + length, "destination", at);
        if (!dst) return;
        const uint32_t es = bytes_of(a.type);
        for (uint32_t i = 0; i < a.repeat; ++i) {
            if (c.checker) {
                Ref to = a.dst;
                to.address += i * stride;
                c.checker->access(pipe, to, length, Touch::kWrite, Uninit::kCarry, at);
                if (uint8_t* valid = c.resolve_valid(to, length)) std::memset(valid, 1, length);
            }
            for (uint64_t e = 0; e < length; e += es) std::memcpy(dst + i * stride + e, &a.value, es);
        }
    });
}

void set_atomic(Atomic op, DType type, const Loc& loc) {
    Core& core = current();
    core.atomic = op;
    core.atomic_type = type;
    if (core.recorder) core.recorder->scalar(loc);
}

}  // namespace twin
