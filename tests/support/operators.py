# SPDX-License-Identifier: BSD-3-Clause
"""What tests of the registered torch operators share: the operators, calls for opcheck, a module to compile."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tests.support import backend
from tests.support.cases import Case
from tests.support.harness import bit_equal
from tests.support.reference import ulp
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


class PagedDecoder(torch.nn.Module):
    """What a server compiles: projections around append + rotary + attention, then a look at the updated cache."""

    def __init__(self, api: str, kwargs: dict[str, Any]) -> None:
        super().__init__()
        self.function = getattr(backend.package(api), backend.FUNCTION)
        self.table_name = "block_table" if api == "v2" else "page_table"
        d = kwargs["q"].shape[-1]
        generator = torch.Generator().manual_seed(SEED)
        self.weight = torch.nn.Parameter(torch.randn(d, d, generator=generator).to(kwargs["q"].dtype), False)

    def forward(
        self, q: Tensor, k: Tensor, v: Tensor, k_cache: Tensor, v_cache: Tensor, table: Tensor, seqlens: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """out, its projection, and by how much the cache's checksum grew."""
        before = checksum(k_cache)
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
        return out, out @ self.weight, checksum(k_cache) - before


def checksum(x: Tensor) -> Tensor:
    """Sum of half precision values without rounding: multiples of 2^-24 below 2^16, of which double holds 2^13."""
    return x.double().abs().nan_to_num().sum()


def check_compiled(module: PagedDecoder, compiled: Any, inputs: list[Tensor], same_inputs: list[Tensor]) -> None:
    """The compiled module does what the module does; `same_inputs`: equal tensors in other memory.

    Raises:
        AssertionError: results or caches differ.
    """
    untouched = inputs[3].clone()
    (out, projected, grown), ours = module(*inputs), compiled(*same_inputs)
    assert bit_equal(ours[0].cpu(), out.cpu()), "the operator got other inputs in the graph"
    # Compilers may multiply in another order. Either way is off by about as much, and rounds once.
    truth = out.cpu().double() @ module.weight.cpu().double()
    allowed = 2 * (projected.cpu().double() - truth).abs().max() + ulp(truth, projected.dtype) / 2
    assert ((ours[1].cpu().double() - truth).abs() <= allowed).all()
    assert float(grown) != 0, "the graph does not see the appended keys"
    assert float(ours[2]) == float(grown)
    for eager, in_graph in zip(inputs[3:5], same_inputs[3:5]):
        assert bit_equal(in_graph.cpu(), eager.cpu()), "the caller does not see the appended keys"
    assert not bit_equal(same_inputs[3].cpu(), untouched.cpu()), "nothing was appended"


def decoder_case(api: str, seed: int = SEED) -> Case:
    """A call of PagedDecoder in half precision."""
    page = 256 if api == "v2" else 16
    changes: dict[str, Any] = {"cache_seqlens": (300, 20), "seqlen_new": 1, "d": 64, "heads": 8, "poison": False}
    return Case(api, seed, capacity=512, page_size=page, **changes)


def decoder_inputs(module: PagedDecoder, kwargs: dict[str, Any]) -> list[Tensor]:
    """The arguments of the module's forward out of those of the function."""
    names = ("q", "k", "v", "k_cache", "v_cache", module.table_name, "cache_seqlens")
    return [kwargs[name] for name in names]


def opcheck(case: Case, kwargs: dict[str, Any], overload: str = "default") -> None:
    """torch.library.opcheck of a call.

    Raises:
        torch.library.OpCheckError: the operator does not do what its schema or its fake implementation says.
    """
    # test_schema scales its inputs, which torch cannot do in fp8.
    skipped = {"test_schema"} if case.dtype == "float8_e4m3fn" else set()
    utils = [name for name in ALL_TEST_UTILS if name not in skipped]
    torch.library.opcheck(operator(case.api, overload), (), operator_arguments(kwargs), test_utils=utils)
