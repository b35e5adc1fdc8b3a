// SPDX-License-Identifier: BSD-3-Clause
// What the headers of the high-level Matmul want of the framework. Objects on the cube (ASCENDC_CUBE_ONLY) work; the
// messages by which AIVs give work to an AIC poll plain pointers and end the launch.
#pragma once
#include <exception>
#include <stdexcept>

#include "ascendc/intrinsics.h"
#include "ascendc/matrix.h"
#include "ascendc/system.h"

// Each pass is one kind of core.
#ifdef __DAV_C220_CUBE__
#define SPLIT_CORE_CUBE
#else
#define SPLIT_CORE_VEC
#endif

using fp8_e8m0_t = uint8_t;  // of other chips, named by conditions on types
constexpr uint8_t inc = 0, dec = 1;

enum class cache_line_t { SINGLE_CACHE_LINE, ENTIRE_DATA_CACHE };
enum class dcci_dst_t { CACHELINE_ALL, CACHELINE_UB, CACHELINE_OUT, CACHELINE_ATOMIC };
inline uint8_t get_imm(int64_t) { return 0; }

#define __disable_kernel_type_autoinfer__

/// Ends a launch that would use the messages: who polls for one would do so for ever.
#define TWIN_NO_MESSAGES(NAME)                                                                                      \
    template <typename... A>                                                                                        \
    void NAME(A...) {                                                                                               \
        if (std::uncaught_exceptions() == 0)                                                                        \
            throw std::runtime_error(#NAME ": Matmul objects of AIVs are not modelled (define ASCENDC_CUBE_ONLY)"); \
    }
TWIN_NO_MESSAGES(dcci)
TWIN_NO_MESSAGES(dc_preload)
TWIN_NO_MESSAGES(create_cbuf_matrix)
TWIN_NO_MESSAGES(copy_cbuf_to_gm)
TWIN_NO_MESSAGES(copy_ubuf_to_gm)

namespace AscendC {

TWIN_NO_MESSAGES(ScmDataCopy)
TWIN_NO_MESSAGES(ScmDataCopyND2NZ)
#undef TWIN_NO_MESSAGES

constexpr int MAX_MSG_COUNT = 16;
inline int64_t GetBlockIdxImpl() { return twin::block_idx(); }
inline int64_t GetSubBlockIdxImpl() { return twin::sub_block_idx(); }
inline int64_t GetTaskRationImpl() { return twin::sub_block_num(); }

template <bool first, bool second, typename A, typename B, typename C, typename D>
struct ConditionalMulti {
    using type = std::conditional_t<first, std::conditional_t<second, A, B>, std::conditional_t<second, C, D>>;
};

/// Of other chips.
struct LoadData2DParamsV2 {
    uint32_t mStartPosition = 0, kStartPosition = 0;
    uint16_t mStep = 0, kStep = 0;
    int32_t srcStride = 0;
    uint16_t dstStride = 0;
    bool ifTranspose = false;
    uint8_t sid = 0;
};

}  // namespace AscendC

#include "basic_api/dav_c220/kfc/kfc_comm_client.h"
#include "basic_api/dav_c220/kfc/kfc_comm_server.h"
