// SPDX-License-Identifier: BSD-3-Clause
// Python.h as every binding file needs it, and the two ownership helpers the limited API makes worthwhile.
#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <utility>

namespace flash_attn_npu::binding {

// Thrown when a Python exception is already set.
struct PythonError {};

// An owned reference.
class Object {
public:
    Object() = default;
    // Takes over a new reference; a null one means that the call that should have made it failed.
    static Object take(PyObject* o) {
        if (o == nullptr) throw PythonError{};
        return Object(o);
    }
    Object(Object&& other) noexcept : o_(std::exchange(other.o_, nullptr)) {}
    Object& operator=(Object&& other) noexcept {
        std::swap(o_, other.o_);
        return *this;
    }
    Object(const Object&) = delete;
    Object& operator=(const Object&) = delete;
    ~Object() { Py_XDECREF(o_); }

    PyObject* get() const { return o_; }
    PyObject* release() { return std::exchange(o_, nullptr); }
    explicit operator bool() const { return o_ != nullptr; }

private:
    explicit Object(PyObject* o) : o_(o) {}
    PyObject* o_ = nullptr;
};

}  // namespace flash_attn_npu::binding
