// SPDX-License-Identifier: BSD-3-Clause
// flash_attn_npu_v3._C: what the FlashAttention-3 API instantiates.
#include "binding/module.h"
#include "api/scheduler_metadata.h"

namespace {

using namespace flash_attn_npu;
using namespace flash_attn_npu::binding;

using A = api::KvCacheArguments;
constexpr Field kFields[] = {
    {"q", Field::Read::kInput, &A::q},
    {"k_cache", Field::Read::kInPlace, &A::k_cache},
    {"v_cache", Field::Read::kInPlace, &A::v_cache},
    {"k", Field::Read::kInput, &A::k},
    {"v", Field::Read::kInput, &A::v},
    {"qv", Field::Read::kInput, &A::qv},
    {"rotary_cos", Field::Read::kInput, &A::rotary_cos},
    {"rotary_sin", Field::Read::kInput, &A::rotary_sin},
    {"cache_seqlens", Field::Read::kContents, &A::cache_seqlens},
    {"cache_seqlens_int", &A::cache_seqlens_int, "cache_seqlens"},
    {"cache_batch_idx", Field::Read::kContents, &A::cache_batch_idx},
    {"cache_leftpad", Field::Read::kContents, &A::cache_leftpad},
    {"page_table", Field::Read::kContents, &A::page_table},
    {"cu_seqlens_q", Field::Read::kContents, &A::cu_seqlens_q},
    {"cu_seqlens_k_new", Field::Read::kContents, &A::cu_seqlens_k_new},
    {"max_seqlen_q", &A::max_seqlen_q},
    {"rotary_seqlens", Field::Read::kContents, &A::rotary_seqlens},
    {"q_descale", Field::Read::kContents, &A::q_descale},
    {"k_descale", Field::Read::kContents, &A::k_descale},
    {"v_descale", Field::Read::kContents, &A::v_descale},
    {"softmax_scale", &A::softmax_scale},
    {"causal", &A::causal},
    {"window_left", &A::window_left, "window_size"},
    {"window_right", &A::window_right, "window_size"},
    {"attention_chunk", &A::attention_chunk},
    {"softcap", &A::softcap},
    {"rotary_interleaved", &A::rotary_interleaved},
    {"scheduler_metadata", Field::Read::kContents, &A::scheduler_metadata},
    {"num_splits", &A::num_splits},
};
Signature signature(kFields);

// (batch_size, num_heads_q, num_heads_kv, cache_seqlens) -> the ints of the metadata tensor
PyObject* scheduler_metadata(PyObject*, PyObject* args) {
    return guarded([&] {
        ArgumentReader in(args, 4, Placement::anywhere());  // no contents are read
        const int64_t batch = read_int("batch_size", in.next());
        const int64_t num_heads_q = read_int("num_heads_q", in.next());
        const int64_t num_heads_kv = read_int("num_heads_kv", in.next());
        const api::SchedulerMetadata metadata{batch, num_heads_q, num_heads_kv};
        const api::TensorArgument seqlens = read_tensor("cache_seqlens", in.next(), Placement::anywhere());
        api::check_scheduler_metadata_arguments(metadata, seqlens);
        const auto values = metadata.encode();
        return Py_BuildValue("iiii", values[0], values[1], values[2], values[3]);
    });
}

PyMethodDef methods[] = {
    {"flash_attn_with_kvcache", kvcache_function<api::Version::kV3, signature, Results::kOutLse>, METH_VARARGS,
     "The operator's implementation; see flash_attn_interface."},
    {"flash_attn_with_kvcache_partials", kvcache_function<api::Version::kV3, signature, Results::kOutLsePartials>,
     METH_VARARGS, "As above, and also returns the results of the single splits."},
    kBindKvCache<signature>,
    {"scheduler_metadata", scheduler_metadata, METH_VARARGS, "Positional form; see flash_attn_interface."},
    kDescribeCpu,
    kDescribeDevice,
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef module = {PyModuleDef_HEAD_INIT, "_C", nullptr, -1, methods, nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__C() { return create_module(&module); }
