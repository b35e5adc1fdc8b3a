// SPDX-License-Identifier: BSD-3-Clause
// Mask's two questions against the definition of the mask, written out for one query and one key, over all small cases.
#include <cstdint>
#include <cstdio>

#include "flash_attn_npu/mask.h"

namespace {

using namespace flash_attn_npu;

// The definition: see MaskOptions.
bool sees(const Mask& mask, int32_t i, int32_t j) {
    const int64_t p = int64_t{i} + mask.seqlen_k - mask.seqlen_q;
    const MaskOptions& o = mask.options;
    if (o.window_left >= 0 && j < p - o.window_left) return false;
    if (o.window_right >= 0 && j > p + o.window_right) return false;
    if (o.attention_chunk > 0) {
        // Moved by a multiple of the chunk, so that the division of negative positions needs no rounding rule.
        const int64_t shift = int64_t{o.attention_chunk} * 64;
        if ((p + shift) / o.attention_chunk != (j + shift) / o.attention_chunk) return false;
    }
    return true;
}

int checks = 0;
int failures = 0;

void expect(bool ok, const Mask& m, const char* what, int32_t begin, int32_t end) {
    ++checks;
    if (ok || ++failures > 10) return;
    std::printf("%s of [%d, %d) is wrong: seqlen_q %d, seqlen_k %d, window (%d, %d), chunk %d\n", what, begin, end,
                m.seqlen_q, m.seqlen_k, m.options.window_left, m.options.window_right, m.options.attention_chunk);
}

template <class Range>
bool holds(const Range& range, int32_t x) {
    return range.begin <= x && x < range.end;
}

void check_rows(const Mask& m) {
    for (int32_t i = 0; i < m.seqlen_q; ++i) {
        bool same = true;
        for (int32_t j = 0; j < m.seqlen_k; ++j) same = same && holds(m.visible(i), j) == sees(m, i, j);
        expect(same, m, "visible", i, i + 1);
    }
}

// For every range of keys: the rows that see any of them, and the rows that see all.
void check_keys(const Mask& m) {
    for (int32_t begin = 0; begin < m.seqlen_k; ++begin) {
        for (int32_t end = begin + 1; end <= m.seqlen_k; ++end) {
            bool any_ok = true, all_ok = true;
            for (int32_t i = 0; i < m.seqlen_q; ++i) {
                bool any = false, all = true;
                for (int32_t j = begin; j < end; ++j) {
                    any = any || sees(m, i, j);
                    all = all && sees(m, i, j);
                }
                any_ok = any_ok && holds(m.seeing_any({begin, end}), i) == any;
                all_ok = all_ok && holds(m.seeing_all({begin, end}), i) == all;
            }
            const RowRange rows = m.seeing_any({begin, end});
            expect(rows.empty() || (rows.begin >= 0 && rows.end <= m.seqlen_q), m, "bounds", begin, end);
            expect(any_ok, m, "seeing_any", begin, end);
            expect(all_ok, m, "seeing_all", begin, end);
        }
    }
}

// Causal with three queries at the end of five keys: key 4 is seen by the last row only, key 0 by all.
constexpr Mask kCausal{{-1, 0, 0}, 3, 5};
static_assert(kCausal.seeing(4).begin == 2 && kCausal.seeing(4).end == 3, "at compile time");
static_assert(kCausal.seeing_all({0, 3}).size() == 3, "at compile time");

}  // namespace

int main() {
    // The API keeps a left window below the cache's capacity; a right one may be anything.
    const int32_t lefts[] = {-1, 0, 1, 3, 7, INT32_MAX / 2};
    const int32_t rights[] = {-1, 0, 1, 3, 7, INT32_MAX};
    const int32_t chunks[] = {0, 1, 2, 5, INT32_MAX};
    for (int32_t seqlen_q = 1; seqlen_q <= 8; ++seqlen_q) {
        for (int32_t seqlen_k = 0; seqlen_k <= 8; ++seqlen_k) {
            for (const int32_t left : lefts) {
                for (const int32_t right : rights) {
                    for (const int32_t chunk : chunks) {
                        const Mask mask{{left, right, chunk}, seqlen_q, seqlen_k};
                        check_rows(mask);
                        check_keys(mask);
                    }
                }
            }
        }
    }
    std::printf("%d checks, %d failed\n", checks, failures);
    return failures == 0 ? 0 : 1;
}
