# SPDX-License-Identifier: BSD-3-Clause
"""Public functions, with the signatures of Dao-AILab's FlashAttention-3 ``flash_attn_interface``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional, Union

import torch
from torch import Tensor

from . import _C
from ._common.arguments import optional_int, split_cache_seqlens, window_sides
from ._common.operators import Operator
from ._common.shapes import out_and_lse, out_and_lse_with_partials

__all__ = ["flash_attn_with_kvcache", "get_scheduler_metadata"]

_ARGUMENTS = (
    "(Tensor q, Tensor(a!) k_cache, Tensor(b!) v_cache, Tensor? k=None, Tensor? v=None, Tensor? qv=None, "
    "Tensor? rotary_cos=None, Tensor? rotary_sin=None, Tensor? cache_seqlens=None, SymInt? cache_seqlens_int=None, "
    "Tensor? cache_batch_idx=None, Tensor? cache_leftpad=None, Tensor? page_table=None, Tensor? cu_seqlens_q=None, "
    "Tensor? cu_seqlens_k_new=None, SymInt? max_seqlen_q=None, Tensor? rotary_seqlens=None, Tensor? q_descale=None, "
    "Tensor? k_descale=None, Tensor? v_descale=None, float? softmax_scale=None, bool causal=False, "
    "SymInt window_left=-1, SymInt window_right=-1, SymInt attention_chunk=0, float softcap=0.0, "
    "bool rotary_interleaved=True, Tensor? scheduler_metadata=None, int num_splits=0)"
)


_flash_attn_with_kvcache = Operator(
    "flash_attn_npu_v3",
    "flash_attn_with_kvcache",
    _ARGUMENTS + " -> (Tensor, Tensor)",
    call=_C.flash_attn_with_kvcache,
    meta=out_and_lse,
    bind=_C.bind_flash_attn_with_kvcache,
)

# As above, and also returns the results of the single splits; needs num_splits > 1.
_flash_attn_with_kvcache_partials = Operator(
    "flash_attn_npu_v3",
    "flash_attn_with_kvcache.partials",
    _ARGUMENTS + " -> (Tensor, Tensor, Tensor, Tensor)",
    call=_C.flash_attn_with_kvcache_partials,
    meta=out_and_lse_with_partials,
    bind=_C.bind_flash_attn_with_kvcache,
)


def flash_attn_with_kvcache(
    q: Tensor,
    k_cache: Tensor,
    v_cache: Tensor,
    k: Optional[Tensor] = None,
    v: Optional[Tensor] = None,
    qv: Optional[Tensor] = None,
    rotary_cos: Optional[Tensor] = None,
    rotary_sin: Optional[Tensor] = None,
    cache_seqlens: Optional[Union[int, Tensor]] = None,
    cache_batch_idx: Optional[Tensor] = None,
    cache_leftpad: Optional[Tensor] = None,
    page_table: Optional[Tensor] = None,
    cu_seqlens_q: Optional[Tensor] = None,
    cu_seqlens_k_new: Optional[Tensor] = None,
    max_seqlen_q: Optional[int] = None,
    rotary_seqlens: Optional[Tensor] = None,
    q_descale: Optional[Tensor] = None,
    k_descale: Optional[Tensor] = None,
    v_descale: Optional[Tensor] = None,
    softmax_scale: Optional[float] = None,
    causal: bool = False,
    window_size: Sequence[int] = (-1, -1),
    attention_chunk: int = 0,
    softcap: float = 0.0,
    rotary_interleaved: bool = True,
    scheduler_metadata: Optional[Tensor] = None,
    num_splits: int = 0,
    pack_gqa: Optional[bool] = None,
    sm_margin: int = 0,
    return_softmax_lse: bool = False,
) -> Union[Tensor, tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Attend to a KV cache, after appending new keys and values to it in place if ``k`` and ``v`` are given.

    Row ``i`` of a sequence with ``seqlen_q`` queries and ``seqlen_k`` keys stands at key position
    ``i + seqlen_k - seqlen_q`` (bottom-right alignment). Query head ``h`` reads kv head ``h // (nheads // nheads_k)``.
    A row that sees no key has out 0 and LSE -inf (+inf if the whole call has no keys). There is no gradient.

    Args:
        q: (batch_size, seqlen_q, nheads, headdim), or with ``cu_seqlens_q`` (total_q, nheads, headdim). float16,
            bfloat16, float8_e4m3fn or (an extension of ours, cpu only) float32; headdim 1 to 256, fastest for
            multiples of 8.
        k_cache: (batch_size_cache, seqlen_cache, nheads_k, headdim), or with ``page_table``
            (num_pages, page_size, nheads_k, headdim) with any page_size. dtype of ``q``, last dimension contiguous,
            any other strides. nheads_k divides nheads.
        v_cache: As ``k_cache``, with its own last dimension headdim_v, 1 to 512.
        k: New keys, (batch_size, seqlen_new, nheads_k, headdim), or with ``cu_seqlens_k_new``
            (total_k_new, nheads_k, headdim). Written to rows ``cache_seqlens[b] + t`` of the cache and attended to.
            Needs ``v`` and ``cache_seqlens``, which is not advanced.
        v: As ``k``, with headdim_v.
        qv: As ``q``, with headdim_v: adds ``qv @ v.T`` to the scores (MLA in its absorbed form). Not with float8.
        rotary_cos: (seqlen_ro, rotary_dim / 2), dtype of ``q``: rotates ``k`` at positions ``start + t`` and ``q`` at
            ``start + i`` (causal, windowed or chunked) or ``start`` (otherwise), where start is
            ``rotary_seqlens[b]`` or else ``cache_seqlens[b]``. rotary_dim is a multiple of 16, at most headdim. Only
            with ``k``.
        rotary_sin: As ``rotary_cos``.
        cache_seqlens: Rows of the cache that are filled, left padding included: an int, an int32 tensor
            (batch_size,), or None for all.
        cache_batch_idx: (batch_size,) int32: the cache row, or with ``page_table`` the row of that table, of each
            sequence.
        cache_leftpad: (batch_size,) int32: rows to skip at the start of each sequence.
        page_table: (batch_size, max_pages_per_sequence) int32: the pages of each sequence, in order.
        cu_seqlens_q: (batch_size + 1,) int32: where each sequence's rows of ``q`` begin. If the last offset lies
            beyond ``q``, offsets count from the first one (callers slice ``q`` and keep the offsets).
        cu_seqlens_k_new: (batch_size + 1,) int32: the same for ``k`` and ``v``. Ignored without ``k``.
        max_seqlen_q: An upper bound of the lengths in ``cu_seqlens_q``; needed with it. May be far too large.
        rotary_seqlens: (batch_size,) int32: see ``rotary_cos``.
        q_descale: (batch_size, nheads_k) float32: factor on ``q``; as the other descales only used with float8.
        k_descale: (batch_size, nheads_k) float32: factor on ``k``.
        v_descale: (batch_size, nheads_k) float32: factor on ``v``.
        softmax_scale: Factor on the scores; default ``headdim ** -0.5``, with ``qv`` ``(headdim + headdim_v) ** -0.5``.
        causal: Row ``i`` sees no key beyond its own position.
        window_size: (left, right): row ``i`` sees keys from ``left`` before to ``right`` after its position; -1 is
            unlimited.
        attention_chunk: If positive, row ``i`` sees only keys of its own chunk, chunks being that many positions.
        softcap: If positive, scores become ``softcap * tanh(score / softcap)``.
        rotary_interleaved: Rotate features (0, 1), (2, 3), ...; else (0, rotary_dim / 2), (1, rotary_dim / 2 + 1), ...
        scheduler_metadata: What ``get_scheduler_metadata`` returned for a call like this one. A hint: checked, never
            needed.
        num_splits: Parts the keys are cut into for parallelism; 0 chooses, at most 256. Changes results only by
            rounding.
        pack_gqa: A hint of the CUDA kernels; accepted. This library always packs the heads of a group.
        sm_margin: A hint of the CUDA kernels; accepted.
        return_softmax_lse: Also return the log-sum-exp of the scores and the results of the single splits.

    Returns:
        out, (batch_size, seqlen_q, nheads, headdim_v) or (total_q, nheads, headdim_v), dtype of ``q`` (bfloat16 for
        float8). With ``return_softmax_lse`` (out, softmax_lse, out_accum, softmax_lse_accum): softmax_lse float32,
        natural logarithm, (batch_size, nheads, seqlen_q) or (nheads, total_q); out_accum and softmax_lse_accum
        float32 with a leading dimension num_splits if that was more than 1, else empty.

    Raises:
        TypeError: A wrong Python type or dtype.
        ValueError: A shape, stride or value that is not allowed, or contents out of range: lengths beyond the
            cache, pages or batch indices that do not exist. Nothing has been written then.
        NotImplementedError: Tensors on a device without a backend, or a dtype that the device's backend does not have.

    Example:
        One decode step: a new token per sequence is written to the cache and attends to all keys before it.

        >>> import torch
        >>> from flash_attn_npu_v3 import flash_attn_with_kvcache
        >>> k_cache, v_cache = torch.zeros(2, 256, 2, 64), torch.zeros(2, 256, 2, 64)
        >>> q, k, v = torch.randn(2, 1, 8, 64), torch.randn(2, 1, 2, 64), torch.randn(2, 1, 2, 64)
        >>> lengths = torch.tensor([5, 17], dtype=torch.int32)
        >>> out = flash_attn_with_kvcache(q, k_cache, v_cache, k, v, cache_seqlens=lengths, causal=True)
        >>> out.shape
        torch.Size([2, 1, 8, 64])
        >>> bool((k_cache[1, 17] == k[1, 0]).all())
        True

    The formula is that of Dao et al., "FlashAttention-2" (2023), with the arguments of
    ``hopper/flash_attn_interface.py`` in https://github.com/Dao-AILab/flash-attention.
    """
    window_left, window_right = window_sides(window_size)
    seqlens, seqlens_int = split_cache_seqlens(cache_seqlens)
    args = (  # in the order of _ARGUMENTS
        q,
        k_cache,
        v_cache,
        k,
        v,
        qv,
        rotary_cos,
        rotary_sin,
        seqlens,
        seqlens_int,
        cache_batch_idx,
        cache_leftpad,
        page_table,
        cu_seqlens_q,
        cu_seqlens_k_new,
        optional_int("max_seqlen_q", max_seqlen_q),
        rotary_seqlens,
        q_descale,
        k_descale,
        v_descale,
        softmax_scale,
        causal,
        window_left,
        window_right,
        attention_chunk,
        softcap,
        rotary_interleaved,
        scheduler_metadata,
        num_splits,
    )
    if not return_softmax_lse:
        return _flash_attn_with_kvcache(*args)[0]
    if isinstance(num_splits, int) and num_splits > 1:
        return _flash_attn_with_kvcache_partials(*args)
    out, softmax_lse = _flash_attn_with_kvcache(*args)
    return out, softmax_lse, softmax_lse.new_empty(0), softmax_lse.new_empty(0)


def get_scheduler_metadata(
    batch_size: int,
    max_seqlen_q: int,
    max_seqlen_k: int,
    num_heads_q: int,
    num_heads_kv: int,
    headdim: int,
    cache_seqlens: Tensor,
    qkv_dtype: torch.dtype = torch.bfloat16,
    headdim_v: Optional[int] = None,
    cu_seqlens_q: Optional[Tensor] = None,
    cu_seqlens_k_new: Optional[Tensor] = None,
    cache_leftpad: Optional[Tensor] = None,
    page_size: Optional[int] = None,
    max_seqlen_k_new: int = 0,
    causal: bool = False,
    window_size: Sequence[int] = (-1, -1),
    attention_chunk: int = 0,
    has_softcap: bool = False,
    num_splits: int = 0,
    pack_gqa: Optional[bool] = None,
    sm_margin: int = 0,
) -> Tensor:
    """Prepare what ``flash_attn_with_kvcache`` takes as ``scheduler_metadata``.

    The tensor is opaque, depends on the arguments only, may be used for any number of calls with the same arguments,
    and never changes a result. The cpu backend plans within microseconds and needs none.

    Args:
        batch_size: Sequences of the call.
        max_seqlen_q: As in the call.
        max_seqlen_k: Capacity of the cache for one sequence.
        num_heads_q: Query heads, a multiple of ``num_heads_kv``.
        num_heads_kv: Heads of the cache.
        headdim: Features of q and k.
        cache_seqlens: (batch_size,) int32.
        qkv_dtype: dtype of q, k and v.
        headdim_v: Features of v; default ``headdim``.
        cu_seqlens_q: As in the call.
        cu_seqlens_k_new: As in the call.
        cache_leftpad: As in the call.
        page_size: Rows of a page, or None.
        max_seqlen_k_new: Upper bound of the new keys per sequence.
        causal: As in the call.
        window_size: As in the call.
        attention_chunk: As in the call.
        has_softcap: Whether the call has a softcap.
        num_splits: As in the call.
        pack_gqa: As in the call.
        sm_margin: As in the call.

    Returns:
        A one-dimensional int32 tensor on the device of ``cache_seqlens``.

    Raises:
        TypeError: A wrong Python type or dtype.
        ValueError: Sizes that do not fit together.

    Example:
        >>> import torch
        >>> from flash_attn_npu_v3 import get_scheduler_metadata
        >>> lengths = torch.tensor([5, 17], dtype=torch.int32)
        >>> metadata = get_scheduler_metadata(2, 1, 256, 8, 2, 64, lengths)
        >>> metadata.dtype, metadata.dim()
        (torch.int32, 1)
    """
    values = _C.scheduler_metadata(batch_size, num_heads_q, num_heads_kv, cache_seqlens)
    return torch.tensor(values, dtype=torch.int32, device=cache_seqlens.device)
