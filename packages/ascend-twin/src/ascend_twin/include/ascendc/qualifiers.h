// SPDX-License-Identifier: BSD-3-Clause
// Words of the device language that a host compiler does not know.
#pragma once

#define __aicore__
// Seen and removed by the builder (ascend_twin/preprocess.py), which learns the kernels' names and kinds from them.
#define __global__ __twin_global__
#define __gm__
#define __ubuf__
#define __cbuf__
#define __ca__
#define __cb__
#define __cc__
#define __fbuf__
#define __biasbuf__
#define __host_aicore__
#ifndef __forceinline__
#define __forceinline__ inline __attribute__((always_inline))
#endif
#define __inout_pipe__(...)
#define __in_pipe__(...)
#define __out_pipe__(...)
#define __sync_alias__
#define __sync_noalias__
#define __check_sync_alias__
#define __BLOCK_LOCAL__ thread_local
#define __WORKGROUP_LOCAL__ thread_local

#define __cube__ __twin_kind_1__
#define __vector__ __twin_kind_0__
#define __mix__(cube, vec) __twin_mix_##cube##_##vec##__
#define __schedmode__(mode)

#define GM_ADDR __gm__ uint8_t*
#define __bf16 bfloat16_t
