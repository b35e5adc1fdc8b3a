// SPDX-License-Identifier: BSD-3-Clause
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
template <typename T, typename U, typename = std::enable_if_t<!TwinSame<T, U>>>
void DataCopy(const LocalTensor<T>& dst, const LocalTensor<U>& src, const DataCopyParams& p,
              const twin::At& at = twin::At::here()) {
    static_assert(TwinSame<T, float> && TwinSame<U, half>,
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

/// Into UB in software: one strided copy per C0 columns of a matrix, zeros up to a whole block.
template <typename T>
void TwinNd2NzInUb(const LocalTensor<T>& dst, const GlobalTensor<T>& src, const Nd2NzParams& p, const twin::At& at) {
    constexpr uint32_t size = sizeof(PrimT<T>), c0 = 32 / size;
    for (uint32_t matrix = 0; matrix < p.ndNum; ++matrix)
        for (uint32_t d = 0; d < p.dValue; d += c0) {
            const uint32_t width = p.dValue - d < c0 ? p.dValue - d : c0;
            twin::CopyArgs a;
            a.type = TwinType<T>;
            a.plain = false;
            a.dst = dst.Twin(matrix * p.dstNzMatrixStride + d / c0 * p.dstNzC0Stride * c0);
            a.src = src.Twin(uint64_t(matrix) * p.srcNdMatrixStride + d);
            a.runs = p.nValue;
            a.length = width * size;
            a.src_stride = uint64_t(p.srcDValue) * size;
            a.dst_stride = uint64_t(p.dstNzNStride) * 32;
            a.right = c0 - width;
            a.pad = width < c0;
            twin::copy(a, at.as("DataCopy(ND2NZ)"));
        }
}
template <typename T>
void DataCopy(const LocalTensor<T>& dst, const GlobalTensor<T>& src, const Nd2NzParams& p,
              const twin::At& at = twin::At::here()) {
    static_assert(sizeof(PrimT<T>) <= 4, "DataCopy ND2NZ: types of 1, 2 or 4 bytes");
    if (TwinMemory(dst.TwinPosition()) == twin::Memory::kUb) return TwinNd2NzInUb(dst, src, p, at);
    // int4 moves by bytes: the counts are of pairs.
    twin::Nd2NzArgs a{TwinSame<T, int4b_t> ? twin::DType::kInt8 : TwinType<T>,
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
/// NZ in UB, panels of 16 columns, to ND in global memory; in software as well.
template <typename T>
void DataCopy(const GlobalTensor<T>& dst, const LocalTensor<T>& src, const Nz2NdParamsFull& p,
              const twin::At& at = twin::At::here()) {
    constexpr uint32_t size = sizeof(PrimT<T>);
    static_assert(size == 2 || size == 4, "DataCopy NZ2ND: types of 2 or 4 bytes");
    if (p.dValue % 16) twin::report("illegal_parameter", "dValue is not a multiple of 16", at.as("DataCopy(NZ2ND)"));
    constexpr uint32_t most = 4095;
    for (uint32_t matrix = 0; matrix < p.ndNum; ++matrix)
        for (uint32_t d = 0; d < p.dValue; d += 16)
            for (uint32_t n = 0; n < p.nValue; n += most) {
                twin::CopyArgs a;
                a.type = TwinType<T>;
                a.plain = false;
                a.dst = dst.Twin(uint64_t(matrix) * p.dstNdMatrixStride + uint64_t(n) * p.dstDStride + d);
                a.src = src.Twin(uint64_t(matrix) * p.srcNdMatrixStride * 256 + d / 16 * p.srcNStride * 16 + n * 16);
                a.runs = p.nValue - n < most ? p.nValue - n : most;
                a.length = 16 * size;
                a.src_stride = 16 * size;
                a.dst_stride = uint64_t(p.dstDStride) * size;
                twin::copy(a, at.as("DataCopy(NZ2ND)"));
            }
}

/// Slices: the first dimension gives one strided copy, the others its repetitions. Sizes of 0 stand for the tensors'
/// own.
struct TwinSlices {
    const SliceInfo* info;
    uint32_t sizes[K_MAX_SHAPE_DIM > 0 ? K_MAX_SHAPE_DIM : 1];
    uint32_t dims;

    TwinSlices(const SliceInfo* slices, const ShapeInfo& shape, uint32_t count, bool own) : info(slices), dims(count) {
        for (uint32_t i = 0; i < dims; ++i) sizes[i] = own ? shape.shape[i] : info[i].shapeValue;
    }
    uint32_t Count(uint32_t dim) const {
        return (info[dim].endIndex - info[dim].startIndex + 1 + info[dim].stride) / (1 + info[dim].stride);
    }
    /// Element offset of repetition `number`, counted through dimensions 1 and up.
    uint64_t Offset(uint32_t number) const {
        uint64_t offset = info[0].startIndex, pitch = 1;
        for (uint32_t i = 1; i < dims; ++i) {
            pitch *= sizes[i - 1];
            offset += (info[i].startIndex + number % Count(i) * (1 + info[i].stride)) * pitch;
            number /= Count(i);
        }
        return offset;
    }
};
template <typename T, typename Dst, typename Src>
void TwinSliceCopy(const Dst& dst, const Src& src, const SliceInfo to[], const SliceInfo from[], uint32_t dims,
                   const twin::At& at) {
    static_assert(!is_tensorTrait_v<T>, "DataCopy of slices: not for TensorTrait types");
    const bool own = from[0].shapeValue == 0;
    const TwinSlices d(to, dst.GetShapeInfo(), dims, own), s(from, src.GetShapeInfo(), dims, own);
    const uint32_t burst = from[0].burstLen * (32 / sizeof(T));
    uint32_t copies = 1;
    for (uint32_t i = 1; i < dims; ++i) {
        copies *= s.Count(i);
        if (from[i].burstLen != 1)
            twin::report("illegal_parameter", "burstLen is 1 beyond the first dimension", at.as("DataCopy of slices"));
    }
    for (uint32_t i = 0; i < copies; ++i) {
        twin::CopyArgs a;
        a.type = TwinType<T>;
        a.plain = false;
        a.dst = dst.Twin(d.Offset(i));
        a.src = src.Twin(s.Offset(i));
        a.runs = (from[0].endIndex - from[0].startIndex + 1 + from[0].stride) / (burst + from[0].stride);
        a.length = burst * sizeof(T);
        a.src_stride = uint64_t(burst + from[0].stride) * sizeof(T);
        a.dst_stride = uint64_t(burst + to[0].stride) * sizeof(T);
        twin::copy(a, at.as("DataCopy of slices"));
    }
}
template <typename T>
void DataCopy(const LocalTensor<T>& dst, const GlobalTensor<T>& src, const SliceInfo dstSliceInfo[],
              const SliceInfo srcSliceInfo[], const uint32_t dimValue = 1, const twin::At& at = twin::At::here()) {
    TwinSliceCopy<T>(dst, src, dstSliceInfo, srcSliceInfo, dimValue, at);
}
template <typename T>
void DataCopy(const GlobalTensor<T>& dst, const LocalTensor<T>& src, const SliceInfo dstSliceInfo[],
              const SliceInfo srcSliceInfo[], const uint32_t dimValue = 1, const twin::At& at = twin::At::here()) {
    TwinSliceCopy<T>(dst, src, dstSliceInfo, srcSliceInfo, dimValue, at);
}

// ------------------------------------------------------------------------------- DataCopyPad
template <typename T>
void DataCopyPad(const LocalTensor<T>& dst, const GlobalTensor<T>& src, const DataCopyExtParams& p,
                 const DataCopyPadExtParams<PrimT<T>>& pad, const twin::At& at = twin::At::here()) {
    twin::CopyArgs a;
    a.type = TwinType<T>;
    a.plain = false;
    a.dst = dst.Twin();
    a.src = src.Twin();
    a.runs = p.blockCount;
    a.length = p.blockLen;
    a.src_stride = uint64_t(p.blockLen) + p.srcStride;
    const uint64_t run =
        (p.blockLen + (uint64_t(pad.leftPadding) + pad.rightPadding) * sizeof(PrimT<T>) + 31) / 32 * 32;
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
    PrimT<T> value;
    std::memcpy(&value, &pad.paddingValue, sizeof(value));
    DataCopyPad(dst, src, DataCopyExtParams(p.blockCount, p.blockLen, p.srcStride, p.dstStride, 0),
                DataCopyPadExtParams<PrimT<T>>(pad.isPad, pad.leftPadding, pad.rightPadding, value), at);
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

// ------------------------------------------------------------------------------- spilling by TPipe
inline void TwinHandOver(HardEvent event, const twin::Loc& loc) {
    const auto id = static_cast<TEventID>(twin::alloc_event(TwinEvent(event).src, TwinEvent(event).dst, false, loc));
    TwinSetEvent(event, id, loc);
    TwinWaitEvent(event, id, loc);
}
template <typename T>
void TPipe::WriteSpmBuffer(const LocalTensor<T>& tensor, const DataCopyParams& params, int32_t offset,
                           const twin::At& at) {
    TwinHandOver(HardEvent::V_MTE3, at.as("WriteSpmBuffer"));
    TwinHandOver(HardEvent::MTE2_MTE3, at.as("WriteSpmBuffer"));
    GlobalTensor<T> spm;
    spm.SetGlobalBuffer(reinterpret_cast<PrimT<T>*>(spm_));
    DataCopy(spm[offset], tensor, params, at);
    TwinHandOver(HardEvent::MTE3_MTE2, at.as("WriteSpmBuffer"));
    TwinHandOver(HardEvent::MTE3_V, at.as("WriteSpmBuffer"));
}
template <typename T>
void TPipe::ReadSpmBuffer(const LocalTensor<T>& tensor, const DataCopyParams& params, int32_t offset,
                          const twin::At& at) {
    TwinHandOver(HardEvent::V_MTE2, at.as("ReadSpmBuffer"));
    GlobalTensor<T> spm;
    spm.SetGlobalBuffer(reinterpret_cast<PrimT<T>*>(spm_));
    DataCopy(tensor, spm[offset], params, at);
    TwinHandOver(HardEvent::MTE2_V, at.as("ReadSpmBuffer"));
    TwinHandOver(HardEvent::MTE2_MTE3, at.as("ReadSpmBuffer"));
}

}  // namespace AscendC
