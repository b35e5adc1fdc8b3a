# SPDX-License-Identifier: BSD-3-Clause
"""Clients introspect the functions: names, order and defaults are FlashAttention's, of the API's own version."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from importlib import metadata
from typing import Any

import pytest
import torch

from tests.support import backend
from tests.support.apis import only, per_api
from tests.support.call import arguments, call
from tests.support.cases import Case
from tests.support.seed import SEED

WITH_KVCACHE_V2 = (
    "q, k_cache, v_cache, k=None, v=None, rotary_cos=None, rotary_sin=None, cache_seqlens=None, cache_batch_idx=None, "
    "cache_leftpad=None, block_table=None, softmax_scale=None, causal=False, window_size=(-1, -1), softcap=0.0, "
    "rotary_interleaved=True, alibi_slopes=None, num_splits=0, return_softmax_lse=False"
)
WITH_KVCACHE_V3 = (
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
SIGNATURES = {
    "v2": {"flash_attn_with_kvcache": WITH_KVCACHE_V2},
    "v3": {"flash_attn_with_kvcache": WITH_KVCACHE_V3, "get_scheduler_metadata": METADATA},
}
DOCUMENTED = {
    "v2": ("q", "k_cache", "block_table", "cache_leftpad", "alibi_slopes", "window_size"),
    "v3": ("q", "k_cache", "page_table", "cu_seqlens_q", "qv", "k_descale", "window_size"),
}


def signatures(api: str) -> Iterator[tuple[str, tuple[str, str]]]:
    return ((name, (name, signature)) for name, signature in SIGNATURES[api].items())


def documented(api: str) -> Iterator[tuple[str, str]]:
    return ((name, name) for name in DOCUMENTED[api])


def signature_text(function: Any) -> list[str]:
    """Parameter names with their defaults, in order: "q", "causal=False"."""
    return [
        name if parameter.default is inspect.Parameter.empty else f"{name}={parameter.default!r}"
        for name, parameter in inspect.signature(function).parameters.items()
    ]


@per_api("signature", signatures)
def test_signature(api: str, signature: tuple[str, str]) -> None:
    name, expected = signature
    function = getattr(backend.package(api), name)
    assert ", ".join(signature_text(function)) == expected
    kinds = {p.kind for p in inspect.signature(function).parameters.values()}
    assert kinds == {inspect.Parameter.POSITIONAL_OR_KEYWORD}
    assert inspect.isfunction(function)


def test_importable_from_the_interface_module(api: str) -> None:
    package = backend.package(api)
    interface = importlib.import_module(f"{package.__name__}.flash_attn_interface")
    assert interface.flash_attn_with_kvcache is package.flash_attn_with_kvcache


def test_version_agrees_with_the_distribution(api: str) -> None:
    assert backend.package(api).__version__ == metadata.version(f"flash-attn-npu-{api}")


@per_api("name", documented)
def test_docstring_describes_the_arguments(api: str, name: str) -> None:
    assert f"{name}:" in (backend.package(api).flash_attn_with_kvcache.__doc__ or "")


@only("v2")
def test_positional_call(api: str) -> None:
    kwargs = arguments(Case(api, SEED, cache_seqlens=(5, 64), seqlen_q=3))
    ordered = [kwargs["q"], kwargs["k_cache"], kwargs["v_cache"], None, None, None, None, kwargs["cache_seqlens"]]
    rest = (None, None, None, 0.2, True, (4, 0), 0.0, True, None, 0, False)
    by_position = backend.package(api).flash_attn_with_kvcache(*ordered, *rest)
    by_name = arguments(Case(api, SEED, cache_seqlens=(5, 64), seqlen_q=3, causal=True, window=(4, 0)))
    assert torch.equal(by_position, call(api, {**by_name, "softmax_scale": 0.2, "return_softmax_lse": False}))


@pytest.mark.parametrize("with_lse", [True, False])
def test_returned_values(api: str, with_lse: bool) -> None:
    """Alone out, or two values in v2 and four in v3."""
    kwargs = arguments(Case(api, SEED), return_softmax_lse=with_lse)
    out = call(api, {**kwargs, "return_softmax_lse": False})
    assert isinstance(out, torch.Tensor)
    if with_lse:
        result = call(api, kwargs)
        assert isinstance(result, tuple) and len(result) == {"v2": 2, "v3": 4}[api]
        assert torch.equal(result[0], out)
        assert result[1].shape == (2, 4, 1)
        assert all(isinstance(x, torch.Tensor) and x.dtype == torch.float32 for x in result[1:])


@only("v3")
def test_lse_of_packed_queries_has_heads_first(api: str) -> None:
    result = call(api, arguments(Case(api, SEED, seqlen_q=(3, 4))))
    assert result[0].shape == (7, 4, 32) and result[1].shape == (4, 7)
