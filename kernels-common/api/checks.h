// SPDX-License-Identifier: BSD-3-Clause
// Checks that several arguments share, and tensors as the backends address them.
#pragma once

#include <limits>

#include "api/arguments.h"
#include "api/error.h"
#include "flash_attn_npu/request.h"

namespace flash_attn_npu::api {

constexpr int64_t kMaxInt32 = std::numeric_limits<int32_t>::max();

inline std::string text(int64_t value) { return std::to_string(value); }

inline std::string text(const std::vector<int64_t>& shape) {
    std::string s = "(";
    for (size_t i = 0; i < shape.size(); ++i) s += (i ? ", " : "") + text(shape[i]);
    return s + (shape.size() == 1 ? ",)" : ")");
}

inline void check_given(const TensorArgument& t) {
    if (!t) throw ArgumentError(ErrorKind::kType, t.name, "None", "a torch.Tensor");
}

inline void check_rank(const TensorArgument& t, int rank, const char* dimensions) {
    if (t.rank() != rank) bad_value(t.name, "shape " + t.shape_text(), std::string("shape ") + dimensions);
}

inline void check_shape(const TensorArgument& t, const std::vector<int64_t>& shape, const char* dimensions) {
    if (t.shape != shape) {
        bad_value(t.name, "shape " + t.shape_text(), "shape " + text(shape) + " = " + dimensions);
    }
}

inline void check_dtype_of_q(const TensorArgument& t, const TensorArgument& q) {
    if (t.dtype != q.dtype) {
        throw ArgumentError(ErrorKind::kType, t.name, "dtype " + t.dtype_name, q.dtype_name + " (the dtype of q)");
    }
}

inline void check_dtype(const TensorArgument& t, DType dtype, const char* name) {
    if (t.dtype != dtype) throw ArgumentError(ErrorKind::kType, t.name, "dtype " + t.dtype_name, name);
}

inline void check_last_dim_contiguous(const TensorArgument& t) {
    // A dimension of one element, or a tensor without elements, may carry any stride.
    if (t.size(-1) <= 1) return;
    for (int64_t n : t.shape) {
        if (n == 0) return;
    }
    if (t.stride(-1) != 1) {
        bad_value(t.name, "stride " + text(t.stride(-1)) + " in the last dimension",
                  "1: the last dimension must be contiguous");
    }
}

// cache_seqlens, cu_seqlens_*, cache_batch_idx ...: int32 vectors.
inline void check_index_vector(const TensorArgument& t, int64_t size, const char* dimensions) {
    check_dtype(t, DType::kInt32, "torch.int32");
    check_shape(t, {size}, dimensions);
    if (size > 1 && t.stride(0) != 1) bad_value(t.name, "stride " + text(t.stride(0)), "a contiguous tensor");
}

inline const int32_t* int32_data(const TensorArgument& t) { return t ? static_cast<const int32_t*>(t.data) : nullptr; }

inline RowTensor row_tensor(const TensorArgument& t, bool packed) {
    RowTensor r;
    if (!t) return r;
    r.data = t.data;
    r.stride_batch = packed ? 0 : t.stride(0);
    r.stride_row = t.stride(-3);
    r.stride_head = t.stride(-2);
    return r;
}

inline KvTensor kv_tensor(const TensorArgument& t) { return KvTensor{t.data, t.stride(0), t.stride(1), t.stride(2)}; }

inline void check_fits_int32(const TensorArgument& t, int dim) {
    if (t.size(dim) > kMaxInt32) bad_value(t.name, "shape " + t.shape_text(), "sizes below 2^31");
}

}  // namespace flash_attn_npu::api
