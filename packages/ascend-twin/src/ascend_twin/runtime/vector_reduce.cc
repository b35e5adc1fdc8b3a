// SPDX-License-Identifier: BSD-3-Clause
// PIPE_V instructions whose lanes are not independent: reductions, compare and select, broadcasts, gathers, transposes.
#include <cmath>
#include <limits>

#include "numeric.h"
#include "operands.h"
#include "timing_only.h"
#include "vector.h"

namespace twin {
namespace {

template <typename T>
T add(T a, T b, bool saturate) {
    if constexpr (std::is_same<T, half>::value)
        return to_half(static_cast<float>(a) + static_cast<float>(b), saturate);
    else
        return a + b;
}

/// Neighbours summed level by level, each level rounded to T.
template <typename T>
T tree_sum(std::vector<T> v, bool saturate) {
    while (v.size() > 1) {
        std::vector<T> next((v.size() + 1) / 2);
        for (size_t i = 0; i < next.size(); ++i)
            next[i] = 2 * i + 1 < v.size() ? add(v[2 * i], v[2 * i + 1], saturate) : v[2 * i];
        v.swap(next);
    }
    return v.empty() ? T(0) : v[0];
}

/// Strictly better: ties keep the lower index; NaN wins.
template <typename T>
bool better(T candidate, T best, bool max) {
    if (best != best) return false;
    if (candidate != candidate) return true;
    return max ? candidate > best : candidate < best;
}

uint64_t lane_offset(uint32_t lane, uint32_t repeat, uint32_t size, const Stride& stride) {
    const uint32_t per_block = 32 / size;
    return (uint64_t(repeat) * stride.repeat + uint64_t(lane / per_block) * stride.block) * 32 +
           lane % per_block * size;
}

template <typename T>
struct Lane {
    uint32_t index;
    T value;
    bool valid;
};

template <typename T>
bool tainted(const std::vector<Lane<T>>& lanes) {
    for (const auto& lane : lanes)
        if (!lane.valid) return true;
    return false;
}

/// Enabled lanes of one repeat, declared to the checker run by run.
template <typename T>
bool gather_lanes(Operands& ops, const Plan& plan, const VectorArgs& a, uint32_t repeat, std::vector<Lane<T>>& out) {
    out.clear();
    Plan one = plan;
    one.repeats = 1;
    one.mask = one.last = plan.of(repeat);
    const uint64_t base = uint64_t(repeat) * a.src0_stride.repeat * 32;
    bool ok = true;
    for_runs(one, sizeof(T), a.src0_stride,
             [&](uint64_t offset, uint64_t bytes) { ok = ops.read(a.src0, base + offset, bytes, "source") && ok; });
    if (!ok) return false;
    Core& core = current();
    const uint8_t* src = core.memory[static_cast<int>(Memory::kUb)].data.data() + a.src0.address;
    for (uint32_t lane = 0; lane < plan.lanes; ++lane)
        if (one.mask.on(lane)) {
            const uint64_t at = lane_offset(lane, repeat, sizeof(T), a.src0_stride);
            out.push_back({lane, get<T>(src + at), ops.is_valid(a.src0, at, sizeof(T))});
        }
    return true;
}

template <typename T>
void store(Operands& ops, const Ref& dst, uint64_t offset, T value) {
    if (uint8_t* p = ops.write(dst, offset, sizeof(T), "destination")) std::memcpy(p, &value, sizeof(T));
}

template <typename T>
T best_of(const std::vector<Lane<T>>& lanes, bool max, uint32_t& index) {
    T best = lanes[0].value;
    index = lanes[0].index;
    for (const auto& lane : lanes)
        if (better(lane.value, best, max)) {
            best = lane.value;
            index = lane.index;
        }
    return best;
}

template <typename T>
void reduce(Core& core, Operands& ops, const Plan& plan, const VectorArgs& a, bool saturate) {
    std::vector<Lane<T>> lanes;
    const uint32_t per_block = 32 / sizeof(T);
    using Index = std::conditional_t<sizeof(T) == 2, uint16_t, uint32_t>;
    for (uint32_t r = 0; r < plan.repeats; ++r) {
        if (!gather_lanes<T>(ops, plan, a, r, lanes)) return;
        if (lanes.empty()) continue;
        ops.fresh(tainted(lanes));
        const bool max = a.op == VecOp::kBlockMax || a.op == VecOp::kWholeMax;
        switch (a.op) {
            case VecOp::kBlockSum:
            case VecOp::kBlockMax:
            case VecOp::kBlockMin:
                for (uint32_t b = 0; b < 8; ++b) {
                    std::vector<Lane<T>> part;
                    for (const auto& lane : lanes)
                        if (lane.index / per_block == b) part.push_back(lane);
                    if (part.empty()) continue;
                    ops.fresh(tainted(part));
                    const uint64_t at = (uint64_t(r) * a.dst_stride.repeat * 8 + b) * sizeof(T);
                    if (a.op == VecOp::kBlockSum) {
                        std::vector<T> full(per_block, T(0));
                        for (const auto& lane : part) full[lane.index % per_block] = lane.value;
                        store(ops, a.dst, at, tree_sum(full, saturate));
                    } else {
                        uint32_t index;
                        store(ops, a.dst, at, best_of(part, max, index));
                    }
                }
                break;
            case VecOp::kPairSum:
                for (size_t i = 0; i < lanes.size(); ++i) {
                    const uint32_t pair = lanes[i].index / 2;
                    const bool both = i + 1 < lanes.size() && lanes[i + 1].index / 2 == pair;
                    ops.fresh(!lanes[i].valid || (both && !lanes[i + 1].valid));
                    store(ops, a.dst, uint64_t(r) * a.dst_stride.repeat * 128 + pair * sizeof(T),
                          add(lanes[i].value, both ? lanes[i + 1].value : T(0), saturate));
                    if (both) ++i;
                }
                break;
            case VecOp::kWholeSum: {
                std::vector<T> full(plan.lanes, T(0));
                for (const auto& lane : lanes) full[lane.index] = lane.value;
                store(ops, a.dst, uint64_t(r) * a.dst_stride.repeat * sizeof(T), tree_sum(full, saturate));
                break;
            }
            default: {
                uint32_t index = 0;
                const T best = best_of(lanes, max, index);
                T so_far;
                std::memcpy(&so_far, &core.reduced_best, sizeof(T));
                if (r == 0 || better(best, so_far, max)) {
                    core.reduced_best = 0;
                    std::memcpy(&core.reduced_best, &best, sizeof(T));
                    core.reduced_index = r * plan.lanes + index;
                }
                const uint64_t both = uint64_t(r) * a.dst_stride.repeat * 2 * sizeof(T);
                if (a.mode == 0) {
                    store(ops, a.dst, both, best);
                    store(ops, a.dst, both + sizeof(T), static_cast<Index>(index));
                } else if (a.mode == 1) {
                    store(ops, a.dst, both, static_cast<Index>(index));
                    store(ops, a.dst, both + sizeof(T), best);
                } else if (a.mode == 2) {
                    store(ops, a.dst, uint64_t(r) * a.dst_stride.repeat * sizeof(T), best);
                } else {
                    store(ops, a.dst, uint64_t(r) * a.dst_stride.repeat * 4, index);
                }
            }
        }
    }
}

template <typename T>
void reduce_tensor(Core& core, Operands& ops, const Plan& plan, const VectorArgs& a, bool saturate) {
    std::vector<Lane<T>> lanes;
    std::vector<T> sums;
    bool first = true;
    T best{};
    uint32_t index = 0;
    const bool max = a.op == VecOp::kTensorMax;
    for (uint32_t r = 0; r < plan.repeats; ++r) {
        if (!gather_lanes<T>(ops, plan, a, r, lanes) || lanes.empty()) continue;
        if (a.op == VecOp::kTensorSum) {
            std::vector<T> full(plan.lanes, T(0));
            for (const auto& lane : lanes) full[lane.index] = lane.value;
            sums.push_back(tree_sum(full, saturate));
            continue;
        }
        uint32_t at;
        const T v = best_of(lanes, max, at);
        if (first || better(v, best, max)) {
            best = v;
            index = r * plan.lanes + at;
            first = false;
        }
    }
    if (a.op == VecOp::kTensorSum) {
        // Count form: the repeats' sums are added in order. Masked form: they are reduced by the same instruction
        // again, 64 or 128 at a time.
        while (a.form == MaskForm::kCount && sums.size() > 1) {
            sums[1] = add(sums[0], sums[1], saturate);
            sums.erase(sums.begin());
        }
        while (sums.size() > 1) {
            std::vector<T> next;
            for (size_t i = 0; i < sums.size(); i += plan.lanes) {
                std::vector<T> full(plan.lanes, T(0));
                for (size_t j = i; j < std::min<size_t>(sums.size(), i + plan.lanes); ++j) full[j - i] = sums[j];
                next.push_back(tree_sum(full, saturate));
            }
            sums.swap(next);
        }
        if (sums.empty()) return;
        store(ops, a.dst, 0, sums[0]);
        core.reduced_sum = 0;
        std::memcpy(&core.reduced_sum, &sums[0], sizeof(T));
        return;
    }
    if (first) return;
    core.reduced_best = 0;
    std::memcpy(&core.reduced_best, &best, sizeof(T));
    core.reduced_index = index;
    using Index = std::conditional_t<sizeof(T) == 2, uint16_t, uint32_t>;
    store(ops, a.dst, 0, best);
    if (a.mode) store(ops, a.dst, sizeof(T), static_cast<Index>(index));
}

/// ReduceSum, ReduceMax, ReduceMin by pattern. Halves are combined, the part beyond a power of two first, as the
/// library does.
template <typename T>
void reduce_matrix(Operands& ops, const VectorArgs& a, bool saturate) {
    const uint32_t rows = a.extra[0], cols = a.extra[1], pitch = a.extra[2];
    const bool along_rows = a.extra[3];
    std::vector<T> values(uint64_t(rows) * cols);
    std::vector<uint8_t> valid(values.size());
    for (uint32_t r = 0; r < rows; ++r) {
        const uint64_t at = uint64_t(r) * pitch * sizeof(T);
        const uint8_t* line = ops.read(a.src0, at, uint64_t(cols) * sizeof(T), "source");
        if (!line) return;
        for (uint32_t c = 0; c < cols; ++c) {
            values[uint64_t(r) * cols + c] = get<T>(line + c * sizeof(T));
            valid[uint64_t(r) * cols + c] = ops.is_valid(a.src0, at + c * sizeof(T), sizeof(T));
        }
    }
    const uint32_t count = along_rows ? cols : rows, outputs = along_rows ? rows : cols;
    const uint64_t step = along_rows ? 1 : cols, next = along_rows ? cols : 1;
    for (uint32_t o = 0; o < outputs; ++o) {
        const auto fold = [&](uint32_t into, uint32_t from) {
            T& x = values[o * next + into * step];
            const T y = values[o * next + from * step];
            if (a.op == VecOp::kColumnSum)
                x = add(x, y, saturate);
            else if (better(y, x, a.op == VecOp::kColumnMax))
                x = y;
            valid[o * next + into * step] &= valid[o * next + from * step];
        };
        if (count == 0) break;
        uint32_t half = 1;
        while (half * 2 <= count) half *= 2;
        for (uint32_t i = half; i < count; ++i) fold(i - half, i);
        for (half /= 2; half; half /= 2)
            for (uint32_t i = 0; i < half; ++i) fold(i, i + half);
        ops.fresh(!valid[o * next]);
        store(ops, a.dst, uint64_t(o) * sizeof(T), values[o * next]);
    }
}

template <typename T>
bool compares(T x, T y, uint8_t mode) {
    switch (mode) {
        case 0: return x < y;
        case 1: return x > y;
        case 2: return x == y;
        case 3: return x <= y;
        case 4: return x >= y;
        default: return x != y;
    }
}

template <typename T>
void compare(Core& core, Operands& ops, Plan plan, const VectorArgs& a) {
    // The destination form ignores the mask.
    if (a.op != VecOp::kCompareToSpr) plan.mask = plan.last = LaneMask::first(plan.lanes);
    T scalar;
    std::memcpy(&scalar, &a.scalar, sizeof(T));
    for (uint32_t r = 0; r < plan.repeats; ++r) {
        ops.fresh();
        uint8_t bits[16] = {};
        for (uint32_t b = 0; b < 8; ++b) {
            const uint32_t per_block = 32 / sizeof(T);
            const uint64_t o0 = (uint64_t(r) * a.src0_stride.repeat + uint64_t(b) * a.src0_stride.block) * 32;
            const uint64_t o1 = (uint64_t(r) * a.src1_stride.repeat + uint64_t(b) * a.src1_stride.block) * 32;
            const uint8_t* x = ops.read(a.src0, o0, 32, "source");
            const uint8_t* y = a.op == VecOp::kCompareScalar ? nullptr : ops.read(a.src1, o1, 32, "second source");
            if (!x || (a.op != VecOp::kCompareScalar && !y)) return;
            for (uint32_t i = 0; i < per_block; ++i) {
                const uint32_t lane = b * per_block + i;
                if (plan.of(r).on(lane) &&
                    compares<T>(get<T>(x + i * sizeof(T)), y ? get<T>(y + i * sizeof(T)) : scalar, a.mode))
                    bits[lane / 8] |= 1 << lane % 8;
            }
        }
        if (a.op == VecOp::kCompareToSpr) {
            std::memcpy(core.compare_mask, bits, 16);
        } else if (uint8_t* dst = ops.write(a.dst, uint64_t(r) * plan.lanes / 8, plan.lanes / 8, "destination")) {
            std::memcpy(dst, bits, plan.lanes / 8);
        }
    }
}

template <typename T>
void select(Core& core, Operands& ops, const Plan& plan, const VectorArgs& a) {
    const bool from_register = a.extra[1];
    Ref condition;
    condition.memory = Memory::kUb;
    condition.address = a.extra[0];
    if (from_register && a.mode == 2) {  // the register holds an address, of which 32 bits count
        uint32_t address;
        std::memcpy(&address, core.compare_mask, 4);
        condition.address = address - static_cast<uint32_t>(reinterpret_cast<uint64_t>(local_pointer(Memory::kUb, 0)));
    }
    // Mode 0 keeps one repeat's bits in the compare-mask register; modes 1 and 2 consume bits as they go.
    const uint64_t bytes =
        a.mode == 0 ? plan.lanes / 8 : (uint64_t(plan.repeats - 1) * plan.lanes + plan.lanes + 7) / 8;
    const uint64_t used = a.form == MaskForm::kCount && a.mode != 0 ? (a.count + 7) / 8 : bytes;
    const uint8_t* bits = from_register && a.mode == 0 ? core.compare_mask : ops.read(condition, 0, used, "condition");
    if (!bits) return;
    if (a.mode == 0 && !from_register) std::memcpy(core.compare_mask, bits, plan.lanes / 8);
    T scalar;
    std::memcpy(&scalar, from_register ? static_cast<const void*>(core.compare_mask) : &a.scalar, sizeof(T));
    for (uint32_t r = 0; r < plan.repeats; ++r)
        for (uint32_t lane = 0; lane < plan.lanes; ++lane) {
            if (!plan.of(r).on(lane)) continue;
            const uint64_t bit = a.mode == 0 ? lane : uint64_t(r) * plan.lanes + lane;
            const bool first = bits[bit / 8] >> bit % 8 & 1;
            const uint8_t* x = ops.read(a.src0, lane_offset(lane, r, sizeof(T), a.src0_stride), sizeof(T), "source");
            const uint8_t* y = a.op == VecOp::kSelect ? ops.read(a.src1, lane_offset(lane, r, sizeof(T), a.src1_stride),
                                                                 sizeof(T), "second source")
                                                      : nullptr;
            if (!x || (a.op == VecOp::kSelect && !y)) return;
            ops.fresh(first ? !ops.is_valid(a.src0, lane_offset(lane, r, sizeof(T), a.src0_stride), sizeof(T))
                            : y && !ops.is_valid(a.src1, lane_offset(lane, r, sizeof(T), a.src1_stride), sizeof(T)));
            store(ops, a.dst, lane_offset(lane, r, sizeof(T), a.dst_stride),
                  first ? get<T>(x)
                  : y   ? get<T>(y)
                        : scalar);
        }
}

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

void gather(Operands& ops, const Plan& plan, const VectorArgs& a) {
    const uint32_t size = bits_of(a.dst_type) / 8;
    for (uint32_t r = 0; r < plan.repeats; ++r)
        for (uint32_t lane = 0; lane < plan.lanes; ++lane) {
            if (!plan.of(r).on(lane)) continue;
            ops.fresh();
            const uint8_t* offset = ops.read(a.src1, (uint64_t(r) * plan.lanes + lane) * 4, 4, "offsets");
            if (!offset) return;
            const uint64_t at = uint64_t(a.extra[0]) + get<uint32_t>(offset);
            if (at % size)
                return ops.error("misaligned",
                                 format("offset %llu is not a multiple of the element size", (unsigned long long)at));
            const uint8_t* src = ops.read(a.src0, at, size, "source");
            uint8_t* dst =
                src ? ops.write(a.dst, lane_offset(lane, r, size, a.dst_stride), size, "destination") : nullptr;
            if (!dst) return;
            std::memcpy(dst, src, size);
        }
}

void gather_blocks(Operands& ops, const VectorArgs& a) {
    for (uint32_t r = 0; r < a.repeat; ++r)
        for (uint32_t j = 0; j < 8; ++j) {
            const uint8_t* offset = ops.read(a.src1, (uint64_t(r) * 8 + j) * 4, 4, "offsets");
            if (!offset) return;
            const uint32_t at = get<uint32_t>(offset);
            if (at % 32) return ops.error("misaligned", format("offset %u is not a multiple of 32", at));
            const uint8_t* src = ops.read(a.src0, at, 32, "source");
            uint8_t* dst =
                src ? ops.write(a.dst, (uint64_t(r) * a.dst_stride.repeat + uint64_t(j) * a.dst_stride.block) * 32, 32,
                                "destination")
                    : nullptr;
            if (!dst) return;
            std::memcpy(dst, src, 32);
        }
}

void gather_mask(Operands& ops, const VectorArgs& a) {
    const uint32_t size = bits_of(a.dst_type) / 8, lanes = 256 / size;
    const uint32_t per_repeat = a.extra[0] ? a.extra[1] : lanes;
    uint64_t kept = 0;
    for (uint32_t r = 0; r < a.repeat; ++r)
        for (uint32_t e = 0; e < per_repeat; ++e) {
            bool keep;
            if (a.sources == 2) {
                const uint8_t* bits = ops.read(a.src1, uint64_t(r) * a.src1_stride.repeat * 32 + e / 8, 1, "pattern");
                if (!bits) return;
                keep = *bits >> e % 8 & 1;
            } else {
                switch (a.mode) {
                    case 1: keep = e % 2 == 0; break;
                    case 2: keep = e % 2 == 1; break;
                    case 3: keep = e % 4 == 0; break;
                    case 4: keep = e % 4 == 1; break;
                    case 5: keep = e % 4 == 2; break;
                    case 6: keep = e % 4 == 3; break;
                    default: keep = true;
                }
            }
            if (!keep) continue;
            ops.fresh();
            const uint32_t per_block = 32 / size;
            const uint64_t at =
                (uint64_t(r) * a.src0_stride.repeat + uint64_t(e / per_block) * a.src0_stride.block) * 32 +
                e % per_block * size;
            const uint8_t* src = ops.read(a.src0, at, size, "source");
            uint8_t* dst = src ? ops.write(a.dst, kept * size, size, "destination") : nullptr;
            if (!dst) return;
            std::memmove(dst, src, size);
            ++kept;
        }
    if (a.result) *a.result = kept;
}

void transpose16(Operands& ops, const VectorArgs& a) {
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

/// int16 -> 8 bits by scale, offset and sign, one set for all elements or one for each of the 16 of a block; results
/// fill the lower or the upper half of a block (extra[1]).
void cast_dequant(Core& core, Operands& ops, const Plan& plan, const VectorArgs& a) {
    const bool table = a.extra[0];
    uint64_t words[16];
    if (table) {
        const uint8_t* p = ops.read(core.deq_table, 0, sizeof(words), "scales");
        if (!p) return;
        std::memcpy(words, p, sizeof(words));
    } else {
        std::fill(words, words + 16, core.deq_config);
    }
    for (uint32_t r = 0; r < plan.repeats; ++r)
        for (uint32_t lane = 0; lane < plan.lanes; ++lane) {
            if (!plan.of(r).on(lane)) continue;
            ops.fresh();
            const uint8_t* src = ops.read(a.src0, lane_offset(lane, r, 2, a.src0_stride), 2, "source");
            if (!src) return;
            const uint64_t word = words[lane % 16];
            const double moved =
                std::nearbyint(get<int16_t>(src) * double(float_of_bits(static_cast<uint32_t>(word)))) +
                (static_cast<int32_t>(word >> 37 & 0x1ff) - (word >> 45 & 1 ? 512 : 0));
            const uint8_t result =
                word >> 46 & 1 ? static_cast<uint8_t>(saturate_to<int8_t>(moved)) : saturate_to<uint8_t>(moved);
            const uint64_t at = (uint64_t(r) * a.dst_stride.repeat + uint64_t(lane / 16) * a.dst_stride.block) * 32 +
                                (a.extra[1] ? 16 : 0) + lane % 16;
            store(ops, a.dst, at, result);
        }
}

template <typename T>
void create_index(Operands& ops, const Plan& plan, const VectorArgs& a) {
    T first;
    std::memcpy(&first, &a.scalar, sizeof(T));
    for (uint32_t r = 0; r < plan.repeats; ++r)
        for (uint32_t lane = 0; lane < plan.lanes; ++lane)
            if (plan.of(r).on(lane))
                store(ops, a.dst, lane_offset(lane, r, sizeof(T), a.dst_stride),
                      static_cast<T>(first + static_cast<T>(r * plan.lanes + lane)));
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

}  // namespace

bool is_special(VecOp op) { return op >= VecOp::kCreateVecIndex; }

void execute_special(Core& core, const VectorArgs& a, const Plan& plan, const Loc& loc) {
    Operands ops(core, loc);
    const bool saturate = core.saturate();
    const bool wide = a.src_type == DType::kFloat;
    switch (a.op) {
        case VecOp::kCompare:
        case VecOp::kCompareScalar:
        case VecOp::kCompareToSpr:
            if (a.src_type == DType::kFloat) return compare<float>(core, ops, plan, a);
            if (a.src_type == DType::kHalf) return compare<half>(core, ops, plan, a);
            return compare<int32_t>(core, ops, plan, a);
        case VecOp::kGetCmpMask:
            if (uint8_t* dst = ops.write(a.dst, 0, 16, "destination")) std::memcpy(dst, core.compare_mask, 16);
            return;
        case VecOp::kSetCmpMask:
            if (const uint8_t* src = ops.read(a.src0, 0, 16, "source")) std::memcpy(core.compare_mask, src, 16);
            return;
        case VecOp::kSelect:
        case VecOp::kSelectScalar: return wide ? select<float>(core, ops, plan, a) : select<half>(core, ops, plan, a);
        case VecOp::kBrcb: return brcb(ops, a);
        case VecOp::kGather: return gather(ops, plan, a);
        case VecOp::kGatherb: return gather_blocks(ops, a);
        case VecOp::kGatherMask: return gather_mask(ops, a);
        case VecOp::kTranspose: return transpose16(ops, a);
        case VecOp::kTransposeExt: return transpose_images(ops, a);
        case VecOp::kCastDequant: return cast_dequant(core, ops, plan, a);
        case VecOp::kCreateVecIndex:
            switch (a.dst_type) {
                case DType::kFloat: return create_index<float>(ops, plan, a);
                case DType::kHalf: return create_index<half>(ops, plan, a);
                case DType::kInt16: return create_index<int16_t>(ops, plan, a);
                default: return create_index<int32_t>(ops, plan, a);
            }
        case VecOp::kTensorSum:
        case VecOp::kTensorMax:
        case VecOp::kTensorMin:
            return wide ? reduce_tensor<float>(core, ops, plan, a, saturate)
                        : reduce_tensor<half>(core, ops, plan, a, saturate);
        case VecOp::kColumnSum:
        case VecOp::kColumnMax:
        case VecOp::kColumnMin:
            return wide ? reduce_matrix<float>(ops, a, saturate) : reduce_matrix<half>(ops, a, saturate);
        case VecOp::kBroadcast: return broadcast(ops, a);
        default: return wide ? reduce<float>(core, ops, plan, a, saturate) : reduce<half>(core, ops, plan, a, saturate);
    }
}

/// 16 source rows of one block each; element c of row r goes to place r of output c.
void vnchwconv(const Vnchwconv& a, const Loc& loc) {
    Core& core = current();
    if (core.cube) {
        core.warning("wrong_core", format("%s has no effect on an AIC", loc.api), loc);
        return;
    }
    const uint32_t size = bits_of(a.type) / 8;
    if (a.repeat > 255) return core.error("illegal_parameter", "TransDataTo5HD: repeatTimes is over 255", loc);
    if (a.repeat == 0) return;
    const Cost cost{CostKind::kVector, a.repeat * 2, static_cast<uint32_t>(VecOp::kTranspose), size, 0, {}};
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

uint64_t reduced_sum(const Loc& loc) {
    Core& core = current();
    if (core.recorder) core.recorder->scalar(loc);
    return core.reduced_sum;
}
void reduced_best(uint64_t* value, uint64_t* index, const Loc& loc) {
    Core& core = current();
    if (core.recorder) core.recorder->scalar(loc);
    *value = core.reduced_best;
    *index = core.reduced_index;
}

}  // namespace twin
