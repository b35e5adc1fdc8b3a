// DataCopy and DataCopyPad in all forms, Nd2Nz, register state of the movers.
#pragma once
#include "ascendc/tpipe.h"

namespace AscendC {

// ------------------------------------------------------------------------------- strided and contiguous runs
template <typename Dst, typename Src>
void TwinRuns(const Dst& dst, const Src& src, twin::DType type, const DataCopyParams& p, const twin::At& at) {
    twin::CopyArgs a;
    a.type = type;
    a.dst = dst.Twin();
    a.src = src.Twin();
    a.runs = p.blockCount;
    if (a.dst.memory == twin::Memory::kBt) {  // blocks of 64 bytes, source gap in 32
        a.length = uint64_t(p.blockLen) * 64;
        a.src_stride = a.length + uint64_t(p.srcGap) * 32;
        a.dst_stride = a.length + uint64_t(p.dstGap) * 64;
    } else if (a.dst.memory == twin::Memory::kFb) {  // blocks of 128 bytes, gaps from head to head
        a.length = uint64_t(p.blockLen) * 128;
        a.src_stride = uint64_t(p.srcGap) * 32;
        a.dst_stride = uint64_t(p.dstGap) * 128;
    } else {
        a.length = uint64_t(p.blockLen) * 32;
        a.src_stride = (uint64_t(p.blockLen) + p.srcGap) * 32;
        a.dst_stride = (uint64_t(p.blockLen) + p.dstGap) * 32;
    }
    twin::copy(a, at.as("DataCopy"));
}
template <typename Dst, typename Src>
void TwinCount(const Dst& dst, const Src& src, twin::DType type, uint64_t bytes, const twin::At& at) {
    twin::CopyArgs a;
    a.type = type;
    a.dst = dst.Twin();
    a.src = src.Twin();
    a.length = a.src_stride = a.dst_stride = bytes;
    twin::copy(a, at.as("DataCopy"));
}

#define TWIN_COPY_FORMS(DST, SRC)                                                                                      \
    template <typename T>                                                                                              \
    void DataCopy(const DST<T>& dst, const SRC<T>& src, const DataCopyParams& p,                                       \
                  const twin::At& at = twin::At::here()) {                                                             \
        TwinRuns(dst, src, TwinType<T>, p, at);                                                                        \
    }                                                                                                                  \
    template <typename T>                                                                                              \
    void DataCopy(const DST<T>& dst, const SRC<T>& src, const uint32_t count, const twin::At& at = twin::At::here()) { \
        TwinCount(dst, src, TwinType<T>, TwinBytes<T>(count), at);                                                     \
    }                                                                                                                  \
    template <typename T>                                                                                              \
    void DataCopy(const DST<T>& dst, const SRC<T>& src, const DataCopyParams& p, const DataCopyEnhancedParams&,        \
                  const twin::At& at = twin::At::here()) {                                                             \
        TwinRuns(dst, src, TwinType<T>, p, at);                                                                        \
    }
TWIN_COPY_FORMS(LocalTensor, GlobalTensor)
TWIN_COPY_FORMS(GlobalTensor, LocalTensor)
TWIN_COPY_FORMS(LocalTensor, LocalTensor)
#undef TWIN_COPY_FORMS

/// L1 -> BT with half -> float conversion of a bias; other mixed types do not exist on this chip.
template <typename T, typename U, typename = std::enable_if_t<!std::is_same<T, U>::value>>
void DataCopy(const LocalTensor<T>& dst, const LocalTensor<U>& src, const DataCopyParams& p,
              const twin::At& at = twin::At::here()) {
    static_assert(std::is_same<T, float>::value && std::is_same<U, half>::value,
                  "DataCopy between LocalTensors of two types: only half -> float into C2");
    twin::CopyArgs a;
    a.type = twin::DType::kHalf;
    a.dst = dst.Twin();
    a.src = src.Twin();
    a.runs = p.blockCount;
    a.length = uint64_t(p.blockLen) * 64;
    a.src_stride = a.length + uint64_t(p.srcGap) * 32;
    a.dst_stride = a.length * 2 + uint64_t(p.dstGap) * 64;
    a.pad_value = 1;  // widen
    twin::copy(a, at.as("DataCopy"));
}

template <typename T>
void DataCopy(const LocalTensor<T>& dst, const GlobalTensor<T>& src, const Nd2NzParams& p,
              const twin::At& at = twin::At::here()) {
    static_assert(sizeof(T) <= 4, "DataCopy ND2NZ: types of 1, 2 or 4 bytes");
    // int4 moves by bytes: the counts are of pairs.
    twin::Nd2NzArgs a{std::is_same<T, int4b_t>::value ? twin::DType::kInt8 : TwinType<T>,
                      dst.Twin(),
                      src.Twin(),
                      p.ndNum,
                      p.nValue,
                      p.dValue,
                      p.srcNdMatrixStride,
                      p.srcDValue,
                      p.dstNzC0Stride,
                      p.dstNzNStride,
                      p.dstNzMatrixStride};
    twin::nd2nz(a, at.as("DataCopy(ND2NZ)"));
}

// ------------------------------------------------------------------------------- DataCopyPad
template <typename T>
void DataCopyPad(const LocalTensor<T>& dst, const GlobalTensor<T>& src, const DataCopyExtParams& p,
                 const DataCopyPadExtParams<T>& pad, const twin::At& at = twin::At::here()) {
    twin::CopyArgs a;
    a.type = TwinType<T>;
    a.plain = false;
    a.dst = dst.Twin();
    a.src = src.Twin();
    a.runs = p.blockCount;
    a.length = p.blockLen;
    a.src_stride = uint64_t(p.blockLen) + p.srcStride;
    const uint64_t run = (p.blockLen + (uint64_t(pad.leftPadding) + pad.rightPadding) * sizeof(T) + 31) / 32 * 32;
    a.dst_stride = run + uint64_t(p.dstStride) * 32;
    a.left = pad.leftPadding;
    a.right = pad.rightPadding;
    a.pad = pad.isPad;
    a.pad_value = TwinBits(pad.paddingValue);
    twin::copy(a, at.as("DataCopyPad"));
}
template <typename T>
void DataCopyPad(const GlobalTensor<T>& dst, const LocalTensor<T>& src, const DataCopyExtParams& p,
                 const twin::At& at = twin::At::here()) {
    twin::CopyArgs a;
    a.type = TwinType<T>;
    a.plain = false;
    a.dst = dst.Twin();
    a.src = src.Twin();
    a.runs = p.blockCount;
    a.length = p.blockLen;
    a.src_stride = (uint64_t(p.blockLen) + 31) / 32 * 32 + uint64_t(p.srcStride) * 32;
    a.dst_stride = uint64_t(p.blockLen) + p.dstStride;
    twin::copy(a, at.as("DataCopyPad"));
}
template <typename T>
void DataCopyPad(const LocalTensor<T>& dst, const GlobalTensor<T>& src, const DataCopyParams& p,
                 const DataCopyPadParams& pad, const twin::At& at = twin::At::here()) {
    T value;
    std::memcpy(&value, &pad.paddingValue, sizeof(T));
    DataCopyPad(dst, src, DataCopyExtParams(p.blockCount, p.blockLen, p.srcStride, p.dstStride, 0),
                DataCopyPadExtParams<T>(pad.isPad, pad.leftPadding, pad.rightPadding, value), at);
}
template <typename T>
void DataCopyPad(const GlobalTensor<T>& dst, const LocalTensor<T>& src, const DataCopyParams& p,
                 const twin::At& at = twin::At::here()) {
    DataCopyPad(dst, src, DataCopyExtParams(p.blockCount, p.blockLen, p.srcStride, p.dstStride, 0), at);
}
template <typename T, TPosition pos = TPosition::MAX>
void SetPadValue(T value, const twin::At& at = twin::At::here()) {
    static_assert(pos == TPosition::MAX || pos == TPosition::VECIN || pos == TPosition::VECOUT,
                  "SetPadValue: VECIN, VECOUT or MAX");
    twin::set_copy_pad_value(TwinBits(value));
    twin::scalar_note(at.as("SetPadValue"));
}

// ------------------------------------------------------------------------------- atomics to global memory
#define TWIN_ATOMIC(NAME, OP)                                                                                        \
    template <typename T>                                                                                            \
    void NAME(const twin::At& at = twin::At::here()) {                                                               \
        static_assert(IsOneOf<T, half, float, bfloat16_t, int16_t, int32_t, int8_t>, #NAME ": type without atomic"); \
        twin::set_atomic(twin::Atomic::OP, TwinType<T>, at.as(#NAME));                                               \
    }
TWIN_ATOMIC(SetAtomicAdd, kAdd)
TWIN_ATOMIC(SetAtomicMax, kMax)
TWIN_ATOMIC(SetAtomicMin, kMin)
#undef TWIN_ATOMIC
template <typename T>
void SetAtomicType(const twin::At& at = twin::At::here()) {
    static_assert(IsOneOf<T, half, float, bfloat16_t, int16_t, int32_t, int8_t>, "SetAtomicType: type without atomic");
    twin::set_atomic(twin::Atomic::kAdd, TwinType<T>, at.as("SetAtomicType"));
}
inline void SetAtomicNone(const twin::At& at = twin::At::here()) {
    twin::set_atomic(twin::Atomic::kNone, twin::DType::kFloat, at.as("SetAtomicNone"));
}
inline void DisableDmaAtomic(const twin::At& at = twin::At::here()) { SetAtomicNone(at); }

// ------------------------------------------------------------------------------- cache hints
template <typename T, CacheLine line, DcciDst dst>
void DataCacheCleanAndInvalid(const GlobalTensor<T>& place, const twin::At& at = twin::At::here()) {
    twin::clean_data_cache(place.Twin(), line == CacheLine::ENTIRE_DATA_CACHE, at.as("DataCacheCleanAndInvalid"));
}
template <typename T, CacheLine line>
void DataCacheCleanAndInvalid(const GlobalTensor<T>& place, const twin::At& at = twin::At::here()) {
    twin::clean_data_cache(place.Twin(), line == CacheLine::ENTIRE_DATA_CACHE, at.as("DataCacheCleanAndInvalid"));
}
/// Scalar access of global memory past the data cache.
template <typename T>
T ReadGmByPassDCache(__gm__ T* address, const twin::At& at = twin::At::here()) {
    static_assert(std::is_integral<T>::value, "ReadGmByPassDCache: integers of 8 to 64 bits");
    GlobalTensor<T> place;
    place.SetGlobalBuffer(address);
    return *static_cast<T*>(twin::scalar_access(place.Twin(), sizeof(T), false, false, at.as("ReadGmByPassDCache")));
}
template <typename T>
void WriteGmByPassDCache(__gm__ T* address, T value, const twin::At& at = twin::At::here()) {
    static_assert(std::is_integral<T>::value, "WriteGmByPassDCache: integers of 8 to 64 bits");
    GlobalTensor<T> place;
    place.SetGlobalBuffer(address);
    *static_cast<T*>(twin::scalar_access(place.Twin(), sizeof(T), true, false, at.as("WriteGmByPassDCache"))) = value;
}
template <typename T>
void DataCachePreload(const GlobalTensor<uint64_t>&, const T, const twin::At& at = twin::At::here()) {
    twin::scalar_note(at.as("DataCachePreload"));
}
inline void ICachePreLoad(const int64_t, const twin::At& at = twin::At::here()) {
    twin::scalar_note(at.as("ICachePreLoad"));
}

}  // namespace AscendC
