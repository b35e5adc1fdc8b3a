# SPDX-License-Identifier: BSD-3-Clause
"""Clients introspect the functions: names, order and defaults are FlashAttention-3's."""

from __future__ import annotations

import inspect
from importlib import metadata

import pytest
import torch

import flash_attn_npu_v3
from tests.support.call import arguments, call, signature_text
from tests.support.cases import Case
from tests.support.seed import SEED

WITH_KVCACHE = (
    "q, k_cache, v_cache, k=None, v=None, qv=None, rotary_cos=None, rotary_sin=None, cache_seqlens=None, "
    "cache_batch_idx=None, cache_leftpad=None, page_table=None, cu_seqlens_q=None, cu_seqlens_k_new=None, "
    "max_seqlen_q=None, rotary_seqlens=None, q_descale=None, k_descale=None, v_descale=None, softmax_scale=None, "
    "causal=False, window_size=(-1, -1), attention_chunk=0, softcap=0.0, rotary_interleaved=True, "
    "scheduler_metadata=None, num_splits=0, pack_gqa=None, sm_margin=0, return_softmax_lse=False"
)
METADATA = (
    "batch_size, max_seqlen_q, max_seqlen_k, num_heads_q, num_heads_kv, headdim, cache_seqlens, "
    "qkv_dtype=torch.bfloat16, headdim_v=None, cu_seqlens_q=None, cu_seqlens_k_new=None, cache_leftpad=None, "
    "page_size=None, max_seqlen_k_new=0, causal=False, window_size=(-1, -1), attention_chunk=0, has_softcap=False, "
    "num_splits=0, pack_gqa=None, sm_margin=0"
)


@pytest.mark.parametrize(
    ("name", "expected"), [("flash_attn_with_kvcache", WITH_KVCACHE), ("get_scheduler_metadata", METADATA)]
)
def test_signature(name: str, expected: str) -> None:
    function = getattr(flash_attn_npu_v3, name)
    assert ", ".join(signature_text(function)) == expected
    kinds = {p.kind for p in inspect.signature(function).parameters.values()}
    assert kinds == {inspect.Parameter.POSITIONAL_OR_KEYWORD}
    assert inspect.isfunction(function)


def test_importable_from_the_interface_module() -> None:
    from flash_attn_npu_v3.flash_attn_interface import flash_attn_with_kvcache

    assert flash_attn_with_kvcache is flash_attn_npu_v3.flash_attn_with_kvcache


def test_version_agrees_with_the_distribution() -> None:
    assert flash_attn_npu_v3.__version__ == metadata.version("flash-attn-npu-v3")


@pytest.mark.parametrize("documented", ["q", "k_cache", "page_table", "cu_seqlens_q", "qv", "k_descale", "window_size"])
def test_docstring_describes_the_arguments(documented: str) -> None:
    assert f"{documented}:" in (flash_attn_npu_v3.flash_attn_with_kvcache.__doc__ or "")


def test_returns_out_or_four_values() -> None:
    kwargs = arguments(Case("v3", SEED), return_softmax_lse=False)
    out = call("v3", kwargs)
    assert isinstance(out, torch.Tensor)
    result = call("v3", {**kwargs, "return_softmax_lse": True})
    assert isinstance(result, tuple) and len(result) == 4
    assert torch.equal(result[0], out)
    assert result[1].shape == (2, 4, 1) and result[1].dtype == torch.float32
    assert all(isinstance(x, torch.Tensor) and x.dtype == torch.float32 for x in result[2:])


def test_lse_of_packed_queries_has_heads_first() -> None:
    result = call("v3", arguments(Case("v3", SEED, seqlen_q=(3, 4))))
    assert result[0].shape == (7, 4, 32) and result[1].shape == (4, 7)
