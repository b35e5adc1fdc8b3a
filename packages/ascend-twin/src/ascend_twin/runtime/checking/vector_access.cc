// SPDX-License-Identifier: BSD-3-Clause
// Ordering and validity of vector instructions whose lanes are independent.
#include "checking/vector_access.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "semantics/refuse.h"

namespace twin {

namespace {

/// A result lane is as initialised as the operands it came from.
void spread_validity(Core& c, const Plan& plan, const VectorArgs& a, uint32_t ds, uint32_t ss, bool reads_dst,
                     bool clean) {
    uint8_t* valid = c.memory[static_cast<int>(Memory::kUb)].valid.data();
    if (clean) {
        for_runs(plan, ds, a.dst_stride,
                 [&](uint64_t offset, uint64_t length) { std::memset(valid + a.dst.address + offset, 1, length); });
        return;
    }
    const auto lane_at = [&](const Ref& ref, uint32_t size, const Stride& stride, uint32_t r, uint32_t lane) {
        return valid + ref.address + lane_offset(lane, r, size, stride);
    };
    const auto whole = [](const uint8_t* v, uint32_t size) { return std::memchr(v, 0, size) == nullptr; };
    for (uint32_t r = 0; r < plan.repeats; ++r)
        for (uint32_t lane = 0; lane < plan.lanes; ++lane) {
            if (!plan.of(r).on(lane)) continue;
            uint8_t* dst = lane_at(a.dst, ds, a.dst_stride, r, lane);
            const bool good = (a.sources < 1 || whole(lane_at(a.src0, ss, a.src0_stride, r, lane), ss)) &&
                              (a.sources < 2 || whole(lane_at(a.src1, ss, a.src1_stride, r, lane), ss)) &&
                              (!reads_dst || whole(dst, ds));
            std::memset(dst, good, ds);
        }
}

/// Casts between half and int4: a byte that holds two lanes is defined when both are.
void spread_int4_validity(Core& c, const Plan& plan, const VectorArgs& a, uint32_t ds, uint32_t ss) {
    uint8_t* valid = c.memory[static_cast<int>(Memory::kUb)].valid.data();
    const auto lane_at = [&](const Ref& ref, uint32_t size, const Stride& stride, uint32_t r, uint32_t lane) {
        const uint32_t bits = size ? size * 8 : 4, per_block = 256 / bits;
        return valid + ref.address + (uint64_t(r) * stride.repeat + uint64_t(lane / per_block) * stride.block) * 32 +
               lane % per_block * bits / 8;
    };
    for (uint32_t r = 0; r < plan.repeats; ++r)
        for (uint32_t lane = 0; lane < plan.lanes; ++lane) {
            if (!plan.of(r).on(lane)) continue;
            const bool good = std::memchr(lane_at(a.src0, ss, a.src0_stride, r, lane), 0, ss ? ss : 1) == nullptr;
            uint8_t* dst = lane_at(a.dst, ds, a.dst_stride, r, lane);
            if (ds)
                std::memset(dst, good, ds);
            else
                *dst = (lane % 2 == 0 || *dst) && good;
        }
}

/// Source and destination of one repeat are the same bytes or disjoint ones; strides that shift one against the other
/// read what an earlier repeat wrote.
void check_overlap(Core& c, const VectorArgs& a, const Plan& plan, const Ref& src, const Stride& stride, uint64_t de,
                   const Loc& at) {
    const uint32_t ds = bits_of(a.dst_type) / 8, ss = bits_of(a.src_type) / 8;
    if (src.memory != a.dst.memory || src.address == a.dst.address) {
        const bool same = stride.repeat == a.dst_stride.repeat && stride.block == a.dst_stride.block && ss == ds;
        const bool accumulates = a.dst_stride.repeat == 0 && stride.repeat == 0;
        if (src.address != a.dst.address || same || accumulates || plan.repeats == 1 || ss != ds) return;
    }
    const uint64_t lo = std::max(src.address, a.dst.address);
    const uint64_t hi = std::min(src.address + operand_bytes(plan, ss, stride), a.dst.address + de);
    if (lo >= hi) return;
    std::vector<uint8_t> written(de, 0);
    bool clash = false;
    uint32_t repeat = 0;
    Plan one = plan;
    one.repeats = 1;
    for (; repeat < plan.repeats && !clash; ++repeat) {
        one.mask = one.last = plan.of(repeat);
        const uint64_t src_at = src.address + uint64_t(repeat) * stride.repeat * 32;
        const uint64_t dst_at = uint64_t(repeat) * a.dst_stride.repeat * 32;
        for_runs(one, ss, stride, [&](uint64_t o, uint64_t n) {
            for (uint64_t b = src_at + o; b < src_at + o + n; ++b)
                if (b >= a.dst.address && b < a.dst.address + de && written[b - a.dst.address]) clash = true;
        });
        for_runs(one, ds, a.dst_stride, [&](uint64_t o, uint64_t n) {
            std::fill(written.begin() + dst_at + o, written.begin() + dst_at + o + n, 1);
        });
    }
    if (clash)
        c.error("repeat_overlap",
                format("%s: a repeat reads bytes that an earlier repeat of the same instruction wrote", at.api), at);
}

}  // namespace

uint64_t operand_bytes(const Plan& plan, uint32_t size, const Stride& stride) {
    if (size == 0) return uint64_t(plan.repeats - 1) * stride.repeat * 32 + (plan.last.end() + 1) / 2;
    return extent_of(plan, size, stride);
}

void check_vector(Core& c, const VectorArgs& a, const Plan& plan, uint64_t dst_bytes, const Loc& at) {
    const uint32_t ds = bits_of(a.dst_type) / 8, ss = bits_of(a.src_type) / 8;
    const bool int4 = a.dst_type == DType::kInt4 || a.src_type == DType::kInt4;
    bool clean = true;
    const auto declare = [&](const Ref& ref, uint32_t size, const Stride& stride, Touch touch) {
        if (size == 0) {
            const uint64_t bytes = operand_bytes(plan, 0, stride);
            clean &= c.checker->access(Pipe::kV, ref, bytes, touch, Uninit::kTaint, at);
            return;
        }
        for_runs(plan, size, stride, [&](uint64_t offset, uint64_t length) {
            Ref part = ref;
            part.address += offset;
            clean &= c.checker->access(Pipe::kV, part, length, touch, Uninit::kTaint, at);
        });
    };
    const bool reads_dst = a.op == VecOp::kMulAddDst || a.op == VecOp::kFusedMulAdd ||
                           a.op == VecOp::kFusedMulAddRelu || a.op == VecOp::kAxpy;
    if (a.sources > 0) declare(a.src0, ss, a.src0_stride, Touch::kRead);
    if (a.sources > 1) declare(a.src1, ss, a.src1_stride, Touch::kRead);
    if (reads_dst) declare(a.dst, ds, a.dst_stride, Touch::kRead);
    declare(a.dst, ds, a.dst_stride, Touch::kWrite);
    if (int4)
        spread_int4_validity(c, plan, a, ds, ss);
    else
        spread_validity(c, plan, a, ds, ss, reads_dst, clean);
    if (a.dst_stride.block == 0 && plan.lanes * ds > 32)
        illegal(c, at, "a destination block stride of 0 writes the same block eight times");
    if (a.sources > 0 && !int4) check_overlap(c, a, plan, a.src0, a.src0_stride, dst_bytes, at);
    if (a.sources > 1 && a.dst_stride.repeat != 0) check_overlap(c, a, plan, a.src1, a.src1_stride, dst_bytes, at);
}

}  // namespace twin
