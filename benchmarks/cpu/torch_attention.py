# SPDX-License-Identifier: BSD-3-Clause
"""Attention as a user of PyTorch writes it: the peers of the benchmark, the comparison and the demo.

Tensors are (b, s, h, d) as in flash_attn_with_kvcache unless a name says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def sdpa(
    q: Tensor, k: Tensor, v: Tensor, causal: bool = False, mask: Tensor | None = None, scale: float | None = None
) -> Tensor:
    """SDPA on transposed views. `causal` needs as many queries as keys; `mask` is bool, True where visible."""
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    return sdpa_heads_first(q, k, v, causal, mask, scale).transpose(1, 2)


def sdpa_heads_first(
    q: Tensor, k: Tensor, v: Tensor, causal: bool = False, mask: Tensor | None = None, scale: float | None = None
) -> Tensor:
    """SDPA on (b, h, s, d) tensors."""
    is_grouped = q.shape[1] != k.shape[1]
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal, scale=scale, enable_gqa=is_grouped)


def sdpa_packed(q: Tensor, k: Tensor, v: Tensor, seqlens: Sequence[int], causal: bool) -> Tensor:
    """One SDPA per sequence: q packed (total, h, d), k and v padded (b, s, hk, d), as many queries as keys each.

    A single call on padded queries would compute the padding too, and a nested tensor ends in the same loop on the CPU.
    """
    out = torch.empty_like(q)
    start = 0
    for n, length in enumerate(seqlens):
        rows = slice(start, start + length)
        out[rows] = sdpa(q[rows].unsqueeze(0), k[n : n + 1, :length], v[n : n + 1, :length], causal)[0]
        start += length
    return out


def gather_pages(cache: Tensor, page_table: Tensor) -> Tensor:
    """Copies pages (num_pages, page_size, hk, d) together: (b, pages * page_size, hk, d) for a table (b, pages)."""
    pages = cache.index_select(0, page_table.flatten())
    return pages.view(page_table.shape[0], -1, *cache.shape[2:])


def rotate(x: Tensor, cos: Tensor, sin: Tensor, interleaved: bool) -> Tensor:
    """Rotary embedding of x (..., h, d) with cos and sin (..., rotary_dim / 2) of the rows' positions."""
    half = cos.shape[-1]
    cos, sin = cos.unsqueeze(-2), sin.unsqueeze(-2)
    first = slice(0, 2 * half, 2) if interleaved else slice(0, half)
    second = slice(1, 2 * half, 2) if interleaved else slice(half, 2 * half)
    a, b = x[..., first], x[..., second]
    out = x.clone()
    out[..., first] = a * cos - b * sin
    out[..., second] = a * sin + b * cos
    return out
