// float8_e4m3fn <-> half on vector cores, which know neither the type nor 8-bit arithmetic: integer steps on bit patterns.
//
// Nothing here depends on how the vector unit treats denormals or on its overflow mode.
#pragma once
#include "arch/atlas_a2.h"
#include "tile/vector_mask.h"

namespace flash_attn_npu::ascend::tile {

/// Bit patterns of halves.
namespace half_bits {
constexpr int16_t kSign = -0x8000;
constexpr int16_t kFp8Magnitude = 0x3f80;  // exponent and mantissa of e4m3 where half has its own
constexpr int16_t kRebias = 0x2000;        // exponent bias of half minus that of e4m3, 8
constexpr int16_t kFp8Max = 0x5f00;        // 448
constexpr int16_t kFp8Nan = 0x5f80;        // 480, what the NaN code would be
constexpr int16_t kFp8MinNormal = 0x2400;  // 2^-6
constexpr int16_t kTwo = 0x4000;
}  // namespace half_bits

/// dst[i] = the value of code src[i], exactly: subnormals, both zeros, NaN of either sign.
class Fp8ToHalf {
public:
    static constexpr uint32_t kConstantBytes = 64;

    /// `constants`: kConstantBytes of UB that stay untouched while this object is used.
    __aicore__ inline explicit Fp8ToHalf(const AscendC::LocalTensor<int16_t>& constants)
        : magnitude_(constants), sign_(constants[16]) {
        AscendC::Duplicate(magnitude_, half_bits::kFp8Magnitude, 16);
        AscendC::Duplicate(sign_, half_bits::kSign, 16);
        AscendC::PipeBarrier<PIPE_V>();
    }

    /// `count` elements; `scratch`: 2 * round_up(count, 16) of them, apart from the others. Starts and ends with nothing
    /// in flight between vector instructions. Leaves the vector mask in normal mode, all lanes on.
    __aicore__ inline void operator()(const AscendC::LocalTensor<half>& dst, const AscendC::LocalTensor<uint8_t>& src,
                                      const AscendC::LocalTensor<int16_t>& scratch, uint32_t count) const {
        using namespace AscendC;
        const LocalTensor<int16_t> bits = dst.ReinterpretCast<int16_t>();
        const LocalTensor<int16_t> codes = scratch;
        const LocalTensor<int16_t> t = scratch[(count + 15) / 16 * 16];
        const LocalTensor<half> t_half = t.ReinterpretCast<half>();
        const UnaryRepeatParams same(1, 1, 8, 8);
        const BinaryRepeatParams both(1, 1, 1, 8, 8, 8);
        const BinaryRepeatParams with_constant(1, 1, 0, 8, 8, 0);
        const CountedLanes lanes(count);

        // The code as a signed number, shifted: s s eeee mmm 0000000.
        Cast<half, int8_t, false>(dst, src.ReinterpretCast<int8_t>(), RoundMode::CAST_NONE, MASK_PLACEHOLDER, 1,
                                  UnaryRepeatParams(1, 1, 8, 4));
        PipeBarrier<PIPE_V>();
        Cast<int16_t, half, false>(codes, dst, RoundMode::CAST_RINT, MASK_PLACEHOLDER, 1, same);
        PipeBarrier<PIPE_V>();
        ShiftLeft<int16_t, false>(codes, codes, 7, MASK_PLACEHOLDER, 1, same);
        PipeBarrier<PIPE_V>();

        // h, the magnitude with half's bias: right but for subnormals (1 + m / 8) * 2^-7, wanted m / 8 * 2^-6.
        And<int16_t, false>(bits, codes, magnitude_, MASK_PLACEHOLDER, 1, with_constant);
        PipeBarrier<PIPE_V>();
        Adds<int16_t, false>(bits, bits, half_bits::kRebias, MASK_PLACEHOLDER, 1, same);
        PipeBarrier<PIPE_V>();
        // h += min(h, 2^-6) - 2^-6: doubles the distance to 2^-6 below it, changes nothing above.
        Mins<half, false>(t_half, dst, static_cast<half>(0.015625f), MASK_PLACEHOLDER, 1, same);
        PipeBarrier<PIPE_V>();
        Adds<half, false>(t_half, t_half, static_cast<half>(-0.015625f), MASK_PLACEHOLDER, 1, same);
        PipeBarrier<PIPE_V>();
        Add<half, false>(dst, dst, t_half, MASK_PLACEHOLDER, 1, both);
        PipeBarrier<PIPE_V>();

        // Only the NaN code is above 448; one exponent step from 480 makes it a NaN of half.
        Maxs<int16_t, false>(t, bits, half_bits::kFp8Max, MASK_PLACEHOLDER, 1, same);
        PipeBarrier<PIPE_V>();
        Adds<int16_t, false>(t, t, static_cast<int16_t>(-half_bits::kFp8Max), MASK_PLACEHOLDER, 1, same);
        PipeBarrier<PIPE_V>();
        ShiftLeft<int16_t, false>(t, t, 6, MASK_PLACEHOLDER, 1, same);
        And<int16_t, false>(codes, codes, sign_, MASK_PLACEHOLDER, 1, with_constant);
        PipeBarrier<PIPE_V>();
        Or<int16_t, false>(t, t, codes, MASK_PLACEHOLDER, 1, both);
        PipeBarrier<PIPE_V>();
        // The bits of both are disjoint or add up to the NaN: 0x5f80 + 0x2000.
        Add<int16_t, false>(bits, bits, t, MASK_PLACEHOLDER, 1, both);
        PipeBarrier<PIPE_V>();
    }

private:
    AscendC::LocalTensor<int16_t> magnitude_;
    AscendC::LocalTensor<int16_t> sign_;
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
        AscendC::PipeBarrier<PIPE_V>();
    }

    /// Spoils src; `scratch`: 2 * round_up(count, 16) elements. Otherwise like Fp8ToHalf.
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
        PipeBarrier<PIPE_V>();
        ShiftLeft<int16_t, false>(bits, bits, 7, MASK_PLACEHOLDER, 1, same);

        // Below 2^-6 codes are multiples of 2^-9: beside 2 that is the last bit of a half. 0..8 at 2^-6 and above.
        Mins<int16_t, false>(t, code, half_bits::kFp8MinNormal, MASK_PLACEHOLDER, 1, same);
        PipeBarrier<PIPE_V>();
        const LocalTensor<half> t_half = t.ReinterpretCast<half>();
        Adds<half, false>(t_half, t_half, static_cast<half>(2.0f), MASK_PLACEHOLDER, 1, same);
        PipeBarrier<PIPE_V>();
        Add<int16_t, false>(bits, bits, t, MASK_PLACEHOLDER, 1, both);

        // From 2^-6 on: round the mantissa to 3 bits, u + 63 + (last bit that stays), shifted.
        Maxs<int16_t, false>(code, code, half_bits::kFp8MinNormal, MASK_PLACEHOLDER, 1, same);
        PipeBarrier<PIPE_V>();
        Mins<int16_t, false>(code, code, half_bits::kFp8Nan, MASK_PLACEHOLDER, 1, same);
        PipeBarrier<PIPE_V>();
        ShiftRight<int16_t, false>(t, code, 7, MASK_PLACEHOLDER, 1, same);
        PipeBarrier<PIPE_V>();
        And<int16_t, false>(t, t, one_, MASK_PLACEHOLDER, 1, with_constant);
        PipeBarrier<PIPE_V>();
        Add<int16_t, false>(code, code, t, MASK_PLACEHOLDER, 1, both);
        PipeBarrier<PIPE_V>();
        Adds<int16_t, false>(code, code, static_cast<int16_t>(63), MASK_PLACEHOLDER, 1, same);
        PipeBarrier<PIPE_V>();
        ShiftRight<int16_t, false>(code, code, 7, MASK_PLACEHOLDER, 1, same);
        PipeBarrier<PIPE_V>();

        // Both parts count 2^-6 (code 8); the second still has half's exponent bias (64 codes), the first the bits of 2.
        Add<int16_t, false>(code, code, bits, MASK_PLACEHOLDER, 1, both);
        PipeBarrier<PIPE_V>();
        Adds<int16_t, false>(code, code, static_cast<int16_t>(-half_bits::kTwo - 64 - 8), MASK_PLACEHOLDER, 1, same);
        PipeBarrier<PIPE_V>();
        Cast<half, int16_t, false>(src, code, RoundMode::CAST_NONE, MASK_PLACEHOLDER, 1, same);
        PipeBarrier<PIPE_V>();
        Cast<int8_t, half, false>(dst.ReinterpretCast<int8_t>(), src, RoundMode::CAST_RINT, MASK_PLACEHOLDER, 1,
                                  UnaryRepeatParams(1, 1, 4, 8));
        PipeBarrier<PIPE_V>();
    }

private:
    AscendC::LocalTensor<int16_t> magnitude_;
    AscendC::LocalTensor<int16_t> one_;
};

}  // namespace flash_attn_npu::ascend::tile
