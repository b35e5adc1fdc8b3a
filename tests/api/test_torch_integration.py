# SPDX-License-Identifier: BSD-3-Clause
"""The registered operators under torch: schema, tracing, compilation, grad modes."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.support import backend
from tests.support.apis import only, per_api
from tests.support.call import arguments, call
from tests.support.cases import Case, build
from tests.support.operators import (
    PagedDecoder,
    check_compiled,
    decoder_case,
    decoder_inputs,
    opcheck,
    opcheck_cases,
    operator,
)
from tests.support.seed import SEED


def unpoisoned(case: Case) -> dict[str, Any]:
    return build(dataclasses.replace(backend.current().adapted(case), poison=False)).kwargs


def named_cases(api: str) -> Iterator[tuple[str, Case]]:
    return ((name.replace(" ", "-"), case) for name, case in opcheck_cases(api).items())


@per_api("case", named_cases)
def test_opcheck(case: Case) -> None:
    opcheck(backend.current().adapted(case), unpoisoned(case))


@only("v3")
def test_opcheck_of_partials(api: str) -> None:
    case = opcheck_cases(api)["dense"]
    opcheck(backend.current().adapted(case), {**unpoisoned(case), "num_splits": 3}, overload="partials")


def test_schema_declares_mutation(api: str) -> None:
    arguments = {a.name: a for a in operator(api)._schema.arguments}
    mutated = {name for name, a in arguments.items() if a.alias_info is not None and a.alias_info.is_write}
    assert mutated == {"k_cache", "v_cache"}
    assert [r.alias_info for r in operator(api)._schema.returns] == [None] * len(operator(api)._schema.returns)


@pytest.mark.parametrize("compiler", ["eager", "aot_eager", "inductor"])
def test_compiles(api: str, compiler: str) -> None:
    """fp16 paged decode in one graph; the cache update is seen inside the graph and by the caller."""
    torch._dynamo.reset()
    module = PagedDecoder(api, build(decoder_case(api)).kwargs)
    compiled = torch.compile(module, fullgraph=True, backend=compiler)
    for step in range(3):
        inputs, same_inputs = (decoder_inputs(module, build(decoder_case(api, SEED + step)).kwargs) for _ in range(2))
        check_compiled(module, compiled, inputs, same_inputs)


def test_compiles_with_changing_shapes(api: str) -> None:
    """Batch and lengths change from call to call: one dynamic graph, no break."""
    torch._dynamo.reset()
    function = getattr(backend.package(api), backend.FUNCTION)
    graphs = 0

    def count(graph: Any, example_inputs: Any) -> Any:
        nonlocal graphs
        graphs += 1
        return graph.forward

    @torch.compile(fullgraph=True, dynamic=True, backend=count)
    def step(q: Tensor, k_cache: Tensor, v_cache: Tensor, filled: int) -> tuple[Tensor, Tensor]:
        result = function(q, k_cache, v_cache, cache_seqlens=filled, causal=True, return_softmax_lse=True)
        return result[0] * 2, result[1]

    for n, (batch, sq, capacity, filled) in enumerate(((3, 5, 40, 30), (6, 9, 50, 41), (7, 11, 60, 13))):
        kwargs = build(Case(api, SEED + n, batch=batch, seqlen_q=sq, capacity=capacity, poison=False)).kwargs
        out, lse = step(kwargs["q"], kwargs["k_cache"], kwargs["v_cache"], filled)
        expected = function(**{**kwargs, "cache_seqlens": filled, "causal": True})
        assert torch.equal(out, expected[0] * 2) and torch.equal(lse, expected[1])
    assert graphs == 1, f"{graphs} graphs for three shapes"


def test_works_in_inference_mode(api: str) -> None:
    case = Case(api, SEED, cache_seqlens=(9, 20), seqlen_new=2, seqlen_q=2, causal=True)
    expected = call(api, arguments(case))[0]
    with torch.inference_mode():
        assert torch.equal(call(api, arguments(case))[0], expected)
        kwargs = arguments(case)
    outside = {name: x.clone() if isinstance(x, Tensor) else x for name, x in kwargs.items()}
    assert torch.equal(call(api, outside)[0], expected)


def test_has_no_gradient(api: str) -> None:
    """Documented: no gradient. Inputs that require one work, and the result does not pretend to have one."""
    kwargs = arguments(Case(api, SEED, seqlen_q=2))
    expected = call(api, kwargs)[0]
    out = call(api, {**kwargs, "q": kwargs["q"].requires_grad_()})[0]
    assert torch.equal(out, expected)
    if out.requires_grad:
        with contextlib.suppress(RuntimeError, NotImplementedError):
            out.float().sum().backward()
    assert kwargs["q"].grad is None, "q got a gradient although there is none"


def test_fake_tensors_give_shapes(api: str) -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    for case in opcheck_cases(api).values():
        kwargs = build(backend.current().adapted(case)).kwargs
        real = call(api, kwargs)
        with FakeTensorMode() as mode:
            fake_kwargs = {name: mode.from_tensor(x) if isinstance(x, Tensor) else x for name, x in kwargs.items()}
            fake = getattr(backend.package(api), backend.FUNCTION)(**fake_kwargs)
        assert len(fake) == len(real)
        for a, b in zip(fake, real):
            assert (a.shape, a.dtype, a.stride()) == (b.shape, b.dtype, b.stride())
