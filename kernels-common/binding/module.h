// SPDX-License-Identifier: BSD-3-Clause
// What every extension module has beside its API.
#pragma once

#include "binding/device_library.h"
#include "binding/kvcache_call.h"
#include "cpu/backend.h"

namespace flash_attn_npu::binding {

inline PyObject* describe_cpu(PyObject*, PyObject*) { return PyUnicode_FromString(cpu::backend().describe()); }

constexpr PyMethodDef kDescribeCpu = {"describe_cpu", describe_cpu, METH_NOARGS,
                                      "The SIMD level the cpu backend uses."};

// "twin: ... (/path/_twin.so)"; raises RuntimeError, with what is missing, when there is no device library.
inline PyObject* describe_device(PyObject*, PyObject*) {
    return guarded([] {
        const DeviceLibrary& library = device_library();
        return PyUnicode_FromFormat("%s: %s (%s)", library.backend->name, library.backend->describe(),
                                    library.path.c_str());
    });
}

constexpr PyMethodDef kDescribeDevice = {"describe_device", describe_device, METH_NOARGS,
                                         "The device library, what it runs on, and its path."};

// kVersion's operators on Python tuples: the arguments in the order of the bound schema, then the current stream.
template <api::Version kVersion, Signature& kSignature, Results kResults>
PyObject* kvcache_function(PyObject*, PyObject* args) {
    return guarded([&] { return run_kvcache(kVersion, kSignature, args, kResults); });
}

template <Signature& kSignature>
PyObject* bind_function(PyObject*, PyObject* names) {
    return guarded([&] {
        kSignature.bind(names);
        Py_INCREF(Py_None);
        return Py_None;
    });
}

template <Signature& kSignature>
constexpr PyMethodDef kBindKvCache = {"bind_flash_attn_with_kvcache", bind_function<kSignature>, METH_O,
                                      "Takes the tuple of the schema's argument names, once at import."};

// Torch is looked up now, under the import lock: at a first call, two threads would wait for each other and for the
// GIL.
inline PyObject* create_module(PyModuleDef* definition) {
    return guarded([&] { return Torch::get(), PyModule_Create(definition); });
}

}  // namespace flash_attn_npu::binding
