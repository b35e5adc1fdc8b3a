// SPDX-License-Identifier: BSD-3-Clause
// Indices, control registers, kernel kinds, debugging, the launch.
#pragma once
#include <cstdio>
#include <string>
#include <tuple>
#include <typeinfo>
#include <utility>

#include "ascendc/rearrange.h"

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
inline constexpr uint32_t GetUBSizeInBytes() { return TOTAL_UB_SIZE; }
inline uint32_t GetRuntimeUBSize() { return TOTAL_UB_SIZE; }
inline void GetArchVersion(uint32_t& coreVersion) { coreVersion = 0x220; }
/// A number that differs between places in the source; the host's instruction addresses mean nothing.
inline int64_t GetProgramCounter(const twin::At& at = twin::At::here()) { return at.as("").line; }
inline int64_t GetICachePreloadStatus() { return 0; }
enum class EngineType : int32_t { AIC = 1, AIV = 2 };
/// Runs a function on one kind of core.
template <EngineType engine, auto function, class... Args>
void Async(Args... args) {
    if constexpr ((engine == EngineType::AIV) == (g_coreType == AIV)) function(args...);
}
template <int32_t count>
void Nop(const twin::At& at = twin::At::here()) {
    twin::pipe_barrier(twin::Pipe::kAll, at.as("Nop"));
}
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
inline std::string TwinText(double value) {
    char text[32];
    std::snprintf(text, sizeof(text), "%f", value);
    return text;
}
/// Elements of a tensor as text, with the number the kernel gave the place.
template <typename Tensor>
void TwinDump(const Tensor& tensor, const char* memory, uint32_t desc, uint32_t elements, const twin::At& at) {
    using T = typename Tensor::PrimType;
    static_assert(sizeof(T) <= 8 && !IsOneOf<T, int4b_t>, "DumpTensor: this element type cannot be printed");
    std::string text = "DumpTensor: desc=" + std::to_string(desc) + ", position=" + memory +
                       ", size=" + std::to_string(elements) + "\n[";
    for (uint32_t i = 0; i < elements; ++i) {
        T value;
        std::memcpy(&value, twin::dump_access(tensor.Twin(i), sizeof(T), at.as("DumpTensor")), sizeof(T));
        if constexpr (std::is_integral<T>::value)
            text += std::to_string(value);
        else
            text += TwinText(static_cast<double>(static_cast<float>(value)));
        text += i + 1 < elements ? ", " : "]\n";
    }
    twin::user_print(text.c_str());
}
inline const char* TwinName(twin::Memory memory) {
    constexpr const char* names[] = {"GM", "L1", "L0A", "L0B", "L0C", "UB", "BT", "FB"};
    return names[static_cast<int>(memory)];
}
template <typename T>
void DumpTensor(const LocalTensor<T>& tensor, uint32_t desc, uint32_t dumpSize, const twin::At& at = twin::At::here()) {
    const auto memory = TwinMemory(tensor.TwinPosition());
    if (memory == twin::Memory::kL0A || memory == twin::Memory::kL0B) return;
    TwinDump(tensor, TwinName(memory), desc, dumpSize, at);
}
template <typename T>
void DumpTensor(const GlobalTensor<T>& tensor, uint32_t desc, uint32_t dumpSize,
                const twin::At& at = twin::At::here()) {
    TwinDump(tensor, "GM", desc, dumpSize, at);
}
template <typename T>
void DumpTensor(const LocalTensor<T>& tensor, uint32_t desc, uint32_t dumpSize, const ShapeInfo&,
                const twin::At& at = twin::At::here()) {
    DumpTensor(tensor, desc, dumpSize, at);
}
template <typename T>
void DumpTensor(const GlobalTensor<T>& tensor, uint32_t desc, uint32_t dumpSize, const ShapeInfo&,
                const twin::At& at = twin::At::here()) {
    DumpTensor(tensor, desc, dumpSize, at);
}
template <typename Tensor>
void DumpAccChkPoint(const Tensor& tensor, uint32_t index, uint32_t countOff, uint32_t dumpSize,
                     const twin::At& at = twin::At::here()) {
    DumpTensor(tensor[countOff], index, dumpSize, at);
}
template <typename T>
void LocalTensor<T>::Print(uint32_t elements) {
    DumpTensor(*this, 0, elements);
}
inline void PrintTimeStamp(uint32_t desc) {
    twin::user_print(("TimeStamp: desc=" + std::to_string(desc) + "\n").c_str());
}
inline void InitDump(bool, GM_ADDR, uint32_t) {}
inline void InitSocState(const twin::At& at = twin::At::here()) {
    SetAtomicNone(at);
    twin::set_mask_mode(false, at.as("InitSocState"));
}
inline void MetricsProfStart() {}
inline void MetricsProfStop() {}

// Workspace. On the device 16 MB for the library come before the kernel's own; the twin keeps nothing there and takes a
// workspace without them.
inline void SetSysWorkspace(GM_ADDR workspace) {
    if (!twin::core_slot(1)) twin::set_core_slot(1, workspace);
}
inline void SetSysWorkspaceForce(GM_ADDR workspace) { twin::set_core_slot(1, workspace); }
inline GM_ADDR GetSysWorkSpacePtr() { return static_cast<GM_ADDR>(twin::core_slot(1)); }
inline GM_ADDR GetUserWorkspace(GM_ADDR workspace) { return GetSysWorkSpacePtr() ? GetSysWorkSpacePtr() : workspace; }

// Which of a type's operations global memory combines: the store configuration of scalar code, not modelled beyond
// this.
enum class AtomicDtype { ATOMIC_NONE = 0, ATOMIC_F32, ATOMIC_F16, ATOMIC_S16, ATOMIC_S32, ATOMIC_S8, ATOMIC_BF16 };
enum class AtomicOp { ATOMIC_SUM = 0 };
template <AtomicDtype type, AtomicOp op>
void SetStoreAtomicConfig(const twin::At& at = twin::At::here()) {
    using D = twin::DType;
    constexpr D types[] = {D::kFloat, D::kFloat, D::kHalf, D::kInt16, D::kInt32, D::kInt8, D::kBf16};
    twin::set_atomic(type == AtomicDtype::ATOMIC_NONE ? twin::Atomic::kNone : twin::Atomic::kAdd,
                     types[static_cast<int>(type)], at.as("SetStoreAtomicConfig"));
}
inline void GetStoreAtomicConfig(uint16_t& atomicType, uint16_t& atomicOp) {
    atomicType = twin::atomic_config();
    atomicOp = 0;
}
enum class SaturationMode : uint8_t { FLOAT, FLOAT8, INT, CAST };
template <SaturationMode mode>
void SetSaturationFlag(bool enable, const twin::At& at = twin::At::here()) {
    static_assert(mode == SaturationMode::FLOAT, "SetSaturationFlag: FLOAT only on dav-2201");
    twin::set_ctrl_bit(48, !enable, at.as("SetSaturationFlag"));
}
template <SaturationMode mode>
bool GetSaturationFlag() {
    static_assert(mode == SaturationMode::FLOAT, "GetSaturationFlag: FLOAT only on dav-2201");
    return (twin::get_ctrl() >> 48 & 1) == 0;
}

/// Fills global memory from the free end of UB.
template <typename T>
void TwinFill(GlobalTensor<T> gm, const uint64_t size, const T value, const char* name, const twin::At& at) {
    if (twin::on_cube()) return;
    LocalTensor<T> buffer;
    if (!PopStackBuffer<T, TPosition::LCM>(buffer)) return;
    const uint64_t step = std::min<uint64_t>(buffer.GetSize(), MAX_REPEAT_TIMES * 256 / sizeof(T));
    if constexpr (sizeof(T) == 1) {
        const uint16_t twice = static_cast<uint16_t>(TwinBits(value) * 0x101);
        Duplicate(buffer.template ReinterpretCast<uint16_t>(), twice, static_cast<int32_t>(step / 2), at);
    } else {
        Duplicate(buffer, value, static_cast<int32_t>(step), at);
    }
    TwinHandOver(HardEvent::V_MTE3, at.as(name));
    for (uint64_t done = 0; done < size; done += step) {
        const uint64_t count = std::min(step, size - done);
        DataCopyPad(gm[done], buffer, DataCopyExtParams(1, static_cast<uint32_t>(count * sizeof(T)), 0, 0, 0), at);
    }
    twin::pipe_barrier(twin::Pipe::kMte3, at.as(name));
}
#ifndef TWIN_HIGH_LEVEL
template <typename T>
void Fill(GlobalTensor<T>& gmWorkspaceAddr, const uint64_t size, const T value, const twin::At& at = twin::At::here()) {
    TwinFill(gmWorkspaceAddr, size, value, "Fill", at);
}
template <typename T>
void InitGlobalMemory(GlobalTensor<T>& gmWorkspaceAddr, const uint64_t size, const T value,
                      const twin::At& at = twin::At::here()) {
    TwinFill(gmWorkspaceAddr, size, value, "InitGlobalMemory", at);
}
#endif
template <typename T>
void InitOutput(GlobalTensor<T> gmWorkspaceAddr, uint32_t size, T value = 0, const twin::At& at = twin::At::here()) {
    TwinFill(gmWorkspaceAddr, static_cast<uint64_t>(size), value, "InitOutput", at);
    TwinHandOver(HardEvent::MTE3_V, at.as("InitOutput"));
}

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
#define KERNEL_TASK_TYPE(key, value) \
    if (TILING_KEY_IS(key)) KERNEL_TASK_TYPE_DEFAULT(value)

// Tiling data: a struct in global memory, by default of the type REGISTER_TILING_DEFAULT names, else one called
// TilingData (or -DTWIN_TILING_DATA=type). Without a tiling key (Kernel's tiling_key=) every TILING_KEY_IS holds: the
// first branch runs.
namespace twin {
struct NoTiling;
template <typename Registered, typename Default>
struct TilingOf {
    using Type = Registered;
};
template <typename Default>
struct TilingOf<NoTiling, Default> {
    using Type = Default;
};
template <typename T>
void read_tiling(T* data, const void* address, const At& at) {
    uint8_t* to = reinterpret_cast<uint8_t*>(data);
    for (uint64_t done = 0; done < sizeof(T); done += 8) {
        const uint32_t bytes = static_cast<uint32_t>(sizeof(T) - done < 8 ? sizeof(T) - done : 8);
        Ref ref;
        ref.memory = Memory::kGm;
        ref.address = reinterpret_cast<uint64_t>(address) + done;
        std::memcpy(to + done, scalar_access(ref, bytes, false, true, at.as("GET_TILING_DATA")), bytes);
    }
}
template <typename T>
T* address_of(T* pointer) {
    return pointer;
}
template <typename T>
T* address_of(T& object) {
    return &object;
}
inline bool tiling_key_is(uint64_t key) { return tiling_key() == ~0ull || tiling_key() == key; }
}  // namespace twin
using TwinRegisteredTiling = ::twin::NoTiling;
#ifndef TWIN_TILING_DATA
#define TWIN_TILING_DATA struct TilingData
#endif
#define REGISTER_TILING_DEFAULT(...) using TwinRegisteredTiling [[maybe_unused]] = __VA_ARGS__
#define REGISTER_TILING_FOR_TILINGKEY(expression, ...)
#define REGISTER_NONE_TILING
#ifdef TILING_KEY_VAR  // operator projects compile a kernel once for every key
#define TILING_KEY_IS(key) ((TILING_KEY_VAR) == (key))
#else
#define TILING_KEY_IS(key) (::twin::tiling_key_is(key))
#endif
#define TILING_KEY_LIST(first, second) (TILING_KEY_IS(first) || TILING_KEY_IS(second))
#define TWIN_READ_TILING(data, address) ::twin::read_tiling(&(data), address, ::twin::At::here())
#define GET_TILING_DATA(data, address)                                            \
    typename ::twin::TilingOf<TwinRegisteredTiling, TWIN_TILING_DATA>::Type data; \
    TWIN_READ_TILING(data, address)
#define GET_TILING_DATA_WITH_STRUCT(type, data, address) \
    type data;                                           \
    TWIN_READ_TILING(data, address)
#define GET_TILING_DATA_MEMBER(type, member, data, address) \
    decltype(type::member) data;                            \
    TWIN_READ_TILING(data, &reinterpret_cast<const type*>(address)->member)
#define GET_TILING_DATA_PTR_WITH_STRUCT(type, pointer, address) \
    type pointer##_data;                                        \
    TWIN_READ_TILING(pointer##_data, address);                  \
    type* pointer = &pointer##_data
#define COPY_TILING_WITH_STRUCT(type, source, pointer)             \
    type pointer##_data = *::twin::address_of<const type>(source); \
    type* pointer = &pointer##_data
#define COPY_TILING_WITH_ARRAY(type, count, source, pointer)           \
    type pointer##_data[count];                                        \
    std::memcpy(pointer##_data, &(source)[0], sizeof(type) * (count)); \
    type(*pointer)[count] = &pointer##_data
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
