// SPDX-License-Identifier: BSD-3-Clause
// What every vector instruction is made of: tensors, mask, strides; the mask registers.
//
// Every instruction has three forms: a count of elements; lanes 0..mask-1 of each repeat; two mask words.
#pragma once
#include "ascendc/data_copy.h"

namespace AscendC {

/// A repeat count as the caller wrote it: the device's uint8_t would turn 256 into 0 without a word.
struct TwinRepeat {
    uint32_t value;
    template <typename N, typename = std::enable_if_t<std::is_integral<N>::value || std::is_enum<N>::value>>
    constexpr TwinRepeat(N times) : value(static_cast<uint32_t>(times)) {}
    operator uint32_t() const { return value; }
};

// ------------------------------------------------------------------------------- building the instruction
inline twin::VectorArgs TwinVector(twin::VecOp op, twin::DType dst_type, twin::DType src_type, const twin::Ref& dst) {
    twin::VectorArgs v;
    v.op = op;
    v.dst_type = dst_type;
    v.src_type = src_type;
    v.dst = dst;
    return v;
}
inline void TwinForm(twin::VectorArgs& v, bool set_mask, uint64_t mask, uint32_t repeat) {
    v.form = set_mask ? twin::MaskForm::kContiguous : twin::MaskForm::kKeep;
    v.mask_low = mask;
    v.repeat = repeat;
}
inline void TwinForm(twin::VectorArgs& v, bool set_mask, const uint64_t mask[], uint32_t repeat) {
    v.form = set_mask ? twin::MaskForm::kBits : twin::MaskForm::kKeep;
    if (set_mask) {
        v.mask_low = mask[0];
        v.mask_high = mask[1];
    }
    v.repeat = repeat;
}
inline void TwinForm(twin::VectorArgs& v, int64_t count) {
    v.form = twin::MaskForm::kCount;
    v.count = count < 0 ? ~0ull : static_cast<uint64_t>(count);
    const auto rep = [&](twin::DType type, twin::DType other) -> uint32_t {
        const auto size = [](twin::DType t) {
            switch (t) {
                case twin::DType::kInt8:
                case twin::DType::kUint8: return 1;
                case twin::DType::kHalf:
                case twin::DType::kBf16:
                case twin::DType::kInt16:
                case twin::DType::kUint16: return 2;
                case twin::DType::kInt64:
                case twin::DType::kUint64: return 8;
                case twin::DType::kInt4: return 0;
                default: return 4;
            }
        };
        const int mine = size(type), wide = mine > size(other) ? mine : size(other);
        return mine == 0 ? 8 * 1 / (2 * wide) : 8 * mine / wide;
    };
    v.dst_stride = {1, rep(v.dst_type, v.src_type)};
    v.src0_stride = v.src1_stride = {1, rep(v.src_type, v.dst_type)};
}
inline void TwinStrides(twin::VectorArgs& v, const UnaryRepeatParams& p) {
    v.dst_stride = {p.dstBlkStride, p.dstRepStride};
    v.src0_stride = {p.srcBlkStride, p.srcRepStride};
}
inline void TwinStrides(twin::VectorArgs& v, const BinaryRepeatParams& p) {
    v.dst_stride = {p.dstBlkStride, p.dstRepStride};
    v.src0_stride = {p.src0BlkStride, p.src0RepStride};
    v.src1_stride = {p.src1BlkStride, p.src1RepStride};
}
template <typename T, typename U>
twin::VectorArgs TwinBinary(twin::VecOp op, const LocalTensor<T>& dst, const LocalTensor<U>& a,
                            const LocalTensor<U>& b) {
    twin::VectorArgs v = TwinVector(op, TwinType<T>, TwinType<U>, dst.Twin());
    v.sources = 2;
    v.src0 = a.Twin();
    v.src1 = b.Twin();
    return v;
}
template <typename T, typename U>
twin::VectorArgs TwinUnary(twin::VecOp op, const LocalTensor<T>& dst, const LocalTensor<U>& src) {
    twin::VectorArgs v = TwinVector(op, TwinType<T>, TwinType<U>, dst.Twin());
    v.sources = 1;
    v.src0 = src.Twin();
    return v;
}

// ------------------------------------------------------------------------------- mask registers
inline void SetMaskNorm(const twin::At& at = twin::At::here()) { twin::set_mask_mode(false, at.as("SetMaskNorm")); }
inline void SetMaskCount(const twin::At& at = twin::At::here()) { twin::set_mask_mode(true, at.as("SetMaskCount")); }
inline void ResetMask(const twin::At& at = twin::At::here()) { twin::set_mask(~0ull, ~0ull, at.as("ResetMask")); }
template <typename T, MaskMode mode = MaskMode::NORMAL>
void SetVectorMask(const uint64_t high, const uint64_t low, const twin::At& at = twin::At::here()) {
    twin::set_mask(high, low, at.as("SetVectorMask"));
}
template <typename T, MaskMode mode = MaskMode::NORMAL>
void SetVectorMask(int32_t len, const twin::At& at = twin::At::here()) {
    if (mode == MaskMode::COUNTER)
        twin::set_mask(0, static_cast<uint32_t>(len), at.as("SetVectorMask"));
    else
        twin::set_mask_length(len, 256 / sizeof(PrimT<T>), at.as("SetVectorMask"));
}

}  // namespace AscendC
