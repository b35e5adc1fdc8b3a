// SPDX-License-Identifier: BSD-3-Clause
// The conversions of tile/fp8.h on `count` elements, one AIV.
#include "tile/fp8.h"

using namespace AscendC;
using namespace flash_attn_npu::ascend;

namespace {
constexpr uint32_t kMost = 8192;
}  // namespace

// `scaled`: times Fp8ToHalf::kFactor.
extern "C" __global__ __aicore__ void fp8_to_half(GM_ADDR codes, GM_ADDR values, uint32_t count, uint32_t scaled) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    if ASCEND_IS_AIV {
        arch::Resource<arch::AtlasA2> resource;
        const LocalTensor<int16_t> constants = resource.ubBuf.GetBufferByByte<int16_t>(0);
        const LocalTensor<uint8_t> in = resource.ubBuf.GetBufferByByte<uint8_t>(1024);
        const LocalTensor<half> out = resource.ubBuf.GetBufferByByte<half>(1024 + kMost);
        const LocalTensor<half> scratch = resource.ubBuf.GetBufferByByte<half>(1024 + 3 * kMost);
        GlobalTensor<uint8_t> gm_in;
        GlobalTensor<half> gm_out;
        gm_in.SetGlobalBuffer(codes);
        gm_out.SetGlobalBuffer(reinterpret_cast<__gm__ half*>(values));
        SetCtrlSpr<48, 48>(1);
        const tile::Fp8ToHalf convert(constants);
        const uint32_t padded = (count + 31) / 32 * 32;
        DataCopyPad(in, gm_in, DataCopyExtParams(1, count, 0, 0, 0),
                    DataCopyPadExtParams<uint8_t>(true, 0, static_cast<uint8_t>(padded - count), 0));
        PipeBarrier<PIPE_ALL>();
        if (scaled) {
            convert.Scaled(out, in, padded);
        } else {
            convert(out, in, scratch, padded);
        }
        PipeBarrier<PIPE_ALL>();
        DataCopyPad(gm_out, out, DataCopyExtParams(1, count * 2, 0, 0, 0));
    }
}

/// float -> half, rounded to odd -> code, as a rotated key goes.
extern "C" __global__ __aicore__ void float_to_fp8(GM_ADDR values, GM_ADDR codes, uint32_t count) {
    KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);
    if ASCEND_IS_AIV {
        arch::Resource<arch::AtlasA2> resource;
        const LocalTensor<int16_t> constants = resource.ubBuf.GetBufferByByte<int16_t>(0);
        const LocalTensor<uint8_t> out = resource.ubBuf.GetBufferByByte<uint8_t>(1024);
        const LocalTensor<half> rounded = resource.ubBuf.GetBufferByByte<half>(1024 + kMost);
        const LocalTensor<int16_t> scratch = resource.ubBuf.GetBufferByByte<int16_t>(1024 + 3 * kMost);
        const LocalTensor<float> in = resource.ubBuf.GetBufferByByte<float>(1024 + 8 * kMost);
        GlobalTensor<float> gm_in;
        GlobalTensor<uint8_t> gm_out;
        gm_in.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(values));
        gm_out.SetGlobalBuffer(codes);
        SetCtrlSpr<48, 48>(1);
        const tile::HalfToFp8 convert(constants);
        DataCopyPad(in, gm_in, DataCopyExtParams(1, count * 4, 0, 0, 0), DataCopyPadExtParams<float>());
        PipeBarrier<PIPE_ALL>();
        Cast(rounded, in, RoundMode::CAST_ODD, count);
        PipeBarrier<PIPE_V>();
        convert(out, rounded, scratch, count);
        PipeBarrier<PIPE_ALL>();
        DataCopyPad(gm_out, out, DataCopyExtParams(1, count, 0, 0, 0));
    }
}
