# SPDX-License-Identifier: BSD-3-Clause
"""Hypothesis strategies over the whole argument space of each API, and a command that runs as many calls as one likes:

    python -m tests.support.fuzz [--api v3] [--seed N] [--sizes long] 10000

Only valid calls are drawn; wrong ones are in test_bad_input.py. Tensors are small: shapes, options and their
interplay are what is searched. With "long" sizes, calls are a tenth as many per second, and kernels that take keys or
queries in steps need several of them.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass
from typing import Any, Callable

import hypothesis
from hypothesis import strategies as st

from tests.support import backend
from tests.support.cases import LAYOUTS, Case
from tests.support.harness import check


@dataclass(frozen=True)
class Sizes:
    """How large the tensors of a call may be.

    Attributes:
        capacity: keys of a cache.
        longest_q, longest_new: queries and appended keys of a sequence.
        heads_k, group: kv heads, and query heads of each.
        head_dims: half of the calls take one of these pairs of (d, dv), where the API has them; empty: none.
    """

    capacity: st.SearchStrategy[int]
    longest_q: int
    longest_new: int
    heads_k: tuple[int, ...]
    group: tuple[int, ...]
    head_dims: tuple[tuple[int, int], ...] = ()


SIZES = {
    "small": Sizes(
        st.one_of(st.integers(1, 40), st.sampled_from((0, 63, 64, 65, 127, 129, 200, 300))),
        longest_q=40,
        longest_new=12,
        heads_k=(1, 2, 3, 4),
        group=(1, 2, 3, 4, 5, 8, 16),
    ),
    "long": Sizes(
        st.one_of(st.integers(1, 2500), st.sampled_from((511, 512, 513, 1023, 1024, 1025, 2047, 2048, 2049))),
        longest_q=600,
        longest_new=300,
        heads_k=(1, 2),
        group=(1, 2, 3, 4, 8),
        head_dims=((64, 64), (128, 128), (192, 128), (256, 256)),
    ),
}


def _lengths(draw: Any, n: int, low: int, high: int) -> tuple[int, ...]:
    return tuple(draw(st.integers(low, high)) for _ in range(n))


def _weighted(draw: Any, one_in: int) -> bool:
    """True about once in `one_in`; shrinks to False."""
    return draw(st.integers(0, one_in - 1)) == one_in - 1


@st.composite
def head_dims_v3(draw: Any, alignment: int, wide_v: bool) -> tuple[int, int]:
    """(d, dv): upstream's combinations, and any other, which is our extension."""
    units = st.integers(1, 256 // alignment)
    kind = draw(st.sampled_from(("equal", "equal", "equal", "small", "wide", "deepseek", "any")))
    if kind == "small":
        return draw(st.integers(1, 64 // alignment)) * alignment, draw(units) * alignment
    if kind == "any":
        return draw(st.integers(1, 256)), draw(st.integers(1, 512))
    if kind == "wide":
        limit = 512 if wide_v else 256
        return draw(st.integers(1, 64 // alignment)) * alignment, draw(st.integers(1, limit // alignment)) * alignment
    if kind == "deepseek":
        d = 128 + alignment * draw(st.integers(1, 64 // alignment))
        dv = 96 + alignment * draw(st.integers(1, 32 // alignment))
        return d, dv
    d = draw(st.one_of(st.sampled_from((16, 64, 128)), units.map(lambda u: u * alignment)))
    return d, d


@st.composite
def cases(draw: Any, api: str, dtypes: tuple[str, ...] | None = None, sizes: Sizes = SIZES["small"]) -> Case:
    v3 = api == "v3"
    known = ("float16", "bfloat16", "float32") + (("float8_e4m3fn",) if v3 else ())
    dtype = draw(st.sampled_from([name for name in known if dtypes is None or name in dtypes]))
    fp8 = dtype == "float8_e4m3fn"
    seed = draw(st.integers(0, 2**16))
    batch = 0 if v3 and _weighted(draw, 30) else draw(st.integers(1, 4))
    heads_k = draw(st.sampled_from(sizes.heads_k))
    heads = heads_k * draw(st.sampled_from(sizes.group))

    qv = v3 and not fp8 and _weighted(draw, 8)
    common = [(d, dv) for d, dv in sizes.head_dims if v3 or d == dv]
    if common and not qv and draw(st.booleans()):
        d, dv = draw(st.sampled_from(common))
    elif not v3:
        d = dv = draw(st.one_of(st.sampled_from((16, 64, 128)), st.integers(1, 256)))
    elif qv:
        d, dv = draw(st.integers(1, 128)), draw(st.one_of(st.sampled_from((256, 512)), st.integers(1, 512)))
    else:
        d, dv = draw(head_dims_v3(16 if fp8 else 8, not fp8))

    # The cache and what is in it.
    page_size: int | None = None
    if draw(st.booleans()):
        page_size = draw(st.sampled_from((1, 2, 3, 16, 17, 64, 128, 256))) if v3 else draw(st.sampled_from((256, 512)))
    capacity = draw(sizes.capacity)
    if page_size is not None:
        capacity = max(1, -(-capacity // page_size)) * page_size
    append = draw(st.booleans()) and capacity > 0
    seqlen_new: Any = None
    if append:
        longest_new = min(capacity, sizes.longest_new)
        if v3 and draw(st.booleans()):
            seqlen_new = _lengths(draw, batch, 0, longest_new)
        else:
            seqlen_new = draw(st.integers(1, longest_new))
    new = seqlen_new if isinstance(seqlen_new, tuple) else (seqlen_new or 0,) * batch
    cache_seqlens: Any = None
    kind = draw(st.sampled_from(("int", "tensor") if append else ("none", "int", "tensor")))
    if kind == "int":
        # With no sequence at all, new keys of one length must still fit.
        most_new = seqlen_new if isinstance(seqlen_new, int) else max(new, default=0)
        cache_seqlens = draw(st.integers(0, capacity - most_new))
    elif kind == "tensor":
        cache_seqlens = tuple(draw(st.integers(0, capacity - n)) for n in new)
    leftpad: tuple[int, ...] | None = None
    if (v3 or page_size is None) and _weighted(draw, 3):
        old = (
            cache_seqlens
            if isinstance(cache_seqlens, tuple)
            else ((capacity if cache_seqlens is None else cache_seqlens),) * batch
        )
        leftpad = tuple(draw(st.integers(0, n)) for n in old)
    batch_idx = (v3 or page_size is None) and _weighted(draw, 3)

    # Queries.
    longest_q = sizes.longest_q if not append else min(capacity, sizes.longest_q)
    seqlen_q: Any
    if v3 and draw(st.booleans()):
        seqlen_q = _lengths(draw, batch, 0, longest_q)
    else:
        seqlen_q = draw(st.one_of(st.just(1), st.integers(0, longest_q))) if longest_q else 0
    extra = 0
    if isinstance(seqlen_q, tuple):
        room = (capacity if append else 1000) - max(seqlen_q, default=0)
        extra = draw(st.integers(0, max(0, min(room, 50))))

    rotary_dim, rotary_seqlens = 0, None
    if append and d >= 16 and draw(st.booleans()):
        rotary_dim = 16 * draw(st.integers(1, d // 16))
        if v3 and _weighted(draw, 3):
            rotary_seqlens = _lengths(draw, batch, 0, 50)

    # Mask and scores. Window limits near the lengths are where clipping happens.
    edge = st.one_of(st.just(-1), st.integers(0, 12), st.integers(max(0, capacity - 2), capacity + 2))
    return Case(
        api=api,
        seed=seed,
        dtype=dtype,
        batch=batch,
        seqlen_q=seqlen_q,
        heads=heads,
        heads_k=heads_k,
        d=d,
        dv=None if dv == d else dv,
        capacity=capacity,
        page_size=page_size,
        cache_seqlens=cache_seqlens,
        leftpad=leftpad,
        batch_idx=batch_idx,
        share_first_page=page_size is not None and not append and _weighted(draw, 4),
        seqlen_new=seqlen_new,
        rotary_dim=rotary_dim,
        rotary_interleaved=draw(st.booleans()) if rotary_dim else True,
        rotary_seqlens=rotary_seqlens,
        causal=draw(st.booleans()),
        window=(draw(edge), draw(edge)) if _weighted(draw, 2) else (-1, -1),
        attention_chunk=draw(st.integers(1, 40)) if v3 and _weighted(draw, 4) else 0,
        softcap=draw(st.sampled_from((0.0, 0.0, 1.5, 20.0, 50.0))),
        softmax_scale=draw(st.sampled_from((None, None, 0.1, 1.0, 0.0, -0.3))),
        alibi=None if v3 else draw(st.sampled_from((None, None, "h", "bh"))),
        qv=qv,
        descale="".join(name for name in "qkv" if draw(st.booleans())) if fp8 else "",
        num_splits=draw(st.sampled_from((0, 1, 2, 3, 16, 128))),
        pack_gqa=draw(st.sampled_from((None, False, True))) if v3 else None,
        sm_margin=draw(st.sampled_from((0, 3))) if v3 else 0,
        max_seqlen_q_extra=extra,
        q_layout=draw(st.sampled_from(LAYOUTS)),
        cache_layout=draw(st.sampled_from(LAYOUTS)),
        new_layout=draw(st.sampled_from(LAYOUTS)) if append else "contiguous",
        return_softmax_lse=not _weighted(draw, 4),
        q_scale=draw(st.sampled_from((1.0, 0.1, 8.0))),
        ramp=draw(st.sampled_from(((0.0, 0.0), (0.0, 0.0), (0.0, 8.0), (8.0, 0.0), (-8.0, -8.0)))),
    )


def fuzz(
    api: str, calls: int, seed: int, before_each: Callable[[int], None] | None = None, sizes: str = "small"
) -> None:
    """Raises AssertionError with the shrunk failing call as a snippet."""
    done = 0

    def one(case: Case) -> None:
        nonlocal done
        done += 1
        if before_each is not None:
            before_each(done)
        check(case)

    test = hypothesis.given(cases(api, backend.current().dtypes, SIZES[sizes]))(one)
    test = hypothesis.seed(seed)(test)
    test = hypothesis.settings(
        max_examples=calls,
        deadline=None,
        database=None,
        print_blob=False,
        report_multiple_bugs=False,
        suppress_health_check=list(hypothesis.HealthCheck),
    )(test)
    test()


def fuzz_with_progress(api: str, calls: int, seed: int, sizes: str) -> bool:
    """Prints progress, and the failing call if there is one."""
    backend.package(api)  # fail early when it is not installed
    started = shown = time.monotonic()
    repeat = f"--api {api} --seed {seed} --sizes {sizes}"
    print(f"fuzz {api}: {calls} calls, seed {seed} (repeat with {repeat})", flush=True)

    def progress(done: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown >= 5:
            shown = now
            print(f"  {done} of {calls} calls, {done / (now - started):.0f} per second", flush=True)

    try:
        fuzz(api, calls, seed, progress, sizes)
    except AssertionError as error:
        print(f"FAILED with seed {seed}\n{error}", flush=True)
        return False
    print(f"fuzz {api}: {calls} calls agree with the reference ({time.monotonic() - started:.0f} s)", flush=True)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description="Fuzz flash_attn_with_kvcache against the float64 reference.")
    parser.add_argument("calls", type=int, nargs="?", default=10000, help="of each API")
    parser.add_argument("--api", choices=("v2", "v3"), action="append", help="default: both")
    parser.add_argument("--seed", type=int, default=None, help="default: FLASH_ATTN_NPU_TEST_SEED or the clock")
    parser.add_argument("--sizes", choices=SIZES, default="small", help="of the tensors; default: small")
    options = parser.parse_args()
    seed = options.seed
    if seed is None:
        seed = int(os.environ.get("FLASH_ATTN_NPU_TEST_SEED", time.time_ns() % 2**31))
    results = [fuzz_with_progress(api, options.calls, seed, options.sizes) for api in options.api or ("v2", "v3")]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
