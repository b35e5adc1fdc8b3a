// SPDX-License-Identifier: BSD-3-Clause
// Compiler built-ins that kernels call directly, and API names dav-2201 has but the twin refuses when instantiated.
#pragma once
#include "ascendc/matrix.h"
#include "ascendc/reduce.h"
#include "ascendc/system.h"

inline void pipe_barrier(pipe_t pipe, const twin::At& at = twin::At::here()) {
    twin::pipe_barrier(AscendC::TwinPipe(pipe), at.as("pipe_barrier"));
}
inline void set_flag(pipe_t src, pipe_t dst, int32_t id, const twin::At& at = twin::At::here()) {
    twin::set_flag(AscendC::TwinPipe(src), AscendC::TwinPipe(dst), id, at.as("set_flag"));
}
inline void wait_flag(pipe_t src, pipe_t dst, int32_t id, const twin::At& at = twin::At::here()) {
    twin::wait_flag(AscendC::TwinPipe(src), AscendC::TwinPipe(dst), id, at.as("wait_flag"));
}
inline int64_t get_block_idx() { return twin::block_idx(); }
inline int64_t get_block_num() { return twin::block_num(); }
/// The device language's variables.
inline struct TwinBlockIdx {
    operator int64_t() const { return twin::block_idx(); }
} block_idx;
inline struct TwinBlockNum {
    operator int64_t() const { return twin::block_num(); }
} block_num;
inline int64_t get_subblockid() { return twin::sub_block_idx(); }
inline int64_t get_subblockdim() { return twin::sub_block_num(); }
inline void set_ffts_base_addr(uint64_t) {}
inline void icache_preload(int64_t) {}
inline void set_mask_norm(const twin::At& at = twin::At::here()) { twin::set_mask_mode(false, at.as("set_mask_norm")); }
inline void set_mask_count(const twin::At& at = twin::At::here()) {
    twin::set_mask_mode(true, at.as("set_mask_count"));
}
inline void set_vector_mask(uint64_t high, uint64_t low, const twin::At& at = twin::At::here()) {
    twin::set_mask(high, low, at.as("set_vector_mask"));
}
inline void set_atomic_none(const twin::At& at = twin::At::here()) { AscendC::SetAtomicNone(at); }

/// ND_PARA: number of matrices in bits 0 to 15, their strides in the source from 16 and in the destination from 32.
inline void set_nd_para(uint64_t config) {
    twin::set_nd_state(config & 0xffff, config >> 16 & 0xffff, config >> 32 & 0xffff);
}
namespace AscendC {

inline void SetNdParaImpl(uint64_t config) { set_nd_para(config); }

}  // namespace AscendC
