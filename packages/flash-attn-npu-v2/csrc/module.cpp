// SPDX-License-Identifier: BSD-3-Clause
// flash_attn_npu_v2._C: what the FlashAttention-2 API instantiates.
#include "binding/module.h"

namespace {

using namespace flash_attn_npu;
using namespace flash_attn_npu::binding;

// (q, k_cache, v_cache, k, v, rotary_cos, rotary_sin, cache_seqlens, cache_batch_idx, cache_leftpad, block_table,
//  softmax_scale, causal, window_left, window_right, softcap, rotary_interleaved, alibi_slopes, num_splits,
//  current_stream) -> (out, softmax_lse)
PyObject* flash_attn_with_kvcache(PyObject*, PyObject* args) {
    return guarded([&] {
        ArgumentReader in = ArgumentReader::of_call(args, 20);
        api::KvCacheArguments a;
        a.version = api::Version::kV2;
        a.q = in.input("q");
        a.k_cache = in.in_place("k_cache");
        a.v_cache = in.in_place("v_cache");
        a.k = in.input("k");
        a.v = in.input("v");
        a.rotary_cos = in.input("rotary_cos");
        a.rotary_sin = in.input("rotary_sin");
        in.cache_seqlens(a);
        a.cache_batch_idx = in.contents("cache_batch_idx");
        a.cache_leftpad = in.contents("cache_leftpad");
        a.page_table = in.contents("block_table");
        a.softmax_scale = in.optional_number("softmax_scale");
        a.causal = in.flag("causal");
        a.window_left = in.integer("window_size");
        a.window_right = in.integer("window_size");
        a.softcap = in.number("softcap");
        a.rotary_interleaved = in.flag("rotary_interleaved");
        a.alibi_slopes = in.input("alibi_slopes");
        a.num_splits = in.integer("num_splits");
        return run_kvcache(a, in, Results::kOutLse);
    });
}

PyMethodDef methods[] = {
    {"flash_attn_with_kvcache", flash_attn_with_kvcache, METH_VARARGS, "Positional form; see flash_attn_interface."},
    kDescribeCpu,
    kDescribeDevice,
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef module = {PyModuleDef_HEAD_INIT, "_C", nullptr, -1, methods, nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__C() { return create_module(&module); }
