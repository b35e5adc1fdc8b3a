# SPDX-License-Identifier: BSD-3-Clause
"""Unusual memory: shared, expanded, fused and very large caches."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from tests.support.call import arguments, call
from tests.support.cases import Case
from tests.support.harness import Expected, bit_equal
from tests.support.seed import SEED


def _agree(api: str, kwargs: dict[str, Any], plain: dict[str, Any]) -> None:
    ours, expected = call(api, kwargs), call(api, plain)
    assert torch.equal(ours[0], expected[0]) and torch.equal(ours[1], expected[1])
    for name in ("k_cache", "v_cache"):
        assert bit_equal(kwargs[name].contiguous(), plain[name].contiguous()), name


def test_expanded_inputs(api: str) -> None:
    """Stride 0 in the batch of the caches and in the heads of q."""
    kwargs = arguments(Case(api, SEED, batch=3, seqlen_q=3))
    kwargs |= {name: kwargs[name][:1].expand(3, -1, -1, -1) for name in ("k_cache", "v_cache")}
    kwargs["q"] = kwargs["q"][:, :, :1].expand(-1, -1, 4, -1)
    assert kwargs["k_cache"].stride(0) == 0 and kwargs["q"].stride(2) == 0
    _agree(api, kwargs, {n: x.contiguous() if isinstance(x, Tensor) else x for n, x in kwargs.items()})


def test_sequences_share_a_cache_row(api: str) -> None:
    kwargs = arguments(Case(api, SEED, batch=3, cache_seqlens=(9, 64, 30)))
    kwargs["k_cache"], kwargs["v_cache"] = (kwargs[name][1:2] for name in ("k_cache", "v_cache"))
    kwargs["cache_batch_idx"] = torch.zeros(3, dtype=torch.int32)
    plain = {**kwargs, **{name: kwargs[name].repeat(3, 1, 1, 1) for name in ("k_cache", "v_cache")}}
    del plain["cache_batch_idx"]
    ours, expected = call(api, kwargs), call(api, plain)
    assert torch.equal(ours[0], expected[0]) and torch.equal(ours[1], expected[1])


@pytest.mark.parametrize("keys_outside", [True, False])
def test_fused_pages(api: str, keys_outside: bool) -> None:
    """k and v of all pages in one tensor: (2, pages, page, heads, d), or (pages, 2, page, heads, d)."""
    page = 256 if api == "v2" else 16
    case = Case(api, SEED, page_size=page, capacity=2 * page, cache_seqlens=(page - 1, 3), seqlen_new=3, seqlen_q=3)
    plain = arguments(case)
    kwargs = dict(plain)
    plain |= {name: plain[name].clone() for name in ("k_cache", "v_cache")}
    fused = torch.stack([kwargs["k_cache"], kwargs["v_cache"]], dim=0 if keys_outside else 1)
    kwargs["k_cache"], kwargs["v_cache"] = fused.unbind(0 if keys_outside else 1)
    _agree(api, kwargs, plain)


def test_heads_outside_the_page(api: str) -> None:
    """(pages, heads, page, d) storage."""
    page = 256 if api == "v2" else 16
    case = Case(api, SEED, page_size=page, capacity=2 * page, cache_seqlens=(page - 1, 3), seqlen_new=3, seqlen_q=3)
    plain = arguments(case)
    kwargs = dict(plain)
    for name in ("k_cache", "v_cache"):
        plain[name] = kwargs[name].clone()
        kwargs[name] = kwargs[name].transpose(1, 2).contiguous().transpose(1, 2)
    _agree(api, kwargs, plain)


def test_pages_beyond_two_to_31_elements(api: str) -> None:
    """Only the pages touched become resident: the rest of these gigabytes is never allocated by the system."""
    page, d = 256, 128
    pages = 2**31 // (page * d) + 100
    case = Case(
        api, SEED, batch=1, heads=2, heads_k=1, d=d, page_size=page, capacity=2 * page, seqlen_new=3, seqlen_q=3
    )
    small = arguments(Case(**{**case.__dict__, "cache_seqlens": (page - 1,)}))
    name = "block_table" if api == "v2" else "page_table"
    used = small[name][0].tolist()
    far = [pages - 1, 65]  # the first one lies beyond what 32-bit offsets reach
    kwargs = dict(small)
    kwargs[name] = torch.tensor([far], dtype=torch.int32)
    for cache in ("k_cache", "v_cache"):
        kwargs[cache] = torch.empty((pages, page, 1, d), dtype=torch.float16)
        for here, there in zip(far, used):
            kwargs[cache][here] = small[cache][there]
    expected = Expected(api, small)
    out, lse, *_ = call(api, kwargs)
    expected.check(out, lse)
    for cache, after in (("k_cache", expected.exact.k_cache), ("v_cache", expected.exact.v_cache)):
        for here, there in zip(far, used):
            assert bit_equal(kwargs[cache][here], after[there])


def test_rows_beyond_two_to_31_elements(api: str) -> None:
    capacity, d = 2**24 + 64, 128
    filled = capacity - 3
    kwargs: dict[str, Any] = {
        "q": torch.randn(1, 2, 2, d, generator=torch.Generator().manual_seed(SEED)).half(),
        "cache_seqlens": torch.tensor([filled], dtype=torch.int32),
        "cache_leftpad": torch.tensor([filled - 40], dtype=torch.int32),
        "causal": True,
        "return_softmax_lse": True,
    }
    small = {**kwargs, "cache_seqlens": 40}
    del small["cache_leftpad"]
    for seed, cache in enumerate(("k_cache", "v_cache")):
        kwargs[cache] = torch.empty((1, capacity, 1, d), dtype=torch.float16)
        assert kwargs[cache].stride(1) * (filled - 40) > 2**31
        small[cache] = torch.randn(1, 40, 1, d, generator=torch.Generator().manual_seed(seed)).half()
        kwargs[cache][:, filled - 40 : filled] = small[cache]
    out, lse, *_ = call(api, kwargs)
    Expected(api, small).check(out, lse)
