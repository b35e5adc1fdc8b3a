// SPDX-License-Identifier: BSD-3-Clause
// Enumerations and constants of the API, with the vendor's names and values.
#pragma once
#include <cstdint>

#include "ascendc/numeric.h"
#include "twin/abi.h"

enum pipe_t {
    PIPE_S = 0,
    PIPE_V,
    PIPE_M,
    PIPE_MTE1,
    PIPE_MTE2,
    PIPE_MTE3,
    PIPE_ALL,
    PIPE_MTE4,
    PIPE_MTE5,
    PIPE_V2,
    PIPE_FIX
};
enum event_t { EVENT_ID0 = 0, EVENT_ID1, EVENT_ID2, EVENT_ID3, EVENT_ID4, EVENT_ID5, EVENT_ID6, EVENT_ID7 };
using TEventID = int8_t;

enum QuantMode_t {
    NoQuant = 0,
    F322F16 = 1,
    VREQ8 = 2,
    REQ8 = 3,
    VDEQF16 = 4,
    DEQF16 = 5,
    F322BF16 = 16,
    VQF322B8_PRE = 23,
    QF322B8_PRE = 24
};

enum class pad_t : uint8_t { PAD_NONE = 0 };

namespace AscendC {

constexpr int32_t MIX = 0;
constexpr int32_t AIC = 1;
constexpr int32_t AIV = 2;

using TEventID = ::TEventID;

enum class TPosition : uint8_t {
    GM,
    A1,
    A2,
    B1,
    B2,
    C1,
    C2,
    CO1,
    CO2,
    VECIN,
    VECOUT,
    VECCALC,
    LCM = VECCALC,
    SPM,
    SHM = SPM,
    TSCM,
    C2PIPE2GM,
    C2PIPE2LOCAL,
    MAX
};
using QuePosition = TPosition;

enum class Hardware : uint8_t { GM, UB, L1, L0A, L0B, L0C, BIAS, FIXBUF, MAX };

enum class HardEvent : uint8_t {
    MTE2_MTE1,
    MTE1_MTE2,
    MTE1_M,
    M_MTE1,
    MTE2_V,
    V_MTE2,
    MTE3_V,
    V_MTE3,
    M_V,
    V_M,
    V_V,
    MTE3_MTE1,
    MTE1_MTE3,
    MTE1_V,
    MTE2_M,
    M_MTE2,
    V_MTE1,
    M_FIX,
    FIX_M,
    MTE3_MTE2,
    MTE2_MTE3,
    S_V,
    V_S,
    S_MTE2,
    MTE2_S,
    S_MTE3,
    MTE3_S,
    MTE2_FIX,
    FIX_MTE2,
    FIX_S,
    M_S,
    FIX_MTE3,
    MTE1_FIX,
    FIX_MTE1,
    FIX_FIX,
    MAX
};

enum class MemoryT : uint8_t { L1 = 0, L0A, L0B, L0C, UB, BIAS };
enum class MemDsbT : uint8_t { ALL = 0, DDR, UB, SEQ };
enum class MaskMode : uint8_t { NORMAL = 0, COUNTER };

enum class RoundMode : uint8_t {
    CAST_NONE = 0,
    CAST_RINT,
    CAST_FLOOR,
    CAST_CEIL,
    CAST_ROUND,
    CAST_TRUNC,
    CAST_ODD,
    CAST_HYBRID,
    UNKNOWN = 0xFF
};
enum class CMPMODE : uint8_t { LT = 0, GT, EQ, LE, GE, NE };
enum class SELMODE : uint8_t { VSEL_CMPMASK_SPR = 0, VSEL_TENSOR_SCALAR_MODE, VSEL_TENSOR_TENSOR_MODE };
enum class ReduceOrder : uint8_t { ORDER_VALUE_INDEX = 0, ORDER_INDEX_VALUE, ORDER_ONLY_VALUE, ORDER_ONLY_INDEX };
enum class ReduceType : uint8_t { SUM = 0, MAX, MIN };
enum class CacheMode : uint8_t { CACHE_MODE_DISABLE = 0, CACHE_MODE_NORMAL, CACHE_MODE_LAST, CACHE_MODE_PERSISTENT };
enum class CacheRwMode : uint8_t { READ = 1, WRITE = 2, RW = 3 };
enum class CacheLine : uint64_t { SINGLE_CACHE_LINE = 0, ENTIRE_DATA_CACHE };
enum class DcciDst : uint64_t { CACHELINE_ALL = 0, CACHELINE_UB, CACHELINE_OUT, CACHELINE_ATOMIC };
enum class FmatrixMode : uint8_t { FMATRIX_LEFT = 0, FMATRIX_RIGHT };
enum class BlockMode : uint8_t {
    BLOCK_MODE_NORMAL = 0,
    BLOCK_MODE_MATRIX,
    BLOCK_MODE_VECTOR,
    BLOCK_MODE_SMALL_CHANNEL,
    BLOCK_MODE_DEPTHWISE
};
enum class DeqScale : uint8_t { DEQ_NONE = 0, DEQ, VDEQ, DEQ8, VDEQ8, DEQ16, VDEQ16 };
enum class KernelMetaType : uint8_t {};

constexpr uint64_t MASK_PLACEHOLDER = 0;
constexpr uint64_t FULL_MASK = 0xFFFFFFFFFFFFFFFFull;
constexpr int32_t ONE_BLK_SIZE = 32;
constexpr int32_t ONE_REPEAT_BYTE_SIZE = 256;
constexpr int32_t DEFAULT_BLK_NUM = 8;
constexpr int32_t DEFAULT_BLK_STRIDE = 1;
constexpr uint8_t DEFAULT_REPEAT_STRIDE = 8;
constexpr int32_t DEFAULT_BLOCK_SIZE = 256;
constexpr int32_t DEFAULT_C0_SIZE = 32;
constexpr int32_t BLOCK_CUBE = 16;
constexpr int32_t CUBE_MAX_SIZE = 256;
constexpr int32_t BYTE_PER_FRACTAL = 512;
constexpr int32_t HALF_SIZE = 2;
constexpr uint32_t MAX_REPEAT_TIMES = 255;
constexpr uint32_t TOTAL_UB_SIZE = twin::bytes_of(twin::Memory::kUb);
constexpr uint32_t TOTAL_L1_SIZE = twin::bytes_of(twin::Memory::kL1);
constexpr uint32_t TOTAL_L0A_SIZE = twin::bytes_of(twin::Memory::kL0A);
constexpr uint32_t TOTAL_L0B_SIZE = twin::bytes_of(twin::Memory::kL0B);
constexpr uint32_t TOTAL_L0C_SIZE = twin::bytes_of(twin::Memory::kL0C);
constexpr uint32_t TMP_UB_SIZE = 8 * 1024;
constexpr uint32_t TMP_UB_OFFSET = twin::kUbForKernels;
constexpr int32_t NCHW_CONV_ADDR_LIST_SIZE = 16;
constexpr int32_t PAD_SIZE = 4;

/// Physical memory behind a logical position.
constexpr twin::Memory TwinMemory(TPosition position) {
    switch (position) {
        case TPosition::GM: return twin::Memory::kGm;
        case TPosition::A1:
        case TPosition::B1:
        case TPosition::C1:
        case TPosition::TSCM:
        case TPosition::SPM: return twin::Memory::kL1;
        case TPosition::A2: return twin::Memory::kL0A;
        case TPosition::B2: return twin::Memory::kL0B;
        case TPosition::CO1: return twin::Memory::kL0C;
        case TPosition::C2: return twin::Memory::kBt;
        case TPosition::C2PIPE2GM: return twin::Memory::kFb;
        default: return twin::Memory::kUb;
    }
}

constexpr Hardware GetPhyType(TPosition position) {
    switch (position) {
        case TPosition::GM:
        case TPosition::CO2: return Hardware::GM;
        case TPosition::A1:
        case TPosition::B1:
        case TPosition::C1:
        case TPosition::TSCM:
        case TPosition::SPM: return Hardware::L1;
        case TPosition::A2: return Hardware::L0A;
        case TPosition::B2: return Hardware::L0B;
        case TPosition::C2: return Hardware::BIAS;
        case TPosition::CO1: return Hardware::L0C;
        case TPosition::C2PIPE2GM: return Hardware::FIXBUF;
        case TPosition::VECIN:
        case TPosition::VECOUT:
        case TPosition::VECCALC: return Hardware::UB;
        default: return Hardware::MAX;
    }
}

constexpr twin::Pipe TwinPipe(pipe_t pipe) {
    switch (pipe) {
        case PIPE_S: return twin::Pipe::kS;
        case PIPE_V: return twin::Pipe::kV;
        case PIPE_M: return twin::Pipe::kM;
        case PIPE_MTE1: return twin::Pipe::kMte1;
        case PIPE_MTE2: return twin::Pipe::kMte2;
        case PIPE_MTE3: return twin::Pipe::kMte3;
        case PIPE_FIX: return twin::Pipe::kFix;
        default: return twin::Pipe::kAll;
    }
}

struct TwinEventPipes {
    twin::Pipe src, dst;
};
constexpr TwinEventPipes TwinEvent(HardEvent event) {
    using P = twin::Pipe;
    constexpr TwinEventPipes table[] = {
        {P::kMte2, P::kMte1}, {P::kMte1, P::kMte2}, {P::kMte1, P::kM},    {P::kM, P::kMte1},   {P::kMte2, P::kV},
        {P::kV, P::kMte2},    {P::kMte3, P::kV},    {P::kV, P::kMte3},    {P::kM, P::kV},      {P::kV, P::kM},
        {P::kV, P::kV},       {P::kMte3, P::kMte1}, {P::kMte1, P::kMte3}, {P::kMte1, P::kV},   {P::kMte2, P::kM},
        {P::kM, P::kMte2},    {P::kV, P::kMte1},    {P::kM, P::kFix},     {P::kFix, P::kM},    {P::kMte3, P::kMte2},
        {P::kMte2, P::kMte3}, {P::kS, P::kV},       {P::kV, P::kS},       {P::kS, P::kMte2},   {P::kMte2, P::kS},
        {P::kS, P::kMte3},    {P::kMte3, P::kS},    {P::kMte2, P::kFix},  {P::kFix, P::kMte2}, {P::kFix, P::kS},
        {P::kM, P::kS},       {P::kFix, P::kMte3},  {P::kMte1, P::kFix},  {P::kFix, P::kMte1}, {P::kFix, P::kFix}};
    return table[static_cast<int>(event)];
}

}  // namespace AscendC

#if defined(__DAV_C220_CUBE__)
constexpr int32_t g_coreType = AscendC::AIC;
#elif defined(__DAV_C220_VEC__)
constexpr int32_t g_coreType = AscendC::AIV;
#else
constexpr int32_t g_coreType = AscendC::MIX;
#endif

#define ASCEND_IS_AIV constexpr(g_coreType == AscendC::AIV)
#define ASCEND_IS_AIC constexpr(g_coreType == AscendC::AIC)
#define ASCEND_IS_NOT_AIV constexpr(g_coreType != AscendC::AIV)
#define ASCEND_IS_NOT_AIC constexpr(g_coreType != AscendC::AIC)
