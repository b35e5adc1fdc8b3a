// SPDX-License-Identifier: BSD-3-Clause
// ACL: descriptions of tensors and attributes for aclopCompileAndExecute. Nothing executes them (that call is fatal and
// names the operator), but torch_npu builds them first.
#include <vector>

#include "acl_types.h"

namespace {

struct TensorDesc {
    int type, format;
    std::vector<int64_t> dims;
};

struct DataBuffer {
    void* data;
    size_t bytes;
};

struct Attributes {};

}  // namespace

ACL_EXPORT void* aclCreateTensorDesc(int type, int rank, const int64_t* dims, int format) {
    return new TensorDesc{type, format, {dims, dims + rank}};
}
ACL_EXPORT void aclDestroyTensorDesc(const void* desc) { delete static_cast<const TensorDesc*>(desc); }
ACL_EXPORT void aclSetTensorDescName(void*, const char*) {}
ACL_EXPORT aclError aclSetTensorFormat(void*, int) { return ACL_SUCCESS; }
ACL_EXPORT aclError aclSetTensorShape(void*, int, const int64_t*) { return ACL_SUCCESS; }
ACL_EXPORT aclError aclSetTensorPlaceMent(void*, int) { return ACL_SUCCESS; }
ACL_EXPORT int aclGetTensorDescType(const void* desc) { return static_cast<const TensorDesc*>(desc)->type; }
ACL_EXPORT int aclGetTensorDescFormat(const void* desc) { return static_cast<const TensorDesc*>(desc)->format; }
ACL_EXPORT size_t aclGetTensorDescNumDims(const void* desc) {
    return static_cast<const TensorDesc*>(desc)->dims.size();
}
ACL_EXPORT aclError aclGetTensorDescDimV2(const void* desc, size_t index, int64_t* size) {
    const auto& dims = static_cast<const TensorDesc*>(desc)->dims;
    if (index >= dims.size()) return ACL_ERROR_INVALID_PARAM;
    *size = dims[index];
    return ACL_SUCCESS;
}

ACL_EXPORT void* aclCreateDataBuffer(void* data, size_t bytes) { return new DataBuffer{data, bytes}; }
ACL_EXPORT aclError aclDestroyDataBuffer(const void* buffer) {
    delete static_cast<const DataBuffer*>(buffer);
    return ACL_SUCCESS;
}

ACL_EXPORT void* aclopCreateAttr() { return new Attributes; }
ACL_EXPORT void aclopDestroyAttr(const void* attributes) { delete static_cast<const Attributes*>(attributes); }
ACL_EXPORT aclError aclopSetAttrBool(void*, const char*, uint8_t) { return ACL_SUCCESS; }
ACL_EXPORT aclError aclopSetAttrInt(void*, const char*, int64_t) { return ACL_SUCCESS; }
ACL_EXPORT aclError aclopSetAttrFloat(void*, const char*, float) { return ACL_SUCCESS; }
ACL_EXPORT aclError aclopSetAttrString(void*, const char*, const char*) { return ACL_SUCCESS; }
ACL_EXPORT aclError aclopSetAttrDataType(void*, const char*, int) { return ACL_SUCCESS; }
ACL_EXPORT aclError aclopSetAttrListInt(void*, const char*, int, const int64_t*) { return ACL_SUCCESS; }
ACL_EXPORT aclError aclopSetAttrListFloat(void*, const char*, int, const float*) { return ACL_SUCCESS; }
ACL_EXPORT aclError aclopSetAttrListBool(void*, const char*, int, const uint8_t*) { return ACL_SUCCESS; }
ACL_EXPORT aclError aclopSetAttrListListInt(void*, const char*, int, const int*, const int64_t* const*) {
    return ACL_SUCCESS;
}
