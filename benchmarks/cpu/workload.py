# SPDX-License-Identifier: BSD-3-Clause
"""Makes the tensors of a case, and the functions that compute it: ours and the peers'.

Data is random throughout: some matrix units are faster on zeros. Pages lie in random order, as in a used server.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Callable

import torch
from torch import Tensor

from benchmarks.cpu import flex
from benchmarks.cpu.cases import BenchCase
from benchmarks.cpu.torch_attention import gather_pages, sdpa, sdpa_heads_first, sdpa_packed
from tests.support.mask import visible


def allowed_difference(case: BenchCase, theirs: Tensor) -> Tensor:
    """Between ours and a peer's result: a fast wrong answer is no result. These cases are too large for float64.

    Values are independent and normal, so rounding each probability by half an eps moves a result like half an eps of
    its row's root mean square. Five standard deviations of that for both sides, and half an eps of each result, are
    within 2 eps; peers that round the scores too may take that again. In fp32 the sums over n keys of order one count
    for more: they err like a random walk, by sqrt(n) eps.
    """
    if case.dtype == "fp32":
        return 4 * torch.finfo(torch.float32).eps * case.seqlen**0.5 * (1 + theirs.abs())
    eps = torch.finfo(torch.bfloat16 if case.dtype == "fp8" else case.torch_dtype).eps
    return 4 * eps * (theirs.square().mean(-1, keepdim=True).sqrt() + theirs.abs())


@dataclass
class Workload:
    case: BenchCase
    ours: Callable[[], Tensor]
    # The first peer is the one that `ratio` refers to. All give (b, s, h, d) or (total, h, d).
    peers: dict[str, Callable[[], Tensor]]
    # Peers that compute something else, so that results cannot be compared.
    other_result: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def check(self) -> None:
        """Raises AssertionError if ours and a peer disagree."""
        ours = self.ours().float()
        for name, peer in self.peers.items():
            if name in self.other_result:
                continue
            theirs = peer().float()
            difference, allowed = (ours - theirs).abs(), allowed_difference(self.case, theirs)
            wrong = ~(difference <= allowed)  # NaN too
            if wrong.any():
                worst = float(difference[wrong].max())
                raise AssertionError(
                    f"{self.case.name}: ours and {name} differ in {int(wrong.sum())} values, by up to {worst:.3g}"
                )


def make(case: BenchCase, with_flex: bool = True) -> Workload:
    torch.manual_seed(0)
    maker = {"decode": _decode, "prefill": _prefill, "varlen": _varlen, "window": _window}[case.group]
    return maker(case, with_flex)


def _randn(case: BenchCase, *shape: int) -> Tensor:
    if case.dtype == "fp8":
        return torch.randn(shape, dtype=torch.bfloat16).to(case.torch_dtype)
    return torch.randn(shape, dtype=case.torch_dtype)


def _caches(case: BenchCase) -> tuple[Tensor, Tensor]:
    shape = (case.batch, case.seqlen, case.heads_k, case.d)
    return _randn(case, *shape), _randn(case, *shape)


def _heads_first(x: Tensor) -> Tensor:
    return x.transpose(1, 2).contiguous()


def _add_flex(workload: Workload, q: Tensor, k: Tensor, v: Tensor) -> None:
    try:
        call, seconds = flex.compiled_flex(workload.case, q, k, v)
    except flex.FlexUnavailable as error:
        workload.notes.append(f"no flex_attention: {error}")
        return
    workload.notes.append(f"flex_attention compiled in {seconds:.0f} s")
    workload.peers["flex"] = lambda: call().transpose(1, 2)


def _decode(case: BenchCase, with_flex: bool) -> Workload:
    """SDPA and flex get contiguous (b, h, s, d), the layout they like best, and a cache of their own in it.

    "sdpa rows" is what an expert can do for a single query without a mask: the heads of a group as rows of one head, so
    that a key is read once for all of them.
    """
    from flash_attn_npu_v3 import flash_attn_with_kvcache

    q = _randn(case, case.batch, 1, case.heads, case.d)
    k, v = _caches(case)
    friendly_dtype = torch.bfloat16 if case.dtype == "fp8" else case.torch_dtype
    q_friendly, k_friendly, v_friendly = (_heads_first(x.to(friendly_dtype)) for x in (q, k, v))
    q_rows = q_friendly.view(case.batch, case.heads_k, -1, case.d)
    peers: dict[str, Callable[[], Tensor]] = {
        "sdpa": lambda: sdpa_heads_first(q_friendly, k_friendly, v_friendly).transpose(1, 2),
        "sdpa rows": lambda: sdpa_heads_first(q_rows, k_friendly, v_friendly).view(q.shape),
    }
    notes = []
    if case.dtype == "fp8":
        notes.append("sdpa, sdpa rows and flex read a bf16 cache of twice the bytes; convert+sdpa reads the fp8 cache")
        peers["convert+sdpa"] = lambda: sdpa(q.bfloat16(), k.bfloat16(), v.bfloat16())
    if case.page_size is None:
        workload = Workload(case, lambda: flash_attn_with_kvcache(q, k, v), peers, notes=notes)
    else:
        k_pages, v_pages, table = _paged(k, v, case.page_size)
        del k, v
        peers["gather+sdpa"] = lambda: sdpa(q, gather_pages(k_pages, table), gather_pages(v_pages, table))
        seqlens = torch.full((case.batch,), case.seqlen, dtype=torch.int32)
        workload = Workload(
            case,
            lambda: flash_attn_with_kvcache(q, k_pages, v_pages, cache_seqlens=seqlens, page_table=table),
            peers,
            notes=notes,
        )
    if with_flex:
        _add_flex(workload, q_friendly, k_friendly, v_friendly)
    return workload


def _paged(k: Tensor, v: Tensor, page_size: int) -> tuple[Tensor, Tensor, Tensor]:
    """The same cache in pages of random order, with their table."""
    batch, seqlen = k.shape[:2]
    count = batch * seqlen // page_size
    table = torch.randperm(count)
    k_pages, v_pages = (torch.empty_like(x).view(count, page_size, *x.shape[2:]) for x in (k, v))
    k_pages[table], v_pages[table] = k.view_as(k_pages), v.view_as(v_pages)
    return k_pages, v_pages, table.view(batch, -1).to(torch.int32)


def _prefill(case: BenchCase, with_flex: bool) -> Workload:
    """Peers get the caller's (b, s, h, d) tensors as transposed views."""
    from flash_attn_npu_v3 import flash_attn_with_kvcache

    q = _randn(case, case.batch, case.seqlen, case.heads, case.d)
    k, v = _caches(case)
    workload = Workload(
        case,
        lambda: flash_attn_with_kvcache(q, k, v, causal=case.causal),
        {"sdpa": lambda: sdpa(q, k, v, case.causal)},
    )
    if with_flex:
        _add_flex(workload, *(x.transpose(1, 2) for x in (q, k, v)))
    return workload


def _varlen(case: BenchCase, with_flex: bool) -> Workload:
    """Prefill of sequences of mixed lengths: q packed, the caches padded to the longest."""
    from flash_attn_npu_v3 import flash_attn_with_kvcache

    q = _randn(case, sum(case.seqlens), case.heads, case.d)
    k, v = _caches(case)
    seqlens = torch.tensor(case.seqlens, dtype=torch.int32)
    cu_seqlens = torch.cat([torch.zeros(1, dtype=torch.int32), seqlens.cumsum(0, dtype=torch.int32)])
    return Workload(
        case,
        lambda: flash_attn_with_kvcache(
            q,
            k,
            v,
            cache_seqlens=seqlens,
            cu_seqlens_q=cu_seqlens,
            max_seqlen_q=max(case.seqlens),
            causal=case.causal,
        ),
        {"sdpa loop": lambda: sdpa_packed(q, k, v, case.seqlens, case.causal)},
    )


def _window(case: BenchCase, with_flex: bool) -> Workload:
    """A sliding window against our own attention to everything, then against the peers with the same window."""
    from flash_attn_npu_v3 import flash_attn_with_kvcache

    assert case.window is not None
    q = _randn(case, case.batch, case.seqlen, case.heads, case.d)
    k, v = _caches(case)
    assert case.window is not None
    window = (case.window, 0)
    mask = visible(case.seqlen, case.seqlen, *window)
    workload = Workload(
        case,
        lambda: flash_attn_with_kvcache(q, k, v, causal=True, window_size=window),
        {
            "ours full": lambda: flash_attn_with_kvcache(q, k, v),
            "ours causal": lambda: flash_attn_with_kvcache(q, k, v, causal=True),
            "sdpa+mask": lambda: sdpa(q, k, v, mask=mask),
        },
        other_result={"ours full", "ours causal"},
    )
    if with_flex:
        _add_flex(workload, *(x.transpose(1, 2) for x in (q, k, v)))
    return workload
