// SPDX-License-Identifier: BSD-3-Clause
// Where the buffers of a local memory lie, at compile time.
#pragma once
#include "arch/resource.h"

namespace flash_attn_npu::ascend::arch {

/// A buffer of elements of T: where it begins, in bytes.
template <class T>
struct Place {
    uint32_t offset = 0;
};

/// Buffers one after another. A kernel's plan derives from it and has a Place per buffer, each initialised by Take; it
/// checks end() once against the size of the memory.
class MemoryPlan {
public:
    __aicore__ inline constexpr uint32_t end() const { return end_; }

protected:
    /// `N` elements, whole 32-byte blocks; none takes no room.
    template <class T, uint32_t N>
    __aicore__ inline constexpr Place<T> Take() {
        static_assert(N * sizeof(T) % 32 == 0, "buffers are whole blocks");
        const Place<T> place{end_};
        end_ += static_cast<uint32_t>(N * sizeof(T));
        return place;
    }

private:
    uint32_t end_ = 0;
};

/// The tensor over a place; `first`: its first element.
template <class T, class Buffer>
__aicore__ inline AscendC::LocalTensor<T> TensorAt(const Buffer& memory, Place<T> place, uint32_t first = 0) {
    return memory.template GetBufferByByte<T>(place.offset + first * static_cast<uint32_t>(sizeof(T)));
}

}  // namespace flash_attn_npu::ascend::arch
