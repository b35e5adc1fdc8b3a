// SPDX-License-Identifier: BSD-3-Clause
// PIPE_M and PIPE_FIX: Mmad and Fixpipe.
//
// Accumulation is fp32, in order of k, each product exact (half, bf16) or fused (float): the device's order inside
// its 16-wide groups is not published.
#include <algorithm>
#include <cmath>

#include "cores.h"
#include "numeric.h"
#include "timing_only.h"

namespace twin {

void store_gm(uint8_t* dst, const uint8_t* src, uint64_t bytes, Atomic op, DType type);

namespace {

void illegal(Core& core, const Loc& loc, const std::string& what) {
    core.error("illegal_parameter", std::string(loc.api) + ": " + what, loc);
}

uint32_t up(uint32_t value, uint32_t step) { return (value + step - 1) / step * step; }

template <typename T>
T load(const uint8_t* p) {
    T v;
    std::memcpy(&v, p, sizeof(T));
    return v;
}

/// Element of a 4-bit packed array.
int nibble(const uint8_t* base, uint64_t index) {
    const int v = base[index / 2] >> (index % 2 * 4) & 15;
    return v >= 8 ? v - 16 : v;
}

/// Operands unpacked to plain row-major arrays: A[m][k], B[k][n].
template <typename Acc, typename Get>
void unpack(std::vector<Acc>& to, uint32_t rows, uint32_t cols, Get get) {
    to.resize(uint64_t(rows) * cols);
    for (uint32_t r = 0; r < rows; ++r)
        for (uint32_t c = 0; c < cols; ++c) to[uint64_t(r) * cols + c] = get(r, c);
}

template <typename Acc>
void multiply(Acc* c, const Acc* a, const Acc* b, uint32_t m, uint32_t n, uint32_t k, uint32_t ldc) {
    // Columns in strips that stay in registers: c[i][0..31] += a[i][p] * b[p][0..31].
    for (uint32_t j = 0; j < n; j += 32) {
        const uint32_t width = std::min(32u, n - j);
        for (uint32_t i = 0; i < m; ++i) {
            Acc sum[32];
            for (uint32_t x = 0; x < width; ++x) sum[x] = c[uint64_t(i) * ldc + j + x];
            for (uint32_t x = width; x < 32; ++x) sum[x] = 0;
            const Acc* row = a + uint64_t(i) * k;
            if (width == 32) {
                for (uint32_t p = 0; p < k; ++p) {
                    const Acc f = row[p];
                    const Acc* line = b + uint64_t(p) * n + j;
                    for (int x = 0; x < 32; ++x) {
                        if constexpr (std::is_same<Acc, float>::value)
                            sum[x] = __builtin_fmaf(f, line[x], sum[x]);
                        else
                            sum[x] += f * line[x];
                    }
                }
            } else {
                for (uint32_t p = 0; p < k; ++p)
                    for (uint32_t x = 0; x < width; ++x) {
                        if constexpr (std::is_same<Acc, float>::value)
                            sum[x] = __builtin_fmaf(row[p], b[uint64_t(p) * n + j + x], sum[x]);
                        else
                            sum[x] += row[p] * b[uint64_t(p) * n + j + x];
                    }
            }
            for (uint32_t x = 0; x < width; ++x) c[uint64_t(i) * ldc + j + x] = sum[x];
        }
    }
}

float operand(const uint8_t* base, uint64_t index, DType type) {
    switch (type) {
        case DType::kHalf: return widen(load<half>(base + index * 2));
        case DType::kBf16: return widen(load<bf16>(base + index * 2));
        case DType::kFloat: return load<float>(base + index * 4);
        case DType::kInt8: return static_cast<float>(static_cast<int8_t>(base[index]));
        case DType::kInt4: return static_cast<float>(nibble(base, index));
        default: return 0;
    }
}

/// float with 11 bits of fraction; infinities and NaN stay.
float to_hf32(float value, bool ties_to_zero) {
    constexpr uint32_t dropped = 12, half_way = 1u << (dropped - 1);
    uint32_t bits = bits_of_float(value);
    if ((bits & 0x7f800000u) == 0x7f800000u) return value;
    bits += ties_to_zero ? half_way - 1 : half_way - 1 + (bits >> dropped & 1);
    return float_of_bits(bits & ~((1u << dropped) - 1));
}

struct Scratch {
    std::vector<float> fa, fb, fc;
    std::vector<int32_t> ia, ib, ic;
};

template <typename Acc>
void compute(const MmadArgs& a, uint8_t* c, const uint8_t* pa, const uint8_t* pb, const uint8_t* bias, uint32_t c0,
             uint32_t kr, uint32_t m16, std::vector<Acc>& A, std::vector<Acc>& B, std::vector<Acc>& C, bool gemv) {
    const uint32_t n16 = up(a.n, 16);
    // L0A: zZ; L0B: nZ with fractals of 16 columns by C0 rows.
    if (a.a_type == DType::kHalf && !gemv) {
        A.resize(uint64_t(a.m) * a.k);
        for (uint32_t r = 0; r < a.m; ++r)
            for (uint32_t g = 0; g < a.k; g += c0) {
                const uint8_t* line =
                    pa + (uint64_t(r / 16) * 16 * kr + uint64_t(g / c0) * 16 * c0 + (r % 16) * c0) * 2;
                const uint32_t w = std::min(c0, a.k - g);
                for (uint32_t x = 0; x < w; ++x)
                    A[uint64_t(r) * a.k + g + x] = static_cast<Acc>(widen(load<half>(line + x * 2)));
            }
    } else {
        unpack(A, a.m, a.k, [&](uint32_t r, uint32_t k) {
            const uint64_t at =
                gemv ? k : uint64_t(r / 16) * 16 * kr + uint64_t(k / c0) * 16 * c0 + (r % 16) * c0 + k % c0;
            return static_cast<Acc>(operand(pa, at, a.a_type));
        });
    }
    if (a.b_type == DType::kHalf) {
        B.resize(uint64_t(a.k) * a.n);
        for (uint32_t g = 0; g < a.k; g += c0)
            for (uint32_t n = 0; n < a.n; ++n) {
                const uint8_t* line =
                    pb + (uint64_t(g / c0) * n16 * c0 + uint64_t(n / 16) * 16 * c0 + (n % 16) * c0) * 2;
                const uint32_t w = std::min(c0, a.k - g);
                for (uint32_t x = 0; x < w; ++x)
                    B[uint64_t(g + x) * a.n + n] = static_cast<Acc>(widen(load<half>(line + x * 2)));
            }
    } else {
        unpack(B, a.k, a.n, [&](uint32_t k, uint32_t n) {
            return static_cast<Acc>(operand(
                pb, uint64_t(k / c0) * n16 * c0 + uint64_t(n / 16) * 16 * c0 + (n % 16) * c0 + k % c0, a.b_type));
        });
    }
    if constexpr (std::is_same<Acc, float>::value)
        if (a.hf32) {
            for (float& x : A) x = to_hf32(x, a.hf32_ties_to_zero);
            for (float& x : B) x = to_hf32(x, a.hf32_ties_to_zero);
        }
    C.resize(uint64_t(a.m) * a.n);
    const auto at = [&](uint32_t i, uint32_t j) { return c + (uint64_t(j / 16) * m16 * 16 + i * 16 + j % 16) * 4; };
    for (uint32_t i = 0; i < a.m; ++i)
        for (uint32_t j = 0; j < a.n; ++j)
            C[uint64_t(i) * a.n + j] = a.from_bias ? load<Acc>(bias + j * 4) : a.init ? Acc(0) : load<Acc>(at(i, j));
    multiply<Acc>(C.data(), A.data(), B.data(), a.m, a.n, a.k, a.n);
    for (uint32_t i = 0; i < a.m; ++i)
        for (uint32_t j = 0; j < a.n; ++j) std::memcpy(at(i, j), &C[uint64_t(i) * a.n + j], 4);
}

/// Of each 4 elements of a row of A the 2 that the column's indices name, times a dense B of half the height. Indices:
/// 2 bits each, for 4 elements of a column of B in a byte; the first names one of elements 0 to 2, the second one of 1
/// to 3.
void compute_sparse(const MmadArgs& a, uint8_t* c, const uint8_t* pa, const uint8_t* pb, const uint8_t* bias,
                    const uint8_t* index, uint32_t kr, uint32_t m16) {
    constexpr uint32_t c0 = 32;
    const uint32_t n16 = up(a.n, 16), dense = a.k / 2;
    for (uint32_t i = 0; i < a.m; ++i)
        for (uint32_t j = 0; j < a.n; ++j) {
            uint8_t* at = c + (uint64_t(j / 16) * m16 * 16 + i * 16 + j % 16) * 4;
            int32_t sum = a.from_bias ? load<int32_t>(bias + j * 4) : a.init ? 0 : load<int32_t>(at);
            for (uint32_t p = 0; p < dense; ++p) {
                const uint64_t b = uint64_t(p / c0) * n16 * c0 + uint64_t(j / 16) * 16 * c0 + (j % 16) * c0 + p % c0;
                const uint32_t k = p / 2 * 4 + (index[b / 4] >> (b % 4 * 2) & 3) + p % 2;
                if (k >= kr) continue;  // an index that names no element
                const uint64_t from = uint64_t(i / 16) * 16 * kr + uint64_t(k / c0) * 16 * c0 + (i % 16) * c0 + k % c0;
                sum += int32_t(static_cast<int8_t>(pa[from])) * static_cast<int8_t>(pb[b]);
            }
            std::memcpy(at, &sum, 4);
        }
}

/// Blocks of `pipe` on the unit flags of [address, +bytes) of L0C until all equal `want`.
bool unit_flags_are(const Core& core, uint64_t address, uint64_t bytes, uint8_t want) {
    for (uint64_t b = address / 512; b < (address + bytes + 511) / 512 && b < core.unit_flags.size(); ++b)
        if (core.unit_flags[b] != want) return false;
    return true;
}
void set_unit_flags(Core& core, uint64_t address, uint64_t bytes, uint8_t value) {
    for (uint64_t b = address / 512; b < (address + bytes + 511) / 512 && b < core.unit_flags.size(); ++b)
        core.unit_flags[b] = value;
}

/// Runs `op` on `pipe` once the unit flags of its tile are `want`; carries what the other pipe did.
template <typename Op>
void issue_unit(Core& core, Pipe pipe, Pipe partner, const Loc& loc, const Cost& cost, uint8_t unit, uint64_t address,
                uint64_t bytes, uint8_t want, Op op) {
    if (timing_only()) return core.record_only(pipe, loc, cost);
    if (unit == 0) {
        core.issue(pipe, loc, cost, op);
        return;
    }
    if (core.recorder) core.recorder->instruction(pipe, loc, cost);
    const auto attempt = [=, &core]() -> bool {
        if (!unit_flags_are(core, address, bytes, want)) return false;
        if (core.checker) {
            // The handshake orders this tile with the partner pipe, block by block.
            core.checker->acquire(pipe, core.checker->release(partner));
            core.checker->begin(pipe);
        }
        op(core, loc);
        if (unit == 3) {
            set_unit_flags(core, address, bytes, want ? 0 : 1);
            core.drain(partner);
        }
        return true;
    };
    const int p = static_cast<int>(pipe);
    if (core.queue[p].empty() && attempt()) return;
    core.queue[p].push_back(
        {attempt, loc,
         format("unit flags of L0C [%llu, +%llu)", (unsigned long long)address, (unsigned long long)bytes)});
}

}  // namespace

void mmad(const MmadArgs& args, const Loc& loc) {
    Core& core = current();
    MmadArgs a = args;
    a.hf32 = core.hf32 && a.a_type == DType::kFloat;
    a.hf32_ties_to_zero = core.hf32_ties_to_zero;
    if (!core.cube) {
        core.warning("wrong_core", "Mmad has no effect on an AIV", loc);
        return;
    }
    if (a.m == 0 || a.n == 0 || a.k == 0) return;
    if (a.m > 4095 || a.n > 4095 || a.k > 4095)
        return illegal(core, loc, format("m, n, k are at most 4095, not %u, %u, %u", a.m, a.n, a.k));
    if (a.unit_flag != 0 && a.unit_flag != 2 && a.unit_flag != 3) return illegal(core, loc, "unitFlag is 0, 2 or 3");
    if (a.c.memory != Memory::kL0C || a.a.memory != Memory::kL0A || a.b.memory != Memory::kL0B) {
        core.error("no_such_path",
                   format("Mmad multiplies L0A by L0B into L0C, not %s by %s into %s", name_of(a.a.memory),
                          name_of(a.b.memory), name_of(a.c.memory)),
                   loc);
        return;
    }
    if (a.c.address % 1024) {
        core.error(
            "misaligned",
            format("Mmad: the result starts at L0C byte %llu, not a multiple of 1024", (unsigned long long)a.c.address),
            loc);
        return;
    }
    const uint32_t bits = bits_of(a.a_type), c0 = 256 / bits;
    const uint32_t m16 = up(a.m, 16), n16 = up(a.n, 16), kc = up(a.k, c0), kr = a.k_align ? up(a.k, 16) : kc;
    const bool gemv = a.m == 1 && !a.sparse;
    const uint32_t kb = a.sparse ? a.k / 2 : a.k, kbc = up(kb, c0);  // rows of B
    if (a.sparse && a.k % 4) return illegal(core, loc, format("k is a multiple of 4, not %u", a.k));
    const uint32_t k0 = a.a_type == DType::kFloat ? (a.hf32 ? 8 : 4) : c0;  // HF32 doubles the rate
    Cost cost;
    cost.kind = CostKind::kMmad;
    cost.a = m16 / 16 * (n16 / 16) * ((kb + k0 - 1) / k0);
    cost.b = a.m, cost.c = a.n, cost.d = kb;
    cost.gm.run_bytes = bits;
    cost.gm.runs = a.unit_flag;
    cost.gm.address = a.c.address;
    const uint64_t c_bytes = uint64_t(m16) * n16 * 4;
    const auto op = [=](Core& c, const Loc& at) {
        const uint64_t a_bytes = gemv ? uint64_t(kc) * bits / 8 : uint64_t(m16) * kr * bits / 8,
                       b_bytes = uint64_t(kbc) * n16 * bits / 8;
        uint8_t* pc = c.resolve(a.c, c_bytes, "result", at);
        const uint8_t* pa = c.resolve(a.a, a_bytes, "A", at);
        const uint8_t* pb = c.resolve(a.b, b_bytes, "B", at);
        const uint8_t* bias = nullptr;
        if (a.from_bias) {
            bias = c.resolve(a.bias, uint64_t(a.n) * 4, "bias", at);
            if (a.bias.memory != Memory::kBt) c.error("no_such_path", "Mmad: the bias is read from C2 (BT)", at);
            if (!bias || a.bias.memory != Memory::kBt) return;
        }
        if (!pa || !pb || !pc) return;
        if (c.checker) {
            // Padding rows are read as well, so they take part in ordering; only logical elements must be initialised.
            c.checker->access(Pipe::kM, a.a, a_bytes, Touch::kRead, Uninit::kCarry, at);
            c.checker->access(Pipe::kM, a.b, b_bytes, Touch::kRead, Uninit::kCarry, at);
            if (a.from_bias) c.checker->access(Pipe::kM, a.bias, uint64_t(a.n) * 4, Touch::kRead, Uninit::kReport, at);
            const uint8_t* va = c.resolve_valid(a.a, a_bytes);
            const uint8_t* vb = c.resolve_valid(a.b, b_bytes);
            uint8_t* vc = c.resolve_valid(a.c, c_bytes);
            const auto byte = [bits](uint64_t element) { return element * bits / 8; };
            // Rounding m or n up is common practice: rows and columns made of stale bytes are garbage nobody stores.
            // They are marked so, and Fixpipe reports it when one is stored after all.
            std::vector<uint8_t> rows(a.m, 1), columns(a.n, 1);
            for (uint32_t r = 0; va && r < a.m; ++r)
                for (uint32_t k = 0; k < a.k; ++k)
                    rows[r] &= va[byte(
                        gemv ? k : uint64_t(r / 16) * 16 * kr + uint64_t(k / c0) * 16 * c0 + (r % 16) * c0 + k % c0)];
            const uint64_t index_at = a.b.address / 4;
            for (uint32_t k = 0; vb && k < kb; ++k)
                for (uint32_t n = 0; n < a.n; ++n) {
                    const uint64_t at_element =
                        uint64_t(k / c0) * n16 * c0 + uint64_t(n / 16) * 16 * c0 + (n % 16) * c0 + k % c0;
                    columns[n] &= vb[byte(at_element)];
                    if (a.sparse) columns[n] &= c.sparse_valid[index_at + at_element / 4];
                }
            const auto none = [](const std::vector<uint8_t>& v) { return std::find(v.begin(), v.end(), 1) == v.end(); };
            if (none(rows) || none(columns))
                c.error("uninitialised_read",
                        format("Mmad: every %s of %s has an element that nothing has written",
                               none(rows) ? "row" : "column", none(rows) ? "A" : "B"),
                        at);
            c.checker->access(Pipe::kM, a.c, c_bytes, Touch::kWrite, Uninit::kCarry, at);
            const bool fresh = a.init || a.from_bias;
            for (uint32_t j = 0; vc && j < a.n; ++j)
                for (uint32_t i = 0; i < a.m; ++i) {
                    uint8_t* v = vc + (uint64_t(j / 16) * m16 * 16 + i * 16 + j % 16) * 4;
                    std::memset(v, rows[i] && columns[j] && (fresh || *v), 4);
                }
            // With enough fractals in flight the pipe is ordered with itself; below 10 the kernel must say so.
            if (m16 / 16 * (n16 / 16) >= 10) c.checker->barrier(Pipe::kM);
        }
        if (Device::get().options.skip_math) return;
        static thread_local Scratch s;
        if (a.sparse)
            compute_sparse(a, pc, pa, pb, bias, &c.sparse_index[a.b.address / 4], kr, m16);
        else if (a.c_type == DType::kInt32)
            compute<int32_t>(a, pc, pa, pb, bias, c0, kr, m16, s.ia, s.ib, s.ic, gemv);
        else
            compute<float>(a, pc, pa, pb, bias, c0, kr, m16, s.fa, s.fb, s.fc, gemv);
    };
    issue_unit(core, Pipe::kM, Pipe::kFix, loc, cost, a.unit_flag, a.c.address, c_bytes, 0, op);
}

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
void set_hf32(bool enable) { current().hf32 = enable; }
void set_hf32_ties(bool towards_zero) { current().hf32_ties_to_zero = towards_zero; }
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

// ---------------------------------------------------------------------------------------------- Fixpipe
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

}  // namespace

void fixpipe(const FixpipeArgs& args, const Loc& loc) {
    Core& core = current();
    FixpipeArgs a = args;
    if (!a.has_scale && core.has_fix_scale) {
        a.scale = core.fix_scale;
        a.has_scale = true;
    }
    if (!core.cube) {
        core.warning("wrong_core", format("%s has no effect on an AIV", loc.api), loc);
        return;
    }
    if (a.n == 0 || a.m == 0) return;
    const bool to_gm = a.dst.memory == Memory::kGm;
    if (a.src.memory != Memory::kL0C || (!to_gm && a.dst.memory != Memory::kL1)) {
        core.error("no_such_path",
                   format("%s: no path from %s to %s", loc.api, name_of(a.src.memory), name_of(a.dst.memory)), loc);
        return;
    }
    if (!legal_pair(a)) return illegal(core, loc, "this quantisation mode does not produce this destination type");
    if (!to_gm && a.quant == Quant::kNone) return illegal(core, loc, "L1 takes converted results only (no NoQuant)");
    const bool vector_quant = a.quant == Quant::kVF32ToB8 || a.quant == Quant::kVdeqF16 || a.quant == Quant::kVreq8;
    if (vector_quant && !a.has_scale) return illegal(core, loc, "a vector quantisation mode needs the scale tensor");
    if (a.row_major && !to_gm) return illegal(core, loc, "L1 takes NZ only");
    if (a.n > 4095) return illegal(core, loc, format("nSize %u is over 4095", a.n));
    if (a.row_major ? a.m > 8192 : a.m > 65535) return illegal(core, loc, format("mSize %u is too large", a.m));
    if (!a.row_major && a.n % (a.channel_split ? 8 : 16))
        return illegal(core, loc, format("NZ output needs nSize in multiples of 16, not %u", a.n));
    if (a.row_major && a.nd_num > 1 && (a.src_nd_stride < 1 || a.src_nd_stride > 512))
        return illegal(core, loc, "srcNdStride is 1 to 512");
    if (a.src_stride < a.m && a.n > 16)
        return illegal(core, loc, format("srcStride %u is less than mSize %u: panels overlap", a.src_stride, a.m));
    if (a.row_major && a.dst_stride < a.n && a.m > 1)
        return illegal(core, loc, format("dstStride %u is less than nSize %u: rows overlap", a.dst_stride, a.n));
    const uint32_t es = bytes_of(a.dst_type);
    const uint32_t c0 = a.row_major ? 16 : a.channel_split ? 8 : (es == 1 ? 32 : 16);
    const uint64_t src_bytes = uint64_t(a.nd_num - 1) * a.src_nd_stride * 1024 +
                               (uint64_t((a.n + 15) / 16 - 1) * a.src_stride * 16 + uint64_t(a.m) * 16) * 4;
    const uint64_t dst_bytes =
        a.row_major ? (uint64_t(a.nd_num - 1) * a.dst_nd_stride + uint64_t(a.m - 1) * a.dst_stride + a.n) * es
                    : uint64_t((a.n + c0 - 1) / c0 - 1) * a.dst_stride * 32 + uint64_t(a.m) * ((a.n - 1) % c0 + 1) * es;
    Cost cost;
    cost.kind = to_gm ? CostKind::kFixGm : CostKind::kFixL1;
    cost.a = a.m * a.n * a.nd_num;
    cost.b = cost.a * es;
    cost.c = a.unit_flag;
    cost.d = static_cast<uint32_t>(a.src.address / 512);
    if (to_gm) {
        if (a.row_major)
            cost.gm = {
                a.dst.address,  a.m * a.nd_num, a.n * es, int64_t(a.dst_stride) * es, core.atomic != Atomic::kNone,
                a.dst.l2_bypass};
        else
            cost.gm = {a.dst.address,
                       (a.n + c0 - 1) / c0,
                       a.m * c0 * es,
                       int64_t(a.dst_stride) * 32,
                       core.atomic != Atomic::kNone,
                       a.dst.l2_bypass};
    }
    const Atomic atomic = to_gm ? core.atomic : Atomic::kNone;
    const DType atomic_type = core.atomic_type;
    const bool saturate = core.saturate();
    // The wrapper puts a barrier of its own pipe in front.
    if (core.recorder) core.recorder->barrier(Pipe::kFix, loc);
    const auto op = [=](Core& c, const Loc& at) {
        uint8_t* src = c.resolve(a.src, src_bytes, "source", at);
        uint8_t* dst = c.resolve(a.dst, dst_bytes, "destination", at);
        const uint8_t* scales = vector_quant ? c.resolve(a.scale, uint64_t(a.n) * 8, "scale", at) : nullptr;
        if (!src || !dst || (vector_quant && !scales)) return;
        if (c.checker) {
            c.checker->barrier(Pipe::kFix);
            const Touch touch = atomic != Atomic::kNone ? Touch::kAtomic : Touch::kWrite;
            if (scales) c.checker->access(Pipe::kFix, a.scale, uint64_t(a.n) * 8, Touch::kRead, Uninit::kReport, at);
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
                    to.address += (uint64_t(b) * a.dst_nd_stride + uint64_t(i) * a.dst_stride) * es;
                    c.checker->access(Pipe::kFix, to, a.n * es, touch, Uninit::kReport, at);
                    if (uint8_t* valid = c.resolve_valid(to, a.n * es)) std::memset(valid, 1, a.n * es);
                }
            }
            for (uint32_t j = 0; !a.row_major && j < a.n; j += c0) {
                Ref to = a.dst;
                to.address += uint64_t(j / c0) * a.dst_stride * 32;
                const uint64_t bytes = uint64_t(a.m) * std::min(c0, a.n - j) * es;
                c.checker->access(Pipe::kFix, to, bytes, touch, Uninit::kReport, at);
                if (uint8_t* valid = c.resolve_valid(to, bytes)) std::memset(valid, 1, bytes);
            }
        }
        if (Device::get().options.skip_math) return;
        std::vector<uint8_t> line(uint64_t(a.row_major ? a.n : c0) * es);
        const auto value = [&](uint32_t b, uint32_t i, uint32_t j) {
            const uint32_t raw = load<uint32_t>(src + uint64_t(b) * a.src_nd_stride * 1024 +
                                                (uint64_t(j / 16) * a.src_stride * 16 + uint64_t(i) * 16 + j % 16) * 4);
            return quantise(a, raw, scales ? load<uint64_t>(scales + j * 8) : a.deq_scalar, saturate);
        };
        for (uint32_t b = 0; b < a.nd_num; ++b)
            for (uint32_t i = 0; i < a.m; ++i) {
                if (a.row_major) {
                    for (uint32_t j = 0; j < a.n; ++j) {
                        const uint64_t v = value(b, i, j);
                        std::memcpy(&line[j * es], &v, es);
                    }
                    store_gm(dst + (uint64_t(b) * a.dst_nd_stride + uint64_t(i) * a.dst_stride) * es, line.data(),
                             a.n * es, atomic, atomic_type);
                    continue;
                }
                for (uint32_t p = 0; p < (a.n + c0 - 1) / c0; ++p) {
                    const uint32_t width = std::min(c0, a.n - p * c0);
                    for (uint32_t x = 0; x < width; ++x) {
                        const uint64_t v = value(b, i, p * c0 + x);
                        std::memcpy(&line[x * es], &v, es);
                    }
                    store_gm(dst + uint64_t(p) * a.dst_stride * 32 + uint64_t(i) * width * es, line.data(), width * es,
                             atomic, atomic_type);
                }
            }
    };
    const uint64_t tile = uint64_t(up(a.m, 16)) * up(a.n, 16) * 4;
    issue_unit(core, Pipe::kFix, Pipe::kM, loc, cost, a.unit_flag, a.src.address, tile, 1, op);
}

}  // namespace twin
