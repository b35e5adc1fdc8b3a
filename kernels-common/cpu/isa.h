// SPDX-License-Identifier: BSD-3-Clause
// The kernels of one SIMD level. Every level is one object file (isa/isa_<level>.cpp) compiled with its own flags.
//
// Rule for everything under cpu/tile and cpu/kernel: it lives in an unnamed namespace and uses no std:: templates, so
// that an object compiled for AVX-512 exports no symbol the linker could substitute for the baseline's (tests/build
// checks).
#pragma once

#include <cstddef>

#include "flash_attn_npu/plan.h"
#include "flash_attn_npu/request.h"

namespace flash_attn_npu::cpu {

// A piece of work for one thread: packed rows [row_begin, row_end) of one kv head of one sequence (row_begin a multiple
// of plan.tile.rows), against one KV split. Grouping several row tiles in one item shares the packing of K and V and
// never changes the arithmetic: steps lie on multiples of plan.tile.keys whatever the grouping.
struct WorkItem {
    int32_t n;
    int32_t kv_head_begin;
    int32_t kv_head_end;  // kv_head_begin + 1, except for the row kernel, which may take all heads of a key in one go
    int32_t row_begin;
    int32_t row_end;
    int32_t split;
};

// Where a kernel leaves partial results when plan.num_splits > 1, indexed by Plan::accum_row.
struct Partials {
    float* out;  // (rows, head_dim_v)
    float* lse;  // (rows,) natural log, -inf for a row that saw no key
};

using AttendFn = void (*)(const Forward&, const Plan&, const Partials&, const WorkItem&, void* scratch);
// For items of at most `rows_per_item` packed rows per kv head.
using ScratchFn = size_t (*)(const Forward&, int32_t rows_per_item);

// Up to this many packed rows of one kv head, streaming K and V once per row block beats filling SIMD lanes with rows:
// the row kernel's items.
constexpr int32_t kRowKernelRows = 8;

// One kernel: its tile shape, the bytes of 64-byte aligned scratch a thread needs, and the function itself.
struct Kernel {
    TileShape tile;
    ScratchFn scratch_bytes;
    AttendFn attend;
};

struct IsaKernels {
    const char* name;
    // Many packed rows: scores as S^T = K Q^T with rows in SIMD lanes.
    Kernel (*tile_kernel)(const Forward&);
    // Few packed rows (decode): K and V rows stream once, features in SIMD lanes.
    Kernel (*row_kernel)(const Forward&);
    // Writes the new keys and values of kv heads [kv_head_begin, kv_head_end) of all sequences into the cache, K
    // rotated.
    void (*append)(const Forward&, int32_t kv_head_begin, int32_t kv_head_end);
    // Merges the partial results of packed rows [row_begin, row_end) of one kv head into out and softmax_lse.
    void (*combine)(const Forward&, const Plan&, const Partials&, int32_t n, int32_t kv_head, int32_t row_begin,
                    int32_t row_end);
};

const IsaKernels& isa_portable();
#if defined(__x86_64__)
const IsaKernels& isa_avx2();
const IsaKernels& isa_avx512();
const IsaKernels& isa_avx512_bf16();
const IsaKernels& isa_amx_bf16();
#ifdef FLASH_ATTN_NPU_TEST_ISAS
// isa_amx_bf16 over a software model of the AMX tiles: proves that path on machines without AMX. Test builds only.
const IsaKernels& isa_amx_emulated();
#endif
#endif

}  // namespace flash_attn_npu::cpu
