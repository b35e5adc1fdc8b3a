# SPDX-License-Identifier: BSD-3-Clause
"""The harness accepts a right implementation and notices every kind of wrong one."""

from __future__ import annotations

import dataclasses
from typing import Any, Callable

import pytest
import torch

from tests.support.cases import LAYOUTS, Case, build
from tests.support.harness import bit_equal, check
from tests.support.pairwise import pairwise
from tests.support.reference import Precision, Result, attention_with_kvcache
from tests.support.seed import SEED

CASE = Case(
    "v3",
    SEED,
    seqlen_q=(5, 9),
    seqlen_new=(3, 4),
    cache_seqlens=(20, 41),
    leftpad=(2, 0),
    page_size=16,
    rotary_dim=16,
    causal=True,
    cache_layout="slice",
)


def rounded_reference(
    api: str,
    kwargs: dict[str, Any],
    change: Callable[[dict[str, Any]], dict[str, Any]] = lambda kwargs: kwargs,
    spoil: Callable[[Result], None] = lambda result: None,
) -> Any:
    """The reference behind the API's interface; `change` falsifies its arguments, `spoil` its results."""
    result = attention_with_kvcache(api, change(dict(kwargs)), Precision.EXACT)
    spoil(result)
    kwargs["k_cache"].copy_(result.k_cache)
    kwargs["v_cache"].copy_(result.v_cache)
    fp8 = kwargs["q"].dtype == torch.float8_e4m3fn
    out, lse = result.out.to(torch.bfloat16 if fp8 else kwargs["q"].dtype), result.lse.float()
    if not kwargs.get("return_softmax_lse"):
        return out
    return (out, lse) if api == "v2" else (out, lse, torch.empty(0), torch.empty(0))


@pytest.mark.parametrize("api", ["v2", "v3"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_accepts_a_rounded_reference(api: str, dtype: str) -> None:
    check(Case(api, SEED, dtype, seqlen_q=9, seqlen_new=2, cache_seqlens=(3, 60), rotary_dim=16), rounded_reference)
    check(dataclasses.replace(CASE, dtype=dtype), rounded_reference)


def shift(name: str, by: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda kwargs: {**kwargs, name: kwargs[name] + by}


WRONG_ARGUMENTS = {
    "no mask": lambda kw: {**kw, "causal": False},
    "mask one off": lambda kw: {**kw, "causal": False, "window_size": (-1, 1)},
    "scale 1 percent off": lambda kw: {**kw, "softmax_scale": 1.01 * kw["q"].shape[-1] ** -0.5},
    "padding one off": shift("cache_leftpad", 1),
    "rotary pairs": lambda kw: {**kw, "rotary_interleaved": False},
    "rotary position": lambda kw: {**kw, "rotary_cos": kw["rotary_cos"].roll(1, 0)},
    "pages swapped": lambda kw: {**kw, "page_table": kw["page_table"][:, [1, 0, 2, 3]]},
    "appended values": lambda kw: {**kw, "v": kw["v"].roll(1, 0)},
}


@pytest.mark.parametrize("change", WRONG_ARGUMENTS.values(), ids=WRONG_ARGUMENTS)
def test_notices_a_wrong_formula(change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    with pytest.raises(AssertionError):
        check(CASE, lambda api, kwargs: rounded_reference(api, kwargs, change))


def nudge(x: torch.Tensor, at: tuple[int, ...]) -> None:
    x[at] = x[at] * 1.05 + 0.05


def spoil_unused_slot(result: Result) -> None:
    slot = torch.isnan(result.k_cache[..., 0, 0]).nonzero()[0].tolist()
    result.k_cache[tuple(slot)] = 0.0


SPOILED = {
    "one output value": lambda r: nudge(r.out, (3, 1, 7)),
    "a NaN": lambda r: r.out[0, 0].fill_(float("nan")),
    "one LSE": lambda r: nudge(r.lse, (0, 4)),
    "an infinite LSE": lambda r: r.lse[0, 4:5].fill_(float("-inf")),
    "one cached value": lambda r: nudge(r.v_cache, (int((~torch.isnan(r.v_cache[:, 0, 0, 0])).nonzero()[0]), 0, 0, 0)),
    "an unused cache slot": spoil_unused_slot,
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_notices_a_spoiled_result(spoil: Callable[[Result], None]) -> None:
    with pytest.raises(AssertionError) as error:
        check(CASE, lambda api, kwargs: rounded_reference(api, kwargs, spoil=spoil))
    assert "check(Case(" in str(error.value)


def test_notices_modified_inputs_and_surroundings() -> None:
    def modifies_q(api: str, kwargs: dict[str, Any]) -> Any:
        result = rounded_reference(api, kwargs)
        kwargs["q"][0, 0, 0] += 1
        return result

    def modifies_beside_the_cache(api: str, kwargs: dict[str, Any]) -> Any:
        result = rounded_reference(api, kwargs)
        cache = kwargs["k_cache"]
        cache.as_strided((1,), (1,), cache.storage_offset() - 1).fill_(1.0)
        return result

    for call, name in ((modifies_q, "q was modified"), (modifies_beside_the_cache, "k_cache: 1 elements outside")):
        with pytest.raises(AssertionError, match=name):
            check(CASE, call)


def test_accuracy_rule_refuses_three_times_the_formula() -> None:
    case = Case("v2", SEED, "bfloat16", seqlen_q=64, capacity=64, d=64, heads=8)

    def call(factor: float) -> Callable[[str, dict[str, Any]], Any]:
        def noisy(api: str, kwargs: dict[str, Any]) -> Any:
            exact = attention_with_kvcache(api, kwargs, Precision.EXACT)
            formula = attention_with_kvcache(api, kwargs, Precision.SAME_DTYPE)
            out = exact.out + factor * (formula.out - exact.out)
            return out.to(torch.bfloat16), exact.lse.float()

        return noisy

    check(case, call(1.0))
    with pytest.raises(AssertionError, match="same-dtype formula"):
        check(case, call(3.0))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_hold_the_same_numbers(layout: str) -> None:
    case = Case("v3", SEED, seqlen_q=3, cache_seqlens=(5, 60), seqlen_new=2)
    plain = build(case).kwargs
    other = build(dataclasses.replace(case, q_layout=layout, cache_layout=layout, new_layout=layout)).kwargs
    for name in ("q", "k_cache", "v_cache", "k", "v"):
        assert bit_equal(plain[name], other[name].contiguous())
        assert other[name].stride(-1) == 1
        assert other[name].is_contiguous() == (layout == "contiguous")


def test_snippet_rebuilds_the_case() -> None:
    namespace: dict[str, Any] = {"Case": Case}
    expression = CASE.snippet().split("check(", 1)[1].rsplit(")", 1)[0]
    assert eval(expression, namespace) == CASE


def test_pairwise_covers_every_allowed_pair() -> None:
    factors = {"a": (0, 1, 2), "b": (0, 1), "c": (0, 1, 2, 3), "d": ("x", "y")}

    def allowed(row: dict[str, Any]) -> bool:
        return not (row.get("a") == 2 and row.get("d") == "x")

    rows = pairwise(factors, allowed)
    assert all(allowed(row) for row in rows)
    for first in factors:
        for second in factors:
            if first < second:
                for x in factors[first]:
                    for y in factors[second]:
                        if allowed({first: x, second: y}):
                            assert any(row[first] == x and row[second] == y for row in rows), (first, x, second, y)
    assert len(rows) <= 16
