// SPDX-License-Identifier: BSD-3-Clause
// Reductions of blocks, pairs, repeats and tensors.
#include <algorithm>
#include <cstring>
#include <vector>

#include "machine/cores.h"
#include "semantics/numeric.h"
#include "semantics/vector/elements.h"
#include "semantics/vector/instructions.h"

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
            out.push_back({lane, load<T>(src + at), ops.is_valid(a.src0, at, sizeof(T))});
        }
    return true;
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
void reduce_as(Core& core, Operands& ops, const Plan& plan, const VectorArgs& a, bool saturate) {
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
void reduce_tensor_as(Core& core, Operands& ops, const Plan& plan, const VectorArgs& a, bool saturate) {
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
void reduce_matrix_as(Operands& ops, const VectorArgs& a, bool saturate) {
    const uint32_t rows = a.extra[0], cols = a.extra[1], pitch = a.extra[2];
    const bool along_rows = a.extra[3];
    std::vector<T> values(uint64_t(rows) * cols);
    std::vector<uint8_t> valid(values.size());
    for (uint32_t r = 0; r < rows; ++r) {
        const uint64_t at = uint64_t(r) * pitch * sizeof(T);
        const uint8_t* line = ops.read(a.src0, at, uint64_t(cols) * sizeof(T), "source");
        if (!line) return;
        for (uint32_t c = 0; c < cols; ++c) {
            values[uint64_t(r) * cols + c] = load<T>(line + c * sizeof(T));
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

}  // namespace

void reduce(Core& core, Operands& ops, const Plan& plan, const VectorArgs& a, bool saturate) {
    if (a.src_type == DType::kFloat) return reduce_as<float>(core, ops, plan, a, saturate);
    reduce_as<half>(core, ops, plan, a, saturate);
}
void reduce_tensor(Core& core, Operands& ops, const Plan& plan, const VectorArgs& a, bool saturate) {
    if (a.src_type == DType::kFloat) return reduce_tensor_as<float>(core, ops, plan, a, saturate);
    reduce_tensor_as<half>(core, ops, plan, a, saturate);
}
void reduce_matrix(Operands& ops, const VectorArgs& a, bool saturate) {
    if (a.src_type == DType::kFloat) return reduce_matrix_as<float>(ops, a, saturate);
    reduce_matrix_as<half>(ops, a, saturate);
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
