# SPDX-License-Identifier: BSD-3-Clause
"""One call of flash_attn_with_kvcache as plain data: `Case` says everything, `build` makes the tensors from its seed.

A case prints as Python that rebuilds it, so every failure can be replayed (see `Case.snippet`).
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

FP8_NAN = 0x7F
LAYOUTS = ("contiguous", "bhsd", "slice", "packed")


@dataclass(frozen=True)
class Case:
    api: str  # "v2" or "v3"
    seed: int = 0
    dtype: str = "float16"
    batch: int = 2
    seqlen_q: int | tuple[int, ...] = 1  # a tuple: packed q with cu_seqlens_q (v3)
    heads: int = 4
    heads_k: int = 2
    d: int = 32
    dv: int | None = None  # v3; None = d
    # The cache.
    capacity: int = 64  # keys a sequence can have; with page_size: rounded up to whole pages
    page_size: int | None = None
    cache_seqlens: None | int | tuple[int, ...] = None  # None, an int, or an int32 tensor
    leftpad: tuple[int, ...] | None = None
    batch_idx: bool = False  # a permutation into a cache (v3: or page table) with spare rows
    share_first_page: bool = False  # all sequences read the same first page
    # New keys.
    seqlen_new: None | int | tuple[int, ...] = None  # a tuple: packed with cu_seqlens_k_new (v3)
    rotary_dim: int = 0
    rotary_interleaved: bool = True
    rotary_seqlens: tuple[int, ...] | None = None  # v3
    # Scores.
    causal: bool = False
    window: tuple[int, int] = (-1, -1)
    attention_chunk: int = 0  # v3
    softcap: float = 0.0
    softmax_scale: float | None = None
    alibi: str | None = None  # v2; "h" or "bh"
    qv: bool = False  # v3
    descale: str = ""  # v3 fp8: which of "q", "k", "v" have one, e.g. "qk"
    # Hints.
    num_splits: int = 0
    pack_gqa: bool | None = None  # v3
    sm_margin: int = 0  # v3
    max_seqlen_q_extra: int = 0  # v3 packed q: how far the bound exceeds the longest q
    # How tensors lie in memory.
    q_layout: str = "contiguous"
    cache_layout: str = "contiguous"
    new_layout: str = "contiguous"
    return_softmax_lse: bool = True
    q_scale: float = 1.0  # standard deviation of q: large values make the softmax sharp
    ramp: tuple[float, float] = (0.0, 0.0)  # from the first to the last slot of a row, scores drift by ramp * sqrt(d)
    poison: bool = True  # NaN in every cache position the call must not read

    def __str__(self) -> str:
        changed = [
            f"{f.name}={getattr(self, f.name)!r}"
            for f in dataclasses.fields(self)
            if f.name == "api" or getattr(self, f.name) != f.default
        ]
        return f"Case({', '.join(changed)})"

    __repr__ = __str__

    def snippet(self) -> str:
        return f"from tests.support.cases import Case\nfrom tests.support.harness import check\n\ncheck({self})\n"

    @property
    def torch_dtype(self) -> torch.dtype:
        return getattr(torch, self.dtype)

    @property
    def head_dim_v(self) -> int:
        return self.d if self.dv is None else self.dv

    @property
    def seqlens_q(self) -> tuple[int, ...]:
        return self.seqlen_q if isinstance(self.seqlen_q, tuple) else (self.seqlen_q,) * self.batch

    @property
    def seqlens_new(self) -> tuple[int, ...]:
        if self.seqlen_new is None:
            return (0,) * self.batch
        return self.seqlen_new if isinstance(self.seqlen_new, tuple) else (self.seqlen_new,) * self.batch

    @property
    def real_capacity(self) -> int:
        return self.capacity if self.page_size is None else -(-self.capacity // self.page_size) * self.page_size

    @property
    def old_seqlens(self) -> tuple[int, ...]:
        if self.cache_seqlens is None:
            return (self.real_capacity,) * self.batch
        return self.cache_seqlens if isinstance(self.cache_seqlens, tuple) else (self.cache_seqlens,) * self.batch


@dataclass
class Built:
    case: Case
    kwargs: dict[str, Any]  # what the API function gets
    bases: dict[str, Tensor] = field(default_factory=dict)  # the buffers that the tensors are views of

    def clone(self) -> Built:
        """A deep copy with the same strides and the same surroundings in memory."""
        bases = {name: base.clone() for name, base in self.bases.items()}
        kwargs = {
            name: bases[name].as_strided(x.shape, x.stride(), x.storage_offset()) if name in bases else x
            for name, x in self.kwargs.items()
        }
        return Built(self.case, kwargs, bases)


def _lay_out(x: Tensor, layout: str) -> tuple[Tensor, Tensor]:
    """x (outer, s, h, d) or (s, h, d) as a view with the wanted strides. Returns (view, buffer)."""
    if layout == "contiguous":
        x = x.contiguous()
        return x, x

    def buffer(shape: tuple[int, ...]) -> Tensor:
        return torch.full(shape, float("nan"), dtype=torch.float32).to(x.dtype)

    if layout == "bhsd":  # heads outside rows
        base = x.transpose(-3, -2).contiguous()
        return base.transpose(-3, -2), base
    *outer, s, h, d = x.shape
    if layout == "slice":  # a window into a larger buffer, on every axis
        base = buffer((*[n + 2 for n in outer], s + 3, h + 1, d + 8))
        view = base[tuple(slice(1, 1 + n) for n in outer) + (slice(2, 2 + s), slice(0, h), slice(3, 3 + d))]
    elif layout == "packed":  # like the q of a (.., s, 3, h, d) projection
        base = buffer((*outer, s, 3, h, d))
        view = base.select(-3, 1)
    else:
        raise ValueError(layout)
    view.copy_(x)
    return view, base


def build(case: Case) -> Built:
    gen = torch.Generator().manual_seed(case.seed)
    dtype, b, hk, d, dv = case.torch_dtype, case.batch, case.heads_k, case.d, case.head_dim_v
    kwargs: dict[str, Any] = {}
    bases: dict[str, Tensor] = {}

    def randn(*shape: int, scale: float = 1.0) -> Tensor:
        return (torch.randn(shape, generator=gen) * scale).to(dtype)

    def int32(values: Any) -> Tensor:
        return torch.tensor(list(values), dtype=torch.int32)

    def cumulative(lengths: tuple[int, ...]) -> Tensor:
        return int32([sum(lengths[:n]) for n in range(len(lengths) + 1)])

    def put(name: str, x: Tensor, layout: str = "contiguous") -> None:
        kwargs[name], bases[name] = _lay_out(x, layout)

    # q
    packed_q = isinstance(case.seqlen_q, tuple)
    q_shape = (sum(case.seqlens_q),) if packed_q else (b, case.seqlen_q)
    q = randn(*q_shape, case.heads, d, scale=case.q_scale)
    if case.ramp != (0.0, 0.0):
        q = (q.float() + 1).to(dtype)
    put("q", q, case.q_layout)
    if case.qv:
        put("qv", randn(*q_shape, case.heads, dv, scale=case.q_scale), case.q_layout)
    if packed_q:
        put("cu_seqlens_q", cumulative(case.seqlens_q))
        kwargs["max_seqlen_q"] = max(case.seqlens_q, default=0) + case.max_seqlen_q_extra

    # The caches: which slot of the first two axes holds position p of sequence n?
    capacity, page = case.real_capacity, case.page_size
    table = None
    if page is None:
        rows = b + 2 if case.batch_idx else b
        cache_row = torch.randperm(rows, generator=gen)[:b] if case.batch_idx else torch.arange(b)
        outer = (rows, capacity)
    else:
        pages_per_sequence = capacity // page
        table_rows = b + 2 if case.batch_idx else b
        cache_row = torch.randperm(table_rows, generator=gen)[:b] if case.batch_idx else torch.arange(b)
        n_pages = table_rows * pages_per_sequence + 3
        table = torch.randperm(n_pages, generator=gen)[: table_rows * pages_per_sequence]
        table = table.view(table_rows, pages_per_sequence).to(torch.int32)
        if case.share_first_page and table.numel():
            table[:, 0] = table[0, 0]
        outer = (n_pages, page)
    if case.batch_idx:
        put("cache_batch_idx", cache_row.to(torch.int32))
    caches = {
        "k_cache": randn(*outer, hk, d),
        "v_cache": randn(*outer, hk, dv),
    }
    if case.ramp != (0.0, 0.0):
        drift = torch.linspace(*case.ramp, steps=outer[1]).view(-1, 1, 1)
        caches["k_cache"] = (caches["k_cache"].float() + drift).to(dtype)
    if case.poison:
        readable = torch.zeros(outer, dtype=torch.bool)
        for n in range(b):
            position = torch.arange(case.leftpad[n] if case.leftpad else 0, case.old_seqlens[n])
            if table is None or page is None:
                readable[cache_row[n], position] = True
            else:
                readable[table[cache_row[n]].long()[position // page], position % page] = True
        for x in caches.values():
            if dtype == torch.float8_e4m3fn:  # has no masked assignment
                x.view(torch.uint8)[~readable] = FP8_NAN
            else:
                x[~readable] = float("nan")
    for name, x in caches.items():
        put(name, x, case.cache_layout)
    if table is not None and page is not None:
        # Pages no valid key lies in may hold anything: an index out of range must not be followed.
        for row in range(table.shape[0]):
            owner = [n for n in range(b) if int(cache_row[n]) == row]
            used = max((case.old_seqlens[n] + case.seqlens_new[n] for n in owner), default=0)
            table[row, -(-used // page) :] = 2**30 if case.poison else 0
        put("block_table" if case.api == "v2" else "page_table", table)

    if isinstance(case.cache_seqlens, tuple):
        put("cache_seqlens", int32(case.cache_seqlens))
    elif case.cache_seqlens is not None:
        kwargs["cache_seqlens"] = case.cache_seqlens
    if case.leftpad is not None:
        put("cache_leftpad", int32(case.leftpad))

    # New keys and values
    if case.seqlen_new is not None:
        packed_new = isinstance(case.seqlen_new, tuple)
        new_shape = (sum(case.seqlens_new),) if packed_new else (b, case.seqlen_new)
        put("k", randn(*new_shape, hk, d), case.new_layout)
        put("v", randn(*new_shape, hk, dv), case.new_layout)
        if packed_new:
            put("cu_seqlens_k_new", cumulative(case.seqlens_new))
    if case.rotary_dim:
        start = case.rotary_seqlens if case.rotary_seqlens is not None else case.old_seqlens
        longest = max(case.seqlens_q + case.seqlens_new, default=0)
        seqlen_ro = max(capacity, max(start, default=0) + longest) + 1
        angle = torch.rand(seqlen_ro, case.rotary_dim // 2, generator=gen) * 6.3
        put("rotary_cos", torch.cos(angle).to(dtype))
        put("rotary_sin", torch.sin(angle).to(dtype))
        if not case.rotary_interleaved:
            kwargs["rotary_interleaved"] = False
        if case.rotary_seqlens is not None:
            put("rotary_seqlens", int32(case.rotary_seqlens))

    # Scores
    if case.softmax_scale is not None:
        kwargs["softmax_scale"] = case.softmax_scale
    if case.causal:
        kwargs["causal"] = True
    if case.window != (-1, -1):
        kwargs["window_size"] = case.window
    if case.attention_chunk:
        kwargs["attention_chunk"] = case.attention_chunk
    if case.softcap:
        kwargs["softcap"] = case.softcap
    if case.alibi is not None:
        shape = (case.heads,) if case.alibi == "h" else (b, case.heads)
        put("alibi_slopes", torch.rand(shape, generator=gen) * 0.3)
    for name in case.descale:
        put(f"{name}_descale", torch.rand(b, hk, generator=gen) + 0.5)

    # Hints
    if case.num_splits:
        kwargs["num_splits"] = case.num_splits
    if case.pack_gqa is not None:
        kwargs["pack_gqa"] = case.pack_gqa
    if case.sm_margin:
        kwargs["sm_margin"] = case.sm_margin
    if case.return_softmax_lse:
        kwargs["return_softmax_lse"] = True
    return Built(case, kwargs, bases)
