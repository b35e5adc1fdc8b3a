// SPDX-License-Identifier: BSD-3-Clause
// float8_e4m3fn <-> half on vector cores, which know neither the type nor 8-bit arithmetic: steps on bit patterns.
//
// Two things are asked of the vector unit: that half arithmetic keeps subnormals (a device that flushed them would read
// codes below 2^-6 as 0), and that infinities stay (CTRL[48] is 1, as at the start of a kernel).
#pragma once
#include "arch/resource.h"
#include "contract/arguments.h"
#include "tile/barrier.h"
#include "tile/vector_mask.h"

namespace flash_attn_npu::ascend::tile {

/// Bit patterns of halves.
namespace half_bits {
constexpr int16_t kFp8Nan = 0x5f80;        // 480, what the NaN code would be
constexpr int16_t kFp8MinNormal = 0x2400;  // 2^-6
constexpr int16_t kTwo = 0x4000;
}  // namespace half_bits

/// The values of codes, exactly: subnormals, both zeros, NaN (of any sign).
///
/// A code's exponent and mantissa, where half has its own, are its value times 2^-8 (subnormals of e4m3 are subnormals
/// of half). A factor of 140 * 2^8 keeps every value a half (4 + 6 significant bits) and makes an infinity of the NaN
/// codes, which would be +-480 * 140; and zero times that is NaN.
class Fp8ToHalf {
public:
    static constexpr uint32_t kConstantBytes = 64;
    static constexpr float kFactor = kStagedFactor;

    /// `constants`: kConstantBytes of UB, aligned to as many, that stay untouched while this object is used.
    __aicore__ inline explicit Fp8ToHalf(const AscendC::LocalTensor<int16_t>& constants)
        : even_(constants), odd_(constants[kLanes]) {
        AscendC::Duplicate(constants, kSignAndMagnitude, static_cast<int32_t>(2 * kLanes));
        VectorBarrier();
    }

    /// dst[i] = kFactor * the value of src[i]; `count`: a multiple of 32, here and below. dst is aligned to 64 bytes.
    /// Leaves the vector mask in normal mode, all lanes on. Callers put barriers before and after.
    __aicore__ inline void Scaled(const AscendC::LocalTensor<half>& dst, const AscendC::LocalTensor<uint8_t>& src,
                                  uint32_t count) const {
        Bits(dst, src, count);
        const CountedLanes lanes(count);
        AscendC::Muls<half, false>(dst, dst, static_cast<half>(kFactor * kRebias), AscendC::MASK_PLACEHOLDER, 1,
                                   Unary());
        VectorBarrier();
        AscendC::Axpy<half, half, false>(dst, dst, static_cast<half>(0.0f), AscendC::MASK_PLACEHOLDER, 1, Unary());
    }

    /// dst[i] = the value of src[i]. scratch: `count` elements.
    __aicore__ inline void operator()(const AscendC::LocalTensor<half>& dst, const AscendC::LocalTensor<uint8_t>& src,
                                      const AscendC::LocalTensor<half>& scratch, uint32_t count) const {
        Bits(dst, src, count);
        const CountedLanes lanes(count);
        AscendC::Muls<half, false>(scratch, dst, static_cast<half>(kFactor * kRebias), AscendC::MASK_PLACEHOLDER, 1,
                                   Unary());
        AscendC::Muls<half, false>(dst, dst, static_cast<half>(kRebias), AscendC::MASK_PLACEHOLDER, 1, Unary());
        VectorBarrier();
        AscendC::Axpy<half, half, false>(dst, scratch, static_cast<half>(0.0f), AscendC::MASK_PLACEHOLDER, 1, Unary());
    }

private:
    static constexpr uint32_t kLanes = 16;                 // of a 32-byte block
    static constexpr float kRebias = 256.0f;               // exponent bias of half minus that of e4m3 is 8
    static constexpr int16_t kSignAndMagnitude = -0x4080;  // 0xbf80

    __aicore__ inline static AscendC::UnaryRepeatParams Unary() { return AscendC::UnaryRepeatParams(1, 1, 8, 8); }

    // dst = s 0 eeee mmm 0000000 of the codes s eeee mmm. Ends with a barrier.
    __aicore__ inline void Bits(const AscendC::LocalTensor<half>& dst, const AscendC::LocalTensor<uint8_t>& src,
                                uint32_t count) const {
        using namespace AscendC;
        const LocalTensor<int16_t> bits = dst.ReinterpretCast<int16_t>();
        {
            const CountedLanes lanes(count);
            // The code as a signed number c; 1536 + c has c, in two's complement, in its low bits.
            Cast<half, int8_t, false>(dst, src.ReinterpretCast<int8_t>(), RoundMode::CAST_NONE, MASK_PLACEHOLDER, 1,
                                      UnaryRepeatParams(1, 1, 8, 4));
            VectorBarrier();
            Adds<half, false>(dst, dst, static_cast<half>(1536.0f), MASK_PLACEHOLDER, 1, Unary());
            VectorBarrier();
            ShiftLeft<int16_t, false>(bits, bits, 7, MASK_PLACEHOLDER, 1, Unary());
            VectorBarrier();
        }
        // s s eeee mmm 0000000: the second s goes. Even and odd blocks apart, each with a constant of the other kind: a
        // cycle reads one block of each bank group.
        const BinaryRepeatParams every_other(2, 2, 0, 16, 16, 0);
        const CountedLanes half_of_them(count / 2);
        And<int16_t, false>(bits, bits, odd_, MASK_PLACEHOLDER, 1, every_other);
        And<int16_t, false>(bits[kLanes], bits[kLanes], even_, MASK_PLACEHOLDER, 1, every_other);
        VectorBarrier();
    }

    AscendC::LocalTensor<int16_t> even_, odd_;
};

/// dst[i] = the code of the value nearest to src[i], ties to even; NaN from 464 on, as torch casts. Exact after a cast
/// from float to half that rounded to odd.
class HalfToFp8 {
public:
    static constexpr uint32_t kConstantBytes = 64;

    /// `constants`: kConstantBytes of UB that stay untouched while this object is used.
    __aicore__ inline explicit HalfToFp8(const AscendC::LocalTensor<int16_t>& constants)
        : magnitude_(constants), one_(constants[16]) {
        AscendC::Duplicate(magnitude_, static_cast<int16_t>(0x7fff), 16);
        AscendC::Duplicate(one_, static_cast<int16_t>(1), 16);
        VectorBarrier();
    }

    /// Spoils src; `scratch`: 2 * round_up(count, 16) elements. Starts and ends with nothing
    /// in flight between vector instructions. Leaves the vector mask in normal mode, all lanes on.
    __aicore__ inline void operator()(const AscendC::LocalTensor<uint8_t>& dst, const AscendC::LocalTensor<half>& src,
                                      const AscendC::LocalTensor<int16_t>& scratch, uint32_t count) const {
        using namespace AscendC;
        const LocalTensor<int16_t> bits = src.ReinterpretCast<int16_t>();
        const LocalTensor<int16_t> code = scratch;
        const LocalTensor<int16_t> t = scratch[(count + 15) / 16 * 16];
        const UnaryRepeatParams same(1, 1, 8, 8);
        const BinaryRepeatParams both(1, 1, 1, 8, 8, 8);
        const BinaryRepeatParams with_constant(1, 1, 0, 8, 8, 0);
        const CountedLanes lanes(count);

        And<int16_t, false>(code, bits, magnitude_, MASK_PLACEHOLDER, 1, with_constant);
        // -128 for a negative sign.
        ShiftRight<int16_t, false>(bits, bits, 15, MASK_PLACEHOLDER, 1, same);
        VectorBarrier();
        ShiftLeft<int16_t, false>(bits, bits, 7, MASK_PLACEHOLDER, 1, same);

        // Below 2^-6 codes are multiples of 2^-9: beside 2 that is the last bit of a half. 0..8 at 2^-6 and above.
        Mins<int16_t, false>(t, code, half_bits::kFp8MinNormal, MASK_PLACEHOLDER, 1, same);
        VectorBarrier();
        const LocalTensor<half> t_half = t.ReinterpretCast<half>();
        Adds<half, false>(t_half, t_half, static_cast<half>(2.0f), MASK_PLACEHOLDER, 1, same);
        VectorBarrier();
        Add<int16_t, false>(bits, bits, t, MASK_PLACEHOLDER, 1, both);

        // From 2^-6 on: round the mantissa to 3 bits, u + 63 + (last bit that stays), shifted.
        Maxs<int16_t, false>(code, code, half_bits::kFp8MinNormal, MASK_PLACEHOLDER, 1, same);
        VectorBarrier();
        Mins<int16_t, false>(code, code, half_bits::kFp8Nan, MASK_PLACEHOLDER, 1, same);
        VectorBarrier();
        ShiftRight<int16_t, false>(t, code, 7, MASK_PLACEHOLDER, 1, same);
        VectorBarrier();
        And<int16_t, false>(t, t, one_, MASK_PLACEHOLDER, 1, with_constant);
        VectorBarrier();
        Add<int16_t, false>(code, code, t, MASK_PLACEHOLDER, 1, both);
        VectorBarrier();
        Adds<int16_t, false>(code, code, static_cast<int16_t>(63), MASK_PLACEHOLDER, 1, same);
        VectorBarrier();
        ShiftRight<int16_t, false>(code, code, 7, MASK_PLACEHOLDER, 1, same);
        VectorBarrier();

        // Both parts count 2^-6 (code 8); the second still has half's exponent bias (64 codes), the first the bits of
        // 2.
        Add<int16_t, false>(code, code, bits, MASK_PLACEHOLDER, 1, both);
        VectorBarrier();
        Adds<int16_t, false>(code, code, static_cast<int16_t>(-half_bits::kTwo - 64 - 8), MASK_PLACEHOLDER, 1, same);
        VectorBarrier();
        Cast<half, int16_t, false>(src, code, RoundMode::CAST_NONE, MASK_PLACEHOLDER, 1, same);
        VectorBarrier();
        Cast<int8_t, half, false>(dst.ReinterpretCast<int8_t>(), src, RoundMode::CAST_RINT, MASK_PLACEHOLDER, 1,
                                  UnaryRepeatParams(1, 1, 4, 8));
        VectorBarrier();
    }

private:
    AscendC::LocalTensor<int16_t> magnitude_;
    AscendC::LocalTensor<int16_t> one_;
};

}  // namespace flash_attn_npu::ascend::tile
