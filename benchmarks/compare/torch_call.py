# SPDX-License-Identifier: BSD-3-Clause
"""A call of flash_attn_with_kvcache written in PyTorch: rotate, append, gather, SDPA with a mask."""

from __future__ import annotations

from typing import Any, Callable

import torch
from torch import Tensor

from benchmarks.cpu.torch_attention import gather_pages, rotate, sdpa
from tests.support.mask import visible


def can_express(kwargs: dict[str, Any]) -> bool:
    """SDPA has no softcap."""
    return not kwargs.get("softcap")


def with_kvcache(kwargs: dict[str, Any]) -> Tensor:
    """The output for the keyword arguments of the v2 function; the caches are updated in place."""
    arg: Callable[..., Any] = kwargs.get
    q, k_cache, v_cache, table = arg("q"), arg("k_cache"), arg("v_cache"), arg("block_table")
    batch, seqlen_q = q.shape[:2]
    capacity = k_cache.shape[1] * (1 if table is None else table.shape[1])
    old = arg("cache_seqlens")
    old = torch.full((batch,), capacity, dtype=torch.long) if old is None else old.long()
    rows = torch.arange(batch) if arg("cache_batch_idx") is None else arg("cache_batch_idx").long()
    left, right = arg("window_size", (-1, -1))
    right = 0 if arg("causal", False) else right

    lengths = old
    if arg("k") is not None:
        q, lengths = _append(kwargs, old, rows), old + arg("k").shape[1]
    if table is not None:
        k_cache, v_cache = gather_pages(k_cache, table), gather_pages(v_cache, table)
    elif arg("cache_batch_idx") is not None:
        k_cache, v_cache = k_cache[rows], v_cache[rows]

    mask = None
    starts = torch.zeros_like(lengths) if arg("cache_leftpad") is None else arg("cache_leftpad").long()
    if bool((lengths < capacity).any()) or bool(starts.any()) or left >= 0 or right >= 0:
        mask = torch.zeros(batch, 1, seqlen_q, capacity, dtype=torch.bool)
        for n, (start, end) in enumerate(zip(starts.tolist(), lengths.tolist())):
            mask[n, 0, :, start:end] = visible(seqlen_q, end - start, left, right)
    return sdpa(q, k_cache, v_cache, mask=mask, scale=arg("softmax_scale")).nan_to_num()


def _append(kwargs: dict[str, Any], old: Tensor, rows: Tensor) -> Tensor:
    """Writes k and v after the `old` keys; returns q, rotated if that is asked for."""
    arg: Callable[..., Any] = kwargs.get
    q, k, v = arg("q"), arg("k"), arg("v")
    key_positions = old.view(-1, 1) + torch.arange(k.shape[1])
    if arg("rotary_cos") is not None:
        is_ordered = arg("causal", False) or tuple(arg("window_size", (-1, -1))) != (-1, -1)
        steps = torch.arange(q.shape[1]) if is_ordered else torch.zeros(q.shape[1], dtype=torch.long)
        q_positions = old.view(-1, 1) + steps
        interleaved = arg("rotary_interleaved", True)
        q = rotate(q, arg("rotary_cos")[q_positions], arg("rotary_sin")[q_positions], interleaved)
        k = rotate(k, arg("rotary_cos")[key_positions], arg("rotary_sin")[key_positions], interleaved)
    table = arg("block_table")
    if table is None:
        at = (rows.view(-1, 1).expand_as(key_positions), key_positions)
    else:
        page_size = arg("k_cache").shape[1]
        at = (table.long().gather(1, key_positions // page_size), key_positions % page_size)
    arg("k_cache")[at], arg("v_cache")[at] = k, v
    return q
