// SPDX-License-Identifier: BSD-3-Clause
#include "binding/fields.h"

#include <algorithm>
#include <stdexcept>

#include "binding/kvcache_call.h"

namespace flash_attn_npu::binding {

const Field* Signature::find(const std::string& name) const {
    const Field* const end = fields_ + count_;
    const Field* const found = std::find_if(fields_, end, [&](const Field& f) { return name == f.name; });
    if (found == end) {
        throw std::runtime_error("the operator's schema has an argument that the extension module does not know: " +
                                 name + " (csrc/module.cpp lists the known ones)");
    }
    return found;
}

void Signature::bind(PyObject* names) {
    const Py_ssize_t count = PyTuple_Size(names);
    if (count < 0) throw PythonError{};
    std::vector<const Field*> order;
    for (Py_ssize_t i = 0; i < count; ++i) {
        const Object bytes = Object::take(PyUnicode_AsUTF8String(PyTuple_GetItem(names, i)));
        const Field* field = find(PyBytes_AsString(bytes.get()));
        if (std::find(order.begin(), order.end(), field) != order.end()) {
            throw std::runtime_error(std::string("the operator's schema names an argument twice: ") + field->name);
        }
        order.push_back(field);
    }
    for (size_t i = 0; i < count_; ++i) {
        if (std::find(order.begin(), order.end(), fields_ + i) == order.end()) {
            throw std::runtime_error(std::string("the operator's schema lacks an argument: ") + fields_[i].name);
        }
    }
    if (std::string(order[0]->name) != "q") {
        throw std::runtime_error(std::string("the operator's schema begins with ") + order[0]->name +
                                 ", and must with q");
    }
    if (!order_.empty() && order != order_) {
        throw std::runtime_error("another operator of this module has bound its arguments in another order");
    }
    order_ = std::move(order);
}

void Signature::read(ArgumentReader& in, api::KvCacheArguments& arguments) const {
    for (const Field* field : order_) in.read(*field, arguments);
}

}  // namespace flash_attn_npu::binding
