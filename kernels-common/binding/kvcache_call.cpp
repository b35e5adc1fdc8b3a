// SPDX-License-Identifier: BSD-3-Clause
#include "binding/kvcache_call.h"

#include <cstdlib>
#include <cstring>
#include <new>
#include <stdexcept>

#include "api/error.h"
#include "api/kvcache.h"
#include "binding/device_library.h"
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

bool is_set(const char* variable, const char* value) {
    const char* found = std::getenv(variable);
    return found != nullptr && std::strcmp(found, value) == 0;
}

const Backend& backend_for(const ArgumentReader& in) {
    if (in.current_stream() != nullptr) return *device_library().backend;
    const char* wanted = std::getenv("FLASH_ATTN_NPU_BACKEND");
    if (wanted == nullptr || *wanted == '\0' || std::strcmp(wanted, "cpu") == 0) return cpu::backend();
    if (std::strcmp(wanted, "device") != 0) {
        throw ArgumentError(ErrorKind::kValue, "FLASH_ATTN_NPU_BACKEND", wanted, "cpu or device");
    }
    const DeviceLibrary& library = device_library();
    if (!library.backend->host_memory) {
        throw std::runtime_error("FLASH_ATTN_NPU_BACKEND=device: q is on the cpu, and " + library.path +
                                 " works on tensors of an NPU");
    }
    return *library.backend;
}

void raise_if_failed(const BackendStatus& status) {
    if (status.code == BackendStatus::kOk) return;
    const bool refused = status.code == BackendStatus::kNotImplemented;
    PyErr_SetString(refused ? PyExc_NotImplementedError : PyExc_RuntimeError, status.message);
    throw PythonError{};
}

// The stream is asked for last: torch_npu's own queue is empty then, and nothing of this call can come after it.
void compute(const Forward& request, const Backend& backend, const ArgumentReader& in) {
    Execution execution;
    execution.threads = num_threads();
    BackendStatus status;
    execution.workspace_bytes = backend.workspace_bytes(&request, &status);
    raise_if_failed(status);
    Object workspace;
    if (execution.workspace_bytes > 0) {
        workspace = new_empty_bytes(in.q(), static_cast<int64_t>(execution.workspace_bytes));
        execution.workspace = data_ptr(workspace.get());
    }
    if (in.current_stream() != nullptr) {
        const Object stream = Object::take(PyObject_CallObject(in.current_stream(), nullptr));
        execution.stream = reinterpret_cast<void*>(static_cast<intptr_t>(read_int("current_stream", stream.get())));
    }
    PyThreadState* const state = PyEval_SaveThread();
    backend.forward(&request, &execution, &status);
    PyEval_RestoreThread(state);
    raise_if_failed(status);
}

void check_contents(const api::KvCacheArguments& arguments, const Forward& request, ArgumentReader& in) {
    if (in.current_stream() == nullptr) return api::check_contents(arguments, request);
    if (!is_set("FLASH_ATTN_NPU_DEBUG", "1")) return;
    const api::KvCacheArguments on_host = in.on_host(arguments);
    api::check_contents(on_host, api::forward_from_arguments(on_host));
}

}  // namespace

ArgumentReader::ArgumentReader(PyObject* args, Py_ssize_t count, Placement placement)
    : args_(args), placement_(std::move(placement)) {
    if (PyTuple_Size(args) == count) return;
    PyErr_Format(PyExc_TypeError, "expected %zd arguments, got %zd", count, PyTuple_Size(args));
    throw PythonError{};
}

ArgumentReader ArgumentReader::of_call(PyObject* args, Py_ssize_t count) {
    ArgumentReader in(args, count, Placement::on_cpu());
    PyObject* stream = PyTuple_GetItem(args, count - 1);
    if (stream != Py_None) {
        in.current_stream_ = stream;
        in.placement_ = Placement::with(in.q());
    }
    return in;
}

api::KvCacheArguments ArgumentReader::on_host(api::KvCacheArguments a) {
    for (const auto& [field, tensor] : contents_) a.*field->tensor = copy_to_host(field->shown, tensor, copies_);
    return a;
}

void ArgumentReader::read(const Field& field, api::KvCacheArguments& a) {
    PyObject* o = next();
    const char* name = field.shown;
    switch (field.read) {
        case Field::Read::kInput: a.*field.tensor = read_tensor_contiguous(name, o, placement_, copies_); break;
        case Field::Read::kInPlace: a.*field.tensor = read_tensor(name, o, placement_); break;
        case Field::Read::kContents:
            a.*field.tensor = read_tensor(name, o, placement_);
            if (a.*field.tensor) contents_.emplace_back(&field, o);
            break;
        case Field::Read::kInteger: a.*field.integer = read_int(name, o); break;
        case Field::Read::kOptionalInteger:
            if (o != Py_None) a.*field.optional_integer = read_int(name, o);
            break;
        case Field::Read::kNumber: a.*field.number = read_float(name, o); break;
        case Field::Read::kOptionalNumber:
            if (o != Py_None) a.*field.optional_number = read_float(name, o);
            break;
        case Field::Read::kFlag: a.*field.flag = read_bool(name, o); break;
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

PyObject* run_kvcache(api::Version version, const Signature& signature, PyObject* args, Results results) {
    ArgumentReader in = ArgumentReader::of_call(args, signature.call_size());
    api::KvCacheArguments arguments;
    arguments.version = version;
    signature.read(in, arguments);
    const Backend& backend = backend_for(in);
    Forward request = api::forward_from_arguments(arguments);
    if (results == Results::kOutLsePartials && request.num_splits < 2) {
        throw ArgumentError(ErrorKind::kValue, "num_splits", std::to_string(request.num_splits), "at least 2");
    }
    BackendStatus status;
    backend.check(&request, &status);
    raise_if_failed(status);
    check_contents(arguments, request, in);

    Object out = new_empty(in.q(), api::out_shape(request), request.out_dtype);
    Object lse = new_empty(in.q(), api::softmax_lse_shape(request), DType::kFloat32);
    api::set_outputs(request, data_ptr(out.get()), static_cast<float*>(data_ptr(lse.get())));
    if (results == Results::kOutLse) {
        compute(request, backend, in);
        return PyTuple_Pack(2, out.get(), lse.get());
    }
    Object out_accum = new_empty(in.q(), api::out_accum_shape(request), DType::kFloat32);
    Object lse_accum = new_empty(in.q(), api::lse_accum_shape(request), DType::kFloat32);
    request.out_accum = static_cast<float*>(data_ptr(out_accum.get()));
    request.lse_accum = static_cast<float*>(data_ptr(lse_accum.get()));
    compute(request, backend, in);
    return PyTuple_Pack(4, out.get(), lse.get(), out_accum.get(), lse_accum.get());
}

}  // namespace flash_attn_npu::binding
