// One kernel per vector call and type. Each loads an image of UB, makes the call once with the parameters it is given,
// and stores the image: the expected image is computed from the documentation's formulas in ../test_vector_api.py.
#include "kernel_operator.h"

using namespace AscendC;

namespace {

constexpr uint32_t IMAGE = 128 * 1024;  // bytes: destination, source 0, source 1, extra, 32 KB each
constexpr uint32_t PART = 32 * 1024;

/// Parameters: 32-bit words in global memory.
enum Param {
    FORM,
    COUNT,
    REPEAT,
    MASK0,
    MASK1,
    MASK2,
    MASK3,
    DST_BLK,
    DST_REP,
    S0_BLK,
    S0_REP,
    S1_BLK,
    S1_REP,
    SCALAR,
    MODE,
    EXTRA
};

class Bench {
public:
    __aicore__ inline Bench(GM_ADDR image, GM_ADDR params) {
        in_.SetGlobalBuffer(reinterpret_cast<__gm__ uint8_t*>(image));
        params_.SetGlobalBuffer(reinterpret_cast<__gm__ int32_t*>(params));
        TBuf<TPosition::VECCALC> all;
        pipe_.InitBuffer(all, IMAGE);
        ub_ = all.Get<uint8_t>();
        pipe_.Destroy();
        DataCopy(ub_, in_, IMAGE);
        PipeBarrier<PIPE_ALL>();
    }
    __aicore__ inline void Store(GM_ADDR out) {
        PipeBarrier<PIPE_ALL>();
        GlobalTensor<uint8_t> g;
        g.SetGlobalBuffer(reinterpret_cast<__gm__ uint8_t*>(out));
        DataCopy(g, ub_, IMAGE);
    }
    template <typename T>
    __aicore__ inline LocalTensor<T> At(uint32_t part) {
        return ub_[part * PART].ReinterpretCast<T>();
    }
    __aicore__ inline int32_t P(Param i) { return params_.GetValue(i); }
    __aicore__ inline uint64_t Mask(uint32_t word) {
        return static_cast<uint32_t>(P(static_cast<Param>(MASK0 + 2 * word))) |
               static_cast<uint64_t>(static_cast<uint32_t>(P(static_cast<Param>(MASK1 + 2 * word)))) << 32;
    }
    /// Forms: 0 count, 1 contiguous mask, 2 mask bits, 3 mask register, 4 counter mode.
    __aicore__ inline void Registers() {
        if (P(FORM) == 3) SetVectorMask<uint8_t>(Mask(1), Mask(0));
        if (P(FORM) == 4) {
            SetMaskCount();
            SetVectorMask<uint8_t, MaskMode::COUNTER>(P(COUNT));
        }
    }
    __aicore__ inline void Restore() {
        SetMaskNorm();
        ResetMask();
    }
    __aicore__ inline BinaryRepeatParams Binary() {
        return BinaryRepeatParams(P(DST_BLK), P(S0_BLK), P(S1_BLK), P(DST_REP), P(S0_REP), P(S1_REP));
    }
    __aicore__ inline UnaryRepeatParams Unary() {
        return UnaryRepeatParams(P(DST_BLK), P(S0_BLK), P(DST_REP), P(S0_REP));
    }
    template <typename T>
    __aicore__ inline T Scalar() {
        if constexpr (IsSameType<T, bfloat16_t>::value) {
            return ToBfloat16(At<float>(3).GetValue(0));
        } else {
            return At<T>(3).GetValue(0);
        }
    }

private:
    TPipe pipe_;
    GlobalTensor<uint8_t> in_;
    GlobalTensor<int32_t> params_;
    LocalTensor<uint8_t> ub_;
};

}  // namespace

// clang-format off: lists of macro uses without semicolons are beyond it
#define KERNEL(name)                                                                            \
    extern "C" __global__ __aicore__ void name(GM_ADDR image, GM_ADDR out, GM_ADDR params) {     \
        KERNEL_TASK_TYPE_DEFAULT(KERNEL_TYPE_AIV_ONLY);                                         \
        if ASCEND_IS_AIV {                                                                      \
            Bench bench(image, params);
#define END(name)     \
    bench.Store(out); \
    }                 \
    }

// The call in each of its forms; ARGS are the operands before the mask.
#define FORMS(CALL, KEEP, ARGS, PARAMS)                                                 \
    const int32_t form = bench.P(FORM);                                                 \
    const uint8_t repeat = static_cast<uint8_t>(bench.P(REPEAT));                        \
    bench.Registers();                                                                  \
    if (form == 0) {                                                                    \
        CALL(ARGS, bench.P(COUNT));                                                     \
    } else if (form == 1) {                                                             \
        CALL(ARGS, bench.Mask(0), repeat, PARAMS);                                      \
    } else if (form == 2) {                                                             \
        uint64_t mask[2] = {bench.Mask(0), bench.Mask(1)};                              \
        CALL(ARGS, mask, repeat, PARAMS);                                               \
    } else {                                                                            \
        KEEP(ARGS, static_cast<uint64_t>(0), repeat, PARAMS);                           \
        bench.Restore();                                                                \
    }
#define COMMA ,

#define BINARY(NAME, T)                                                                                        \
    KERNEL(NAME##_##T)                                                                                         \
    LocalTensor<T> d = bench.At<T>(0), a = bench.At<T>(1), b = bench.At<T>(2);                                  \
    FORMS(NAME, (NAME<T, false>), d COMMA a COMMA b, bench.Binary())                                            \
    END(NAME)
BINARY(Add, half) BINARY(Add, float) BINARY(Add, int16_t) BINARY(Add, int32_t)
BINARY(Sub, half) BINARY(Sub, float) BINARY(Sub, int16_t) BINARY(Sub, int32_t)
BINARY(Mul, half) BINARY(Mul, float) BINARY(Mul, int16_t) BINARY(Mul, int32_t)
BINARY(Max, half) BINARY(Max, float) BINARY(Max, int16_t) BINARY(Max, int32_t)
BINARY(Min, half) BINARY(Min, float) BINARY(Min, int16_t) BINARY(Min, int32_t)
BINARY(Div, half) BINARY(Div, float)
BINARY(And, int16_t) BINARY(And, uint16_t)
BINARY(Or, int16_t) BINARY(Or, uint16_t)
BINARY(AddRelu, half) BINARY(AddRelu, float) BINARY(AddRelu, int16_t)
BINARY(SubRelu, half) BINARY(SubRelu, float) BINARY(SubRelu, int16_t)
BINARY(FusedMulAdd, half) BINARY(FusedMulAdd, float)
BINARY(FusedMulAddRelu, half) BINARY(FusedMulAddRelu, float)

#define MULADDDST(T, U)                                                                                        \
    KERNEL(MulAddDst_##T##_##U)                                                                                \
    LocalTensor<T> d = bench.At<T>(0);                                                                         \
    LocalTensor<U> a = bench.At<U>(1), b = bench.At<U>(2);                                                      \
    FORMS(MulAddDst, (MulAddDst<T, U, false>), d COMMA a COMMA b, bench.Binary())                               \
    END(MulAddDst)
MULADDDST(half, half) MULADDDST(float, float) MULADDDST(float, half)

#define SCALAR(NAME, T)                                                                                        \
    KERNEL(NAME##_##T)                                                                                         \
    LocalTensor<T> d = bench.At<T>(0), a = bench.At<T>(1);                                                      \
    const T s = bench.Scalar<T>();                                                                             \
    FORMS(NAME, (NAME<T, false>), d COMMA a COMMA s, bench.Unary())                                             \
    END(NAME)
SCALAR(Adds, half) SCALAR(Adds, float) SCALAR(Adds, int16_t) SCALAR(Adds, int32_t)
SCALAR(Muls, half) SCALAR(Muls, float) SCALAR(Muls, int16_t) SCALAR(Muls, int32_t)
SCALAR(Maxs, half) SCALAR(Maxs, float) SCALAR(Maxs, int16_t) SCALAR(Maxs, int32_t)
SCALAR(Mins, half) SCALAR(Mins, float) SCALAR(Mins, int16_t) SCALAR(Mins, int32_t)
SCALAR(LeakyRelu, half) SCALAR(LeakyRelu, float)
SCALAR(ShiftLeft, int16_t) SCALAR(ShiftLeft, uint16_t) SCALAR(ShiftLeft, int32_t) SCALAR(ShiftLeft, uint32_t)
SCALAR(ShiftRight, int16_t) SCALAR(ShiftRight, uint16_t) SCALAR(ShiftRight, int32_t) SCALAR(ShiftRight, uint32_t)

#define AXPY(T, U)                                                                                             \
    KERNEL(Axpy_##T##_##U)                                                                                     \
    LocalTensor<T> d = bench.At<T>(0);                                                                         \
    LocalTensor<U> a = bench.At<U>(1);                                                                         \
    const U s = bench.Scalar<U>();                                                                             \
    FORMS(Axpy, (Axpy<T, U, false>), d COMMA a COMMA s, bench.Unary())                                          \
    END(Axpy)
AXPY(half, half) AXPY(float, float) AXPY(float, half)

#define UNARY(NAME, T)                                                                                         \
    KERNEL(NAME##_##T)                                                                                         \
    LocalTensor<T> d = bench.At<T>(0), a = bench.At<T>(1);                                                      \
    FORMS(NAME, (NAME<T, false>), d COMMA a, bench.Unary())                                                     \
    END(NAME)
UNARY(Exp, half) UNARY(Exp, float) UNARY(Ln, half) UNARY(Ln, float) UNARY(Abs, half) UNARY(Abs, float)
UNARY(Sqrt, half) UNARY(Sqrt, float) UNARY(Rsqrt, half) UNARY(Rsqrt, float)
UNARY(Reciprocal, half) UNARY(Reciprocal, float) UNARY(Relu, half) UNARY(Relu, float) UNARY(Relu, int32_t)
UNARY(Not, int16_t) UNARY(Not, uint16_t)

// Casts in count form and in mask form, every rounding mode by number.
#define CAST(T, U)                                                                                             \
    KERNEL(Cast_##T##_##U)                                                                                     \
    LocalTensor<T> d = bench.At<T>(0);                                                                         \
    LocalTensor<U> a = bench.At<U>(1);                                                                         \
    const RoundMode mode = static_cast<RoundMode>(bench.P(MODE));                                               \
    if (bench.P(FORM) == 5) SetDeqScale(bench.Scalar<half>());                                                  \
    if (bench.P(FORM) == 1) {                                                                                  \
        Cast(d, a, mode, bench.Mask(0), static_cast<uint8_t>(bench.P(REPEAT)), bench.Unary());                   \
    } else {                                                                                                   \
        Cast(d, a, mode, static_cast<uint32_t>(bench.P(COUNT)));                                               \
    }                                                                                                          \
    END(Cast)
CAST(float, half) CAST(half, float) CAST(float, bfloat16_t) CAST(bfloat16_t, float) CAST(float, float)
CAST(int16_t, float) CAST(int32_t, float) CAST(int64_t, float) CAST(int8_t, half) CAST(uint8_t, half) CAST(int16_t, half)
CAST(int32_t, half) CAST(int32_t, bfloat16_t) CAST(half, int8_t) CAST(half, uint8_t) CAST(half, int16_t) CAST(float, int16_t)
CAST(float, int32_t) CAST(half, int32_t) CAST(int16_t, int32_t) CAST(int64_t, int32_t) CAST(int32_t, int64_t)
CAST(float, int64_t)

#define DUPLICATE(T)                                                                                           \
    KERNEL(Duplicate_##T)                                                                                      \
    LocalTensor<T> d = bench.At<T>(0);                                                                         \
    const T s = bench.Scalar<T>();                                                                             \
    if (bench.P(FORM) == 0) {                                                                                  \
        Duplicate(d, s, bench.P(COUNT));                                                                       \
    } else {                                                                                                   \
        uint64_t mask[2] = {bench.Mask(0), bench.Mask(1)};                                                     \
        Duplicate(d, s, mask, static_cast<uint8_t>(bench.P(REPEAT)), static_cast<uint16_t>(bench.P(DST_BLK)),    \
                  static_cast<uint8_t>(bench.P(DST_REP)));                                                      \
    }                                                                                                          \
    END(Duplicate)
DUPLICATE(half) DUPLICATE(bfloat16_t) DUPLICATE(int16_t) DUPLICATE(uint16_t) DUPLICATE(int32_t) DUPLICATE(uint32_t) DUPLICATE(float)

#define COPY(T)                                                                                                \
    KERNEL(Copy_##T)                                                                                           \
    LocalTensor<T> d = bench.At<T>(0), a = bench.At<T>(1);                                                      \
    uint64_t mask[2] = {bench.Mask(0), bench.Mask(1)};                                                         \
    Copy(d, a, mask, static_cast<uint8_t>(bench.P(REPEAT)),                                                     \
         CopyRepeatParams(bench.P(DST_BLK), bench.P(S0_BLK), bench.P(DST_REP), bench.P(S0_REP)));               \
    END(Copy)
COPY(half) COPY(int16_t) COPY(float) COPY(int32_t)

#define BRCB(T)                                                                                                \
    KERNEL(Brcb_##T)                                                                                           \
    LocalTensor<T> d = bench.At<T>(0), a = bench.At<T>(1);                                                      \
    Brcb(d, a, static_cast<uint8_t>(bench.P(REPEAT)),                                                           \
         BrcbRepeatParams(static_cast<uint16_t>(bench.P(DST_BLK)), static_cast<uint16_t>(bench.P(DST_REP))));    \
    END(Brcb)
BRCB(half) BRCB(float) BRCB(uint32_t) BRCB(int16_t)

#define GATHER(T)                                                                                              \
    KERNEL(Gather_##T)                                                                                         \
    LocalTensor<T> d = bench.At<T>(0), a = bench.At<T>(1);                                                      \
    LocalTensor<uint32_t> o = bench.At<uint32_t>(2);                                                           \
    Gather(d, a, o, static_cast<uint32_t>(bench.P(EXTRA)), static_cast<uint32_t>(bench.P(COUNT)));               \
    END(Gather)                                                                                                \
    KERNEL(Gatherb_##T)                                                                                        \
    LocalTensor<T> d = bench.At<T>(0), a = bench.At<T>(1);                                                      \
    LocalTensor<uint32_t> o = bench.At<uint32_t>(2);                                                           \
    Gatherb(d, a, o, static_cast<uint8_t>(bench.P(REPEAT)),                                                     \
            GatherRepeatParams(static_cast<uint8_t>(bench.P(DST_BLK)), static_cast<uint8_t>(bench.P(DST_REP)))); \
    END(Gatherb)
GATHER(uint16_t) GATHER(uint32_t)

#define GATHERMASK(T)                                                                                          \
    KERNEL(GatherMask_##T)                                                                                     \
    LocalTensor<T> d = bench.At<T>(0), a = bench.At<T>(1), pattern = bench.At<T>(2);                            \
    uint64_t kept = 0;                                                                                         \
    GatherMaskParams p(static_cast<uint8_t>(bench.P(S0_BLK)), static_cast<uint16_t>(bench.P(REPEAT)),           \
                       static_cast<uint16_t>(bench.P(S0_REP)), static_cast<uint8_t>(bench.P(S1_REP)));          \
    const bool reduce = bench.P(EXTRA) != 0;                                                                   \
    if (bench.P(MODE) == 0) {                                                                                  \
        GatherMask(d, a, pattern, reduce, static_cast<uint32_t>(bench.P(COUNT)), p, kept);                      \
    } else {                                                                                                   \
        GatherMask(d, a, static_cast<uint8_t>(bench.P(MODE)), reduce, static_cast<uint32_t>(bench.P(COUNT)), p, kept); \
    }                                                                                                          \
    PipeBarrier<PIPE_ALL>();                                                                                   \
    bench.At<uint32_t>(3).SetValue(0, static_cast<uint32_t>(kept));                                            \
    END(GatherMask)
GATHERMASK(uint16_t) GATHERMASK(uint32_t)

#define REDUCE_BLOCK(NAME, T)                                                                                  \
    KERNEL(NAME##_##T)                                                                                         \
    LocalTensor<T> d = bench.At<T>(0), a = bench.At<T>(1);                                                      \
    const int32_t repeat = bench.P(REPEAT), dr = bench.P(DST_REP), sb = bench.P(S0_BLK), sr = bench.P(S0_REP);  \
    if (bench.P(FORM) == 1) {                                                                                  \
        NAME<T>(d, a, repeat, static_cast<int32_t>(bench.Mask(0)), dr, sb, sr);                                  \
    } else {                                                                                                   \
        uint64_t mask[2] = {bench.Mask(0), bench.Mask(1)};                                                     \
        NAME<T>(d, a, repeat, mask, dr, sb, sr);                                                               \
    }                                                                                                          \
    END(NAME)
REDUCE_BLOCK(BlockReduceSum, half) REDUCE_BLOCK(BlockReduceSum, float) REDUCE_BLOCK(BlockReduceMax, half)
REDUCE_BLOCK(BlockReduceMax, float) REDUCE_BLOCK(BlockReduceMin, half) REDUCE_BLOCK(BlockReduceMin, float)
REDUCE_BLOCK(PairReduceSum, half) REDUCE_BLOCK(PairReduceSum, float)

#define REDUCE_WHOLE(NAME, T, ...)                                                                             \
    KERNEL(NAME##_##T)                                                                                         \
    LocalTensor<T> d = bench.At<T>(0), a = bench.At<T>(1);                                                      \
    const int32_t repeat = bench.P(REPEAT), dr = bench.P(DST_REP), sb = bench.P(S0_BLK), sr = bench.P(S0_REP);  \
    uint64_t mask[2] = {bench.Mask(0), bench.Mask(1)};                                                         \
    NAME<T>(d, a, mask, repeat, dr, sb, sr, ##__VA_ARGS__);                                                    \
    END(NAME)
REDUCE_WHOLE(WholeReduceSum, half) REDUCE_WHOLE(WholeReduceSum, float)
REDUCE_WHOLE(WholeReduceMax, half, static_cast<ReduceOrder>(bench.P(MODE)))
REDUCE_WHOLE(WholeReduceMax, float, static_cast<ReduceOrder>(bench.P(MODE)))
REDUCE_WHOLE(WholeReduceMin, half, static_cast<ReduceOrder>(bench.P(MODE)))
REDUCE_WHOLE(WholeReduceMin, float, static_cast<ReduceOrder>(bench.P(MODE)))

#define REDUCE_TENSOR(T)                                                                                       \
    KERNEL(ReduceTensor_##T)                                                                                   \
    LocalTensor<T> d = bench.At<T>(0), a = bench.At<T>(1), tmp = bench.At<T>(2);                                \
    const int32_t count = bench.P(COUNT);                                                                      \
    ReduceSum<T>(d, a, tmp, count);                                                                            \
    PipeBarrier<PIPE_V>();                                                                                     \
    ReduceMax<T>(d[64], a, tmp, count, true);                                                                  \
    PipeBarrier<PIPE_V>();                                                                                     \
    ReduceMin<T>(d[128], a, tmp, count, true);                                                                 \
    END(ReduceTensor)
REDUCE_TENSOR(half) REDUCE_TENSOR(float)

#define COMPARE(T)                                                                                             \
    KERNEL(Compare_##T)                                                                                        \
    LocalTensor<uint8_t> d = bench.At<uint8_t>(0);                                                             \
    LocalTensor<T> a = bench.At<T>(1), b = bench.At<T>(2);                                                      \
    Compare(d, a, b, static_cast<CMPMODE>(bench.P(MODE)), static_cast<uint32_t>(bench.P(COUNT)));                \
    END(Compare)                                                                                               \
    KERNEL(CompareScalar_##T)                                                                                  \
    LocalTensor<uint8_t> d = bench.At<uint8_t>(0);                                                             \
    LocalTensor<T> a = bench.At<T>(1);                                                                         \
    CompareScalar(d, a, bench.Scalar<T>(), static_cast<CMPMODE>(bench.P(MODE)), static_cast<uint32_t>(bench.P(COUNT))); \
    END(CompareScalar)
COMPARE(half) COMPARE(float)

#define SELECT(T)                                                                                              \
    KERNEL(Select_##T)                                                                                         \
    LocalTensor<uint8_t> bits = bench.At<uint8_t>(3);                                                          \
    LocalTensor<T> d = bench.At<T>(0), a = bench.At<T>(1), b = bench.At<T>(2);                                  \
    const uint32_t count = static_cast<uint32_t>(bench.P(COUNT));                                              \
    if (bench.P(MODE) == 1) {                                                                                  \
        Select(d, bits, a, static_cast<T>(0.5f), SELMODE::VSEL_TENSOR_SCALAR_MODE, count);                      \
    } else if (bench.P(MODE) == 2) {                                                                           \
        Select(d, bits, a, b, SELMODE::VSEL_TENSOR_TENSOR_MODE, count);                                         \
    } else {                                                                                                   \
        uint64_t mask[2] = {bench.Mask(0), bench.Mask(1)};                                                     \
        Select(d, bits, a, b, SELMODE::VSEL_CMPMASK_SPR, mask, static_cast<uint8_t>(bench.P(REPEAT)), bench.Binary()); \
    }                                                                                                          \
    END(Select)
SELECT(half) SELECT(float)

KERNEL(Transpose_half)
LocalTensor<half> d = bench.At<half>(0), a = bench.At<half>(1);
Transpose(d, a);
END(Transpose)

#define INDEX(T)                                                                                               \
    KERNEL(CreateVecIndex_##T)                                                                                 \
    LocalTensor<T> d = bench.At<T>(0);                                                                         \
    CreateVecIndex(d, bench.Scalar<T>(), static_cast<uint32_t>(bench.P(COUNT)));                                \
    END(CreateVecIndex)
INDEX(half) INDEX(int16_t) INDEX(int32_t) INDEX(float)

#define TO5HD(T)                                                                                               \
    KERNEL(TransDataTo5HD_##T)                                                                                 \
    LocalTensor<T> d[16], s[16];                                                                               \
    for (int i = 0; i < 16; ++i) {                                                                             \
        d[i] = bench.At<T>(0)[i * 32 / sizeof(T)];                                                             \
        s[i] = bench.At<T>(1)[i * 64 / sizeof(T)];                                                             \
    }                                                                                                          \
    TransDataTo5HD<T>(d, s, TransDataTo5HDParams(false, false, static_cast<uint8_t>(bench.P(REPEAT)),           \
                                                 static_cast<uint16_t>(bench.P(DST_REP)),                       \
                                                 static_cast<uint16_t>(bench.P(S0_REP))));                      \
    END(TransDataTo5HD)
TO5HD(half) TO5HD(float)
    // clang-format on
