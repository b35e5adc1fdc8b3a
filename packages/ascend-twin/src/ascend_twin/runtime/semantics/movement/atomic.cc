// SPDX-License-Identifier: BSD-3-Clause
// SetAtomicAdd and its kin: additions, maxima and minima in global memory.
#include "semantics/movement/atomic.h"

#include <algorithm>
#include <mutex>

#include "machine/core.h"
#include "semantics/numeric.h"

namespace twin {

namespace {

template <typename T, typename F>
void combine(uint8_t* dst, const uint8_t* src, uint64_t bytes, F f) {
    for (uint64_t i = 0; i + sizeof(T) <= bytes; i += sizeof(T)) {
        T a, b;
        std::memcpy(&a, dst + i, sizeof(T));
        std::memcpy(&b, src + i, sizeof(T));
        a = f(a, b);
        std::memcpy(dst + i, &a, sizeof(T));
    }
}

template <typename T>
void combine_op(uint8_t* dst, const uint8_t* src, uint64_t bytes, Atomic op) {
    const auto value = [op](T a, T b) -> T {
        if (op == Atomic::kMax) return std::max(a, b);
        if (op == Atomic::kMin) return std::min(a, b);
        return static_cast<T>(a + b);
    };
    combine<T>(dst, src, bytes, value);
}

std::mutex& atomic_mutex(const uint8_t* address) {
    static std::mutex stripes[64];
    return stripes[reinterpret_cast<uint64_t>(address) / 512 % 64];
}

void atomic_bytes(uint8_t* dst, const uint8_t* src, uint64_t bytes, Atomic op, DType type) {
    std::lock_guard<std::mutex> lock(atomic_mutex(dst));
    switch (type) {
        case DType::kFloat: return combine_op<float>(dst, src, bytes, op);
        case DType::kHalf:
            return combine<half>(dst, src, bytes, [op](half a, half b) -> half {
                if (op == Atomic::kMax) return std::max(a, b);
                if (op == Atomic::kMin) return std::min(a, b);
                return static_cast<half>(static_cast<float>(a) + static_cast<float>(b));
            });
        case DType::kBf16:
            return combine<bf16>(dst, src, bytes, [op](bf16 a, bf16 b) {
                const float x = widen(a), y = widen(b);
                return to_bf16_rne(op == Atomic::kMax ? std::max(x, y) : op == Atomic::kMin ? std::min(x, y) : x + y);
            });
        case DType::kInt32:
            if (op == Atomic::kAdd) return combine_op<uint32_t>(dst, src, bytes, op);
            return combine_op<int32_t>(dst, src, bytes, op);
        case DType::kInt16: return combine_op<int16_t>(dst, src, bytes, op);
        case DType::kInt8: return combine_op<int8_t>(dst, src, bytes, op);
        default: return;
    }
}

}  // namespace

void store_gm(uint8_t* dst, const uint8_t* src, uint64_t bytes, Atomic op, DType type) {
    if (op == Atomic::kNone)
        std::memmove(dst, src, bytes);
    else
        atomic_bytes(dst, src, bytes, op, type);
}

void set_atomic(Atomic op, DType type, const Loc& loc) {
    Core& core = current();
    core.atomic = op;
    core.atomic_type = type;
    if (core.recorder) core.recorder->scalar(loc);
}

}  // namespace twin
