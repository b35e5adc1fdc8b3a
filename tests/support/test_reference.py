# SPDX-License-Identifier: BSD-3-Clause
"""The reference is checked against a second implementation (per_row.py) and against torch's own attention."""

from __future__ import annotations

import hypothesis
import pytest
import torch
import torch.nn.functional as F

from tests.support import per_row
from tests.support.cases import Case, build
from tests.support.fuzz import cases
from tests.support.reference import Precision, attention_with_kvcache, rotate, ulp
from tests.support.seed import SEED


@pytest.mark.parametrize("part", range(2))
@pytest.mark.parametrize("api", ["v2", "v3"])
def test_agrees_with_the_per_row_implementation(api: str, part: int) -> None:
    @hypothesis.seed(SEED + part)
    @hypothesis.settings(
        max_examples=60, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
    )
    @hypothesis.given(cases(api))
    def agree(case: Case) -> None:
        keys = sum(case.old_seqlens) + sum(case.seqlens_new)
        hypothesis.assume(sum(case.seqlens_q) * keys * case.heads * case.d < 5e5)  # the other one is slow
        kwargs = build(case).kwargs
        result = attention_with_kvcache(api, kwargs, Precision.EXACT)
        outs, lses = per_row.out_and_lse(api, kwargs)
        for (n, i, head), lse in lses.items():
            if isinstance(case.seqlen_q, tuple):
                row = int(kwargs["cu_seqlens_q"][n]) + i
                our_lse, our_out = float(result.lse[head, row]), result.out[row, head]
            else:
                our_lse, our_out = float(result.lse[n, head, i]), result.out[n, i, head]
            # Both are float64 and differ in the order of sums: 1e-9 is millions of roundings, far below a mistake.
            assert lse == our_lse or abs(lse - our_lse) < 1e-9 * max(1.0, abs(lse)), f"{n, i, head}\n{case.snippet()}"
            out = torch.tensor(outs[n, i, head], dtype=torch.float64)
            torch.testing.assert_close(our_out, out, rtol=1e-9, atol=1e-9, msg=lambda m: f"{m}\n{case.snippet()}")

    agree()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("api", ["v2", "v3"])
def test_agrees_with_torch_attention(api: str, causal: bool) -> None:
    kwargs = build(Case(api, SEED, seqlen_q=37, capacity=37, heads=6, heads_k=2, causal=causal)).kwargs
    q, k, v = (kwargs[name].double().transpose(1, 2) for name in ("q", "k_cache", "v_cache"))
    expected = F.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=True).transpose(1, 2)
    out = attention_with_kvcache(api, kwargs, Precision.EXACT).out
    torch.testing.assert_close(out, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("interleaved", [False, True])
def test_rotary_turns_pairs_by_the_angle(interleaved: bool) -> None:
    x = torch.randn(5, 2, 48, dtype=torch.float64, generator=torch.Generator().manual_seed(SEED))
    angle = torch.rand(5, 16, dtype=torch.float64)
    y, _ = rotate(x, angle.cos(), angle.sin(), interleaved)
    pairs = (slice(0, 32, 2), slice(1, 32, 2)) if interleaved else (slice(0, 16), slice(16, 32))
    turned = torch.complex(x[..., pairs[0]], x[..., pairs[1]]) * torch.polar(torch.ones_like(angle), angle).unsqueeze(1)
    torch.testing.assert_close(torch.complex(y[..., pairs[0]], y[..., pairs[1]]), turned)
    assert torch.equal(y[..., 32:], x[..., 32:])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_ulp(dtype: torch.dtype) -> None:
    x = torch.tensor([1.0, 1.5, 2.0, 100.0, -3.0, 1e-3], dtype=dtype)
    bits = x.view(torch.int32 if dtype == torch.float32 else torch.int16)
    following = (bits + 1).view(dtype)
    torch.testing.assert_close(ulp(x.double(), dtype), (following.double() - x.double()).abs(), rtol=0, atol=0)


@pytest.mark.parametrize("api", ["v2", "v3"])
def test_appending_is_the_same_as_a_longer_cache(api: str) -> None:
    case = Case(api, SEED, seqlen_q=5, seqlen_new=5, cache_seqlens=(11, 40), causal=True, leftpad=(2, 0))
    kwargs = build(case).kwargs
    first = attention_with_kvcache(api, kwargs, Precision.EXACT)
    again = {name: x for name, x in kwargs.items() if name not in ("k", "v")}
    again |= {"k_cache": first.k_cache, "v_cache": first.v_cache, "cache_seqlens": kwargs["cache_seqlens"] + 5}
    second = attention_with_kvcache(api, again, Precision.EXACT)
    assert torch.equal(first.out, second.out) and torch.equal(first.lse, second.lse)
