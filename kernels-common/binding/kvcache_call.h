// SPDX-License-Identifier: BSD-3-Clause
// From Python arguments to a finished call of flash_attn_with_kvcache, the same for both wheels.
#pragma once

#include "api/arguments.h"
#include "binding/torch_tensor.h"

namespace flash_attn_npu::binding {

// The positional arguments of one call, read by position with the name the API gives them.
class ArgumentReader {
public:
    // Throws PythonError unless `args` has exactly `count` elements: only our own Python code calls this.
    ArgumentReader(PyObject* args, Py_ssize_t count, Placement placement);

    // For a call that computes: the first argument is q, and the last one `current_stream`. None: tensors are on the
    // cpu. A callable: they are on an NPU, the one of q, and it returns the stream as an integer.
    static ArgumentReader of_call(PyObject* args, Py_ssize_t count);

    PyObject* next() { return PyTuple_GetItem(args_, position_++); }
    PyObject* q() const { return PyTuple_GetItem(args_, 0); }
    // Null: on the cpu.
    PyObject* current_stream() const { return current_stream_; }

    // Tensors that are only read: copied when their last dimension is not contiguous.
    api::TensorArgument input(const char* name) { return read_tensor_contiguous(name, next(), placement_, copies_); }
    // Tensors that are written or so large that a silent copy would be wrong.
    api::TensorArgument in_place(const char* name) { return read_tensor(name, next(), placement_); }
    // Small tensors whose contents check_contents reads.
    api::TensorArgument contents(const char* name) { return contents(name, next()); }
    int64_t integer(const char* name) { return read_int(name, next()); }
    double number(const char* name) { return read_float(name, next()); }
    bool flag(const char* name) { return read_bool(name, next()); }
    std::optional<int64_t> optional_integer(const char* name);
    std::optional<double> optional_number(const char* name);
    // cache_seqlens is None, an int or a tensor.
    void cache_seqlens(api::KvCacheArguments& arguments);

    // `arguments` with every tensor that was read by contents() copied to the host; waits for the device.
    api::KvCacheArguments on_host(api::KvCacheArguments arguments);

private:
    api::TensorArgument contents(const char* name, PyObject* o);

    PyObject* args_;
    Py_ssize_t position_ = 0;
    Placement placement_;
    PyObject* current_stream_ = nullptr;
    std::vector<Object> copies_;  // alive until the call is over
    std::vector<std::pair<const char*, PyObject*>> contents_;
};

// Runs `body` and turns C++ errors into Python exceptions.
template <class Body>
PyObject* guarded(Body body);

enum class Results {
    kOutLse,          // (out, softmax_lse)
    kOutLsePartials,  // (out, softmax_lse, out_accum, softmax_lse_accum); needs num_splits > 1
};

// Validates, allocates like q, computes with the GIL released.
//
// Tensors on an NPU go to the device library; tensors on the cpu to the cpu backend, or with
// FLASH_ATTN_NPU_BACKEND=device to the device library if that works on host memory (the twin). Contents of tensors on
// an NPU are checked under
// FLASH_ATTN_NPU_DEBUG=1 only: reading them makes the host wait.
PyObject* run_kvcache(const api::KvCacheArguments& arguments, ArgumentReader& in, Results results);

void set_python_error_from_current_exception();

template <class Body>
PyObject* guarded(Body body) {
    try {
        return body();
    } catch (...) {
        set_python_error_from_current_exception();
        return nullptr;
    }
}

}  // namespace flash_attn_npu::binding
