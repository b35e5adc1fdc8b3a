# SPDX-License-Identifier: BSD-3-Clause
"""Calls that both APIs can express, feature by feature. The same `Case` with another `api` has the same tensors."""

from __future__ import annotations

import dataclasses
from typing import Any

from tests.support.cases import Case
from tests.support.seed import SEED

DTYPES = ("bfloat16", "float16", "float32")


def shared_cases() -> dict[str, Case]:
    """By name. NaN is not planted in unread places, as PyTorch's masked attention would read it."""
    common: dict[str, Any] = {
        "seed": SEED,
        "batch": 4,
        "heads": 16,
        "heads_k": 4,
        "d": 128,
        "capacity": 1024,
        "poison": False,
    }
    some_full = (1024, 700, 333, 1)
    room = (1000, 700, 333, 0)  # for 24 more
    prefill: dict[str, Any] = {"batch": 1, "heads": 8, "heads_k": 8, "seqlen_q": 512, "capacity": 512}
    chunk: dict[str, Any] = {"seqlen_q": 24, "seqlen_new": 24, "cache_seqlens": room}
    features: dict[str, dict[str, Any]] = {
        "decode": {},
        "decode, lengths": {"cache_seqlens": some_full},
        "decode, MQA": {"heads_k": 1},
        "decode, MHA": {"heads_k": 16},
        "decode, d 64": {"d": 64},
        "decode, d 256": {"d": 256},
        "decode, 4 splits": {"num_splits": 4},
        "decode, cache_batch_idx": {"batch_idx": True},
        "decode, leftpad": {"cache_seqlens": some_full, "leftpad": (100, 0, 333, 0)},
        "decode, paged 256": {"page_size": 256, "cache_seqlens": some_full},
        "decode, softcap": {"softcap": 30.0, "q_scale": 10.0},
        "decode, window": {"window": (128, 0)},
        "prefill, full": prefill,
        "prefill, causal": {**prefill, "causal": True},
        "prefill, causal, GQA": {**prefill, "causal": True, "heads_k": 2},
        "prefill, window": {**prefill, "window": (64, 16)},
        "prefill, softcap": {**prefill, "causal": True, "softcap": 30.0, "q_scale": 10.0},
        "append": {**chunk, "causal": True},
        "append, one token": {"seqlen_new": 1, "cache_seqlens": room, "causal": True},
        "append, rotary": {**chunk, "causal": True, "rotary_dim": 128},
        "append, rotary halves": {**chunk, "causal": True, "rotary_dim": 64, "rotary_interleaved": False},
        "append, rotary, paged 256": {**chunk, "causal": True, "rotary_dim": 128, "page_size": 256},
        "rows that see no key": {"seqlen_q": 8, "cache_seqlens": (1024, 700, 3, 0), "causal": True},
    }
    cases = {
        f"{feature}, {dtype}": Case("v2", dtype=dtype, **{**common, **options})
        for feature, options in features.items()
        for dtype in (DTYPES if feature in ("decode", "prefill, full", "prefill, causal") else DTYPES[:1])
    }
    return cases


def quick_cases() -> dict[str, Case]:
    """Every feature in the first dtype, with a quarter of the keys where no lengths are given."""
    cases = {name: case for name, case in shared_cases().items() if name.endswith(DTYPES[0])}
    return {
        name: dataclasses.replace(case, capacity=256) if case.cache_seqlens is None and case.seqlen_q == 1 else case
        for name, case in cases.items()
    }


def for_api(case: Case, api: str) -> Case:
    return dataclasses.replace(case, api=api)
