// SPDX-License-Identifier: BSD-3-Clause
// Timing-only execution (Options::skip_math): which instructions still happen, so that control flow stays sensible.
//
// Scalar code, flags and the tensors in global memory are real. What scalar code may read through UB is too: integers
// (lengths, indices, page tables) and small transfers. Everything else is recorded and left out: matrices, and all
// arithmetic on floating point, whose small results (statistics that scalar code may look at) become zero.
#pragma once
#include "machine/core.h"

namespace twin {

inline bool timing_only() { return Device::get().options.skip_math && !Device::get().checking(); }

inline bool is_integer(DType t) {
    return t != DType::kHalf && t != DType::kBf16 && t != DType::kFloat && t != DType::kVoid;
}

/// Bytes of statistics: transfers up to this size happen, skipped results up to this size are zeroed.
constexpr uint64_t kSmallBytes = 4096;

/// A DataCopy or DataCopyPad that is only recorded.
inline bool left_out(const CopyArgs& a) {
    if (!timing_only()) return false;
    if (a.dst.memory != Memory::kUb && a.src.memory != Memory::kUb) return true;
    return !is_integer(a.type) && a.runs * a.length > kSmallBytes;
}

/// A vector instruction that is only recorded.
inline bool left_out(const VectorArgs& a) {
    if (!timing_only()) return false;
    return !is_integer(a.dst_type) || (a.sources > 0 && !is_integer(a.src_type));
}

/// Stands in for a floating-point instruction: a small result is zero.
inline void zero_result(Core& core, const Ref& dst, uint64_t bytes) {
    auto& data = core.memory[static_cast<int>(dst.memory)].data;
    if (bytes <= kSmallBytes && dst.address + bytes <= data.size())
        std::fill_n(data.begin() + static_cast<int64_t>(dst.address), bytes, 0);
}

}  // namespace twin
