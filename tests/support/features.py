# SPDX-License-Identifier: BSD-3-Clause
"""Cases feature by feature, for both APIs: each function lists the calls that a feature needs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, Callable

from tests.support.cases import LAYOUTS, Case
from tests.support.seed import SEED

HALF_TYPES = ("float16", "bfloat16")
FLOATS = ("float16", "bfloat16", "float32")
ODD_LENGTHS = (1, 15, 17, 127, 129)


def dtypes(api: str) -> tuple[str, ...]:
    return FLOATS if api == "v2" else (*FLOATS, "float8_e4m3fn")


def page_sizes(api: str) -> tuple[int, ...]:
    return (256, 512) if api == "v2" else (1, 3, 16, 64, 128, 256)


def odd_lengths(api: str) -> Iterator[Case]:
    for n, sq in enumerate(ODD_LENGTHS):
        for m, sk in enumerate(ODD_LENGTHS):
            for causal in (False, True):
                dtype = FLOATS[(n + m + causal) % 3]
                yield Case(api, dtype=dtype, seqlen_q=sq, capacity=sk, d=64, heads=2, heads_k=1, causal=causal)


def head_dims(api: str) -> Iterator[Case]:
    odd = (1, 2, 3, 5, 7, 9, 15, 17, 31, 33, 36, 63, 65, 100, 127, 129, 193, 250, 255)
    for n, d in enumerate((*odd, *range(8, 257, 8))):  # upstream's v3 refuses the odd ones, ours takes them
        for dtype in dtypes(api) if n % 4 == 0 else (FLOATS[n % 3],):
            yield Case(api, dtype=dtype, d=d, capacity=70, cache_seqlens=(33, 70))
            yield Case(api, dtype=dtype, d=d, capacity=70, cache_seqlens=(33, 70), seqlen_q=35, causal=True)


def value_head_dims(api: str) -> Iterator[Case]:
    pairs = ((8, 16), (16, 8), (64, 512), (64, 256), (32, 264), (8, 504), (56, 128), (64, 96), (192, 128), (136, 104))
    for n, (d, dv) in enumerate(pairs):
        for sq in (1, 19):
            yield Case(api, dtype=FLOATS[n % 2], d=d, dv=dv, seqlen_q=sq, capacity=50, cache_seqlens=(50, 27))
    for d, dv in ((16, 32), (64, 256), (192, 128), (144, 112)):
        for sq in (1, 19):
            yield Case(api, dtype="float8_e4m3fn", d=d, dv=dv, seqlen_q=sq, capacity=50, cache_seqlens=(50, 27))


def grouped_heads(api: str) -> Iterator[Case]:
    for n, group in enumerate((1, 2, 3, 4, 5, 7, 8, 12, 16)):
        for m, heads_k in enumerate((1, 2, 3)):
            for sq in (1, 6):
                dtype = FLOATS[(n + m + sq) % 3]
                yield Case(api, dtype=dtype, seqlen_q=sq, heads=group * heads_k, heads_k=heads_k, d=64, capacity=90)


def causal(api: str) -> Iterator[Case]:
    for n, (sq, sk) in enumerate(((1, 40), (40, 40), (7, 40), (40, 7), (65, 64), (64, 65), (130, 200), (200, 130))):
        for cache_seqlens in (None, sk, (sk, sk // 2)):
            yield Case(api, dtype=FLOATS[n % 3], seqlen_q=sq, capacity=sk, cache_seqlens=cache_seqlens, causal=True)


def window(api: str) -> Iterator[Case]:
    limits = (-1, 0, 1, 7, 19, 20, 21)
    for n, left in enumerate(limits):
        for m, right in enumerate(limits):
            for sq in (1, 12, 33):
                for is_causal in (False, True):
                    if is_causal and right > 0:
                        continue
                    yield Case(
                        api,
                        dtype=FLOATS[(n + m) % 3],
                        seqlen_q=sq,
                        capacity=20,
                        cache_seqlens=(20, 11),
                        d=16,
                        causal=is_causal,
                        window=(left, right),
                    )
    for left, right in ((64, 0), (100, 30), (127, 128), (3, -1), (-1, 50)):
        yield Case(api, seqlen_q=150, capacity=300, cache_seqlens=(300, 160), d=64, window=(left, right))
        yield Case(api, seqlen_q=1, capacity=1000, cache_seqlens=(1000, 160), d=64, window=(left, right))


def attention_chunk(api: str) -> Iterator[Case]:
    for n, chunk in enumerate((1, 2, 5, 16, 31, 64, 1000)):
        for sq in (1, 9, 40):
            for is_causal in (False, True):
                yield Case(
                    api,
                    dtype=FLOATS[n % 3],
                    seqlen_q=sq,
                    capacity=70,
                    cache_seqlens=(70, 21),
                    causal=is_causal,
                    attention_chunk=chunk,
                )
    yield Case(api, seqlen_q=9, capacity=70, attention_chunk=16, window=(5, 3))
    yield Case(api, seqlen_q=9, capacity=70, attention_chunk=16, window=(5, -1), causal=True)


def softcap(api: str) -> Iterator[Case]:
    for dtype in dtypes(api):
        for cap in (0.5, 15.0, 50.0):
            for sq, q_scale in ((1, 1.0), (20, 1.0), (20, 10.0)):
                yield Case(api, dtype=dtype, seqlen_q=sq, softcap=cap, q_scale=q_scale, d=64, causal=sq > 1)
    yield Case(api, softcap=-1.0) if api == "v2" else Case(api, softcap=5.0, qv=True, d=64, dv=256)


def softmax_scale(api: str) -> Iterator[Case]:
    for n, scale in enumerate((0.0, 1.0, 0.01, -0.2, 3.0)):
        for sq in (1, 20):
            yield Case(api, dtype=FLOATS[n % 3], seqlen_q=sq, softmax_scale=scale)


def score_range(api: str) -> Iterator[Case]:
    """Scores that grow, fall, are all far below zero, or make the softmax one-hot."""
    for dtype in dtypes(api):
        for ramp in ((0.0, 8.0), (8.0, 0.0), (-8.0, -8.0), (8.0, 8.0)):
            for sq in (1, 20):
                yield Case(api, dtype=dtype, seqlen_q=sq, capacity=200, cache_seqlens=(200, 131), d=64, ramp=ramp)
        yield Case(api, dtype=dtype, seqlen_q=5, capacity=200, d=64, q_scale=20.0)


def alibi(api: str) -> Iterator[Case]:
    for n, kind in enumerate(("h", "bh")):
        for m, (sq, sk) in enumerate(((1, 50), (20, 50), (50, 20), (129, 200))):
            for is_causal in (False, True):
                for win in ((-1, -1), (9, 4)):
                    yield Case(
                        api,
                        dtype=FLOATS[(n + m) % 3],
                        seqlen_q=sq,
                        capacity=sk,
                        cache_seqlens=(sk, sk - 3),
                        alibi=kind,
                        causal=is_causal,
                        window=win,
                    )
    yield Case(api, alibi="bh", softcap=10.0, seqlen_q=9, heads=6, heads_k=3)
    yield Case(api, alibi="h", causal=True, seqlen_q=4, leftpad=(3, 20), capacity=40, cache_seqlens=(30, 40))
    yield Case(api, alibi="h", seqlen_q=4, seqlen_new=4, capacity=300, page_size=256, cache_seqlens=(254, 3))


def paged(api: str) -> Iterator[Case]:
    for n, page in enumerate(page_sizes(api)):
        for m, dtype in enumerate(dtypes(api)):
            for sq in (1, 11):
                yield Case(
                    api,
                    dtype=dtype,
                    seqlen_q=sq,
                    batch=3,
                    capacity=2 * page + 40,
                    page_size=page,
                    cache_seqlens=(2 * page + 1, page, 1),
                    causal=sq > 1,
                    cache_layout=LAYOUTS[(n + m) % 4],
                )
        yield Case(api, page_size=page, capacity=3 * page)
        yield Case(api, page_size=page, capacity=3 * page, cache_seqlens=2 * page + 1, share_first_page=True)
        yield Case(api, page_size=page, capacity=3 * page, cache_seqlens=(0, 2 * page), window=(page, 0), seqlen_q=3)


def varlen_q(api: str) -> Iterator[Case]:
    lengths = ((1, 1, 1), (5, 0, 17), (129, 1, 3), (0, 0, 0), (0, 2, 0))
    for n, seqlens in enumerate(lengths):
        for m, page in enumerate((None, 1, 16, 128)):
            for is_causal in (False, True):
                yield Case(
                    api,
                    dtype=dtypes(api)[(n + m) % 4],
                    batch=3,
                    seqlen_q=seqlens,
                    capacity=150,
                    page_size=page,
                    cache_seqlens=(150, 0, 33),
                    causal=is_causal,
                    max_seqlen_q_extra=n % 3 * 100,
                    q_layout=LAYOUTS[m],
                )
    yield Case(api, batch=4, seqlen_q=(3, 1, 4, 1), cache_seqlens=30)
    yield Case(api, batch=4, seqlen_q=(3, 1, 4, 1))
    yield Case(api, batch=1, seqlen_q=(300,), capacity=300, causal=True, d=128)


def batch_idx(api: str) -> Iterator[Case]:
    for n, dtype in enumerate(dtypes(api)):
        yield Case(api, dtype=dtype, batch=3, batch_idx=True, cache_seqlens=(5, 64, 0))
        yield Case(api, dtype=dtype, batch=3, batch_idx=True, seqlen_q=7, causal=True, cache_layout=LAYOUTS[n])
    yield Case(api, batch=3, batch_idx=True, cache_seqlens=(5, 60, 0), seqlen_new=4, seqlen_q=4)
    if api == "v3":
        yield Case(api, batch=3, batch_idx=True, page_size=16, cache_seqlens=(5, 60, 0), seqlen_new=4, seqlen_q=4)


def leftpad(api: str) -> Iterator[Case]:
    for n, (sq, new) in enumerate(((1, None), (1, 1), (9, None), (9, 9), (5, 2), (40, None))):
        for cache_seqlens in ((30, 45), 45, None):
            if cache_seqlens is None and new:
                continue
            for is_causal in (False, True):
                yield Case(
                    api,
                    dtype=FLOATS[n % 3],
                    seqlen_q=sq,
                    seqlen_new=new,
                    cache_seqlens=cache_seqlens,
                    leftpad=(30, 7),
                    causal=is_causal,
                )
    if api == "v3":
        for page in (3, 16):
            yield Case(api, page_size=page, leftpad=(30, 7), cache_seqlens=(31, 60), seqlen_q=3, seqlen_new=3)


def cache_lengths(api: str) -> Iterator[Case]:
    """None, an int, a tensor; empty sequences; more queries than keys."""
    for n, cache_seqlens in enumerate((None, 0, 1, 64, (0, 0), (0, 64), (64, 0), (1, 63))):
        for sq in (0, 1, 2, 70):
            yield Case(api, dtype=FLOATS[n % 3], seqlen_q=sq, cache_seqlens=cache_seqlens, causal=n % 2 == 0)
    yield Case(api, capacity=0)
    yield Case(api, capacity=0, seqlen_q=5, causal=True)
    yield Case(api, capacity=0, cache_seqlens=0)
    yield Case(api, capacity=0, cache_seqlens=(0, 0))


def append(api: str) -> Iterator[Case]:
    for n, (sq, new) in enumerate(((1, 1), (1, 5), (5, 5), (5, 1), (17, 3), (3, 17), (1, 30), (40, 40))):
        for m, page in enumerate((None, page_sizes(api)[n % len(page_sizes(api))])):
            for is_causal in (False, True):
                for cache_seqlens in ((0, 20), 24):
                    yield Case(
                        api,
                        dtype=dtypes(api)[(n + m) % len(dtypes(api))],
                        seqlen_q=sq,
                        seqlen_new=new,
                        cache_seqlens=cache_seqlens,
                        page_size=page,
                        causal=is_causal,
                        cache_layout=LAYOUTS[(n + m) % 4],
                        new_layout=LAYOUTS[(n // 2 + m) % 4],
                    )
    yield Case(api, seqlen_new=64, cache_seqlens=0, seqlen_q=1)
    for d in (1, 7, 33, 100) if api == "v2" else (8, 24):
        yield Case(api, d=d, seqlen_q=3, seqlen_new=3, cache_seqlens=(10, 61), causal=True, cache_layout="slice")


def append_packed(api: str) -> Iterator[Case]:
    for n, (q, new) in enumerate(
        (((1, 1, 1), (1, 1, 1)), ((4, 0, 9), (4, 0, 9)), (2, (0, 5, 1)), ((3, 1, 2), 4), (1, (0, 0, 0)))
    ):
        for m, page in enumerate((None, 1, 16)):
            yield Case(
                api,
                dtype=dtypes(api)[(n + m) % 4],
                batch=3,
                seqlen_q=q,
                seqlen_new=new,
                page_size=page,
                cache_seqlens=(15, 31, 0),
                causal=True,
                new_layout=LAYOUTS[n % 4],
            )


def rotary(api: str) -> Iterator[Case]:
    masks: tuple[tuple[bool, tuple[int, int]], ...] = ((False, (-1, -1)), (True, (-1, -1)), (False, (9, 3)))
    masks += ((False, (64, 64)), (False, (63, 63)), (False, (-1, 0)), (False, (100, -1)))
    for n, (is_causal, win) in enumerate(masks):
        for interleaved in (False, True):
            for m, (d, rotary_dim) in enumerate(((32, 32), (64, 16), (128, 96), (256, 256), (80, 48))):
                yield Case(
                    api,
                    dtype=FLOATS[(n + m) % 3],
                    seqlen_q=(1, 4, 7)[m % 3],
                    seqlen_new=(1, 4, 3)[m % 3],
                    cache_seqlens=(9, 40),
                    d=d,
                    rotary_dim=rotary_dim,
                    rotary_interleaved=interleaved,
                    causal=is_causal,
                    window=win,
                )
    yield Case(api, rotary_dim=32, seqlen_q=2, seqlen_new=2, cache_seqlens=(20, 40), leftpad=(5, 11), causal=True)
    page = page_sizes(api)[0]
    yield Case(api, rotary_dim=32, seqlen_q=2, seqlen_new=2, cache_seqlens=(20, 40), page_size=page, causal=True)
    if api == "v2":
        yield Case(api, d=35, rotary_dim=32, seqlen_q=2, seqlen_new=2, cache_seqlens=(20, 40), causal=True)
        yield Case(api, d=35, rotary_dim=16, rotary_interleaved=False, seqlen_q=2, seqlen_new=2, cache_seqlens=0)
    else:
        more = Case(api, rotary_dim=32, seqlen_q=(2, 3), seqlen_new=(3, 0), cache_seqlens=(20, 40), causal=True)
        yield more
        for is_causal in (False, True):
            yield Case(
                api,
                rotary_dim=16,
                seqlen_q=3,
                seqlen_new=2,
                cache_seqlens=(20, 40),
                rotary_seqlens=(0, 77),
                causal=is_causal,
            )
        yield Case(api, rotary_dim=16, seqlen_q=3, seqlen_new=3, cache_seqlens=(20, 40), attention_chunk=8)
        yield Case(api, dtype="float8_e4m3fn", rotary_dim=16, seqlen_new=2, cache_seqlens=3, causal=True)


def qv(api: str) -> Iterator[Case]:
    for n, (d, dv) in enumerate(((64, 512), (64, 256), (8, 264), (32, 512))):
        for page in (None, 1, 64):
            for sq in (1, 6, (3, 9)):
                yield Case(
                    api,
                    dtype=HALF_TYPES[n % 2],
                    d=d,
                    dv=dv,
                    qv=True,
                    heads=16 if n % 2 else 3,
                    heads_k=1,
                    seqlen_q=sq,
                    page_size=page,
                    cache_seqlens=(40, 64),
                    causal=sq != 1,
                )
    yield Case(api, d=64, dv=256, qv=True, seqlen_new=2, seqlen_q=2, rotary_dim=64, cache_seqlens=(5, 9), causal=True)
    yield Case(api, d=64, dv=256, qv=True, softmax_scale=0.1, q_layout="slice")


def fp8(api: str) -> Iterator[Case]:
    for n, descale in enumerate(("", "q", "k", "v", "qk", "qkv")):
        for sq in (1, 9, (3, 12)):
            yield Case(
                api,
                dtype="float8_e4m3fn",
                descale=descale,
                heads=6,
                heads_k=3,
                seqlen_q=sq,
                d=(16, 64, 128)[n % 3],
                page_size=(None, 16)[n % 2],
                cache_seqlens=(64, 19),
                causal=sq != 1,
                softcap=(0.0, 20.0)[n % 2],
            )
    yield Case(api, dtype="float8_e4m3fn", descale="qkv", seqlen_new=3, seqlen_q=3, cache_seqlens=(8, 50), causal=True)
    yield Case(api, dtype="bfloat16", descale="qkv")  # ignored unless fp8


def layouts(api: str) -> Iterator[Case]:
    for q_layout in LAYOUTS:
        for cache_layout in LAYOUTS:
            for n, new_layout in enumerate(LAYOUTS):
                yield Case(
                    api,
                    dtype=dtypes(api)[n % len(dtypes(api))],
                    seqlen_q=3,
                    seqlen_new=3,
                    cache_seqlens=(9, 40),
                    causal=True,
                    q_layout=q_layout,
                    cache_layout=cache_layout,
                    new_layout=new_layout,
                )


def long_sequences(api: str) -> Iterator[Case]:
    for dtype in dtypes(api):
        yield Case(api, dtype=dtype, batch=1, heads=8, heads_k=2, d=128, capacity=4100, cache_seqlens=(4099,))
        yield Case(api, dtype=dtype, batch=1, seqlen_q=300, heads=2, heads_k=1, d=128, capacity=1100, causal=True)
        yield Case(api, dtype=dtype, batch=1, seqlen_q=520, heads=2, heads_k=2, d=64, capacity=520)
    yield Case(api, batch=8, capacity=700, cache_seqlens=(1, 700, 3, 512, 0, 100, 699, 64), d=64, heads=8, heads_k=8)


Feature = Callable[[str], Iterator[Case]]
COMMON: tuple[Feature, ...] = (
    odd_lengths,
    head_dims,
    grouped_heads,
    causal,
    window,
    softcap,
    softmax_scale,
    score_range,
    paged,
    batch_idx,
    leftpad,
    cache_lengths,
    append,
    rotary,
    layouts,
    long_sequences,
)
FEATURES: dict[str, tuple[Feature, ...]] = {
    "v2": (*COMMON, alibi),
    "v3": (*COMMON, value_head_dims, attention_chunk, varlen_q, append_packed, qv, fp8),
}


def feature_cases(api: str) -> Iterator[tuple[str, Case]]:
    """(test id, case with its own seed)."""
    for feature in FEATURES[api]:
        for n, case in enumerate(feature(api)):
            yield f"{feature.__name__}-{n}", dataclasses.replace(case, seed=SEED + n)


def compact_cases(api: str) -> Iterator[tuple[str, Case]]:
    """A few calls that reach every kernel: for the runs per SIMD level and under sanitizers."""
    for dtype in dtypes(api):
        base = Case(api, SEED, dtype, d=64, capacity=150, cache_seqlens=(150, 77))
        for name, changes in _compact_changes(api, dtype):
            yield f"{dtype}-{name}", dataclasses.replace(base, **changes)


def _compact_changes(api: str, dtype: str) -> Iterator[tuple[str, dict[str, Any]]]:
    fp8 = dtype == "float8_e4m3fn"
    yield "decode", {}
    yield "decode-mqa", {"heads": 8, "heads_k": 1, "d": 128, "q_layout": "slice", "cache_layout": "bhsd"}
    yield "decode-long", {"batch": 1, "cache_seqlens": (2050,), "capacity": 2100, "heads": 8, "d": 128}
    yield "prefill", {"seqlen_q": 129, "causal": True, "d": 128}
    yield "prefill-full", {"seqlen_q": 70, "d": 80, "cache_layout": "packed", "q_layout": "packed"}
    yield "prefill-256", {"seqlen_q": 33, "d": 256, "window": (40, 3)}
    yield "odd", {"seqlen_q": 17, "d": 48 if fp8 else 40, "softcap": 20.0}
    yield "sharp", {"seqlen_q": 40, "q_scale": 10.0, "ramp": (0.0, 8.0)}
    yield "one-by-one", {"seqlen_q": 1, "capacity": 1, "cache_seqlens": 1}
    yield "empty", {"seqlen_q": 3, "capacity": 5, "cache_seqlens": (0, 2), "causal": True}
    append = {"seqlen_q": 5, "seqlen_new": 5, "cache_seqlens": (140, 3), "causal": True}
    yield "append", {**append, "cache_layout": "slice"}
    yield "paged", {**append, "page_size": 256 if api == "v2" else 3}
    yield "splits", {"num_splits": 5, "heads": 8}
    yield "rotary", {**append, "rotary_dim": 32}
    yield "rotary-neox", {**append, "rotary_dim": 32, "rotary_interleaved": False, "seqlen_new": 1}
    if api == "v2":
        yield "alibi", {"alibi": "bh", "seqlen_q": 20, "causal": True}
        yield "d33", {"d": 33, "seqlen_q": 20}
        yield "d1", {"d": 1, "seqlen_q": 3}
    else:
        yield "varlen", {"seqlen_q": (40, 3), "page_size": 16, "causal": True}
        yield "chunk", {"seqlen_q": 40, "attention_chunk": 30, "causal": True}
        yield "d33-dv17", {"d": 33, "dv": 17, "seqlen_q": 20}
        yield "dv", {"seqlen_q": 20, "dv": 256 if fp8 else 512}
        if dtype in HALF_TYPES:
            yield "mla", {"qv": True, "dv": 512, "heads": 16, "heads_k": 1, "page_size": 64}
        if fp8:
            yield "descale", {"descale": "qkv", "seqlen_q": 20, "d": 128}
