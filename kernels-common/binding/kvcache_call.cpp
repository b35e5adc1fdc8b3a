#include "binding/kvcache_call.h"

#include <new>

#include "api/error.h"
#include "api/kvcache.h"
#include "cpu/backend.h"

namespace flash_attn_npu::binding {

namespace {

using api::ArgumentError;
using api::ErrorKind;

PyObject* exception_of(ErrorKind kind) {
    switch (kind) {
        case ErrorKind::kType: return PyExc_TypeError;
        case ErrorKind::kNotImplemented: return PyExc_NotImplementedError;
        case ErrorKind::kValue: break;
    }
    return PyExc_ValueError;
}

void compute(const Problem& problem, const Backend& backend) {
    const int32_t threads = num_threads();
    BackendStatus status;
    PyThreadState* const state = PyEval_SaveThread();
    backend.forward(&problem, threads, nullptr, &status);
    PyEval_RestoreThread(state);
    if (status.code != 0) {
        PyErr_SetString(PyExc_RuntimeError, status.message);
        throw PythonError{};
    }
}

}  // namespace

ArgumentReader::ArgumentReader(PyObject* args, Py_ssize_t count) : args_(args) {
    if (PyTuple_Size(args) == count) return;
    PyErr_Format(PyExc_TypeError, "expected %zd arguments, got %zd", count, PyTuple_Size(args));
    throw PythonError{};
}

std::optional<int64_t> ArgumentReader::optional_integer(const char* name) {
    PyObject* o = next();
    if (o == Py_None) return std::nullopt;
    return read_int(name, o);
}

std::optional<double> ArgumentReader::optional_number(const char* name) {
    PyObject* o = next();
    if (o == Py_None) return std::nullopt;
    return read_float(name, o);
}

void ArgumentReader::cache_seqlens(api::KvCacheArguments& arguments) {
    PyObject* o = next();
    if (PyLong_Check(o)) {
        arguments.cache_seqlens_int = read_int("cache_seqlens", o);
    } else {
        arguments.cache_seqlens = read_tensor("cache_seqlens", o);
    }
}

void set_python_error_from_current_exception() {
    try {
        throw;
    } catch (const PythonError&) {
        // already set
    } catch (const ArgumentError& error) {
        PyErr_SetString(exception_of(error.kind()), error.what());
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    } catch (const std::exception& error) {
        PyErr_SetString(PyExc_RuntimeError, error.what());
    }
}

PyObject* run_kvcache(const api::KvCacheArguments& arguments, PyObject* q, Results results) {
    Problem problem = api::problem_from_arguments(arguments);
    if (results == Results::kOutLsePartials && problem.num_splits < 2) {
        throw ArgumentError(ErrorKind::kValue, "num_splits", std::to_string(problem.num_splits), "at least 2");
    }
    api::check_contents(arguments, problem);

    Object out = new_empty(q, api::out_shape(problem), problem.out_dtype);
    Object lse = new_empty(q, api::softmax_lse_shape(problem), DType::kFloat32);
    api::set_outputs(problem, data_ptr(out.get()), static_cast<float*>(data_ptr(lse.get())));
    if (results == Results::kOutLse) {
        compute(problem, cpu::backend());
        return PyTuple_Pack(2, out.get(), lse.get());
    }
    Object out_accum = new_empty(q, api::out_accum_shape(problem), DType::kFloat32);
    Object lse_accum = new_empty(q, api::lse_accum_shape(problem), DType::kFloat32);
    problem.out_accum = static_cast<float*>(data_ptr(out_accum.get()));
    problem.lse_accum = static_cast<float*>(data_ptr(lse_accum.get()));
    compute(problem, cpu::backend());
    return PyTuple_Pack(4, out.get(), lse.get(), out_accum.get(), lse_accum.get());
}

}  // namespace flash_attn_npu::binding
