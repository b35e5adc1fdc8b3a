# SPDX-License-Identifier: BSD-3-Clause
"""Wrong calls, as a table: one good call, one change, and what the exception must say.

Messages have the form "<argument>: got <value>, expected <what is allowed>" with the argument's name in that API. The
columns `got` and `allowed` are regular expressions for the two halves. Nothing may have been written to the caches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

import torch
from torch import Tensor

from tests.support.cases import Case, build
from tests.support.seed import SEED

Kwargs = dict[str, Any]


def good_call(api: str, base: str) -> Kwargs:
    """Calls that work (test_good_calls_work checks that), to be spoiled."""
    paged = {"page_size": 256 if api == "v2" else 16, "capacity": 512 if api == "v2" else 64}
    options: dict[str, dict[str, Any]] = {
        "dense": {"cache_seqlens": (20, 64)},
        "none": {},
        "int": {"cache_seqlens": 20},
        "batch_idx": {"cache_seqlens": (20, 64), "batch_idx": True},
        "leftpad": {"cache_seqlens": (20, 64), "leftpad": (3, 0)},
        "paged": {"cache_seqlens": (20, 64), **paged},
        "append": {"cache_seqlens": (20, 40), "seqlen_new": 3, "seqlen_q": 3},
        "append int": {"cache_seqlens": 20, "seqlen_new": 3, "seqlen_q": 3},
        "append paged": {"cache_seqlens": (20, 40), "seqlen_new": 3, "seqlen_q": 3, **paged},
        "rotary": {"cache_seqlens": (20, 40), "seqlen_new": 3, "seqlen_q": 3, "rotary_dim": 16, "causal": True},
        "rotary paged": {"cache_seqlens": (20, 40), "seqlen_new": 3, "seqlen_q": 3, "rotary_dim": 16, **paged},
        "alibi": {"alibi": "bh"},
        "varlen": {"seqlen_q": (3, 5), "cache_seqlens": (20, 64)},
        "append varlen": {"seqlen_q": (3, 5), "seqlen_new": (2, 4), "cache_seqlens": (20, 40)},
        "rotary_seqlens": {
            "cache_seqlens": (20, 40),
            "seqlen_new": 3,
            "seqlen_q": 3,
            "rotary_dim": 16,
            "rotary_seqlens": (0, 7),
        },
        "qv": {"qv": True, "d": 64, "dv": 256},
        "fp8": {"dtype": "float8_e4m3fn", "descale": "qkv"},
    }
    return build(Case(api, SEED, **options[base])).kwargs


def change(**changes: Callable[[Any], Any]) -> Callable[[Kwargs], None]:
    """A mutation that replaces arguments by a function of their old value."""

    def mutate(kwargs: Kwargs) -> None:
        for name, function in changes.items():
            kwargs[name] = function(kwargs.get(name))

    return mutate


def to(value: Any) -> Callable[[Any], Any]:
    return lambda old: value


def dtype(d: torch.dtype) -> Callable[[Tensor], Tensor]:
    return lambda x: x.to(d)


def last_dim_strided(x: Tensor) -> Tensor:
    """The same shape, with stride 2 in the last dimension."""
    return torch.stack([x, x], dim=-1)[..., 0]


def element(index: Any, value: Any) -> Callable[[Tensor], Tensor]:
    def set_element(x: Tensor) -> Tensor:
        x[index] = value
        return x

    return set_element


def every_second(x: Tensor) -> Tensor:
    return x.repeat_interleave(2, 0)[::2]


def on_meta(x: Tensor) -> Tensor:
    return x.to("meta")


class ElsewhereTensor(torch.Tensor):
    """Says that it lives on a device this machine does not have."""

    is_cpu = False


class NpuTensor(ElsewhereTensor):
    device = property(lambda self: "npu:0")


class CudaTensor(ElsewhereTensor):
    device = property(lambda self: torch.device("cuda:0"))


def as_class(cls: type) -> Callable[[Tensor], Tensor]:
    return lambda x: x.as_subclass(cls)


def everything_on(cls: type) -> Callable[[Kwargs], None]:
    def mutate(kwargs: Kwargs) -> None:
        for name, x in kwargs.items():
            if isinstance(x, Tensor):
                kwargs[name] = x.as_subclass(cls)

    return mutate


@dataclass(frozen=True)
class BadCall:
    id: str
    base: str
    mutate: Callable[[Kwargs], None]
    error: type
    argument: str  # page_table means block_table in v2
    got: str
    allowed: str
    apis: tuple[str, ...] = ("v2", "v3")
