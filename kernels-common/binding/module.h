// What every extension module has beside its API.
#pragma once

#include "binding/kvcache_call.h"
#include "cpu/backend.h"

namespace flash_attn_npu::binding {

inline PyObject* describe_cpu(PyObject*, PyObject*) { return PyUnicode_FromString(cpu::backend().describe()); }

constexpr PyMethodDef kDescribeCpu = {"describe_cpu", describe_cpu, METH_NOARGS,
                                      "The SIMD level the cpu backend uses."};

// Torch is looked up now, under the import lock: at a first call, two threads would wait for each other and for the GIL.
inline PyObject* create_module(PyModuleDef* definition) {
    return guarded([&] { return Torch::get(), PyModule_Create(definition); });
}

}  // namespace flash_attn_npu::binding
