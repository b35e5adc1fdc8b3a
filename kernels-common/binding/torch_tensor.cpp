// SPDX-License-Identifier: BSD-3-Clause
#include "binding/torch_tensor.h"

#include <cmath>

#include "api/error.h"

namespace flash_attn_npu::binding {

namespace {

using api::ArgumentError;
using api::ErrorKind;

Object attribute(PyObject* o, const Object& name) { return Object::take(PyObject_GetAttr(o, name.get())); }

Object call_method(PyObject* o, const Object& name) {
    return Object::take(PyObject_CallMethodObjArgs(o, name.get(), nullptr));
}

std::string text_of(PyObject* o) {
    const Object text = Object::take(PyObject_Str(o));
    const Object bytes = Object::take(PyUnicode_AsUTF8String(text.get()));
    return PyBytes_AsString(bytes.get());
}

std::string type_name(PyObject* o) {
    const Object name = Object::take(PyObject_GetAttrString(reinterpret_cast<PyObject*>(Py_TYPE(o)), "__name__"));
    return text_of(name.get());
}

bool is_tensor(PyObject* o) {
    const int result = PyObject_IsInstance(o, Torch::get().tensor_type.get());
    if (result < 0) throw PythonError{};
    return result == 1;
}

bool truth(PyObject* o) {
    const int result = PyObject_IsTrue(o);
    if (result < 0) throw PythonError{};
    return result == 1;
}

std::vector<int64_t> int_tuple(PyObject* tuple) {
    const Py_ssize_t n = PyTuple_Size(tuple);
    if (n < 0) throw PythonError{};
    std::vector<int64_t> values(static_cast<size_t>(n));
    for (Py_ssize_t i = 0; i < n; ++i) {
        values[i] = PyLong_AsLongLong(PyTuple_GetItem(tuple, i));
        if (values[i] == -1 && PyErr_Occurred()) throw PythonError{};
    }
    return values;
}

DType dtype_of(PyObject* dtype) {
    const Torch& torch = Torch::get();
    for (int32_t i = 0; i < kNumDTypes; ++i) {
        if (torch.dtypes[i].get() == dtype) return static_cast<DType>(i);
    }
    return DType::kOther;
}

Torch load() {
    Torch t;
    const Object torch = Object::take(PyImport_ImportModule("torch"));
    t.tensor_type = Object::take(PyObject_GetAttrString(torch.get(), "Tensor"));
    const std::pair<DType, const char*> names[] = {{DType::kFloat16, "float16"},
                                                   {DType::kBFloat16, "bfloat16"},
                                                   {DType::kFloat32, "float32"},
                                                   {DType::kFloat8E4M3, "float8_e4m3fn"},
                                                   {DType::kInt32, "int32"}};
    static_assert(sizeof(names) / sizeof(names[0]) == kNumDTypes, "every dtype but kOther");
    for (const auto& [known, name] : names) {
        PyObject* dtype = PyObject_GetAttrString(torch.get(), name);
        if (dtype == nullptr) {
            PyErr_Clear();  // an older torch without float8
            continue;
        }
        t.dtypes[static_cast<int32_t>(known)] = Object::take(dtype);
        t.dtype_names[static_cast<int32_t>(known)] = text_of(dtype);
    }
    t.uint8 = Object::take(PyObject_GetAttrString(torch.get(), "uint8"));
    t.get_num_threads = Object::take(PyObject_GetAttrString(torch.get(), "get_num_threads"));
    const std::pair<Object*, const char*> interned[] = {
        {&t.is_cpu, "is_cpu"}, {&t.device, "device"},     {&t.dtype, "dtype"},           {&t.shape, "shape"},
        {&t.stride, "stride"}, {&t.data_ptr, "data_ptr"}, {&t.contiguous, "contiguous"}, {&t.new_empty, "new_empty"},
        {&t.item, "item"},     {&t.cpu, "cpu"},
    };
    for (const auto& [object, name] : interned) *object = Object::take(PyUnicode_InternFromString(name));
    return t;
}

api::TensorArgument describe(const char* name, PyObject* o) {
    const Torch& torch = Torch::get();
    api::TensorArgument t;
    t.name = name;
    t.defined = true;
    const Object dtype = attribute(o, torch.dtype);
    t.dtype = dtype_of(dtype.get());
    t.dtype_name = t.dtype == DType::kOther ? text_of(dtype.get()) : torch.dtype_names[static_cast<int>(t.dtype)];
    t.shape = int_tuple(attribute(o, torch.shape).get());
    t.strides = int_tuple(call_method(o, torch.stride).get());
    t.data = data_ptr(o);
    return t;
}

Object new_empty_of(PyObject* like, const std::vector<int64_t>& shape, PyObject* dtype) {
    const Torch& torch = Torch::get();
    Object size = Object::take(PyTuple_New(static_cast<Py_ssize_t>(shape.size())));
    for (size_t i = 0; i < shape.size(); ++i) {
        if (PyTuple_SetItem(size.get(), static_cast<Py_ssize_t>(i), PyLong_FromLongLong(shape[i])) != 0) {
            throw PythonError{};
        }
    }
    const Object method = attribute(like, torch.new_empty);
    const Object args = Object::take(PyTuple_Pack(1, size.get()));
    const Object kwargs = Object::take(PyDict_New());
    if (PyDict_SetItem(kwargs.get(), torch.dtype.get(), dtype) != 0) throw PythonError{};
    return Object::take(PyObject_Call(method.get(), args.get(), kwargs.get()));
}

}  // namespace

const Torch& Torch::get() {
    // Leaked: the interpreter may be gone when static destructors run.
    static const Torch* const torch = new Torch(load());
    return *torch;
}

int32_t num_threads() {
    const Object n = Object::take(PyObject_CallObject(Torch::get().get_num_threads.get(), nullptr));
    return static_cast<int32_t>(PyLong_AsLong(n.get()));
}

void* data_ptr(PyObject* tensor) {
    const Object address = call_method(tensor, Torch::get().data_ptr);
    void* data = PyLong_AsVoidPtr(address.get());
    if (data == nullptr && PyErr_Occurred()) throw PythonError{};
    return data;
}

Placement Placement::with(PyObject* q) {
    Placement placement(Rule::kDevice);
    if (is_tensor(q)) placement.device_ = attribute(q, Torch::get().device);
    return placement;
}

void Placement::check(const char* name, PyObject* tensor) const {
    if (rule_ == Rule::kAnywhere) return;
    if (rule_ == Rule::kCpu && truth(attribute(tensor, Torch::get().is_cpu).get())) return;
    const Object device = attribute(tensor, Torch::get().device);
    std::string expected = "cpu";
    if (rule_ == Rule::kDevice) {
        if (!device_) return;  // q is no tensor: an error of its own
        const int same = PyObject_RichCompareBool(device.get(), device_.get(), Py_EQ);
        if (same < 0) throw PythonError{};
        if (same == 1) return;
        expected = text_of(device_.get());
    }
    const std::string got = "a tensor on " + text_of(device.get());
    if (std::string(name) != "q") {
        throw ArgumentError(ErrorKind::kValue, name, got, "one on " + expected + " (the device of q)");
    }
    throw ArgumentError(ErrorKind::kNotImplemented, name, got, "a tensor on cpu or npu: no backend for that device");
}

api::TensorArgument read_tensor(const char* name, PyObject* o, const Placement& placement) {
    if (o == nullptr || o == Py_None) {
        api::TensorArgument undefined;
        undefined.name = name;
        return undefined;
    }
    if (!is_tensor(o)) throw ArgumentError(ErrorKind::kType, name, type_name(o), "a torch.Tensor");
    placement.check(name, o);
    return describe(name, o);
}

api::TensorArgument read_tensor_contiguous(const char* name, PyObject* o, const Placement& placement,
                                           std::vector<Object>& copies) {
    api::TensorArgument t = read_tensor(name, o, placement);
    if (!t || t.rank() == 0 || t.size(-1) <= 1 || t.stride(-1) == 1) return t;
    copies.push_back(call_method(o, Torch::get().contiguous));
    return describe(name, copies.back().get());
}

api::TensorArgument copy_to_host(const char* name, PyObject* tensor, std::vector<Object>& copies) {
    copies.push_back(call_method(tensor, Torch::get().cpu));
    return describe(name, copies.back().get());
}

Object new_empty(PyObject* like, const std::vector<int64_t>& shape, DType dtype) {
    return new_empty_of(like, shape, Torch::get().dtypes[static_cast<int>(dtype)].get());
}

Object new_empty_bytes(PyObject* like, int64_t bytes) { return new_empty_of(like, {bytes}, Torch::get().uint8.get()); }

int64_t read_int(const char* name, PyObject* o) {
    Object item;
    if (!PyLong_Check(o) && is_tensor(o)) {
        item = call_method(o, Torch::get().item);  // its own error says when there is more than one element
        o = item.get();
    }
    PyObject* index = PyNumber_Index(o);
    if (index == nullptr) {
        PyErr_Clear();
        throw ArgumentError(ErrorKind::kType, name, type_name(o), "an int");
    }
    const Object owned = Object::take(index);
    const int64_t value = PyLong_AsLongLong(index);
    if (value == -1 && PyErr_Occurred()) {
        PyErr_Clear();
        throw ArgumentError(ErrorKind::kValue, name, text_of(index), "an int that fits 64 bits");
    }
    return value;
}

double read_float(const char* name, PyObject* o) {
    Object item;
    if (!PyFloat_Check(o) && is_tensor(o)) {
        item = call_method(o, Torch::get().item);
        o = item.get();
    }
    const double value = PyFloat_AsDouble(o);
    if (value == -1.0 && PyErr_Occurred()) {
        PyErr_Clear();
        throw ArgumentError(ErrorKind::kType, name, type_name(o), "a float");
    }
    return value;
}

bool read_bool(const char* name, PyObject* o) {
    if (o == Py_True || o == Py_False) return o == Py_True;
    return read_int(name, o) != 0;
}

}  // namespace flash_attn_npu::binding
