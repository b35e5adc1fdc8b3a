# SPDX-License-Identifier: BSD-3-Clause
"""flash_attn_combine against logsumexp in float64: layouts, head dims, empty splits, masked rows, unused rows."""

from __future__ import annotations

import numpy as np
import pytest

from .driver import STORAGE, Call, Library, allocation, place
from .formats import bf16_to_float

MODES = [("fast", 0), ("check", 0), ("check", 11)]


@pytest.fixture(scope="module")
def library():
    return Library.of("passes", "combine")


def to_float(array: np.ndarray, dtype: str) -> np.ndarray:
    return bf16_to_float(array) if dtype == "bf16" else array.astype(np.float32)


def run(
    library,
    rng,
    mode,
    seed,
    *,
    dtype="f16",
    batch=2,
    heads=4,
    heads_kv=2,
    seqlen=5,
    dv=64,
    splits=3,
    cu=None,
    used=None,
    out_layout=(0, 1, 2, 3),
    out_gaps=(0, 0, 0, 0),
    alibi=False,
    masked=np.inf,
    empty=0.3,
    spread=6,
    blocks=6,
):
    packed = cu is not None
    total = int(cu[-1]) if packed else batch * seqlen
    rows = total if packed else seqlen
    if packed:
        batch, seqlen = len(cu) - 1, int(np.max(np.diff(cu)))
    shape = (splits, heads, rows) if packed else (splits, batch, heads, rows)
    lse_part = place(rng.normal(0, spread, shape).astype(np.float32))
    lse_part[rng.random(shape) < empty] = -np.inf
    lse_part[..., 0] = -np.inf  # rows that no split saw
    part = place(rng.standard_normal((*shape, dv)).astype(np.float32))
    part[np.isneginf(lse_part)] = 0
    out_shape = (total, heads, dv) if packed else (batch, seqlen, heads, dv)
    layout, gaps = (out_layout, out_gaps) if not packed else ((0, 1, 2), out_gaps[1:])
    out = place(np.zeros(out_shape, STORAGE[dtype]), layout, gaps, offset=3)
    lse = place(np.zeros((heads, total) if packed else (batch, heads, seqlen), np.float32))
    # Rows that belong to no query: nobody wrote a partial result for them, and nothing may be written.
    lengths = np.diff(cu) if packed else np.full(batch, seqlen)
    starts = np.asarray(cu[:-1]) if packed else np.zeros(batch, int)
    if used is not None:
        lengths = np.minimum(lengths, used)
    seqlens_k = np.arange(batch, dtype=np.int32) + 7
    for array in (out, lse):
        allocation(array)[...] = 0xEE
    before = allocation(out).copy()
    capacity = 64
    arrays = {"out": out, "lse": lse, "out_accum": part, "lse_accum": lse_part, "cache_seqlens": place(seqlens_k)}
    if packed:
        arrays["cu_seqlens_q"] = place(np.asarray(cu, np.int32))
    if used is not None:
        arrays["seqused_q"] = place(np.asarray(used, np.int32))
    if alibi:
        arrays["alibi_slopes"] = place(rng.random((batch, heads)).astype(np.float32))
    call = Call(
        dtype,
        written=["out", "lse"],
        batch=batch,
        num_heads_q=heads,
        num_heads_kv=heads_kv,
        head_dim=dv,
        head_dim_v=dv,
        max_seqlen_q=seqlen,
        max_seqlen_k=capacity,
        total_q=total,
        capacity=capacity,
        num_blocks=batch,
        index_rows=batch,
        num_splits=splits,
        alibi_lse_offset=int(alibi),
        lse_of_masked_row=masked,
        **arrays,
    )
    assert call.run(library, "flash_attn_combine", blocks, mode=mode, seed=seed) == []

    peak = np.max(lse_part.astype(np.float64), 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        weight = np.where(np.isneginf(peak), 0, np.exp(lse_part - peak))
        total_lse = peak + np.log(weight.sum(0))
        weight = np.where(np.isneginf(peak), 0, weight / weight.sum(0))
    want = (weight[..., None] * part).sum(0)
    want_bytes = np.ones(before.size, bool)  # bytes that must be as they were
    got = to_float(out, dtype)
    for n in range(batch):
        for i in range(lengths[n]):
            row = starts[n] + i
            for head in range(heads):
                source = (head, row) if packed else (n, head, i)
                where = (row, head) if packed else (n, i, head)
                error = np.abs(got[where] - want[source]).max()
                step = 2.0**-8 if dtype == "bf16" else 2.0**-11
                assert error <= step * np.abs(want[source]).max() + 1e-5, (n, head, i, error)
                at = out[where].ctypes.data - allocation(out).ctypes.data
                want_bytes[at : at + 2 * dv] = False
                offset = call.arrays["alibi_slopes"][n, head] * (i + seqlens_k[n] - lengths[n]) if alibi else 0
                expected = masked if np.isneginf(total_lse[source]) else total_lse[source] + offset
                mine = lse[source]
                assert mine == expected or abs(mine - expected) <= 4e-6 * max(1, abs(expected)), (
                    source,
                    mine,
                    expected,
                )
                lse[source] = -123
    assert np.array_equal(allocation(out)[want_bytes], before[want_bytes])
    untouched = lse.view(np.uint32)[lse != -123]
    assert np.all(untouched == 0xEEEEEEEE) and untouched.size == lse.size - heads * lengths.sum()


@pytest.mark.parametrize("mode,seed", MODES)
@pytest.mark.parametrize("dtype", ["f16", "bf16"])
@pytest.mark.parametrize("dv,splits", [(128, 2), (64, 7), (1, 3), (40, 5), (77, 4), (256, 20), (511, 3), (512, 9)])
def test_head_dims(library, rng, mode, seed, dtype, dv, splits):
    run(library, rng, mode, seed, dtype=dtype, dv=dv, splits=splits)


@pytest.mark.parametrize("mode,seed", MODES)
@pytest.mark.parametrize(
    "case",
    [
        {"batch": 3, "heads": 32, "heads_kv": 8, "seqlen": 1, "splits": 48, "dv": 128, "blocks": 48},
        {
            "batch": 1,
            "heads": 3,
            "heads_kv": 1,
            "seqlen": 200,
            "splits": 2,
            "dv": 24,
            "blocks": 2,
        },
        {
            "batch": 2,
            "heads": 2,
            "seqlen": 9,
            "splits": 300,
            "dv": 16,
            "blocks": 3,
        },  # > 255 repeats
        {"batch": 5, "heads": 4, "seqlen": 6, "used": [6, 0, 1, 5, 6], "splits": 3, "dv": 33},
        {"cu": [0, 1, 1, 9, 30, 31], "heads": 4, "splits": 3, "dv": 32},
        {"cu": [0, 5, 9, 20], "used": [3, 4, 0], "heads": 2, "splits": 4, "dv": 20, "blocks": 5},
        {"out_layout": (0, 2, 1, 3), "out_gaps": (0, 3, 0, 5), "dv": 32},
        {"out_layout": (1, 0, 2, 3), "out_gaps": (7, 1, 2, 1), "dv": 31, "seqlen": 1, "heads": 6},
        {"alibi": True, "seqlen": 70, "heads": 2, "heads_kv": 1, "masked": -np.inf, "dv": 16},
        {"alibi": True, "seqlen": 1, "heads": 16, "batch": 4, "dv": 16},
        {"batch": 3, "heads": 6, "heads_kv": 1, "seqlen": 5, "dv": 50, "blocks": 48},  # tiles of two rows of two heads
        {"empty": 1.0, "masked": -np.inf, "dv": 16},
    ],
    ids=str,
)
def test_shapes(library, rng, mode, seed, case):
    run(library, rng, mode, seed, **case)


def test_far_apart_partial_lses(library, rng):
    """Splits whose weight underflows must not disturb the others."""
    run(library, rng, "check", 1, splits=4, empty=0.0, spread=300, dv=16, seqlen=64)


@pytest.mark.parametrize("seed", range(12))
def test_wild_lengths_touch_nothing_foreign(library, rng, seed):
    batch, heads, total, dv, splits = 4, 3, 21, 24, 2
    wild = [place(rng.integers(*limits, batch + 1).astype(np.int32)) for limits in ((-9, 40), (-(2**31), 2**31))]
    call = Call(
        "f16",
        written=["out", "lse"],
        batch=batch,
        num_heads_q=heads,
        num_heads_kv=heads,
        head_dim=dv,
        head_dim_v=dv,
        max_seqlen_q=total,
        max_seqlen_k=9,
        total_q=total,
        capacity=9,
        num_blocks=batch,
        index_rows=batch,
        num_splits=splits,
        out=place(np.zeros((total, heads, dv), np.float16)),
        lse=place(np.zeros((heads, total), np.float32)),
        out_accum=place(np.zeros((splits, heads, total, dv), np.float32)),
        lse_accum=place(np.zeros((splits, heads, total), np.float32)),
        cu_seqlens_q=wild[seed % 2],
        cache_seqlens=wild[1],
        seqused_q=wild[seed // 2 % 2],
    )
    assert call.run(library, "flash_attn_combine", 4, mode="check", seed=seed) == []
