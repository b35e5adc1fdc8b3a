// From Python arguments to a finished call of flash_attn_with_kvcache, the same for both wheels.
#pragma once

#include "api/arguments.h"
#include "binding/torch_tensor.h"

namespace flash_attn_npu::binding {

// The positional arguments of one call, read by position with the name the API gives them.
class ArgumentReader {
public:
    // Throws PythonError unless `args` has exactly `count` elements: only our own Python code calls this.
    ArgumentReader(PyObject* args, Py_ssize_t count);

    PyObject* next() { return PyTuple_GetItem(args_, position_++); }

    // Tensors that are only read: copied when their last dimension is not contiguous.
    api::TensorArgument input(const char* name) { return read_tensor_contiguous(name, next(), copies_); }
    // Tensors that are written or so large that a silent copy would be wrong.
    api::TensorArgument in_place(const char* name) { return read_tensor(name, next()); }
    int64_t integer(const char* name) { return read_int(name, next()); }
    double number(const char* name) { return read_float(name, next()); }
    bool flag(const char* name) { return read_bool(name, next()); }
    std::optional<int64_t> optional_integer(const char* name);
    std::optional<double> optional_number(const char* name);
    // cache_seqlens is None, an int or a tensor.
    void cache_seqlens(api::KvCacheArguments& arguments);

private:
    PyObject* args_;
    Py_ssize_t position_ = 0;
    std::vector<Object> copies_;  // alive until the call is over
};

// Runs `body` and turns C++ errors into Python exceptions.
template <class Body>
PyObject* guarded(Body body);

enum class Results {
    kOutLse,          // (out, softmax_lse)
    kOutLsePartials,  // (out, softmax_lse, out_accum, softmax_lse_accum); needs num_splits > 1
};

// Validates, allocates like `q`, computes with the GIL released.
PyObject* run_kvcache(const api::KvCacheArguments& arguments, PyObject* q, Results results);

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
