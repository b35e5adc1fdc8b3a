// SPDX-License-Identifier: BSD-3-Clause
// Scalar functions, limits, layouts, the small standard library, tensor lists, tiling data, workspace, fills of global
// memory, printing. Results are 64-bit numbers in `out`.
#include "kernel_operator.h"
#include "kernel_operator_list_tensor_intf.h"

using namespace AscendC;

namespace {

struct Results {
    GlobalTensor<int64_t> out;
    uint64_t at = 0;
    __aicore__ inline Results(GM_ADDR to) { out.SetGlobalBuffer(reinterpret_cast<__gm__ int64_t*>(to)); }
    __aicore__ inline void operator()(int64_t value) { out.SetValue(at++, value); }
};
template <typename T>
__aicore__ inline int64_t Raw(T value) {
    int64_t bits = 0;
    *reinterpret_cast<T*>(&bits) = value;
    return bits;
}

}  // namespace

struct Tile {
    uint32_t rows;
    uint16_t cols;
    uint8_t flag;
    float scale;
    uint64_t list[3];
    int64_t last;
};

#define UTILITY(name)                                                                   \
    extern "C" __global__ __aicore__ void name(GM_ADDR in, GM_ADDR out, GM_ADDR work) { \
        KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);                                 \
        if ASCEND_IS_AIV {                                                              \
            Results r(out);
#define END_KERNEL \
    }              \
    }

/// `in`: 64-bit numbers; for each the counts.
UTILITY(bits)
GlobalTensor<uint64_t> numbers;
numbers.SetGlobalBuffer(reinterpret_cast<__gm__ uint64_t*>(in));
for (uint32_t i = 0; i < 64; ++i) {
    const uint64_t x = numbers.GetValue(i);
    r(ScalarGetCountOfValue<0>(x));
    r(ScalarGetCountOfValue<1>(x));
    r(ScalarCountLeadingZero(x));
    r(CountBitsCntSameAsSignBit(static_cast<int64_t>(x)));
    r(ScalarGetSFFValue<0>(x));
    r(ScalarGetSFFValue<1>(x));
}
END_KERNEL

/// `in`: floats.
UTILITY(casts)
GlobalTensor<float> numbers;
numbers.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(in));
for (uint32_t i = 0; i < 64; ++i) {
    const float x = numbers.GetValue(i);
    r(ScalarCast<float, int32_t, RoundMode::CAST_RINT>(x));
    r(ScalarCast<float, int32_t, RoundMode::CAST_FLOOR>(x));
    r(ScalarCast<float, int32_t, RoundMode::CAST_CEIL>(x));
    r(ScalarCast<float, int32_t, RoundMode::CAST_ROUND>(x));
    r(ScalarCast<float, int32_t, RoundMode::CAST_TRUNC>(x));
    r(Raw(ScalarCast<float, half, RoundMode::CAST_NONE>(x)));
    r(Raw(ScalarCast<float, half, RoundMode::CAST_ODD>(x)));
    r(Raw(ToBfloat16(x)));
}
END_KERNEL

UTILITY(limits)
r(Raw(NumericLimits<half>::Max()));
r(Raw(NumericLimits<half>::Lowest()));
r(Raw(NumericLimits<half>::Min()));
r(Raw(NumericLimits<half>::Infinity()));
r(Raw(NumericLimits<half>::NegativeInfinity()));
r(Raw(NumericLimits<half>::DeNormMin()));
r(Raw(NumericLimits<float>::Max()));
r(Raw(NumericLimits<float>::Lowest()));
r(Raw(NumericLimits<float>::Min()));
r(Raw(NumericLimits<float>::Infinity()));
r(Raw(NumericLimits<float>::NegativeInfinity()));
r(Raw(NumericLimits<float>::DeNormMin()));
r(NumericLimits<int8_t>::Max());
r(NumericLimits<int8_t>::Lowest());
r(NumericLimits<uint16_t>::Max());
r(NumericLimits<int32_t>::Min());
r(NumericLimits<uint32_t>::Max());
const float nan = NumericLimits<float>::QuietNaN();
r(nan != nan);
END_KERNEL

/// Offsets of all coordinates of a layout with nested modes, static and dynamic; the small standard library.
UTILITY(layouts)
const auto shape = MakeShape(MakeShape(Std::Int<4>{}, Std::Int<3>{}), MakeShape(Std::Int<8>{}, Std::Int<2>{}));
const auto stride = MakeStride(MakeStride(Std::Int<8>{}, Std::Int<64>{}), MakeStride(Std::Int<1>{}, Std::Int<32>{}));
const auto layout = MakeLayout(shape, stride);
for (int32_t row = 0; row < 12; ++row)
    for (int32_t col = 0; col < 16; ++col) r(layout(MakeCoord(row, col)));
r(Crd2Idx(MakeCoord(MakeCoord(1, 2), MakeCoord(3, 1)), layout));
r(decltype(layout)::size);
auto rows = MakeLayout(MakeShape(5, 7), MakeStride(9, 1));
r(rows(MakeCoord(4, 6)));
r(Std::get<1>(rows.GetShape()));
r(Std::get<0>(rows.GetStride()));
r(is_layout_v<decltype(rows)>);
using Trait = TensorTrait<half, TPosition::VECIN, Layout<Shape<int, int>, Stride<int, int>>>;
auto trait = MakeTensorTrait<half, TPosition::VECIN>(rows);
r(Std::get<0>(trait.GetLayout().GetShape()));
r(is_tensorTrait_v<Trait> && !is_tensorTrait_v<half>);
r(Std::is_same<PrimT<Trait>, half>::value);
r(Std::min(3, 5) * 100 + Std::max(static_cast<int64_t>(3), static_cast<int64_t>(5)));
auto tuple = Std::make_tuple(1, 2.5f, static_cast<uint8_t>(7));
Std::get<0>(tuple) += 41;
r(Std::get<0>(tuple) + Std::get<2>(tuple));
r(static_cast<int64_t>(Std::tuple_size<decltype(tuple)>::value));
r(Std::is_same<typename Std::tuple_element<1, decltype(tuple)>::type, float>::value);
r(Std::integral_constant<int, 12>::value);
r(Std::is_integral<uint16_t>::value && !Std::is_integral<float>::value);
r(Std::is_base_of<Tile, Tile>::value&& Std::is_convertible<int, float>::value);
r(Std::is_same<Std::remove_cv_t<const volatile int>, int>::value);
r(Std::is_same<Std::conditional_t<true, int, float>, int>::value);
r(sizeof(typename Std::remove_reference<int64_t&>::type));
END_KERNEL

/// `in`: a list of tensors.
UTILITY(lists)
ListTensorDesc list(in);
r(list.GetSize());
for (uint32_t i = 0; i < list.GetSize(); ++i) {
    uint64_t sizes[8];
    TensorDesc<float> desc;
    desc.SetShapeAddr(sizes);
    list.GetDesc(desc, i);
    r(static_cast<int64_t>(desc.GetDim()));
    r(static_cast<int64_t>(desc.GetIndex()));
    for (uint32_t d = 0; d < desc.GetDim(); ++d) r(static_cast<int64_t>(desc.GetShape(d)));
    r(static_cast<int64_t>(desc.GetDataObj().GetValue(1)));
    GlobalTensor<float> data;
    data.SetGlobalBuffer(list.GetDataPtr<float>(i));
    r(static_cast<int64_t>(data.GetValue(0)));
}
END_KERNEL

/// The twin's system keeps nothing before the kernel's workspace; UB and GM are filled; the element type that stores
/// add up.
UTILITY(memory)
TPipe pipe;
SetSysWorkspace(work);
GM_ADDR mine = GetUserWorkspace(work);
r(static_cast<int64_t>(mine - work));
GlobalTensor<float> filled;
filled.SetGlobalBuffer(reinterpret_cast<__gm__ float*>(mine));
InitOutput<float>(filled, 20003, 2.5f);
SetAtomicAdd<float>();
uint16_t type = 0, op = 0;
SetStoreAtomicConfig<AtomicDtype::ATOMIC_F32, AtomicOp::ATOMIC_SUM>();
GetStoreAtomicConfig(type, op);
r(op);
SetAtomicNone();
r(static_cast<int64_t>(GetUBSizeInBytes()));
SetSaturationFlag<SaturationMode::FLOAT>(true);
r(GetSaturationFlag<SaturationMode::FLOAT>());
r(GetCtrlSpr<48, 48>());
SetSaturationFlag<SaturationMode::FLOAT>(false);
r(GetSaturationFlag<SaturationMode::FLOAT>());
END_KERNEL

UTILITY(printing)
TPipe pipe;
TBuf<TPosition::VECCALC> buffer;
pipe.InitBuffer(buffer, 1024);
LocalTensor<float> x = buffer.Get<float>();
Duplicate(x, 1.5f, 256);
PipeBarrier<PIPE_ALL>();
DumpTensor(x, 7, 3);
LocalTensor<int32_t> y = buffer.Get<int32_t>();
GlobalTensor<int32_t> z;
z.SetGlobalBuffer(reinterpret_cast<__gm__ int32_t*>(in));
DumpTensor(z, 8, 2);
AscendC::printf("block %d of %u: %s %.2f\n", static_cast<int32_t>(GetBlockIdx()), 2u, "text", 0.25f);
PRINTF("%x\n", 255);
ascendc_assert(true, "not printed\n");
r(GetBlockNum());
END_KERNEL
