// SPDX-License-Identifier: BSD-3-Clause
// flash_attn_npu_v2._C: what the FlashAttention-2 API instantiates.
#include "binding/module.h"

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
    {"rotary_cos", Field::Read::kInput, &A::rotary_cos},
    {"rotary_sin", Field::Read::kInput, &A::rotary_sin},
    {"cache_seqlens", Field::Read::kContents, &A::cache_seqlens},
    {"cache_seqlens_int", &A::cache_seqlens_int, "cache_seqlens"},
    {"cache_batch_idx", Field::Read::kContents, &A::cache_batch_idx},
    {"cache_leftpad", Field::Read::kContents, &A::cache_leftpad},
    {"block_table", Field::Read::kContents, &A::page_table},
    {"softmax_scale", &A::softmax_scale},
    {"causal", &A::causal},
    {"window_left", &A::window_left, "window_size"},
    {"window_right", &A::window_right, "window_size"},
    {"softcap", &A::softcap},
    {"rotary_interleaved", &A::rotary_interleaved},
    {"alibi_slopes", Field::Read::kInput, &A::alibi_slopes},
    {"num_splits", &A::num_splits},
};
Signature signature(kFields);

PyMethodDef methods[] = {
    {"flash_attn_with_kvcache", kvcache_function<api::Version::kV2, signature, Results::kOutLse>, METH_VARARGS,
     "The operator's implementation; see flash_attn_interface."},
    kBindKvCache<signature>,
    kDescribeCpu,
    kDescribeDevice,
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef module = {PyModuleDef_HEAD_INIT, "_C", nullptr, -1, methods, nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__C() { return create_module(&module); }
