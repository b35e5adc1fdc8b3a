// SPDX-License-Identifier: BSD-3-Clause
// What aclnn operators take, seen as torch's own types over the same memory, and how an operator reaches its stream.
//
// An operator has two C functions: NAMEGetWorkspaceSize(arguments..., &bytes, &executor), where the arguments are
// handles that the caller destroys when NAME has returned, and NAME(workspace, bytes, executor, stream), which
// enqueues.
#pragma once

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "acl_types.h"

namespace acl_emulation::operators {

// Base of everything a handle may point to: lives until the last task that names it has run.
struct Object {
    virtual ~Object() = default;
    void retain() { ++references; }
    void release() {
        if (--references == 0) delete this;
    }
    std::atomic<int> references{1};
};

struct TensorObject : Object {
    at::Tensor tensor;  // not touched before the task runs: the bytes belong to the device
    void* data = nullptr;
};
struct ScalarObject : Object {
    at::Scalar value;
};
struct IntArrayObject : Object {
    std::vector<int64_t> values;
};
struct BoolArrayObject : Object {
    std::vector<bool> values;
};
struct TensorListObject : Object {
    std::vector<TensorObject*> tensors;  // owned, as in ACL
    ~TensorListObject() override;
};

at::ScalarType scalar_type(int acl_type);

// Parameter types of the operators: one pointer each, as the C interface passes it.
template <class T>
struct Handle {
    T* object;
    bool defined() const { return object != nullptr; }
};
struct Tensor : Handle<TensorObject> {
    operator at::Tensor() const { return object ? object->tensor : at::Tensor(); }
    const at::Tensor& operator*() const { return object->tensor; }
    const at::Tensor* operator->() const { return &object->tensor; }
};
struct Scalar : Handle<ScalarObject> {
    operator at::Scalar() const { return object->value; }
    const at::Scalar& operator*() const { return object->value; }
};
struct Ints : Handle<IntArrayObject> {
    at::IntArrayRef operator*() const { return object->values; }
};
struct Tensors : Handle<TensorListObject> {
    std::vector<at::Tensor> operator*() const {
        std::vector<at::Tensor> list;
        for (const TensorObject* tensor : object->tensors) list.push_back(tensor ? tensor->tensor : at::Tensor());
        return list;
    }
};

struct Executor {
    const char* name;
    std::vector<Object*> handles;
    std::function<void()> run;
};

inline void collect(std::vector<Object*>&) {}
template <class First, class... Rest>
void collect(std::vector<Object*>& handles, const First& first, const Rest&... rest) {
    if constexpr (std::is_base_of_v<Handle<TensorObject>, First> || std::is_base_of_v<Handle<ScalarObject>, First> ||
                  std::is_base_of_v<Handle<IntArrayObject>, First> ||
                  std::is_base_of_v<Handle<TensorListObject>, First>) {
        if (first.defined()) handles.push_back(first.object);
    }
    collect(handles, rest...);
}

// Makes the executor of one call; keeps the handles among `arguments` alive until it has run.
template <class... Arguments>
Executor* prepare(const char* name, std::function<void()> run, const Arguments&... arguments) {
    auto* executor = new Executor{name, {}, std::move(run)};
    collect(executor->handles, arguments...);
    for (Object* handle : executor->handles) handle->retain();
    return executor;
}

// Enqueues the executor on the stream. An error inside is fatal and names the operator.
int enqueue(Executor* executor, aclrtStream stream);

}  // namespace acl_emulation::operators

// Defines operator `name`: its C parameters, the names of those, and what the task does with them.
#define ACLNN(name, parameters, arguments, ...)                                                          \
    ACL_EXPORT int name##GetWorkspaceSize(ACLNN_LIST parameters, uint64_t* bytes, Executor** executor) { \
        *bytes = 0;                                                                                      \
        *executor = prepare(#name, [=] { __VA_ARGS__; }, ACLNN_LIST arguments);                          \
        return ACL_SUCCESS;                                                                              \
    }                                                                                                    \
    ACL_EXPORT int name(void*, uint64_t, Executor* executor, aclrtStream stream) { return enqueue(executor, stream); }
#define ACLNN_LIST(...) __VA_ARGS__
