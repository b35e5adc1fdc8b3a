# SPDX-License-Identifier: BSD-3-Clause
"""What the decode kernel promises of its speed, by the cycle model and at the ends of its uncertain constants."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence

import numpy as np
import pytest
from ascend_twin import Machine

from . import driver
from .test_attention import KERNEL

CORES = 24
SLOW = {"l2_tbps": 5.2, "vec_two_source": 2, "cross_flag_latency": 1000, "hbm_tbps": 1.8}  # least hidden behind HBM
FAST = {"l2_tbps": 7.0, "vec_two_source": 1, "cross_flag_latency": 200, "hbm_tbps": 1.4}


@pytest.fixture(scope="session")
def library() -> driver.Library:
    return driver.Library.of("decode", "decode_f16")


@pytest.fixture(scope="session")
def fp8_library() -> driver.Library:
    return driver.Library.of("decode", "decode_fp8")


def record(
    library: driver.Library,
    lengths: Sequence[int],
    page_size: int = 0,
    num_splits: int = 0,
    in_order: bool = False,
    dtype: str = "f16",
) -> float:
    """Records a call: 32 query heads, 8 kv heads of 128 elements, one query. Returns the bytes of K and V it needs."""
    batch, heads, kv_heads, dim, longest = len(lengths), 32, 8, 128, max(lengths)
    given = {}
    blocks, length = batch, longest
    if page_size:
        pages = -(-longest // page_size)
        blocks, length = batch * pages, page_size
        table = np.arange(blocks) if in_order else np.random.default_rng(0).permutation(blocks)
        given = {"page_table": driver.place(table.reshape(batch, pages).astype(np.int32)), "page_size": page_size}
    # The recording moves no data: the caches are never touched.
    storage = driver.STORAGE[dtype]
    empty = [driver.aligned((blocks, length, kv_heads, dim), storage, None) for _ in range(2)]
    q, out = (driver.aligned((batch, 1, heads, dim), np.float16, None) for _ in range(2))
    call = driver.Call(
        dtype,
        q=q,
        out=out,
        k_cache=empty[0],
        v_cache=empty[1],
        lse=driver.aligned((batch, heads, 1), np.float32, None),
        cache_seqlens=driver.place(np.array(lengths, np.int32)),
        batch=batch,
        num_heads_q=heads,
        num_heads_kv=kv_heads,
        head_dim=dim,
        head_dim_v=dim,
        max_seqlen_q=1,
        max_seqlen_k=longest,
        total_q=batch,
        num_blocks=blocks,
        index_rows=batch,
        capacity=length if not page_size else pages * page_size,
        scale=dim**-0.5,
        num_splits=num_splits,
        fresh=["out", "lse", "core_workspace"],
        **given,
    )
    library.library.attention_limits(ctypes.byref(call.flat))
    workspace = driver.aligned((CORES, call.flat.core_workspace_bytes), np.uint8, None)
    call.arrays["core_workspace"] = workspace
    call._point("core_workspace", workspace)
    call.run(library, f"flash_attn_decode_{KERNEL[dtype]}", CORES, mode="timing", cores=CORES)
    return sum(lengths) * kv_heads * dim * 2 * np.dtype(storage).itemsize


def cycles(costs: dict[str, float]) -> float:
    return Machine.get().simulate(costs=costs)["cycles"]


def hbm_share(kv_bytes: float, costs: dict[str, float]) -> float:
    """Time that K and V take at the rate HBM sustains, over the kernel's time."""
    sustained = costs["hbm_tbps"] * 1e12 * Machine.get().costs()["hbm_efficiency"][0]
    return kv_bytes / sustained / (cycles(costs) / 1.8e9)


@pytest.mark.parametrize("page_size", [0, 16, 64])
def test_decode_is_bound_by_memory(library, page_size):
    kv_bytes = record(library, [4096] * 32, page_size)
    shares = {name: hbm_share(kv_bytes, costs) for name, costs in (("slow", SLOW), ("fast", FAST))}
    assert min(shares.values()) >= 0.95, shares


@pytest.mark.parametrize("page_size", [0, 16])
def test_fp8_decode_is_bound_by_memory(fp8_library, page_size):
    """An element is a byte of HBM; L2 moves it, the half that the vector cores make of it, and the half again."""
    kv_bytes = record(fp8_library, [4096] * 32, page_size, dtype="f8")
    for costs in (SLOW, FAST):
        l2_share = 5 * kv_bytes / (costs["l2_tbps"] * 1e12) / (cycles(costs) / 1.8e9)
        assert max(l2_share, hbm_share(kv_bytes, costs)) >= 0.85, costs


def test_pages_of_one_in_order_are_as_good_as_dense(library):
    kv_bytes = record(library, [4096] * 32, page_size=1, in_order=True)
    assert hbm_share(kv_bytes, SLOW) >= 0.95


def test_one_long_sequence_is_shared_by_all_cores(library):
    record(library, [131072])
    cut = {name: cycles(costs) for name, costs in (("slow", SLOW), ("fast", FAST))}
    record(library, [131072], num_splits=1)
    gain = {name: cycles(costs) / cut[name] for name, costs in (("slow", SLOW), ("fast", FAST))}
    assert min(gain.values()) >= 1.6, gain


def test_ragged_lengths_are_balanced(library):
    """Every core gets the same number of keys: little is lost against equal lengths."""
    lengths = np.random.default_rng(3).integers(1, 8193, 32)
    kv_bytes = record(library, [int(x) for x in lengths])
    assert hbm_share(kv_bytes, SLOW) >= 0.95
