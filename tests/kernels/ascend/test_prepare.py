# SPDX-License-Identifier: BSD-3-Clause
"""flash_attn_prepare: appended keys and values, rotated keys and queries, fp8 queries as half; no other byte."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from .driver import STORAGE, Call, Library, allocation, place
from .formats import bf16, bf16_to_float, e4m3fn, nearest_code, storage

MODES = [("fast", 0), ("check", 0), ("check", 5)]


@pytest.fixture(scope="module")
def library():
    return Library.of("passes", "prepare")


def random_values(rng, shape, dtype: str) -> np.ndarray:
    values = rng.standard_normal(shape)
    if dtype == "f16":
        return values.astype(np.float16)
    if dtype == "bf16":
        return bf16(values)
    codes = rng.integers(0, 256, shape).astype(np.uint8)
    return np.where(codes & 0x7F == 0x7F, np.uint8(0x31), codes).astype(np.uint8)  # NaN: test_fp8


def to_float(array: np.ndarray, dtype: str) -> np.ndarray:
    if dtype == "bf16":
        return bf16_to_float(array).astype(np.float64)
    return e4m3fn(array) if dtype == "f8" else array.astype(np.float64)


@dataclass
class Case:
    dtype: str = "f16"
    heads: tuple[int, int] = (4, 2)
    dims: tuple[int, int] = (64, 64)
    seqlens_q: tuple[int, ...] = (3, 3)
    seqlens_new: tuple[int, ...] = (5, 5)
    filled: tuple[int, ...] = (7, 0)
    leftpad: tuple[int, ...] | None = None
    packed_q: bool = False
    packed_new: bool = False
    used: tuple[int, ...] | None = None
    capacity: int = 40
    page_size: int = 0
    batch_idx: bool = False
    rotary_dim: int = 0
    interleaved: bool = False
    q_per_row: bool = True
    rotary_seqlens: tuple[int, ...] | None = None
    append: bool = True
    layout: tuple[int, ...] = (0, 1, 2, 3)
    gaps: tuple[int, ...] = (0, 0, 0, 0)
    blocks: int = 4
    offset: int = field(default=0)
    folded_scale: bool = False


def rotated(x: np.ndarray, cos: np.ndarray, sin: np.ndarray, interleaved: bool) -> np.ndarray:
    """Features [0, 2 * cos.size) of x (float64), rotated as include/flash_attn_npu/rotary.h says."""
    half = cos.size
    first = np.arange(half) * 2 if interleaved else np.arange(half)
    second = first + 1 if interleaved else first + half
    y = x.copy()
    y[..., first] = x[..., first] * cos - x[..., second] * sin
    y[..., second] = x[..., first] * sin + x[..., second] * cos
    return y


def check_rounding(got: np.ndarray, want: np.ndarray, dtype: str, bound: np.ndarray) -> None:
    """`got` is `want` rounded, up to the float32 errors of sum and products, whose size is `bound`."""
    slack = 3 * 2.0**-24 * bound
    if dtype == "f8":
        low, high = nearest_code(want - slack), nearest_code(want + slack)
        assert np.all((got == low) | (got == high)), (got, low, high)
        return
    low, high = (to_float(storage(want + d, dtype), dtype) for d in (-slack, slack))
    value = to_float(got, dtype)
    assert np.all((low <= value) & (value <= high)), np.max(np.abs(value - want))


def run(library, rng, mode, seed, c: Case) -> None:
    (h, hk), (d, dv), batch = c.heads, c.dims, len(c.seqlens_q)
    leftpad = np.asarray(c.leftpad or [0] * batch, np.int32)
    filled = np.asarray(c.filled, np.int32)  # left padding counted
    used = np.asarray(c.used if c.used is not None else c.seqlens_q)
    wide = "f16" if c.dtype == "f8" else c.dtype  # of prepared queries
    arrays = {"cache_seqlens": place(filled)}
    numbers = {}

    def offsets(lengths) -> np.ndarray:
        return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)

    def strided(values: np.ndarray) -> np.ndarray:
        layout, gaps = (c.layout, c.gaps) if values.ndim == 4 else ((0, 1, 2), c.gaps[1:])
        return place(values, layout, gaps, c.offset)

    def rows(lengths, packed: bool, heads: int, dim: int) -> np.ndarray:
        shape = (int(np.sum(lengths)), heads, dim) if packed else (batch, int(np.max(lengths)), heads, dim)
        return strided(random_values(rng, shape, c.dtype))

    arrays["q"] = q = rows(c.seqlens_q, c.packed_q, h, d)
    if c.packed_q:
        arrays["cu_seqlens_q"] = place(offsets(c.seqlens_q))
    if c.used is not None:
        arrays["seqused_q"] = place(np.asarray(c.used, np.int32))
    if c.leftpad:
        arrays["leftpad"] = place(leftpad)

    # Cache: blocks are sequences, or pages dealt at random.
    if c.page_size:
        per_sequence = -(-c.capacity // c.page_size)
        num_blocks, block_rows = batch * per_sequence + 2, c.page_size
        table = rng.permutation(num_blocks)[: batch * per_sequence].reshape(batch, -1).astype(np.int32)
        arrays["page_table"] = place(table)
        numbers.update(page_size=c.page_size)
    else:
        num_blocks, block_rows = batch + (2 if c.batch_idx else 0), c.capacity
    index_rows = batch if c.page_size else num_blocks
    owner = np.arange(batch)
    if c.batch_idx:
        owner = rng.permutation(index_rows)[:batch]
        arrays["batch_idx"] = place(owner.astype(np.int32))

    def where(n: int, j: int) -> tuple[int, int]:
        row = int(leftpad[n]) + j
        return (int(table[owner[n], row // c.page_size]), row % c.page_size) if c.page_size else (int(owner[n]), row)

    lengths_new = np.asarray(c.seqlens_new) if c.append else np.zeros(batch, int)
    for name, dim in (("k", d), ("v", dv)):
        cache = arrays[f"{name}_cache"] = strided(random_values(rng, (num_blocks, block_rows, hk, dim), c.dtype))
        allocation(cache)[...] = 0xFF  # poison: nobody may read it
        if c.append:
            arrays[f"{name}_new"] = rows(c.seqlens_new, c.packed_new, hk, dim)
    if c.append and c.packed_new:
        arrays["cu_seqlens_k_new"] = place(offsets(c.seqlens_new))
        numbers.update(total_new=int(lengths_new.sum()))
    else:
        numbers.update(seqlen_new=int(lengths_new.max()))
        lengths_new = np.full(batch, lengths_new.max())

    if c.rotary_dim:
        angles = rng.uniform(0, 6, (c.capacity + 8, c.rotary_dim // 2))
        for name, table_values in (("cos", np.cos(angles)), ("sin", np.sin(angles))):
            if c.dtype == "f16":
                stored = table_values.astype(np.float16)
            else:
                stored = nearest_code(table_values) if c.dtype == "f8" else bf16(table_values)
            arrays[name] = place(stored, gaps=(0, 3 if name == "cos" else 0))
        numbers.update(rotary_seqlen=c.capacity + 8, rotary_dim=c.rotary_dim, rotary_interleaved=int(c.interleaved))
        numbers.update(rotary_q_per_row=int(c.q_per_row))
        if c.rotary_seqlens:
            arrays["rotary_seqlens"] = place(np.asarray(c.rotary_seqlens, np.int32))
    starts = np.asarray(c.rotary_seqlens) if c.rotary_seqlens else filled

    max_q = int(np.max(c.seqlens_q))
    total_q = int(np.sum(c.seqlens_q)) if c.packed_q else batch * max_q
    head = -(-d // 16) * 16
    prepared = arrays["prepared_q"] = place(np.full((total_q, h, head), 0, STORAGE[wide]))
    allocation(prepared)[...] = 0xEE
    written = ["k_cache", "v_cache", "prepared_q"]
    caches = {name: allocation(arrays[name]).copy() for name in written[:2]}
    call = Call(
        c.dtype,
        written=written,
        batch=batch,
        num_heads_q=h,
        num_heads_kv=hk,
        head_dim=d,
        head_dim_v=dv,
        max_seqlen_q=max_q,
        max_seqlen_k=c.capacity,
        total_q=total_q,
        capacity=c.capacity,
        num_blocks=num_blocks,
        index_rows=index_rows,
        **numbers,
        **arrays,
    )
    factor = np.ones((batch, hk))
    if c.folded_scale:
        call.flat.folded_scale = 1
        call.flat.scale = 0.25
        descale = {x: place(rng.uniform(1e-3, 2, (batch, hk)).astype(np.float32)) for x in ("q_descale", "k_descale")}
        # Scales between which nothing can be lost; and, of one head, one that is not for half.
        descale["k_descale"][-1, -1] = -1
        for name, array in descale.items():
            call.arrays[name] = array
            call._point(name, array)
        scale = 0.25 * descale["q_descale"].astype(np.float64) * descale["k_descale"] / 140
        factor = np.where(scale > 0, 2.0 ** np.maximum(np.floor(np.log2(np.abs(scale))), -15), 1.0)
    findings = call.run(library, "flash_attn_prepare", c.blocks, mode=mode, seed=seed)
    assert findings == [], "\n".join(map(str, findings))

    def tables(position: int) -> tuple[np.ndarray, np.ndarray]:
        return to_float(arrays["cos"][position], c.dtype), to_float(arrays["sin"][position], c.dtype)

    # Queries.
    prepares = c.rotary_dim or c.dtype == "f8"
    row = 0
    for n in range(batch):
        for i in range(int(c.seqlens_q[n]) if c.packed_q else max_q):
            mine = prepared[row, :, :d]
            source = q[row] if c.packed_q else q[n, i]
            row += 1
            if not prepares or i >= used[n]:
                assert np.all(mine.view(np.uint16) == 0xEEEE), (n, i)
                continue
            x = to_float(source, c.dtype)
            r = c.rotary_dim
            if r:
                want = rotated(x, *tables(starts[n] + (i if c.q_per_row else 0)), c.interleaved)
                check_rounding(mine[:, :r], want[:, :r], wide, np.abs(x).max())
            if c.dtype == "f8":
                scaled = x * np.repeat(factor[n], h // hk)[:, None]
                assert np.array_equal(mine[:, r:].astype(np.float64), scaled[:, r:])
            else:
                assert np.array_equal(mine[:, r:].view(np.uint16), source[:, r:].view(np.uint16))

    # Caches: what was appended, and that no other byte changed.
    changed = {name: np.zeros(caches[name].size, bool) for name in caches}
    for n in range(batch):
        for t in range(int(lengths_new[n])):
            j = max(0, int(filled[n] - leftpad[n])) + t
            block, at = where(n, j)
            new_row = int(offsets(c.seqlens_new)[n]) + t
            for name, dim in (("k", d), ("v", dv)):
                cache, new = arrays[f"{name}_cache"], arrays[f"{name}_new"]
                source = new[new_row] if c.packed_new else new[n, t]
                mine = cache[block, at]
                r = c.rotary_dim if name == "k" else 0
                if r:
                    x = to_float(source, c.dtype)
                    want = rotated(x, *tables(starts[n] + t), c.interleaved)
                    check_rounding(mine[:, :r], want[:, :r], c.dtype, np.abs(x).max())
                bits = np.dtype(f"u{mine.itemsize}")
                assert np.array_equal(mine[:, r:].view(bits), source[:, r:].view(bits)), (n, t, name)
                for one in range(hk):
                    start = mine[one].ctypes.data - allocation(cache).ctypes.data
                    changed[f"{name}_cache"][start : start + dim * mine.itemsize] = True
    for name, before in caches.items():
        still = ~changed[name]
        assert np.array_equal(allocation(arrays[name])[still], before[still]), name


@pytest.mark.parametrize("mode,seed", MODES)
@pytest.mark.parametrize("dtype", ["f16", "bf16", "f8"])
@pytest.mark.parametrize("rotary,interleaved", [(0, False), (32, False), (64, False), (48, True), (64, True)])
def test_rotary_styles(library, rng, mode, seed, dtype, rotary, interleaved):
    run(library, rng, mode, seed, Case(dtype=dtype, rotary_dim=rotary, interleaved=interleaved))


DIMS = [((1, 1), 0), ((3, 7), 0), ((16, 8), 16), ((33, 65), 32), ((80, 77), 80), ((128, 128), 128), ((255, 512), 240)]


@pytest.mark.parametrize("mode,seed", MODES)
@pytest.mark.parametrize("dtype", ["f16", "bf16", "f8"])
@pytest.mark.parametrize("dims,rotary", [*DIMS, ((256, 511), 256)])
def test_head_dims(library, rng, mode, seed, dtype, dims, rotary):
    run(library, rng, mode, seed, Case(dtype=dtype, dims=dims, rotary_dim=rotary, interleaved=sum(dims) % 2 == 1))


CASES = {
    "scale in the queries": Case("f8", seqlens_q=(6, 6), dims=(72, 40), heads=(6, 2), folded_scale=True),
    "scale in the queries, many": Case(
        "f8", seqlens_q=(90, 3), heads=(4, 4), packed_q=True, folded_scale=True, dims=(128, 128)
    ),
    "nothing appended, fp8": Case("f8", append=False, seqlens_q=(6, 6), dims=(72, 40)),
    "decode": Case(
        heads=(32, 8),
        dims=(128, 128),
        seqlens_q=(1,) * 5,
        seqlens_new=(1,) * 5,
        filled=(0, 3, 9, 30, 39),
        rotary_dim=128,
        blocks=48,
    ),
    "many heads, one token": Case(heads=(128, 128), seqlens_q=(1,), seqlens_new=(1,), filled=(4,), rotary_dim=64),
    "one head, many tokens": Case(
        heads=(1, 1),
        dims=(32, 16),
        seqlens_q=(300,),
        seqlens_new=(300,),
        filled=(40,),
        capacity=700,
        rotary_dim=32,
        blocks=1,
    ),
    "one head, many tokens, neighbours": Case(
        "bf16",
        heads=(2, 1),
        dims=(32, 16),
        seqlens_q=(300,),
        seqlens_new=(300,),
        filled=(40,),
        capacity=700,
        rotary_dim=32,
        interleaved=True,
        blocks=2,
    ),
    "q at one position": Case(rotary_dim=64, q_per_row=False, seqlens_q=(9, 9), heads=(2, 2)),
    "pages of 1": Case(page_size=1, seqlens_new=(9, 9), rotary_dim=32),
    "pages of 16": Case(
        page_size=16, seqlens_new=(25, 25), capacity=64, filled=(15, 33), rotary_dim=32, interleaved=True
    ),
    "pages of 7, left padding": Case(
        page_size=7, seqlens_new=(15, 15), capacity=63, filled=(15, 20), leftpad=(3, 9), dims=(33, 31)
    ),
    "left padding, batch index": Case(leftpad=(4, 0), filled=(9, 5), batch_idx=True, rotary_dim=64),
    "pages, batch index": Case(page_size=8, batch_idx=True, rotary_dim=64),
    "packed": Case(
        packed_q=True,
        packed_new=True,
        seqlens_q=(0, 7, 1, 0, 30),
        seqlens_new=(3, 0, 9, 1, 0),
        filled=(0, 5, 9, 20, 3),
        rotary_dim=32,
        blocks=7,
    ),
    "packed, used": Case(
        packed_q=True, seqlens_q=(4, 7, 5), used=(4, 0, 2), seqlens_new=(2, 2, 2), filled=(0, 5, 9), rotary_dim=64
    ),
    "rotary_seqlens": Case(rotary_seqlens=(3, 31), rotary_dim=64),
    "heads first": Case(layout=(0, 2, 1, 3), gaps=(0, 0, 5, 3), rotary_dim=64, offset=1),
    "tokens first": Case(layout=(1, 0, 2, 3), gaps=(9, 0, 0, 1), dims=(63, 65), rotary_dim=32, offset=7),
    "fp8, heads first": Case(
        "f8", layout=(0, 2, 1, 3), gaps=(0, 0, 5, 3), rotary_dim=64, offset=5, packed_new=True, seqlens_new=(8, 1)
    ),
    "one core": Case(blocks=1, rotary_dim=64, seqlens_q=(20, 20), seqlens_new=(20, 20)),
}


@pytest.mark.parametrize("mode,seed", MODES)
@pytest.mark.parametrize("name", CASES)
def test_layouts(library, rng, mode, seed, name):
    run(library, rng, mode, seed, CASES[name])


@pytest.mark.parametrize("seed", range(40))
def test_random_calls(library, rng, seed):
    batch = int(rng.integers(1, 6))
    dims = (int(rng.integers(1, 257)), int(rng.integers(1, 513)))
    rotary = int(rng.integers(0, dims[0] // 16 + 1)) * 16
    lengths = [tuple(int(x) for x in rng.integers(0, 12, batch)) for _ in range(2)]
    packed = rng.random(2) < 0.5
    uniform = [one if p else (max(*one, 1),) * batch for one, p in zip(lengths, packed)]
    if sum(uniform[0]) == 0:
        uniform[0] = (1,) * batch
    heads = int(rng.integers(1, 5))
    leftpad = tuple(int(x) for x in rng.integers(0, 4, batch)) if rng.random() < 0.3 else None
    run(
        library,
        rng,
        "check",
        seed,
        Case(
            dtype=str(rng.choice(["f16", "bf16", "f8"])),
            heads=(heads * int(rng.integers(1, 5)), heads),
            dims=dims,
            seqlens_q=uniform[0],
            seqlens_new=uniform[1],
            filled=tuple(int(x) for x in rng.integers(4, 20, batch)),
            leftpad=leftpad,
            packed_q=bool(packed[0]),
            packed_new=bool(packed[1]),
            page_size=int(rng.choice([0, 0, 1, 5, 16])),
            batch_idx=bool(rng.random() < 0.3),
            rotary_dim=rotary,
            interleaved=bool(rng.random() < 0.5),
            q_per_row=bool(rng.random() < 0.7),
            gaps=tuple(int(x) for x in rng.integers(0, 4, 4)),
            layout=(0, 1, 2, 3) if rng.random() < 0.5 else (0, 2, 1, 3),
            offset=int(rng.integers(0, 5)),
            blocks=int(rng.integers(1, 9)),
        ),
    )


def wild(rng, count: int) -> np.ndarray:
    """Integers as a caller's bug makes them: small, negative, huge."""
    kinds = [rng.integers(-3, 60, count), rng.integers(-(2**31), 2**31, count), rng.integers(2**31 - 9, 2**31, count)]
    return place(np.choose(rng.integers(0, 3, count), kinds).astype(np.int32))


@pytest.mark.parametrize("seed", range(24))
def test_wild_lengths_and_indices_touch_nothing_foreign(library, rng, seed):
    batch, h, hk, d, dv, rows, total = 5, 4, 2, 48, 40, 12, 23
    page_size = int(rng.choice([0, 4]))
    num_blocks = 6 if page_size else batch
    capacity = 2 * page_size if page_size else rows
    packed = rng.random() < 0.5
    arrays = {
        "q": place(random_values(rng, (total, h, d) if packed else (batch, 3, h, d), "f16")),
        "k_new": place(random_values(rng, (total, hk, d) if packed else (batch, 4, hk, d), "f16")),
        "v_new": place(random_values(rng, (total, hk, dv) if packed else (batch, 4, hk, dv), "f16")),
        "k_cache": place(random_values(rng, (num_blocks, page_size or rows, hk, d), "f16")),
        "v_cache": place(random_values(rng, (num_blocks, page_size or rows, hk, dv), "f16")),
        "cos": place(random_values(rng, (9, 16), "f16")),
        "sin": place(random_values(rng, (9, 16), "f16")),
        "prepared_q": place(np.zeros((total if packed else batch * 3, h, d), np.float16)),
        "cache_seqlens": wild(rng, batch),
        "rotary_seqlens": wild(rng, batch),
        "seqused_q": wild(rng, batch),
        "leftpad": wild(rng, batch),
        "batch_idx": wild(rng, batch),
    }
    if page_size:
        arrays["page_table"] = wild(rng, batch * 2).reshape(batch, 2)
    if packed:
        arrays.update(cu_seqlens_q=wild(rng, batch + 1), cu_seqlens_k_new=wild(rng, batch + 1))
    call = Call(
        "f16",
        written=["k_cache", "v_cache", "prepared_q"],
        batch=batch,
        num_heads_q=h,
        num_heads_kv=hk,
        head_dim=d,
        head_dim_v=dv,
        max_seqlen_q=total if packed else 3,
        max_seqlen_k=capacity,
        total_q=total if packed else batch * 3,
        total_new=total if packed else 0,
        seqlen_new=0 if packed else 4,
        capacity=capacity,
        page_size=page_size,
        num_blocks=num_blocks,
        index_rows=batch,
        rotary_seqlen=9,
        rotary_dim=32,
        rotary_interleaved=int(rng.integers(0, 2)),
        rotary_q_per_row=1,
        **arrays,
    )
    found = call.run(library, "flash_attn_prepare", 5, mode="check", seed=seed, clean=False)
    # Sequences that were sent to the same rows race for them; that is theirs.
    assert {f.kind for f in found} <= {"race_between_cores"}, "\n".join(map(str, found))
