// SPDX-License-Identifier: BSD-3-Clause
// Runs one function on several threads at once.
#pragma once

#include <cstdint>

namespace flash_attn_npu::cpu {

// Calls fn(context, t) for t = 0 .. threads - 1, t = 0 on the calling thread, and returns when all are done. May use
// fewer threads and then calls fn for fewer t (never for none): fn must take its work from a shared counter.
void parallel_run(int32_t threads, void (*fn)(void* context, int32_t thread), void* context);

}  // namespace flash_attn_npu::cpu
