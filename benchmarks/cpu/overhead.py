# SPDX-License-Identifier: BSD-3-Clause
"""What a call costs before any work: microseconds from the Python call to the result of a tiny decode."""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass
from typing import Any, Callable

import torch
import torch.nn.functional as F

LIMIT_US = 15.0


@dataclass(frozen=True)
class Overhead:
    name: str
    us: float  # least of several batches: neighbours only ever add


def microseconds(function: Callable[[], Any], batches: int = 30, calls: int = 200) -> float:
    function()
    best = float("inf")
    for _ in range(batches):
        started = time.perf_counter()
        for _ in range(calls):
            function()
        best = min(best, (time.perf_counter() - started) / calls * 1e6)
    return best


def measure(batches: int = 30) -> list[Overhead]:
    """v2, v3 and SDPA: one query, one head, 16 keys, d 64; and v3 as a server calls it, paged."""
    torch.manual_seed(0)
    q = torch.randn(1, 1, 1, 64, dtype=torch.bfloat16)
    k, v = torch.randn(2, 1, 16, 1, 64, dtype=torch.bfloat16).unbind(0)
    q_first, k_first, v_first = (x.transpose(1, 2).contiguous() for x in (q, k, v))
    seqlens = torch.tensor([16], dtype=torch.int32)
    table = torch.zeros(1, 1, dtype=torch.int32)
    v2, v3 = (importlib.import_module(f"flash_attn_npu_{version}").flash_attn_with_kvcache for version in ("v2", "v3"))
    calls: dict[str, Callable[[], Any]] = {
        "v2": lambda: v2(q, k, v),
        "v3": lambda: v3(q, k, v),
        "v3 paged": lambda: v3(q, k, v, cache_seqlens=seqlens, page_table=table, causal=True),
        "sdpa": lambda: F.scaled_dot_product_attention(q_first, k_first, v_first),
    }
    return [Overhead(name, microseconds(call, batches)) for name, call in calls.items()]


def line(overheads: list[Overhead]) -> str:
    parts = ", ".join(f"{x.name} {x.us:.1f} us" for x in overheads)
    return f"call overhead (tiny decode, call to result): {parts}; limit {LIMIT_US:.0f} us"
