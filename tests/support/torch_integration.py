# SPDX-License-Identifier: BSD-3-Clause
"""Bodies of the tests of the registered torch operators, for both APIs."""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from torch import Tensor

from tests.support import backend
from tests.support.call import arguments, call
from tests.support.cases import Case, build
from tests.support.harness import bit_equal
from tests.support.seed import SEED

ALL_TEST_UTILS = ("test_schema", "test_autograd_registration", "test_faketensor", "test_aot_dispatch_dynamic")


def operator(api: str, overload: str = "default") -> Any:
    backend.package(api)
    packet = getattr(getattr(torch.ops, f"flash_attn_npu_{api}"), backend.FUNCTION)
    return getattr(packet, overload)


def operator_arguments(kwargs: dict[str, Any]) -> dict[str, Any]:
    """From the function's arguments to the operator's: schemas know no union types and no hints."""
    result = {name: x for name, x in kwargs.items() if name not in ("return_softmax_lse", "pack_gqa", "sm_margin")}
    if "window_size" in result:
        result["window_left"], result["window_right"] = result.pop("window_size")
    if isinstance(result.get("cache_seqlens"), int):
        result["cache_seqlens_int"] = result.pop("cache_seqlens")
    return result


def opcheck_cases(api: str) -> dict[str, Case]:
    page = {"page_size": 256} if api == "v2" else {"page_size": 16}
    some = {
        "dense": Case(api, SEED, seqlen_q=3, causal=True),
        "int": Case(api, SEED, "bfloat16", cache_seqlens=17, window=(5, 0)),
        "paged append": Case(api, SEED, cache_seqlens=(9, 20), seqlen_new=2, seqlen_q=2, rotary_dim=16, **page),  # type: ignore[arg-type]
        "fp32 strided": Case(api, SEED, "float32", cache_layout="bhsd", q_layout="packed", num_splits=3),
    }
    if api == "v2":
        some["alibi"] = Case(api, SEED, alibi="bh", d=35)
        some["leftpad"] = Case(api, SEED, leftpad=(3, 5), batch_idx=True)
    else:
        some["varlen"] = Case(api, SEED, seqlen_q=(3, 5), cache_seqlens=(9, 20), seqlen_new=(3, 1), **page)  # type: ignore[arg-type]
        some["fp8"] = Case(api, SEED, "float8_e4m3fn", descale="qkv", dv=64)
        some["qv"] = Case(api, SEED, d=64, dv=256, qv=True)
    return some


def passes_opcheck(case: Case, overload: str = "default") -> None:
    case = backend.current().adapted(case)
    kwargs = build(Case(**{**case.__dict__, "poison": False})).kwargs
    if overload != "default":
        kwargs["num_splits"] = 3
    # test_schema scales its inputs, which torch cannot do in fp8.
    skipped = {"test_schema"} if case.dtype == "float8_e4m3fn" else set()
    utils = [name for name in ALL_TEST_UTILS if name not in skipped]
    torch.library.opcheck(operator(case.api, overload), (), operator_arguments(kwargs), test_utils=utils)


def schema_declares_mutation(api: str) -> None:
    arguments = {a.name: a for a in operator(api)._schema.arguments}
    mutated = {name for name, a in arguments.items() if a.alias_info is not None and a.alias_info.is_write}
    assert mutated == {"k_cache", "v_cache"}
    assert [r.alias_info for r in operator(api)._schema.returns] == [None] * len(operator(api)._schema.returns)


class PagedDecoder(torch.nn.Module):
    """What a server compiles: projections around append + rotary + attention, then a look at the updated cache."""

    def __init__(self, api: str, kwargs: dict[str, Any]) -> None:
        super().__init__()
        self.function = getattr(backend.package(api), backend.FUNCTION)
        self.table_name = "block_table" if api == "v2" else "page_table"
        self.lse = api == "v2"
        d = kwargs["q"].shape[-1]
        generator = torch.Generator().manual_seed(SEED)
        self.weight = torch.nn.Parameter(torch.randn(d, d, generator=generator).to(kwargs["q"].dtype), False)

    def forward(
        self, q: Tensor, k: Tensor, v: Tensor, k_cache: Tensor, v_cache: Tensor, table: Tensor, seqlens: Tensor
    ) -> tuple[Tensor, Tensor]:
        before = k_cache.float().abs().nan_to_num().sum()
        out = self.function(
            q * 0.5,
            k_cache,
            v_cache,
            k=k + 1,
            v=v,
            cache_seqlens=seqlens,
            causal=True,
            window_size=(100, -1),
            softcap=30.0,
            **{self.table_name: table},
        )
        after = k_cache.float().abs().nan_to_num().sum()
        return out @ self.weight, after - before


def compiles(api: str, compiler: str) -> None:
    """fp16 paged decode in one graph; the cache update is seen inside the graph and by the caller."""
    page = 256 if api == "v2" else 16
    case = Case(
        api, SEED, capacity=512, page_size=page, cache_seqlens=(300, 20), seqlen_new=1, d=64, heads=8, poison=False
    )
    torch._dynamo.reset()
    module = PagedDecoder(api, build(case).kwargs)
    compiled = torch.compile(module, fullgraph=True, backend=compiler)

    def inputs(step: int) -> list[Tensor]:
        kwargs = build(Case(**{**case.__dict__, "seed": SEED + step})).kwargs
        names = ("q", "k", "v", "k_cache", "v_cache", module.table_name, "cache_seqlens")
        return [kwargs[name] for name in names]

    for step in range(3):
        eager_inputs, compiled_inputs = inputs(step), inputs(step)
        eager, ours = module(*eager_inputs), compiled(*compiled_inputs)
        torch.testing.assert_close(ours[0], eager[0], rtol=2e-2, atol=2e-2)
        torch.testing.assert_close(ours[1], eager[1], rtol=1e-2, atol=1e-1)
        assert float(eager[1]) != 0, "the graph does not see the appended keys"
        for a, b in zip(eager_inputs[3:5], compiled_inputs[3:5]):
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)
        assert not bit_equal(compiled_inputs[3], inputs(step)[3]), "the caller does not see the appended keys"


def compiles_with_changing_shapes(api: str) -> None:
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


def works_in_inference_mode(api: str) -> None:
    case = Case(api, SEED, cache_seqlens=(9, 20), seqlen_new=2, seqlen_q=2, causal=True)
    expected = call(api, arguments(case))[0]
    with torch.inference_mode():
        assert torch.equal(call(api, arguments(case))[0], expected)
        kwargs = arguments(case)
    outside = {name: x.clone() if isinstance(x, Tensor) else x for name, x in kwargs.items()}
    assert torch.equal(call(api, outside)[0], expected)


def has_no_gradient(api: str) -> None:
    """Documented: no gradient. Inputs that require one work, and the result does not pretend to have one."""
    kwargs = arguments(Case(api, SEED, seqlen_q=2))
    expected = call(api, kwargs)[0]
    out = call(api, {**kwargs, "q": kwargs["q"].requires_grad_()})[0]
    assert torch.equal(out, expected)
    if out.requires_grad:
        with contextlib.suppress(RuntimeError, NotImplementedError):
            out.float().sum().backward()
    assert kwargs["q"].grad is None, "q got a gradient although there is none"


def fake_tensors_give_shapes(api: str) -> None:
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
