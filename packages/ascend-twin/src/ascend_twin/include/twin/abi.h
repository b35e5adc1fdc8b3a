// SPDX-License-Identifier: BSD-3-Clause
// The seam between the Ascend C names (include/ascendc) and the model of the machine (runtime/).
//
// Headers turn each API call into one plain struct and hand it to a function declared here; nothing
// behind this file is a template, so a kernel compiles without the model and the model without kernels.
#pragma once
#include <cstdint>

// Kernels are compiled with hidden visibility; what they share with the model is not.
#pragma GCC visibility push(default)

namespace twin {

enum class Memory : uint8_t { kGm, kL1, kL0A, kL0B, kL0C, kUb, kBt, kFb, kCount };
/// Bytes of each memory of dav-2201; the device's own of GM is not modelled.
constexpr uint64_t kMemoryBytes[] = {0, 512 << 10, 64 << 10, 64 << 10, 128 << 10, 192 << 10, 1 << 10, 7 << 10};
constexpr uint64_t bytes_of(Memory memory) { return kMemoryBytes[static_cast<int>(memory)]; }
/// The rest of UB is what some instructions take for themselves.
constexpr uint64_t kUbForKernels = 184 << 10;

enum class DType : uint8_t {
    kHalf,
    kBf16,
    kFloat,
    kInt8,
    kUint8,
    kInt16,
    kUint16,
    kInt32,
    kUint32,
    kInt64,
    kUint64,
    kInt4,
    kVoid
};

enum class Pipe : uint8_t { kS, kV, kM, kMte1, kMte2, kMte3, kFix, kCount, kAll };

/// Where in the kernel source an API call stands.
struct Loc {
    const char* file;
    int line;
    const char* api;  // "DataCopy", "Add", ...: the name a reader knows
};

/// Default argument of every API function: the place of the call.
struct At {
    const char* file;
    int line;
    static constexpr At here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
        return At(file, line);
    }
    constexpr Loc as(const char* api) const { return Loc{file, line, api}; }

private:
    constexpr At(const char* f, int l) : file(f), line(l) {}
};

/// First byte of an operand: offset in a local memory, or host address of global memory.
struct Ref {
    Memory memory = Memory::kUb;
    bool l2_bypass = false;
    uint64_t address = 0;
};

// ---------------------------------------------------------------------------------------------- movement
/// `count` runs of `length` bytes; the start of run i is base + i * stride. Strides are start to start.
struct CopyArgs {
    DType type = DType::kHalf;
    Ref dst, src;
    uint32_t runs = 1;
    uint64_t length = 0;
    uint64_t dst_stride = 0, src_stride = 0;
    bool plain = true;             // DataCopy: 32-byte lengths; false: DataCopyPad
    uint32_t left = 0, right = 0;  // DataCopyPad GM->UB: padding elements before and after each run
    bool pad = false;
    uint64_t pad_value = 0;
};

struct Nd2NzArgs {
    DType type = DType::kHalf;
    Ref dst, src;
    uint16_t nd_num, n, d, src_matrix_stride, src_d, c0_stride, n_stride, dst_matrix_stride;
};

/// LoadData2D, in fractals of 512 bytes.
struct Load2dArgs {
    DType type = DType::kHalf;
    Ref dst, src;
    uint32_t start = 0, repeat = 0, src_stride = 0, dst_gap = 0;
    bool transpose = false, decrease = false;
};

/// LoadDataWithTranspose, in squares of `fractals` fractals.
struct LoadTransposeArgs {
    DType type = DType::kHalf;
    Ref dst, src;
    uint32_t start = 0, repeat = 0, src_stride = 0, dst_gap = 0, dst_frac_gap = 0, src_frac_gap = 0;
    bool decrease = false;
};

/// LoadData3Dv2 (image to column).
struct Load3dArgs {
    DType type = DType::kHalf;
    Ref dst, src;
    uint8_t pad[4];
    uint16_t l1_h, l1_w, channels, k_extension, m_extension, k_start, m_start;
    uint16_t filter_w, filter_h;
    uint8_t stride_w, stride_h, dilation_w, dilation_h;
    bool transpose, f_matrix_right;
    uint64_t pad_value;
};

/// LoadDataWithSparse: fractals of the dense matrix into L0B, their indices (128 bytes each) into a buffer of their
/// own.
struct LoadSparseArgs {
    Ref dst, src, index;
    uint32_t start = 0, repeat = 0;
};

/// InitConstValue on L1, L0A or L0B: `repeat` runs of `blocks` blocks (32 B in L1, 512 B in L0).
struct FillArgs {
    DType type = DType::kHalf;
    Ref dst;
    uint32_t repeat = 0, blocks = 0, gap = 0;
    uint64_t value = 0;
};

// ---------------------------------------------------------------------------------------------- cube
struct MmadArgs {
    DType c_type, a_type, b_type, bias_type = DType::kVoid;
    Ref c, a, b, bias;
    uint32_t m, n, k;
    uint8_t unit_flag = 0;
    bool sparse = false;                           // of each 4 elements of A the indices of B select 2
    bool k_align = false;                          // float A loaded transposed: K padded to 16 rows
    bool from_bias = false;                        // initial C is the bias
    bool init = true;                              // initial C is zero (ignored with from_bias)
    bool hf32 = false, hf32_ties_to_zero = false;  // filled in from the control register
};

enum class Quant : uint8_t { kNone, kF32ToF16, kF32ToBf16, kReq8, kVreq8, kDeqF16, kVdeqF16, kF32ToB8, kVF32ToB8 };

struct FixpipeArgs {
    DType src_type, dst_type;
    Ref dst, src, scale;  // scale: one 64-bit word per column in L1 (vector quantisation)
    bool row_major = true;
    bool has_scale = false;
    uint32_t n = 0, m = 0, src_stride = 0, dst_stride = 0, nd_num = 1, src_nd_stride = 0, dst_nd_stride = 0;
    Quant quant = Quant::kNone;
    uint64_t deq_scalar = 0;
    bool relu = false, channel_split = false;
    uint8_t unit_flag = 0;
};

// ---------------------------------------------------------------------------------------------- vector
enum class VecOp : uint8_t {
    kAdd,
    kSub,
    kMul,
    kDiv,
    kMax,
    kMin,
    kAnd,
    kOr,
    kAddRelu,
    kSubRelu,
    kMulAddDst,
    kFusedMulAdd,
    kFusedMulAddRelu,
    kMulCast,
    kAddReluCast,
    kSubReluCast,
    kAddDeqRelu,
    kAdds,
    kMuls,
    kMaxs,
    kMins,
    kLeakyRelu,
    kAxpy,
    kShiftLeft,
    kShiftRight,
    kExp,
    kLn,
    kAbs,
    kSqrt,
    kRsqrt,
    kReciprocal,
    kRelu,
    kNot,
    kCast,
    kCopy,
    kDuplicate,
    kCreateVecIndex,
    kCompare,
    kCompareScalar,
    kCompareToSpr,
    kGetCmpMask,
    kSetCmpMask,
    kSelect,
    kSelectScalar,
    kBrcb,
    kGather,
    kGatherb,
    kGatherMask,
    kTranspose,
    kBlockSum,
    kBlockMax,
    kBlockMin,
    kPairSum,
    kWholeSum,
    kWholeMax,
    kWholeMin,
    kTensorSum,
    kTensorMax,
    kTensorMin,
    kColumnSum,
    kColumnMax,
    kColumnMin,
    kBroadcast,
    kTransposeExt,
    kCastDequant,
    kSort32,
    kMergeSort,
    kCount
};

enum class MaskForm : uint8_t { kCount, kContiguous, kBits, kKeep };

enum class Round : uint8_t { kNone, kRint, kFloor, kCeil, kRound, kTrunc, kOdd };

struct Stride {
    uint32_t block = 1, repeat = 8;  // in 32-byte blocks
};

struct VectorArgs {
    VecOp op = VecOp::kAdd;
    DType dst_type = DType::kFloat, src_type = DType::kFloat;
    Ref dst, src0, src1;
    uint8_t sources = 0;
    MaskForm form = MaskForm::kKeep;
    uint64_t mask_low = 0, mask_high = 0;  // kContiguous: lanes in mask_low
    uint64_t count = 0;                    // kCount
    uint32_t repeat = 1;
    Stride dst_stride, src0_stride, src1_stride;
    uint64_t scalar = 0;  // bit pattern of a value of the scalar's type
    Round round = Round::kNone;
    uint8_t mode = 0;  // compare mode, select mode, reduce order, gather pattern
    uint32_t extra[4] = {0, 0, 0, 0};
    uint64_t* result = nullptr;  // GatherMask: number of elements kept
};

struct Vnchwconv {
    DType type;
    Ref dst[16], src[16];
    uint32_t repeat, dst_repeat_stride, src_repeat_stride;
    bool dst_high, src_high;
};

/// Sort32: groups of 32 scores with their indices.
struct SortArgs {
    DType type = DType::kFloat;
    Ref dst, src, index;
    uint32_t repeat = 1;
};

/// MrgSort: up to 4 sorted queues of (score, index) pairs of 8 bytes; `valid` has a bit per queue.
struct MergeArgs {
    DType type = DType::kFloat;
    Ref dst, src[4];
    uint16_t length[4] = {};
    uint16_t valid = 0;
    bool suspend = false;  // stop when a queue is exhausted
    uint32_t repeat = 1;
};

// ---------------------------------------------------------------------------------------------- calls
void copy(const CopyArgs&, const Loc&);
void nd2nz(const Nd2NzArgs&, const Loc&);
void load_2d(const Load2dArgs&, const Loc&);
void load_transpose(const LoadTransposeArgs&, const Loc&);
void load_3d(const Load3dArgs&, const Loc&);
void load_sparse(const LoadSparseArgs&, const Loc&);
void fill(const FillArgs&, const Loc&);
void mmad(const MmadArgs&, const Loc&);
void fixpipe(const FixpipeArgs&, const Loc&);
void vector(const VectorArgs&, const Loc&);
void vnchwconv(const Vnchwconv&, const Loc&);
void sort32(const SortArgs&, const Loc&);
void merge_sort(const MergeArgs&, const Loc&);
/// How many pairs the last MrgSort took from each queue.
void merged_counts(uint32_t* counts, const Loc&);

void set_flag(Pipe src, Pipe dst, int32_t id, const Loc&);
void wait_flag(Pipe src, Pipe dst, int32_t id, const Loc&);
void pipe_barrier(Pipe, const Loc&);
void cross_core_set(uint32_t mode, Pipe, uint32_t flag, const Loc&);
void cross_core_wait(uint32_t flag, const Loc&);
void sync_all(bool aiv_only, const Loc&);

// Between AIVs in software, through words in global memory of 32 bytes each (runtime/soft_sync.cc).
/// Waits until the word is `expected` and makes it `desired`: IBSet (0, 1) and IBWait (1, 0).
void soft_exchange(const Ref& gm, const Ref& ub, int32_t expected, int32_t desired, const Loc&);
/// SyncAll of the first `cores` AIVs (0: all).
void soft_sync_all(const Ref& gm, const Ref& ub, uint32_t cores, const Loc&);
/// AIVs in the order of their block: InitDetermineComputeWorkspace, WaitPreBlock, NotifyNextBlock.
void soft_order_init(const Ref& gm, const Ref& ub, const Loc&);
void soft_order_wait(const Ref& gm, const Ref& ub, const Loc&);
void soft_order_notify(const Ref& gm, const Ref& ub, const Loc&);
/// Counters, in `copies` places (one per reader).
void soft_add(const Ref& gm, uint32_t copies, uint32_t stride, int32_t value, const Loc&);
void soft_wait_for(const Ref& gm, int32_t value, bool exactly, const Loc&);
int32_t alloc_event(Pipe src, Pipe dst, bool reserve, const Loc&);
void release_event(Pipe src, Pipe dst, int32_t id, const Loc&);
/// All ids are free again (a new TPipe).
void release_all_events();

/// Scalar access to `bytes` bytes; returns the host address, or the address of a scratch word when refused.
/// cached: global memory through the data cache.
void* scalar_access(const Ref&, uint32_t bytes, bool write, bool cached, const Loc&);
/// DataCacheCleanAndInvalid of the line at a place in global memory, or of the whole cache.
void clean_data_cache(const Ref&, bool all, const Loc&);
/// Host address of a local memory of the running core (GetPhyAddr); not checked.
void* local_pointer(Memory, uint64_t offset);
/// The reverse for UB: byte offset of a host address.
uint64_t ub_offset(uint64_t host_address);

void set_mask_mode(bool counter, const Loc&);
void set_mask(uint64_t high, uint64_t low, const Loc&);
void set_mask_length(int64_t lanes, uint32_t lanes_per_repeat, const Loc&);

enum class Atomic : uint8_t { kNone, kAdd, kMax, kMin };
void set_atomic(Atomic, DType, const Loc&);
uint16_t atomic_config();  // number of the element type that stores to global memory add up, 0: none
void set_ctrl_bit(int bit, bool on, const Loc&);
uint64_t get_ctrl();
void set_deq_scale(float);
/// Scale, offset and sign of CastDequant, for all elements or, at a place in UB, for each of the 16 of a block.
void set_deq_config(uint64_t word);
void set_deq_table(const Ref&);
void set_pad_value(uint64_t bits);  // of LoadData3D
void set_load_repeat(uint32_t stride, uint32_t times, bool along_k);
void set_load_boundary(uint32_t bytes);
void set_copy_pad_value(uint64_t bits);  // of DataCopyPad
/// Bits of the last ReduceSum's result; of the last extreme over repeats, and its lane.
uint64_t reduced_sum(const Loc&);
void reduced_best(uint64_t* value, uint64_t* index, const Loc&);
void set_nd_state(uint32_t nd_num, uint32_t src_nd_stride, uint32_t dst_nd_stride);
void get_nd_state(uint32_t* nd_num, uint32_t* src_nd_stride, uint32_t* dst_nd_stride);
void set_prequant(uint64_t bits);
uint64_t get_prequant();
void set_fix_config(const Ref& scale, bool clear_unit_flags, const Loc& loc);
void set_hf32(bool enable);
void set_hf32_ties(bool towards_zero);
void set_f_matrix(uint16_t h, uint16_t w, const uint8_t* pad, bool right);
void scalar_note(const Loc&);  // a call with no effect on data (dcci, hints): costs issue time only

int64_t block_idx();  // of the AI core
int64_t block_num();
int64_t sub_block_idx();
int64_t sub_block_num();  // AIVs of this AI core on an AIV, 1 on an AIC
bool on_cube();
int64_t system_cycle();
void user_trap(const char* text, const Loc&);
void user_print(const char* text);

// TPipe state lives in the core so that GetTPipePtr() works without statics in the kernel.
void* core_slot(int index);
void set_core_slot(int index, void* value);

/// Host address of bytes for printing: bounds are checked, order and validity are not.
const void* dump_access(const Ref&, uint32_t bytes, const Loc&);
/// Tiling key of the launch, ~0: none was chosen.
uint64_t tiling_key();
void set_tiling_key(uint64_t);

/// Reports wrong use found by a header (alignment of a TBuf, ...).
void report(const char* error_class, const char* message, const Loc&);

// ---------------------------------------------------------------------------------------------- launch

/// KERNEL_TASK_TYPE number (ascendc/system.h): restarts the launch when it assumed another kind.
void kernel_task_type(int value, const Loc&);

struct KernelCall {
    void (*invoke)(const void* function, const void* args);  // unpacks args and calls the kernel
    const void* args;
    uint64_t arg_bytes;
};

/// Records the pass's instance of kernel `key` when its shared object is loaded. `uses_cube`: whether the source
/// mentions the cube side; if neither pass's does, a kernel of no declared kind runs on AIVs only.
bool register_kernel(const char* key, bool uses_cube, bool cube, const void* function);
/// Runs kernel `key` (both passes) on `blocks` AI cores and returns when it is finished.
void launch_kernel(const char* key, const char* name, const KernelCall&, uint64_t blocks);

}  // namespace twin

#pragma GCC visibility pop
