// SPDX-License-Identifier: BSD-3-Clause
// flash_attn_npu_v3._C: what the FlashAttention-3 API instantiates.
#include "binding/module.h"
#include "api/scheduler_metadata.h"

namespace {

using namespace flash_attn_npu;
using namespace flash_attn_npu::binding;

// (q, k_cache, v_cache, k, v, qv, rotary_cos, rotary_sin, cache_seqlens, cache_batch_idx, cache_leftpad, page_table,
//  cu_seqlens_q, cu_seqlens_k_new, max_seqlen_q, rotary_seqlens, q_descale, k_descale, v_descale, softmax_scale, causal,
//  window_left, window_right, attention_chunk, softcap, rotary_interleaved, scheduler_metadata, num_splits, partials,
//  current_stream)
// -> (out, softmax_lse), with partials also (out_accum, softmax_lse_accum)
PyObject* flash_attn_with_kvcache(PyObject*, PyObject* args) {
    return guarded([&] {
        ArgumentReader in = ArgumentReader::of_call(args, 30);
        api::KvCacheArguments a;
        a.version = api::Version::kV3;
        a.q = in.input("q");
        a.k_cache = in.in_place("k_cache");
        a.v_cache = in.in_place("v_cache");
        a.k = in.input("k");
        a.v = in.input("v");
        a.qv = in.input("qv");
        a.rotary_cos = in.input("rotary_cos");
        a.rotary_sin = in.input("rotary_sin");
        in.cache_seqlens(a);
        a.cache_batch_idx = in.contents("cache_batch_idx");
        a.cache_leftpad = in.contents("cache_leftpad");
        a.page_table = in.contents("page_table");
        a.cu_seqlens_q = in.contents("cu_seqlens_q");
        a.cu_seqlens_k_new = in.contents("cu_seqlens_k_new");
        a.max_seqlen_q = in.optional_integer("max_seqlen_q");
        a.rotary_seqlens = in.contents("rotary_seqlens");
        a.q_descale = in.contents("q_descale");
        a.k_descale = in.contents("k_descale");
        a.v_descale = in.contents("v_descale");
        a.softmax_scale = in.optional_number("softmax_scale");
        a.causal = in.flag("causal");
        a.window_left = in.integer("window_size");
        a.window_right = in.integer("window_size");
        a.attention_chunk = in.integer("attention_chunk");
        a.softcap = in.number("softcap");
        a.rotary_interleaved = in.flag("rotary_interleaved");
        a.scheduler_metadata = in.contents("scheduler_metadata");
        a.num_splits = in.integer("num_splits");
        const bool partials = in.flag("partials");
        return run_kvcache(a, in, partials ? Results::kOutLsePartials : Results::kOutLse);
    });
}

// (batch_size, num_heads_q, num_heads_kv, cache_seqlens) -> the ints of the metadata tensor
PyObject* scheduler_metadata(PyObject*, PyObject* args) {
    return guarded([&] {
        ArgumentReader in(args, 4, Placement::anywhere());  // no contents are read
        const int64_t batch = in.integer("batch_size");
        const int64_t num_heads_q = in.integer("num_heads_q");
        const int64_t num_heads_kv = in.integer("num_heads_kv");
        const api::SchedulerMetadata metadata{batch, num_heads_q, num_heads_kv};
        api::check_scheduler_metadata_arguments(metadata, in.in_place("cache_seqlens"));
        const auto values = metadata.encode();
        return Py_BuildValue("iiii", values[0], values[1], values[2], values[3]);
    });
}

PyMethodDef methods[] = {
    {"flash_attn_with_kvcache", flash_attn_with_kvcache, METH_VARARGS, "Positional form; see flash_attn_interface."},
    {"scheduler_metadata", scheduler_metadata, METH_VARARGS, "Positional form; see flash_attn_interface."},
    kDescribeCpu,
    kDescribeDevice,
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef module = {PyModuleDef_HEAD_INIT, "_C", nullptr, -1, methods, nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__C() { return create_module(&module); }
