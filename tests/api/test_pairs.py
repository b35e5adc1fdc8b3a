# SPDX-License-Identifier: BSD-3-Clause
"""Pairwise combinations of the features: every two values of two parameters meet in some call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.support import backend
from tests.support.apis import per_api
from tests.support.cases import LAYOUTS, Case
from tests.support.features import dtypes, page_sizes
from tests.support.harness import check
from tests.support.pairwise import Row, pairwise
from tests.support.seed import SEED

FP8 = "float8_e4m3fn"


def factors(api: str) -> dict[str, tuple[Any, ...]]:
    """In units of Case's fields, except for a few that stand for several fields (see _case)."""
    common: dict[str, tuple[Any, ...]] = {
        "dtype": dtypes(api),
        "heads": ((4, 4), (4, 2), (6, 1), (16, 1), (10, 2)),
        "seqlen_q": (1, 5, 130),
        "page_size": (None, *page_sizes(api)),
        "batch_idx": (False, True),
        "leftpad": (False, True),
        "cache_seqlens": ("none", "int", "tensor"),
        "new": (None, 1, 9),
        "rotary": (None, (16, True), (48, False)),
        "mask": ("full", "causal", "window", "left", "right", "causal window", "wide"),
        "softcap": (0.0, 15.0),
        "softmax_scale": (None, 0.3),
        "num_splits": (0, 1, 3, 40),
        "q_layout": LAYOUTS,
        "cache_layout": LAYOUTS,
        "q_scale": (1.0, 8.0),
        "return_softmax_lse": (True, False),
    }
    if api == "v2":
        return {**common, "dims": ((64, 64), (128, 128), (8, 8), (50, 50), (256, 256)), "alibi": (None, "h", "bh")}
    return {
        **common,
        "dims": ((64, 64), (128, 128), (8, 8), (256, 256), (192, 128), (48, 512), (64, 256)),
        "seqlen_q": (1, 5, 130, (1, 1, 1), (130, 0, 5)),
        "new": (None, 1, 9, (0, 9, 2)),
        "chunk": (0, 17),
        "qv": (False, True),
        "descale": ("", "k", "qkv"),
        "rotary_seqlens": (False, True),
        "pack_gqa": (None, True, False),
    }


def allowed(api: str, row: Row) -> bool:
    def both(a: bool, b: bool) -> bool:
        return a and b

    new = row.get("new")
    d, dv = row.get("dims", (0, 0))
    fp8 = row.get("dtype") == FP8
    refused = (
        both(row.get("cache_seqlens") == "none", new is not None),
        both(row.get("rotary") is not None, "new" in row and new is None),
        both(row.get("rotary") is not None, d != 0 and d < 48),
        both(row.get("rotary_seqlens", False), "rotary" in row and row["rotary"] is None),
        both(row.get("rotary_seqlens", False), "new" in row and new is None),
        both(row.get("qv", False), d != 0 and not (d <= 64 and dv >= 256)),
        both(row.get("qv", False), fp8),
        both(row.get("descale", "") != "", "dtype" in row and not fp8),
        both(fp8, d % 16 != 0 or dv > 256),
        both(api == "v2" and row.get("page_size") is not None, row.get("batch_idx", False)),
        both(api == "v2" and row.get("page_size") is not None, row.get("leftpad", False)),
    )
    return not any(refused)


def _case(api: str, seed: int, row: Row) -> Case:
    batch = 3
    page = row["page_size"]
    capacity = 300 if page is None else -(-300 // page) * page
    new = row["new"]
    longest_new = max(new) if isinstance(new, tuple) else (new or 0)
    room = capacity - longest_new
    cache_seqlens = {"none": None, "int": 131, "tensor": (room, 0, 140)}[row["cache_seqlens"]]
    leftpad = None
    if row["leftpad"]:
        leftpad = (17, 0, 140) if row["cache_seqlens"] == "tensor" else (17, 0, 129)
    mask, window = row["mask"], (-1, -1)
    if mask in ("window", "causal window"):
        window = (33, 0) if mask == "causal window" else (33, 4)
    elif mask in ("left", "right"):
        window = (20, -1) if mask == "left" else (-1, 20)
    elif mask == "wide":
        window = (capacity, capacity)
    rotary_dim, interleaved = row["rotary"] or (0, True)
    d, dv = row["dims"]
    return Case(
        api=api,
        seed=seed,
        dtype=row["dtype"],
        batch=batch,
        seqlen_q=row["seqlen_q"],
        heads=row["heads"][0],
        heads_k=row["heads"][1],
        d=d,
        dv=None if dv == d else dv,
        capacity=capacity,
        page_size=page,
        cache_seqlens=cache_seqlens,
        leftpad=leftpad,
        batch_idx=row["batch_idx"],
        seqlen_new=new,
        rotary_dim=rotary_dim,
        rotary_interleaved=interleaved,
        rotary_seqlens=(0, 50, 7) if row.get("rotary_seqlens") else None,
        causal="causal" in mask,
        window=window,
        attention_chunk=row.get("chunk", 0),
        softcap=row["softcap"],
        softmax_scale=row["softmax_scale"],
        alibi=row.get("alibi"),
        qv=row.get("qv", False),
        descale=row.get("descale", ""),
        num_splits=row["num_splits"],
        pack_gqa=row.get("pack_gqa"),
        q_layout=row["q_layout"],
        cache_layout=row["cache_layout"],
        new_layout=row["cache_layout"],
        return_softmax_lse=row["return_softmax_lse"],
        q_scale=row["q_scale"],
    )


def pair_cases(api: str) -> Iterator[tuple[str, Case]]:
    """Several independent covers: each meets all pairs, together they meet many triples."""
    for turn in range(backend.current().pair_rounds):
        rows = pairwise(factors(api), lambda row: allowed(api, row), seed=SEED + turn)
        for n, row in enumerate(rows):
            yield f"{turn}-{n}", _case(api, SEED + 1000 * turn + n, row)


@per_api("case", pair_cases)
def test_pairs(case: Case) -> None:
    check(case)
