# SPDX-License-Identifier: BSD-3-Clause
"""Clients introspect the functions: names, order and defaults are FlashAttention-2's."""

from __future__ import annotations

import inspect
from importlib import metadata

import pytest
import torch

import flash_attn_npu_v2
from tests.support.call import arguments, call, signature_text
from tests.support.cases import Case
from tests.support.seed import SEED

WITH_KVCACHE = (
    "q, k_cache, v_cache, k=None, v=None, rotary_cos=None, rotary_sin=None, cache_seqlens=None, cache_batch_idx=None, "
    "cache_leftpad=None, block_table=None, softmax_scale=None, causal=False, window_size=(-1, -1), softcap=0.0, "
    "rotary_interleaved=True, alibi_slopes=None, num_splits=0, return_softmax_lse=False"
)


def test_signature() -> None:
    assert ", ".join(signature_text(flash_attn_npu_v2.flash_attn_with_kvcache)) == WITH_KVCACHE
    kinds = {p.kind for p in inspect.signature(flash_attn_npu_v2.flash_attn_with_kvcache).parameters.values()}
    assert kinds == {inspect.Parameter.POSITIONAL_OR_KEYWORD}
    assert inspect.isfunction(flash_attn_npu_v2.flash_attn_with_kvcache)


def test_importable_from_the_interface_module() -> None:
    from flash_attn_npu_v2.flash_attn_interface import flash_attn_with_kvcache

    assert flash_attn_with_kvcache is flash_attn_npu_v2.flash_attn_with_kvcache


def test_version_agrees_with_the_distribution() -> None:
    assert flash_attn_npu_v2.__version__ == metadata.version("flash-attn-npu-v2")


@pytest.mark.parametrize("documented", ["q", "k_cache", "block_table", "cache_leftpad", "alibi_slopes", "window_size"])
def test_docstring_describes_the_arguments(documented: str) -> None:
    assert f"{documented}:" in (flash_attn_npu_v2.flash_attn_with_kvcache.__doc__ or "")


def test_positional_call() -> None:
    kwargs = arguments(Case("v2", SEED, cache_seqlens=(5, 64), seqlen_q=3))
    ordered = [kwargs["q"], kwargs["k_cache"], kwargs["v_cache"], None, None, None, None, kwargs["cache_seqlens"]]
    by_position = flash_attn_npu_v2.flash_attn_with_kvcache(
        *ordered, None, None, None, 0.2, True, (4, 0), 0.0, True, None, 0, False
    )
    by_name = arguments(Case("v2", SEED, cache_seqlens=(5, 64), seqlen_q=3, causal=True, window=(4, 0)))
    assert torch.equal(by_position, call("v2", {**by_name, "softmax_scale": 0.2, "return_softmax_lse": False}))


def test_returns_out_or_two_values() -> None:
    kwargs = arguments(Case("v2", SEED), return_softmax_lse=False)
    out = call("v2", kwargs)
    assert isinstance(out, torch.Tensor)
    result = call("v2", {**kwargs, "return_softmax_lse": True})
    assert isinstance(result, tuple) and len(result) == 2
    assert torch.equal(result[0], out)
    assert result[1].shape == (2, 4, 1) and result[1].dtype == torch.float32
