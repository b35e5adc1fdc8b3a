// SPDX-License-Identifier: BSD-3-Clause
// Transpose, of a square of 16 x 16 and of images; TransDataTo5HD.
#include <cstring>

#include "machine/cores.h"
#include "machine/timing_only.h"
#include "semantics/refuse.h"
#include "semantics/vector/instructions.h"

namespace twin {

void transpose_16x16(Operands& ops, const VectorArgs& a) {
    const uint8_t* src = ops.read(a.src0, 0, 512, "source");
    if (!src) return;
    uint8_t out[512];
    for (int r = 0; r < 16; ++r)
        for (int c = 0; c < 16; ++c) std::memcpy(out + (c * 16 + r) * 2, src + (r * 16 + c) * 2, 2);
    if (uint8_t* dst = ops.write(a.dst, 0, 512, "destination")) std::memcpy(dst, out, 512);
}

/// Images between [n][c][hw] and [n][hw][c]; the device goes through the scratch buffer.
void transpose_images(Operands& ops, const VectorArgs& a) {
    const uint32_t size = bits_of(a.dst_type) / 8;
    const uint64_t images = a.extra[0], rows = a.extra[1], cols = a.extra[2], bytes = rows * cols * size;
    for (uint64_t n = 0; n < images; ++n) {
        ops.fresh();
        const uint8_t* src = ops.read(a.src0, n * bytes, bytes, "source");
        if (!src) return;
        uint8_t* dst = ops.write(a.dst, n * bytes, bytes, "destination");
        if (!dst) return;
        for (uint64_t r = 0; r < rows; ++r)
            for (uint64_t c = 0; c < cols; ++c)
                std::memcpy(dst + (c * rows + r) * size, src + (r * cols + c) * size, size);
    }
    ops.fresh(true);
    ops.write(a.src1, 0, a.extra[3], "scratch");
}

/// 16 source rows of one block each; element c of row r goes to place r of output c.
void vnchwconv(const Vnchwconv& a, const Loc& loc) {
    Core& core = current();
    if (!here(core, false, loc)) return;
    const uint32_t size = bits_of(a.type) / 8;
    if (a.repeat > 255) return core.error("illegal_parameter", "TransDataTo5HD: repeatTimes is over 255", loc);
    if (a.repeat == 0) return;
    const Cost cost{VectorCost{VecOp::kTranspose, a.repeat * 2, size}};
    if (timing_only() && !is_integer(a.type)) return core.record_only(Pipe::kV, loc, cost);
    core.issue(Pipe::kV, loc, cost, [=](Core& c, const Loc& at) {
        Operands ops(c, at);
        for (uint32_t r = 0; r < a.repeat; ++r) {
            // With one repeat the strides offset the start, as documented.
            const uint64_t step = a.repeat == 1 ? 1 : r;
            const uint64_t ds = step * a.dst_repeat_stride * 32, ss = step * a.src_repeat_stride * 32;
            uint8_t in[16][32], out[16][32] = {};
            for (int i = 0; i < 16; ++i) {
                const uint64_t high = size == 1 && a.src_high ? 16 : 0;
                const uint8_t* p = ops.read(a.src[i], ss + high, size == 1 ? 16 : 32, "source");
                if (!p) return;
                std::memcpy(in[i], p, size == 1 ? 16 : 32);
            }
            for (int row = 0; row < 16; ++row)
                for (int col = 0; col < (size == 4 ? 8 : 16); ++col) {
                    if (size == 4)
                        std::memcpy(out[col * 2 + row / 8] + row % 8 * 4, in[row] + col * 4, 4);
                    else
                        std::memcpy(out[col] + row * size, in[row] + col * size, size);
                }
            for (int i = 0; i < 16; ++i) {
                const uint64_t high = size == 1 && a.dst_high ? 16 : 0;
                uint8_t* p = ops.write(a.dst[i], ds + high, size == 1 ? 16 : 32, "destination");
                if (!p) return;
                std::memcpy(p, out[i], size == 1 ? 16 : 32);
            }
        }
    });
}

}  // namespace twin
