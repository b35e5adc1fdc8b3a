// Indices, control registers, kernel kinds, debugging, the launch.
#pragma once
#include <cstdio>
#include <string>
#include <tuple>
#include <typeinfo>
#include <utility>

#include "ascendc/tpipe.h"

namespace AscendC {

inline int64_t GetBlockNum() { return twin::block_num(); }
inline int64_t GetBlockIdx() {
    return twin::on_cube() ? twin::block_idx() : twin::block_idx() * twin::sub_block_num() + twin::sub_block_idx();
}
inline int64_t GetSubBlockIdx() { return twin::sub_block_idx(); }
inline int64_t GetSubBlockNum() { return twin::sub_block_num(); }
inline int64_t GetTaskRation() { return twin::sub_block_num(); }
inline int64_t GetTaskRatio() { return twin::sub_block_num(); }
inline int64_t GetSystemCycle() { return twin::system_cycle(); }
inline constexpr int16_t GetDataBlockSizeInBytes() { return ONE_BLK_SIZE; }
inline void Trap(const twin::At& at = twin::At::here()) { twin::user_trap("Trap()", at.as("Trap")); }

template <int8_t startBit, int8_t endBit>
void SetCtrlSpr(int64_t value, const twin::At& at = twin::At::here()) {
    static_assert(startBit == 48 && endBit == 48, "SetCtrlSpr: only bit 48 may be set on dav-2201");
    twin::set_ctrl_bit(48, value != 0, at.as("SetCtrlSpr"));
}
template <int8_t startBit, int8_t endBit>
int64_t GetCtrlSpr() {
    static_assert(startBit == 48 && endBit == 48, "GetCtrlSpr: only bit 48 on dav-2201");
    return static_cast<int64_t>(twin::get_ctrl() >> 48 & 1);
}
template <int8_t startBit, int8_t endBit>
void ResetCtrlSpr(const twin::At& at = twin::At::here()) {
    SetCtrlSpr<startBit, endBit>(0, at);
}
/// 0: saturate, 1: infinities and NaN stay.
struct AscendCUtils {
    static void SetOverflow(uint64_t keep_infinities, const twin::At& at = twin::At::here()) {
        twin::set_ctrl_bit(48, keep_infinities == 1, at.as("SetOverflow"));
    }
    template <typename T, bool isSetMask = true>
    static void SetMask(uint64_t high, uint64_t low, const twin::At& at = twin::At::here()) {
        if (isSetMask) twin::set_mask(high, low, at.as("SetMask"));
    }
    template <typename T, bool isSetMask = true>
    static void SetMask(int32_t lanes, const twin::At& at = twin::At::here()) {
        if (isSetMask) twin::set_mask_length(lanes, 256 / sizeof(T), at.as("SetMask"));
    }
    template <bool isSetMask = true>
    static void ResetMask(const twin::At& at = twin::At::here()) {
        if (isSetMask) twin::set_mask(~0ull, ~0ull, at.as("ResetMask"));
    }
    static void SetMaskCount(const twin::At& at = twin::At::here()) {
        twin::set_mask_mode(true, at.as("SetMaskCount"));
    }
    static void SetMaskNorm(const twin::At& at = twin::At::here()) { twin::set_mask_mode(false, at.as("SetMaskNorm")); }
    static int32_t GetC0Count(int32_t element_bytes) { return DEFAULT_C0_SIZE / element_bytes; }
    static int32_t GetBitSize(int32_t bytes) { return bytes * 8; }
};

template <typename... Args>
void printf(const char* format, Args&&... args) {
    char text[1024];
    std::snprintf(text, sizeof(text), format, args...);
    twin::user_print(text);
}
template <typename... Args>
void PRINTF(const char* format, Args&&... args) {
    AscendC::printf(format, args...);
}
template <typename T>
void DumpTensor(const T&, uint32_t, uint32_t) {}
inline void InitDump(bool, GM_ADDR, uint32_t) {}
inline void InitSocState() {}

/// The workspace of a kernel begins with what the system keeps for itself; the twin keeps nothing.
inline GM_ADDR GetUserWorkspace(GM_ADDR workspace) { return workspace; }
inline GM_ADDR GetSysWorkSpacePtr() { return nullptr; }
inline void SetSysWorkspace(GM_ADDR) {}
inline void SetSysWorkspaceForce(GM_ADDR) {}

template <typename A, typename B>
constexpr auto CeilDivision(A a, B b) {
    return b == 0 ? a : (a + b - 1) / b;
}
template <typename A, typename B>
constexpr auto DivCeil(A a, B b) {
    return CeilDivision(a, b);
}
template <typename A, typename B>
constexpr auto AlignUp(A a, B b) {
    return b == 0 ? a : (a + b - 1) / b * b;
}

}  // namespace AscendC

// Kernel kinds, with the numbering used by twin::kernel_task_type.
enum TwinKernelType {
    KERNEL_TYPE_AIV_ONLY = 0,
    KERNEL_TYPE_AIC_ONLY = 1,
    KERNEL_TYPE_MIX_AIV_1_0 = 2,
    KERNEL_TYPE_MIX_AIC_1_0 = 3,
    KERNEL_TYPE_MIX_AIC_1_1 = 4,
    KERNEL_TYPE_MIX_AIC_1_2 = 5
};
#define KERNEL_TASK_TYPE_DEFAULT(value) \
    ::twin::kernel_task_type(value, ::twin::At::here().as("KERNEL_TASK_TYPE_DEFAULT"))
// Operator projects compile a kernel once for every tiling key, which they define as TILING_KEY_VAR; without it every key is
// taken for the one in use.
#ifdef TILING_KEY_VAR
#define TILING_KEY_IS(key) ((TILING_KEY_VAR) == (key))
#define KERNEL_TASK_TYPE(key, value) \
    if (TILING_KEY_IS(key)) KERNEL_TASK_TYPE_DEFAULT(value)
#else
#define TILING_KEY_IS(key) (true)
#define KERNEL_TASK_TYPE(key, value) KERNEL_TASK_TYPE_DEFAULT(value)
#endif
// The tiling structure: of a type named TilingData unless another is registered.
#define REGISTER_TILING_DEFAULT(type) using TilingData = type
#define REGISTER_TILING_FOR_TILINGKEY(condition, type)
#define REGISTER_NONE_TILING
#define GET_TILING_DATA_WITH_STRUCT(type, data, address) type data = *reinterpret_cast<const type*>(address)
#define GET_TILING_DATA(data, address) GET_TILING_DATA_WITH_STRUCT(TilingData, data, address)
#define GET_TILING_DATA_MEMBER(type, member, data, address) auto data = reinterpret_cast<const type*>(address)->member
#define GET_TILING_DATA_PTR_WITH_STRUCT(type, data, address) const type* data = reinterpret_cast<const type*>(address)
#define ASCENDC_ASSERT(condition, ...)                                                            \
    do {                                                                                          \
        if (!(condition)) ::twin::user_trap(#condition, ::twin::At::here().as("ascendc_assert")); \
    } while (0)
#define ascendc_assert(condition, ...) ASCENDC_ASSERT(condition)

// ------------------------------------------------------------------------------- launch
#ifndef TWIN_BUILD_ID
#define TWIN_BUILD_ID ""
#endif

namespace twin {

/// One launched kernel. `Call` is a captureless generic lambda around the call of the __global__ function, so overload
/// resolution works as at a real launch; both passes of a source have the same one and register theirs under its name.
template <typename Call, typename... A>
struct Entry {
    static void run(A... args) {
        alignas(Call) static char empty[sizeof(Call)];
        reinterpret_cast<const Call&>(empty)(args...);
    }
    static void invoke(const void* target, const void* args) {
        std::apply(reinterpret_cast<void (*)(A...)>(const_cast<void*>(target)),
                   *static_cast<const std::tuple<A...>*>(args));
    }
    static const char* key() {
        static const std::string text = std::string(TWIN_BUILD_ID) + typeid(Entry).name();
        return text.c_str();
    }
    static inline const bool installed =
        register_kernel(key(), __twin_uses_cube__, g_coreType == AscendC::AIC, reinterpret_cast<const void*>(&run));
};

template <typename Call>
struct Launcher {
    const char* name;
    uint64_t blocks;
    template <typename... A>
    void operator()(A... args) const {
        (void)Entry<Call, A...>::installed;
        std::tuple<A...> values(args...);
        launch_kernel(Entry<Call, A...>::key(), name, KernelCall{&Entry<Call, A...>::invoke, &values, sizeof(values)},
                      blocks);
    }
};

/// What `kernel<<<blocks, l2ctrl, stream>>>(args)` becomes. Launches are synchronous: the stream is not used.
template <typename Call, typename... Rest>
Launcher<Call> launch(Call, const char* name, uint64_t blocks, Rest&&...) {
    return {name, blocks};
}

}  // namespace twin
