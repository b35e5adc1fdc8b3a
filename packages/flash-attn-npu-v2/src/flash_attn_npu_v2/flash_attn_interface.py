# SPDX-License-Identifier: BSD-3-Clause
"""Public functions, with the signatures of Dao-AILab's ``flash_attn.flash_attn_interface``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional, Union

from torch import Tensor

from . import _C
from ._common.arguments import split_cache_seqlens, window_sides
from ._common.operators import Operator
from ._common.shapes import out_and_lse

__all__ = ["flash_attn_with_kvcache"]


_flash_attn_with_kvcache = Operator(
    "flash_attn_npu_v2",
    "flash_attn_with_kvcache",
    "(Tensor q, Tensor(a!) k_cache, Tensor(b!) v_cache, Tensor? k=None, Tensor? v=None, Tensor? rotary_cos=None, "
    "Tensor? rotary_sin=None, Tensor? cache_seqlens=None, SymInt? cache_seqlens_int=None, "
    "Tensor? cache_batch_idx=None, Tensor? cache_leftpad=None, Tensor? block_table=None, float? softmax_scale=None, "
    "bool causal=False, SymInt window_left=-1, SymInt window_right=-1, float softcap=0.0, "
    "bool rotary_interleaved=True, Tensor? alibi_slopes=None, int num_splits=0) -> (Tensor, Tensor)",
    call=_C.flash_attn_with_kvcache,
    meta=out_and_lse,
    bind=_C.bind_flash_attn_with_kvcache,
)


def flash_attn_with_kvcache(
    q: Tensor,
    k_cache: Tensor,
    v_cache: Tensor,
    k: Optional[Tensor] = None,
    v: Optional[Tensor] = None,
    rotary_cos: Optional[Tensor] = None,
    rotary_sin: Optional[Tensor] = None,
    cache_seqlens: Optional[Union[int, Tensor]] = None,
    cache_batch_idx: Optional[Tensor] = None,
    cache_leftpad: Optional[Tensor] = None,
    block_table: Optional[Tensor] = None,
    softmax_scale: Optional[float] = None,
    causal: bool = False,
    window_size: Sequence[int] = (-1, -1),
    softcap: float = 0.0,
    rotary_interleaved: bool = True,
    alibi_slopes: Optional[Tensor] = None,
    num_splits: int = 0,
    return_softmax_lse: bool = False,
) -> Union[Tensor, tuple[Tensor, Tensor]]:
    """Attend to a KV cache, after appending new keys and values to it in place if ``k`` and ``v`` are given.

    Row ``i`` of a sequence with ``seqlen_q`` queries and ``seqlen_k`` keys stands at key position
    ``i + seqlen_k - seqlen_q`` (bottom-right alignment). Query head ``h`` reads kv head ``h // (nheads // nheads_k)``.
    A row that sees no key has out 0 and LSE +inf. There is no gradient.

    Args:
        q: (batch_size, seqlen_q, nheads, headdim), float16, bfloat16 or (an extension of ours, cpu only) float32;
            headdim 1 to 256, fastest for multiples of 8.
        k_cache: (batch_size_cache, seqlen_cache, nheads_k, headdim), or with ``block_table``
            (num_blocks, page_block_size, nheads_k, headdim), page_block_size a multiple of 256. dtype of ``q``, last
            dimension contiguous, any other strides. nheads_k divides nheads.
        v_cache: As ``k_cache``.
        k: (batch_size, seqlen_new, nheads_k, headdim): new keys, written to rows ``cache_seqlens[b] + t`` of the
            cache and attended to. Needs ``v`` and ``cache_seqlens``, which is not advanced.
        v: As ``k``.
        rotary_cos: (seqlen_ro, rotary_dim / 2), dtype of ``q``: rotates ``k`` at positions ``cache_seqlens[b] + t``
            and ``q`` at ``cache_seqlens[b] + i`` (causal or windowed) or ``cache_seqlens[b]`` (otherwise). rotary_dim
            is a multiple of 16, at most headdim; seqlen_ro at least the cache's capacity. Only with ``k``.
        rotary_sin: As ``rotary_cos``.
        cache_seqlens: Rows of the cache that are filled, left padding included: an int, an int32 tensor
            (batch_size,), or None for all.
        cache_batch_idx: (batch_size,) int32: the cache row of each sequence. Not with ``block_table``.
        cache_leftpad: (batch_size,) int32: rows to skip at the start of each sequence. Not with ``block_table``.
        block_table: (batch_size, max_num_blocks_per_seq) int32: the pages of each sequence, in order.
        softmax_scale: Factor on ``q @ k.T``; default ``headdim ** -0.5``.
        causal: Row ``i`` sees no key beyond its own position.
        window_size: (left, right): row ``i`` sees keys from ``left`` before to ``right`` after its position; -1 is
            unlimited, and so is anything from the cache's capacity on.
        softcap: If positive, scores become ``softcap * tanh(score / softcap)``.
        rotary_interleaved: Rotate features (0, 1), (2, 3), ...; else (0, rotary_dim / 2), (1, rotary_dim / 2 + 1), ...
        alibi_slopes: (nheads,) or (batch_size, nheads) float32: adds ``-slope * |position of i - j|`` to the scores.
        num_splits: Parts the keys are cut into for parallelism; 0 chooses, at most 128. Changes results only by
            rounding.
        return_softmax_lse: Also return the log-sum-exp of the scores.

    Returns:
        out, (batch_size, seqlen_q, nheads, headdim), dtype of ``q``; or (out, softmax_lse) with softmax_lse
        (batch_size, nheads, seqlen_q) float32, natural logarithm. With ``causal`` and ``alibi_slopes`` the LSE is
        larger by ``slope * (position of i)``, as in flash-attn.

    Raises:
        TypeError: A wrong Python type or dtype.
        ValueError: A shape, stride or value that is not allowed, or contents out of range: lengths beyond the
            cache, pages or batch indices that do not exist. Nothing has been written then.
        NotImplementedError: Tensors on a device without a backend, or a dtype that the device's backend does not have.

    Example:
        One decode step: a new token per sequence is written to the cache and attends to all keys before it.

        >>> import torch
        >>> from flash_attn_npu_v2 import flash_attn_with_kvcache
        >>> k_cache, v_cache = torch.zeros(2, 256, 2, 64), torch.zeros(2, 256, 2, 64)
        >>> q, k, v = torch.randn(2, 1, 8, 64), torch.randn(2, 1, 2, 64), torch.randn(2, 1, 2, 64)
        >>> lengths = torch.tensor([5, 17], dtype=torch.int32)
        >>> out = flash_attn_with_kvcache(q, k_cache, v_cache, k, v, cache_seqlens=lengths, causal=True)
        >>> out.shape
        torch.Size([2, 1, 8, 64])
        >>> bool((k_cache[1, 17] == k[1, 0]).all())
        True

    The formula is that of Dao et al., "FlashAttention-2" (2023), with the arguments of
    ``flash_attn/flash_attn_interface.py`` in https://github.com/Dao-AILab/flash-attention.
    """
    window_left, window_right = window_sides(window_size)
    seqlens, seqlens_int = split_cache_seqlens(cache_seqlens)
    out, softmax_lse = _flash_attn_with_kvcache(
        q,
        k_cache,
        v_cache,
        k,
        v,
        rotary_cos,
        rotary_sin,
        seqlens,
        seqlens_int,
        cache_batch_idx,
        cache_leftpad,
        block_table,
        softmax_scale,
        causal,
        window_left,
        window_right,
        softcap,
        rotary_interleaved,
        alibi_slopes,
        num_splits,
    )
    return (out, softmax_lse) if return_softmax_lse else out
