# SPDX-License-Identifier: BSD-3-Clause
"""The same step in plain PyTorch: rotate, write into the pages, gather each sequence's pages, SDPA."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.cpu.torch_attention import gather_pages, rotate, sdpa
from examples.decode_loop.attention_layer import StepInputs, StepPlan
from examples.decode_loop.paged_cache import PagedKVCache
from tests.support.mask import visible


def torch_attention_step(cache: PagedKVCache, plan: StepPlan, inputs: StepInputs, cos: Tensor, sin: Tensor) -> Tensor:
    """As attention_step. One SDPA per sequence: a padded batch would compute the padding of every decode."""
    starts = plan.cu_seqlens.tolist()
    old_lengths = plan.cache_seqlens.tolist()
    counts = [end - start for start, end in zip(starts, starts[1:])]
    positions = torch.cat([torch.arange(old, old + count) for old, count in zip(old_lengths, counts)])
    sequence = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    page = plan.page_table[sequence, positions // cache.page_size].long()
    rows = page * cache.page_size + positions % cache.page_size

    q = rotate(inputs.q, cos[positions], sin[positions], interleaved=False)
    cache.k.flatten(0, 1)[rows] = rotate(inputs.k, cos[positions], sin[positions], interleaved=False)
    cache.v.flatten(0, 1)[rows] = inputs.v

    out = torch.empty_like(q)
    for n, count in enumerate(counts):
        length = old_lengths[n] + count
        table = plan.page_table[n : n + 1, : cache.pages_for(length)]
        k, v = (gather_pages(x, table)[:, :length] for x in (cache.k, cache.v))
        new = slice(starts[n], starts[n] + count)
        is_whole_prompt = count == length
        mask = None if count == 1 or is_whole_prompt else visible(count, length, -1, 0)
        out[new] = sdpa(q[new].unsqueeze(0), k, v, causal=is_whole_prompt and count > 1, mask=mask)[0]
    return out
