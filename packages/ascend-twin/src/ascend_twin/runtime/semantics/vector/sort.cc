// SPDX-License-Identifier: BSD-3-Clause
// PIPE_V: Sort32 and MrgSort, which work on pairs of a score and an index in 8 bytes each (score low, index in the
// upper four). Descending; of equal scores the one that stands first stays first.
#include <algorithm>
#include <numeric>

#include "machine/timing_only.h"
#include "semantics/numeric.h"
#include "semantics/refuse.h"
#include "semantics/vector/operands.h"

namespace twin {
namespace {

constexpr uint32_t kPair = 8;

float score_at(const uint8_t* p, DType type) { return type == DType::kFloat ? load<float>(p) : widen(load<half>(p)); }

/// Whether a score has to stand before another one. NaN, which the documents leave open, counts as the largest.
bool before(float a, float b) {
    if (a != a) return b == b;
    return a > b;
}

}  // namespace

void sort32(const SortArgs& a, const Loc& loc) {
    Core& core = current();
    if (!here(core, false, loc)) return;
    if (a.repeat > 255) return illegal(core, loc, format("repeatTime %u is over 255", a.repeat));
    if (a.repeat == 0) return;
    const Cost cost{VectorCost{VecOp::kSort32, a.repeat, bytes_of(a.type)}};
    if (timing_only()) return core.record_only(Pipe::kV, loc, cost);
    core.issue(Pipe::kV, loc, cost, [a](Core& c, const Loc& at) {
        Operands ops(c, at);
        const uint32_t size = bytes_of(a.type);
        for (uint32_t r = 0; r < a.repeat; ++r) {
            ops.fresh();
            const uint8_t* scores = ops.read(a.src, uint64_t(r) * 32 * size, 32 * size, "scores");
            const uint8_t* indices = ops.read(a.index, uint64_t(r) * 128, 128, "indices");
            if (!scores || !indices) return;
            uint32_t order[32];
            std::iota(order, order + 32, 0);
            std::stable_sort(order, order + 32, [&](uint32_t x, uint32_t y) {
                return before(score_at(scores + x * size, a.type), score_at(scores + y * size, a.type));
            });
            uint8_t sorted[32 * kPair] = {};
            for (uint32_t i = 0; i < 32; ++i) {
                std::memcpy(sorted + i * kPair, scores + order[i] * size, size);
                std::memcpy(sorted + i * kPair + 4, indices + order[i] * 4, 4);
            }
            uint8_t* dst = ops.write(a.dst, uint64_t(r) * sizeof(sorted), sizeof(sorted), "destination");
            if (!dst) return;
            std::memcpy(dst, sorted, sizeof(sorted));
        }
    });
}

void merge_sort(const MergeArgs& a, const Loc& loc) {
    Core& core = current();
    if (!here(core, false, loc)) return;
    if (a.valid != 3 && a.valid != 7 && a.valid != 15) return illegal(core, loc, "validBit is 3, 7 or 15");
    const uint32_t queues = a.valid == 3 ? 2 : a.valid == 7 ? 3 : 4;
    uint64_t pairs = 0;
    for (uint32_t q = 0; q < queues; ++q) {
        if (a.length[q] > 4095) return illegal(core, loc, "a queue has at most 4095 elements");
        pairs += a.length[q];
    }
    if (a.repeat == 0) return;
    if (a.repeat > 1) {
        bool alike = a.valid == 15 && !a.suspend;
        for (uint32_t q = 1; q < queues; ++q)
            alike &= a.length[q] == a.length[0] && a.src[q].address == a.src[0].address + q * a.length[0] * kPair;
        if (!alike) return illegal(core, loc, "repetitions need 4 adjacent queues of one length and no suspension");
    }
    for (uint32_t q = 0; q < queues; ++q) {
        if (a.src[q].address % 8) return illegal(core, loc, "a source queue is not aligned to 8 bytes");
        const uint64_t end = a.src[q].address + ((a.repeat - 1) * pairs + a.length[q]) * kPair;
        if (a.length[q] && a.src[q].address < a.dst.address + a.repeat * pairs * kPair && a.dst.address < end)
            return illegal(core, loc, "source and destination overlap");
    }
    const Cost cost{
        VectorCost{VecOp::kMergeSort, static_cast<uint32_t>((pairs * a.repeat + 31) / 32), bytes_of(a.type)}};
    if (timing_only()) return core.record_only(Pipe::kV, loc, cost);
    core.issue(Pipe::kV, loc, cost, [a, queues, pairs](Core& c, const Loc& at) {
        Operands ops(c, at);
        const uint64_t bytes = pairs * kPair;
        for (uint32_t r = 0; r < a.repeat; ++r) {
            const uint8_t* queue[4] = {};
            uint32_t taken[4] = {};
            ops.fresh();
            for (uint32_t q = 0; q < queues; ++q) {
                if (a.length[q] == 0) continue;
                Ref block = a.src[q];  // queues lie at multiples of 8 bytes
                const uint64_t skew = block.address % 32;
                block.address -= skew;
                queue[q] = ops.read(block, skew + r * bytes, uint64_t(a.length[q]) * kPair, "source");
                if (!queue[q]) return;
            }
            std::vector<uint8_t> merged;
            merged.reserve(bytes);
            const auto exhausted = [&](uint32_t q) { return taken[q] >= a.length[q]; };
            for (;;) {
                int best = -1;
                float score = 0;
                for (uint32_t q = 0; q < queues; ++q) {
                    if (exhausted(q)) continue;
                    const float s = score_at(queue[q] + taken[q] * kPair, a.type);
                    if (best >= 0 && !before(s, score)) continue;
                    best = static_cast<int>(q);
                    score = s;
                }
                if (best < 0) break;
                const uint8_t* pair = queue[best] + taken[best]++ * kPair;
                merged.insert(merged.end(), pair, pair + kPair);
                if (a.suspend && exhausted(best)) break;
            }
            std::copy(taken, taken + 4, c.merged);
            if (merged.empty()) return;
            uint8_t* dst = ops.write(a.dst, r * bytes, merged.size(), "destination");
            if (!dst) return;
            std::memcpy(dst, merged.data(), merged.size());
        }
    });
}

void merged_counts(uint32_t* counts, const Loc& loc) {
    Core& core = current();
    if (core.recorder) core.recorder->scalar(loc);
    std::copy(core.merged, core.merged + 4, counts);
}

}  // namespace twin
