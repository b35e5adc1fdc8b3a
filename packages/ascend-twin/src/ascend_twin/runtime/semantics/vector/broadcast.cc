// SPDX-License-Identifier: BSD-3-Clause
// Brcb, Broadcast, CreateVecIndex: a tensor from few values.
#include <cstring>
#include <vector>

#include "semantics/vector/elements.h"
#include "semantics/vector/instructions.h"

namespace twin {

namespace {

template <typename T>
void create_index_as(Operands& ops, const Plan& plan, const VectorArgs& a) {
    T first;
    std::memcpy(&first, &a.scalar, sizeof(T));
    for (uint32_t r = 0; r < plan.repeats; ++r)
        for (uint32_t lane = 0; lane < plan.lanes; ++lane)
            if (plan.of(r).on(lane))
                store(ops, a.dst, lane_offset(lane, r, sizeof(T), a.dst_stride),
                      static_cast<T>(first + static_cast<T>(r * plan.lanes + lane)));
}

}  // namespace

void brcb(Operands& ops, const VectorArgs& a) {
    const uint32_t size = bits_of(a.dst_type) / 8;
    const uint32_t block = a.dst_stride.block == 0 ? 1 : a.dst_stride.block;
    for (uint32_t r = 0; r < a.repeat; ++r) {
        const uint8_t* src = ops.read(a.src0, uint64_t(r) * 8 * size, 8 * size, "source");
        if (!src) return;
        uint8_t values[32];
        std::memcpy(values, src, 8 * size);
        for (uint32_t j = 0; j < 8; ++j) {
            ops.fresh(!ops.is_valid(a.src0, (uint64_t(r) * 8 + j) * size, size));
            uint8_t* dst =
                ops.write(a.dst, (uint64_t(r) * a.dst_stride.repeat + uint64_t(j) * block) * 32, 32, "destination");
            if (!dst) return;
            for (uint32_t i = 0; i < 32; i += size) std::memcpy(dst + i, values + j * size, size);
        }
    }
}

void broadcast(Operands& ops, const VectorArgs& a) {
    const uint32_t size = bits_of(a.dst_type) / 8;
    const uint32_t rows = a.extra[0], cols = a.extra[1], src_rows = a.extra[2], src_cols = a.extra[3];
    const uint8_t* src = ops.read(a.src0, 0, uint64_t(src_rows) * src_cols * size, "source");
    if (!src) return;
    std::vector<uint8_t> valid(uint64_t(src_rows) * src_cols);
    for (uint64_t i = 0; i < valid.size(); ++i) valid[i] = ops.is_valid(a.src0, i * size, size);
    std::vector<uint8_t> values(src, src + valid.size() * size);  // the destination may be the source
    uint8_t* dst = ops.write(a.dst, 0, uint64_t(rows) * cols * size, "destination");
    if (!dst) return;
    for (uint32_t r = 0; r < rows; ++r)
        for (uint32_t c = 0; c < cols; ++c) {
            const uint64_t from = uint64_t(src_rows == 1 ? 0 : r) * src_cols + (src_cols == 1 ? 0 : c);
            const uint64_t to = uint64_t(r) * cols + c;
            std::memcpy(dst + to * size, &values[from * size], size);
            ops.set_valid(a.dst, to * size, size, valid[from]);
        }
}

void create_index(Operands& ops, const Plan& plan, const VectorArgs& a) {
    switch (a.dst_type) {
        case DType::kFloat: return create_index_as<float>(ops, plan, a);
        case DType::kHalf: return create_index_as<half>(ops, plan, a);
        case DType::kInt16: return create_index_as<int16_t>(ops, plan, a);
        default: return create_index_as<int32_t>(ops, plan, a);
    }
}

}  // namespace twin
