// SPDX-License-Identifier: BSD-3-Clause
// torch tensors as pointer, shape, strides and dtype, read through their Python attributes: no torch headers, no torch
// ABI.
#pragma once

#include <vector>

#include "api/arguments.h"
#include "binding/python.h"

namespace flash_attn_npu::binding {

// The names of torch this binding uses, looked up once per process.
struct Torch {
    Object tensor_type;
    Object uint8;
    Object dtypes[kNumDTypes];  // indexed by DType; null where this torch has no such dtype
    std::string dtype_names[kNumDTypes];
    Object get_num_threads;
    // Interned names: attribute access by them needs no hashing.
    Object is_cpu, device, dtype, shape, stride, data_ptr, contiguous, new_empty, item, cpu;

    static const Torch& get();
};

int32_t num_threads();

// Where the tensors of a call have to be.
class Placement {
public:
    static Placement on_cpu() { return Placement(Rule::kCpu); }
    static Placement with(PyObject* q);  // on the device of q, if q is a tensor
    static Placement anywhere() { return Placement(Rule::kAnywhere); }

    // Raises NotImplementedError (for q) or ValueError (for the others, which must be where q is).
    void check(const char* name, PyObject* tensor) const;

private:
    enum class Rule { kCpu, kDevice, kAnywhere };
    explicit Placement(Rule rule) : rule_(rule) {}
    Rule rule_;
    Object device_;
};

// `o` is None or missing: an undefined argument. Anything but a tensor raises TypeError; a tensor in a wrong place
// raises what Placement says.
api::TensorArgument read_tensor(const char* name, PyObject* o, const Placement& placement);

// As read_tensor, but a tensor whose last dimension is not contiguous is replaced by a contiguous copy, kept alive in
// `copies`: for inputs that are only read, as flash-attn does.
api::TensorArgument read_tensor_contiguous(const char* name, PyObject* o, const Placement& placement,
                                           std::vector<Object>& copies);

// The same contents in memory of the host, kept alive in `copies`; waits for the device.
api::TensorArgument copy_to_host(const char* name, PyObject* tensor, std::vector<Object>& copies);

// A new uninitialised tensor on the device of `like`.
Object new_empty(PyObject* like, const std::vector<int64_t>& shape, DType dtype);
Object new_empty_bytes(PyObject* like, int64_t bytes);
void* data_ptr(PyObject* tensor);

// Scalars. Each raises TypeError that names the argument; ints may be 0-dim tensors.
int64_t read_int(const char* name, PyObject* o);
double read_float(const char* name, PyObject* o);
bool read_bool(const char* name, PyObject* o);

}  // namespace flash_attn_npu::binding
