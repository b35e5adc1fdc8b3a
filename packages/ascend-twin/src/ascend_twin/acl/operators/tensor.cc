// SPDX-License-Identifier: BSD-3-Clause
#include "tensor.h"

#include <ATen/core/grad_mode.h>
#include <c10/core/InferenceMode.h>

#include "fatal.h"

// Of libascendcl.
ACL_EXPORT int acl_emulated_launch(aclrtStream, const char*, double (*)(void*), void*, void (*)(void*));

namespace acl_emulation::operators {

TensorListObject::~TensorListObject() {
    for (TensorObject* tensor : tensors) {
        if (tensor) tensor->release();
    }
}

at::ScalarType scalar_type(int acl_type) {
    switch (acl_type) {
        case ACL_FLOAT: return at::kFloat;
        case ACL_FLOAT16: return at::kHalf;
        case ACL_BF16: return at::kBFloat16;
        case ACL_DOUBLE: return at::kDouble;
        case ACL_INT8: return at::kChar;
        case ACL_UINT8: return at::kByte;
        case ACL_INT16: return at::kShort;
        case ACL_INT32: return at::kInt;
        case ACL_INT64: return at::kLong;
        case ACL_BOOL: return at::kBool;
        case ACL_COMPLEX64: return at::kComplexFloat;
        case ACL_COMPLEX128: return at::kComplexDouble;
        case ACL_FLOAT8_E4M3FN: return at::kFloat8_e4m3fn;
    }
    fatal("a tensor of aclDataType " + std::to_string(acl_type) + ", which the emulated operators do not know");
}

namespace {

double run(void* argument) {
    auto* executor = static_cast<Executor*>(argument);
    const c10::InferenceMode no_autograd;
    try {
        executor->run();
    } catch (const std::exception& error) {
        fatal(std::string(executor->name) + ": " + error.what());
    }
    return 0.0;
}

void destroy(void* argument) {
    auto* executor = static_cast<Executor*>(argument);
    for (Object* handle : executor->handles) handle->release();
    delete executor;
}

template <class T>
int release(const T* object) {
    if (object) const_cast<T*>(object)->release();
    return ACL_SUCCESS;
}

}  // namespace

int enqueue(Executor* executor, aclrtStream stream) {
    return acl_emulated_launch(stream, executor->name, run, executor, destroy);
}

}  // namespace acl_emulation::operators

using namespace acl_emulation;
using namespace acl_emulation::operators;

ACL_EXPORT TensorObject* aclCreateTensor(const int64_t* sizes, uint64_t rank, int type, const int64_t* strides,
                                         int64_t offset, int, const int64_t*, uint64_t, void* data) {
    auto* object = new TensorObject;
    object->data = data;
    const at::ScalarType dtype = scalar_type(type);
    auto* first = static_cast<char*>(data) + offset * static_cast<int64_t>(c10::elementSize(dtype));
    object->tensor = at::from_blob(first, {sizes, rank}, {strides, rank}, at::TensorOptions(dtype));
    return object;
}

// The caller frees the array with delete[].
ACL_EXPORT int aclGetViewShape(const TensorObject* object, int64_t** sizes, uint64_t* rank) {
    const at::IntArrayRef view = object->tensor.sizes();
    *rank = view.size();
    *sizes = new int64_t[view.size()];
    std::copy(view.begin(), view.end(), *sizes);
    return ACL_SUCCESS;
}

ACL_EXPORT ScalarObject* aclCreateScalar(const void* value, int type) {
    auto* object = new ScalarObject;
    const at::ScalarType dtype = scalar_type(type);
    object->value = at::from_blob(const_cast<void*>(value), {}, at::TensorOptions(dtype)).item();
    return object;
}

ACL_EXPORT IntArrayObject* aclCreateIntArray(const int64_t* values, uint64_t count) {
    auto* object = new IntArrayObject;
    object->values.assign(values, values + count);
    return object;
}

ACL_EXPORT BoolArrayObject* aclCreateBoolArray(const bool* values, uint64_t count) {
    auto* object = new BoolArrayObject;
    object->values.assign(values, values + count);
    return object;
}

ACL_EXPORT TensorListObject* aclCreateTensorList(TensorObject* const* tensors, uint64_t count) {
    auto* object = new TensorListObject;
    object->tensors.assign(tensors, tensors + count);
    return object;
}

ACL_EXPORT int aclDestroyTensor(const TensorObject* object) { return release(object); }
ACL_EXPORT int aclDestroyScalar(const ScalarObject* object) { return release(object); }
ACL_EXPORT int aclDestroyIntArray(const IntArrayObject* object) { return release(object); }
ACL_EXPORT int aclDestroyBoolArray(const BoolArrayObject* object) { return release(object); }
ACL_EXPORT int aclDestroyTensorList(const TensorListObject* object) { return release(object); }
