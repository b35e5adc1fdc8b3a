# SPDX-License-Identifier: BSD-3-Clause
"""Our operators on npu tensors under what torch offers: inference mode, compile, opcheck, graphs.

The device library is the cpu backend itself (emulation/cpu): the same inputs give the same bits as on cpu tensors.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.device.npu.npu_call import Moved
from tests.support import backend
from tests.support.cases import Case, build
from tests.support.operators import PagedDecoder, check_compiled, decoder_case, decoder_inputs, opcheck, opcheck_cases
from tests.support.seed import SEED

APIS = ("v2", "v3")


def function(api: str) -> Any:
    return getattr(backend.package(api), backend.FUNCTION)


@pytest.mark.parametrize("api", APIS)
def test_inference_mode(api: str) -> None:
    case = Case(api, SEED, cache_seqlens=(9, 20), seqlen_new=2, seqlen_q=2, causal=True)
    expected = function(api)(**build(case).kwargs)[0]
    with torch.inference_mode():
        moved = Moved(build(case).kwargs).kwargs
        out = function(api)(**moved)[0]
        assert out.is_inference()
        assert torch.equal(out.cpu(), expected)


@pytest.mark.parametrize("api", APIS)
def test_no_gradient(api: str) -> None:
    moved = Moved(build(Case(api, SEED, seqlen_q=2)).kwargs).kwargs
    out = function(api)(**{**moved, "q": moved["q"].requires_grad_()})[0]
    assert not out.requires_grad


@pytest.mark.parametrize("compiler", ["eager", "aot_eager"])
@pytest.mark.parametrize("api", APIS)
def test_compile(api: str, compiler: str) -> None:
    torch._dynamo.reset()
    module = PagedDecoder(api, build(decoder_case(api)).kwargs).npu()
    compiled = torch.compile(module, fullgraph=True, backend=compiler)
    for step in range(2):
        kwargs = build(decoder_case(api, SEED + step)).kwargs
        inputs, same_inputs = (decoder_inputs(module, Moved(kwargs).kwargs) for _ in range(2))
        check_compiled(module, compiled, inputs, same_inputs)


def npu_opcheck_cases() -> list[Any]:
    return [
        pytest.param(case, id=f"{api}-{name}")
        for api in APIS
        for name, case in opcheck_cases(api).items()
        if case.dtype != "float32"
    ]


@pytest.mark.parametrize("case", npu_opcheck_cases())
def test_opcheck(case: Case) -> None:
    opcheck(case, Moved(build(dataclasses.replace(case, poison=False)).kwargs).kwargs)


def test_fake_tensors_on_npu() -> None:
    from torch._subclasses.fake_tensor import FakeTensorMode

    kwargs = Moved(build(Case("v3", SEED)).kwargs).kwargs
    with FakeTensorMode() as mode:
        fake = {name: mode.from_tensor(x) if isinstance(x, Tensor) else x for name, x in kwargs.items()}
        out = function("v3")(**fake)[0]
    assert out.device.type == "npu" and out.shape == kwargs["q"].shape


@pytest.mark.parametrize("api", APIS)
def test_captured_graph(api: str) -> None:
    """Captured once, replayed with other contents: the replay reads lengths and new keys, and the host does not."""
    case = Case(api, SEED, cache_seqlens=(9, 20), seqlen_new=1, causal=True, capacity=64, poison=False)
    moved = Moved({**build(case).kwargs, "return_softmax_lse": False}).kwargs
    function(api)(**moved)  # what happens once happens before the capture
    torch.npu.synchronize()
    graph = torch.npu.NPUGraph()
    with torch.npu.graph(graph):
        out = function(api)(**moved)
        doubled = out * 2
    for step, lengths in enumerate(((3, 4), (50, 63), (20, 0))):
        kwargs = {**build(Case(**{**case.__dict__, "seed": SEED + 1 + step})).kwargs, "return_softmax_lse": False}
        kwargs["cache_seqlens"] = torch.tensor(lengths, dtype=torch.int32)
        for name, x in kwargs.items():
            if isinstance(x, Tensor):
                moved[name].copy_(x)
        graph.replay()
        torch.npu.synchronize()
        expected = function(api)(**kwargs)
        assert torch.equal(out.cpu(), expected)
        assert torch.equal(doubled.cpu(), expected * 2)
        assert torch.equal(moved["k_cache"].cpu(), kwargs["k_cache"])
