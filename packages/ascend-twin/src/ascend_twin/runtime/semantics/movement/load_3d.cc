// SPDX-License-Identifier: BSD-3-Clause
// LoadData3D: image to column, L1 to L0A and L0B.
#include <cstring>

#include "machine/cores.h"
#include "machine/timing_only.h"
#include "semantics/movement/fractal.h"
#include "semantics/refuse.h"

namespace twin {

void set_f_matrix(uint16_t h, uint16_t w, const uint8_t* pad, bool right) {
    Core& core = current();
    core.f_matrix_h[right] = h;
    core.f_matrix_w[right] = w;
    for (int i = 0; i < 4; ++i) core.f_matrix_pad[right][i] = pad[i];
}
void set_pad_value(uint64_t bits) { current().pad_value = bits; }

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
    if (!l1_to_l0(a.src, a.dst)) return no_path(core, loc, a.src.memory, a.dst.memory);
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
    const Cost cost{Load3dCost{a.dst.memory, m16 * kc * es}};
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

}  // namespace twin
