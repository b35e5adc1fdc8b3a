# SPDX-License-Identifier: BSD-3-Clause
"""What is benchmarked: every case as plain data, with the work it contains.

Sizes: b sequences, h query heads, hk key heads, s keys per sequence, d head dimension. A prefill has as many queries
as keys, a decode has one query per sequence.
"""

from __future__ import annotations

import dataclasses
import math
import random
from dataclasses import dataclass
from typing import Any

import torch

DTYPES = {
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "fp32": torch.float32,
    "fp8": torch.float8_e4m3fn,
}


@dataclass(frozen=True)
class BenchCase:
    """One call of flash_attn_with_kvcache of the v3 API (both wheels share the kernels)."""

    group: str  # "decode", "prefill", "varlen" or "window"
    dtype: str
    batch: int
    heads: int
    heads_k: int
    seqlen: int  # keys per sequence; varlen: the longest
    d: int
    causal: bool = False
    window: int | None = None  # keys a row sees before its own
    page_size: int | None = None
    seqlens: tuple[int, ...] = ()  # varlen: one length per sequence

    @property
    def name(self) -> str:
        words = [self.group, self.dtype, f"b{self.batch}", f"h{self.heads}"]
        words += [] if self.heads_k == self.heads else [f"hk{self.heads_k}"]
        words += [f"s{self.seqlen}", f"d{self.d}"]
        if self.group == "prefill":
            words.append("causal" if self.causal else "full")
        if self.window is not None:
            words.append(f"w{self.window}")
        if self.group == "decode":
            words.append("dense" if self.page_size is None else f"page{self.page_size}")
        return " ".join(words)

    @property
    def torch_dtype(self) -> torch.dtype:
        return DTYPES[self.dtype]

    @property
    def seqlen_q(self) -> int:
        return 1 if self.group == "decode" else self.seqlen

    @property
    def flops(self) -> float:
        """Two products of 2 d operations for every (query, key) pair the mask shows."""
        lengths = self.seqlens or (self.seqlen,) * self.batch
        pairs = sum(visible_pairs(self.seqlen_q if not self.seqlens else n, n, self) for n in lengths)
        return 4.0 * self.d * self.heads * pairs

    @property
    def kv_bytes(self) -> float:
        """What has to come from memory once: all keys and values."""
        return 2.0 * self.batch * self.seqlen * self.heads_k * self.d * self.torch_dtype.itemsize

    @property
    def is_memory_bound(self) -> bool:
        return self.group == "decode"


def visible_pairs(seqlen_q: int, seqlen_k: int, case: BenchCase) -> int:
    """(query, key) pairs that the mask shows, bottom-right aligned."""
    if not case.causal:
        return seqlen_q * seqlen_k
    offset = seqlen_k - seqlen_q
    seen = math.inf if case.window is None else case.window + 1
    return sum(int(min(i + offset + 1, seen)) for i in range(seqlen_q))


def mixed_lengths(count: int, shortest: int, longest: int) -> tuple[int, ...]:
    """Lengths spread evenly on a logarithmic scale, both ends included, in a fixed shuffled order."""
    ratio = longest / shortest
    lengths = [round(shortest * ratio ** (n / (count - 1))) for n in range(count)]
    random.Random(0).shuffle(lengths)
    return tuple(lengths)


def _decode(dtype: str, **changes: Any) -> BenchCase:
    base = BenchCase("decode", dtype, batch=8, heads=32, heads_k=8, seqlen=4096, d=128)
    return dataclasses.replace(base, **changes)


def _prefill(dtype: str, causal: bool, **changes: Any) -> BenchCase:
    base = BenchCase("prefill", dtype, batch=1, heads=8, heads_k=8, seqlen=4096, d=128, causal=causal)
    return dataclasses.replace(base, **changes)


def all_cases() -> list[BenchCase]:
    half = ("bf16", "fp16")
    cases = [_decode(dtype) for dtype in half]
    cases += [_decode(dtype, page_size=page) for dtype in half for page in (16, 64, 256)]
    cases += [_decode(dtype, heads_k=1) for dtype in half]
    cases += [_decode(dtype, batch=1, seqlen=32768) for dtype in half]
    cases += [_decode("bf16", d=d) for d in (64, 256)]
    cases += [_decode("fp32"), _decode("fp8")]
    for dtype in ("bf16", "fp16", "fp32"):
        cases += [_prefill(dtype, causal) for causal in (False, True)]
        cases += [_prefill(dtype, causal, heads=32, heads_k=32, seqlen=1024) for causal in (False, True)]
    cases += [_prefill(dtype, causal, d=64) for dtype in half for causal in (False, True)]
    cases += [_prefill("bf16", causal, d=256) for causal in (False, True)]
    mix = mixed_lengths(32, 16, 2048)
    cases += [BenchCase("varlen", dtype, 32, 32, 8, max(mix), 128, causal=True, seqlens=mix) for dtype in half]
    cases += [BenchCase("window", dtype, 1, 8, 8, 8192, 128, causal=True, window=512) for dtype in half]
    return cases


def quick_cases() -> list[BenchCase]:
    """Small relatives of every kind of case: they show that the benchmark works, not how fast anything is."""
    mix = mixed_lengths(6, 16, 256)
    return [
        *[_decode(dtype, batch=2, seqlen=512) for dtype in ("bf16", "fp8")],
        *[_decode("fp16", batch=2, seqlen=512, page_size=page) for page in (16, 256)],
        *[_prefill(dtype, causal=True, seqlen=256) for dtype in ("bf16", "fp16", "fp32")],
        BenchCase("varlen", "bf16", 6, 8, 2, max(mix), 64, causal=True, seqlens=mix),
        BenchCase("window", "bf16", 1, 8, 8, 512, 64, causal=True, window=64),
    ]
