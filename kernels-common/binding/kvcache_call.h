// SPDX-License-Identifier: BSD-3-Clause
// From Python arguments to a finished call of flash_attn_with_kvcache, the same for both wheels.
#pragma once

#include "api/arguments.h"
#include "binding/fields.h"
#include "binding/torch_tensor.h"

namespace flash_attn_npu::binding {

// The positional arguments of one call.
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

    // The next argument, as `field` says.
    void read(const Field& field, api::KvCacheArguments& arguments);

    // `arguments` with every tensor that was read as Field::Read::kContents copied to the host; waits for the device.
    api::KvCacheArguments on_host(api::KvCacheArguments arguments);

private:
    PyObject* args_;
    Py_ssize_t position_ = 0;
    Placement placement_;
    PyObject* current_stream_ = nullptr;
    std::vector<Object> copies_;  // alive until the call is over
    std::vector<std::pair<const Field*, PyObject*>> contents_;
};

// Runs `body` and turns C++ errors into Python exceptions.
template <class Body>
PyObject* guarded(Body body);

enum class Results {
    kOutLse,          // (out, softmax_lse)
    kOutLsePartials,  // (out, softmax_lse, out_accum, softmax_lse_accum); needs num_splits > 1
};

// Reads the arguments of `signature`, validates, allocates like q, computes with the GIL released.
//
// Tensors on an NPU go to the device library; tensors on the cpu to the cpu backend, or with
// FLASH_ATTN_NPU_BACKEND=device to the device library if that works on host memory (the twin). Contents of tensors on
// an NPU are checked under
// FLASH_ATTN_NPU_DEBUG=1 only: reading them makes the host wait.
PyObject* run_kvcache(api::Version version, const Signature& signature, PyObject* args, Results results);

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
