# SPDX-License-Identifier: BSD-3-Clause
"""One step of the attention layer of a server: prefills and decodes of many sequences, in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from examples.decode_loop.paged_cache import PagedKVCache
from examples.decode_loop.scheduler import Part
from flash_attn_npu_v3 import flash_attn_with_kvcache


@dataclass(frozen=True)
class StepInputs:
    """The new tokens of all sequences, packed one after the other: what a layer's projections deliver."""

    q: Tensor  # (total, num_heads, head_dim)
    k: Tensor  # (total, num_heads_k, head_dim), not rotated yet
    v: Tensor  # (total, num_heads_k, head_dim)


@dataclass(frozen=True)
class StepPlan:
    """Where those tokens belong."""

    cu_seqlens: Tensor  # (batch + 1,) int32: where each sequence's new tokens begin
    cache_seqlens: Tensor  # (batch,) int32: rows already in the cache
    page_table: Tensor  # (batch, pages) int32
    longest: int  # most new tokens of any sequence


def plan_step(cache: PagedKVCache, parts: Sequence[Part]) -> StepPlan:
    """The same for all layers of a model: made once per step."""
    counts = torch.tensor([0] + [part.tokens for part in parts], dtype=torch.int32)
    return StepPlan(
        cu_seqlens=counts.cumsum(0, dtype=torch.int32),
        cache_seqlens=torch.tensor([part.running.cached.length for part in parts], dtype=torch.int32),
        page_table=cache.page_table([part.running.cached for part in parts]),
        longest=int(counts.max()),
    )


def attention_step(cache: PagedKVCache, plan: StepPlan, inputs: StepInputs, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotates q and k, writes k and v into the pages and attends causally. Returns (total, num_heads, head_dim)."""
    return flash_attn_with_kvcache(
        inputs.q,
        cache.k,
        cache.v,
        k=inputs.k,
        v=inputs.v,
        rotary_cos=cos,
        rotary_sin=sin,
        rotary_interleaved=False,
        cache_seqlens=plan.cache_seqlens,
        page_table=plan.page_table,
        cu_seqlens_q=plan.cu_seqlens,
        cu_seqlens_k_new=plan.cu_seqlens,
        max_seqlen_q=plan.longest,
        causal=True,
    )


def rotary_tables(positions: int, rotary_dim: int, dtype: torch.dtype, base: float = 10000.0) -> tuple[Tensor, Tensor]:
    """cos and sin (positions, rotary_dim / 2) of RoFormer's frequencies base ** (-2 m / rotary_dim)."""
    frequency = base ** (-torch.arange(0, rotary_dim, 2, dtype=torch.float64) / rotary_dim)
    angle = torch.arange(positions, dtype=torch.float64).view(-1, 1) * frequency
    return angle.cos().to(dtype), angle.sin().to(dtype)
