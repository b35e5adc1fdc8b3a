# SPDX-License-Identifier: BSD-3-Clause
"""The general attention kernel on the twin: every feature against float64, right and check-clean."""

from __future__ import annotations

import ctypes
import zlib
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from ascend_twin.machine import Finding

from tests.support.mask import sees

from . import driver
from .formats import exact, storage

UNIT = {"f16": 2.0**-11, "bf16": 2.0**-8, "f8": 2.0**-8}  # half the spacing of out's numbers at 1
KERNEL = {"f16": "f16", "bf16": "bf16", "f8": "fp8"}


@dataclass(frozen=True)
class Case:
    """One call; lengths per sequence. Defaults: dense, nothing optional."""

    dtype: str = "f16"
    seqlens_q: tuple[int, ...] = (40,)
    seqlens_k: tuple[int, ...] = (200,)
    heads: tuple[int, int] = (2, 2)  # query heads, kv heads
    dims: tuple[int, int] = (128, 128)  # head_dim, head_dim_v
    window: tuple[int, int] = (-1, -1)
    chunk: int = 0
    softcap: float = 0.0
    alibi: bool = False
    alibi_lse_offset: bool = False
    qv: bool = False
    packed_q: bool = False
    page_size: int = 0
    leftpad: tuple[int, ...] = ()
    batch_idx: bool = False
    splits: int = 1
    scale: float | None = None
    size: float = 1.0  # of q
    layout: tuple[int, ...] = (0, 1, 2, 3)  # of k and v in memory, outermost first
    gaps: tuple[int, ...] = (0, 0, 0, 0)  # elements left free after each of these axes
    offset: int = 0  # elements before the first
    masked_lse: float = -np.inf
    blocks: int = 3
    seed: int = 0
    lse: bool = True
    extra: dict = field(default_factory=dict, hash=False, compare=False)


class Problem:
    """The tensors of a case, and what attention must make of them."""

    def __init__(self, case: Case, library: driver.Library):
        c = self.case = case
        rng = np.random.default_rng(c.seed)
        b, (h, hk), (d, dv) = len(c.seqlens_k), c.heads, c.dims
        self.group = h // hk
        self.scale = c.scale if c.scale is not None else (d + (dv if c.qv else 0)) ** -0.5
        leftpad = c.leftpad or (0,) * b
        self.max_q = max(c.seqlens_q)
        rows = sum(c.seqlens_q) if c.packed_q else self.max_q
        shape_q = (rows, h) if c.packed_q else (b, rows, h)
        assert c.packed_q or all(s == self.max_q for s in c.seqlens_q)
        self.q_start = np.concatenate([[0], np.cumsum(c.seqlens_q)]).astype(np.int32)

        q = storage(rng.standard_normal((*shape_q, d)) * c.size, c.dtype)
        # The prepare kernel has made halves of fp8 queries.
        self.q = driver.place(exact(q).astype(np.float16) if c.dtype == "f8" else q, offset=c.offset)
        self.qv = driver.place(storage(rng.standard_normal((*shape_q, dv)), c.dtype)) if c.qv else None
        # Keys and values of the sequences, then the caches with them; everything else is NaN.
        self.k = [storage(rng.standard_normal((s, hk, d)), c.dtype) for s in c.seqlens_k]
        self.v = [storage(rng.standard_normal((s, hk, dv)), c.dtype) for s in c.seqlens_k]
        filled = [s + p for s, p in zip(c.seqlens_k, leftpad)]
        given: dict = {}
        if c.page_size:
            pages = max(-(-f // c.page_size) for f in filled) + 1
            blocks, length = b * pages + 2, c.page_size
            table = rng.permutation(blocks)[: b * pages].reshape(b, pages).astype(np.int32)
            capacity, index_rows = pages * c.page_size, b
            given["page_table"] = driver.place(table)
            given["page_size"] = c.page_size
        else:
            blocks, length = b + 1, max(filled) + 3
            table = rng.permutation(blocks)[:b].reshape(b, 1).astype(np.int32)
            if not c.batch_idx:
                table[:, 0] = np.arange(b)
            capacity, index_rows = length, blocks
            if c.batch_idx:
                given["batch_idx"] = driver.place(table[:, 0].copy())
        caches = []
        for rows_of, dim in ((self.k, d), (self.v, dv)):
            cache = np.empty((blocks, length, hk, dim), driver.STORAGE[c.dtype])
            cache.view(np.uint8)[...] = 0xFF
            for n, x in enumerate(rows_of):
                for j in range(len(x)):
                    at = j + leftpad[n]
                    cache[table[n, at // length], at % length] = x[j]
            caches.append(driver.place(cache, c.layout, c.gaps, c.offset))
        if c.leftpad:
            given["leftpad"] = driver.place(np.array(leftpad, np.int32))
        if c.packed_q:
            given["cu_seqlens_q"] = driver.place(self.q_start)
        if c.alibi:
            self.slopes = driver.place((rng.random((b, h)) / 4).astype(np.float32))
            given["alibi_slopes"] = self.slopes
        self.descale = {}
        if c.dtype == "f8":
            self.descale = {
                f"{x}_descale": driver.place(rng.uniform(0.5, 2, (b, hk)).astype(np.float32)) for x in "qkv"
            }
            given.update(self.descale)
        if self.qv is not None:
            given["qv"] = self.qv
        self.out = driver.place(np.zeros((*shape_q, dv), np.float16 if c.dtype == "f16" else np.uint16))
        self.lse = driver.place(np.zeros((h, rows) if c.packed_q else (b, h, rows), np.float32))
        written, fresh = [], ["out", "core_workspace"]
        self.out_accum = self.lse_accum = None
        if c.splits > 1:
            shape = (c.splits, h, rows) if c.packed_q else (c.splits, b, h, rows)
            self.out_accum = driver.place(np.zeros((*shape, dv), np.float32))
            self.lse_accum = driver.place(np.zeros(shape, np.float32))
            given.update(out_accum=self.out_accum, lse_accum=self.lse_accum)
            fresh += ["out_accum", "lse_accum"]
        if c.lse:
            given["lse"] = self.lse
            fresh.append("lse")
        call = driver.Call(
            c.dtype,
            q=self.q,
            k_cache=caches[0],
            v_cache=caches[1],
            out=self.out,
            cache_seqlens=driver.place(np.array(filled, np.int32)),
            batch=b,
            num_heads_q=h,
            num_heads_kv=hk,
            head_dim=d,
            head_dim_v=dv,
            max_seqlen_q=self.max_q,
            max_seqlen_k=max(c.seqlens_k),
            total_q=b * rows if not c.packed_q else rows,
            num_blocks=blocks,
            index_rows=index_rows,
            capacity=capacity,
            window_left=c.window[0],
            window_right=c.window[1],
            attention_chunk=c.chunk,
            softcap=c.softcap,
            alibi_lse_offset=int(c.alibi_lse_offset),
            scale=self.scale,
            num_splits=c.splits,
            lse_of_masked_row=c.masked_lse,
            written=written,
            fresh=fresh,
            **given,
            **c.extra,
        )
        library.library.attention_limits(ctypes.byref(call.flat))
        workspace = driver.aligned((c.blocks, call.flat.core_workspace_bytes), np.uint8, None)
        call.arrays["core_workspace"] = workspace
        call._point("core_workspace", workspace)
        self.call, self.library = call, library

    def run(self, mode: str, seed: int) -> None:
        findings = self.call.run(
            self.library, f"flash_attn_attention_{KERNEL[self.case.dtype]}", self.case.blocks, mode=mode, seed=seed
        )
        assert findings == []

    def run_on_wild_integers(self, kernel: str, rng: np.random.Generator, seed: int) -> list[Finding]:
        """Replaces part of the lengths, offsets and indices by anything; what check mode finds in a launch then."""
        for name in ("cache_seqlens", "page_table", "batch_idx", "leftpad", "cu_seqlens_q"):
            if name in self.call.arrays:
                array = self.call.arrays[name]
                wild = rng.integers(-(2**31), 2**31, array.shape).astype(np.int32)
                near = rng.integers(-300, 300, array.shape).astype(np.int32)
                choice = rng.integers(0, 3, array.shape)
                array[...] = np.where(choice == 0, array, np.where(choice == 1, wild, near))
        found = self.call.run(self.library, kernel, self.case.blocks, mode="check", seed=seed, clean=False)
        # Offsets that make sequences overlap let two cores write the same rows of out: the caller's own memory.
        overlap = self.case.packed_q
        return [f for f in found if not (overlap and f.kind == "race_between_cores" and "writes GM" in f.message)]

    def visible(self, sq: int, sk: int) -> np.ndarray:
        position = np.arange(sq)[:, None] + sk - sq
        return sees(position, np.arange(sk)[None], *self.case.window, self.case.chunk)

    def check(self) -> None:
        """Compares out and LSE (combined from the splits) with float64."""
        c, (h, _) = self.case, self.case.heads
        out, lse = exact(self.out), self.lse.astype(np.float64)
        if c.splits > 1:
            lse_accum = self.lse_accum.astype(np.float64)
            top = lse_accum.max(0)
            weight = np.exp(lse_accum - np.where(np.isfinite(top), top, 0))
            total = weight.sum(0)
            with np.errstate(divide="ignore", invalid="ignore"):
                lse = np.log(total) + top
                merged = (weight[..., None] * self.out_accum).sum(0) / np.where(total == 0, 1, total)[..., None]
            lse[total == 0] = c.masked_lse
            assert np.all(self.out_accum[weight == 0] == 0)
            out = np.moveaxis(merged, -3, -2)
        for n, (sq, sk) in enumerate(zip(c.seqlens_q, c.seqlens_k)):
            rows = slice(self.q_start[n], self.q_start[n] + sq)
            q = exact(self.q[rows] if c.packed_q else self.q[n])
            k, v = exact(self.k[n]), exact(self.v[n])
            for head in range(h):
                kv_head = head // self.group
                s = q[:, head] @ k[:, kv_head].T
                if c.qv:
                    s += exact(self.qv[rows] if c.packed_q else self.qv[n])[:, head] @ v[:, kv_head].T
                s *= self.scale
                v_scale = 1.0
                if self.descale:
                    s *= float(self.descale["q_descale"][n, kv_head]) * float(self.descale["k_descale"][n, kv_head])
                    v_scale = float(self.descale["v_descale"][n, kv_head])
                if c.softcap:
                    s = c.softcap * np.tanh(s / c.softcap)
                position = np.arange(sq)[:, None] + sk - sq
                if c.alibi:
                    s -= self.slopes[n, head] * np.abs(position - np.arange(sk)[None])
                s[~self.visible(sq, sk)] = -np.inf
                top = s.max(-1, initial=-np.inf, keepdims=True)
                empty = np.isneginf(top[:, 0])
                p = np.exp(s - np.where(np.isneginf(top), 0, top))
                total = p.sum(-1, keepdims=True)
                p /= np.where(total == 0, 1, total)
                want = p @ v[:, kv_head] * v_scale
                got = (out[rows] if c.packed_q else out[n])[:, head]
                got_lse = lse[head, rows] if c.packed_q else lse[n, head]
                # P is rounded once, out once; logits carry float32 errors.
                unit = UNIT[c.dtype]
                logits = np.abs(s[np.isfinite(s)]).max(initial=1.0)
                bound = (
                    (2.5 * unit + 2e-6 * logits) * (p @ np.abs(v[:, kv_head])) * v_scale + unit * np.abs(want) + 1e-7
                )
                worst = np.abs(got - want) - bound
                assert np.all(worst <= 0), (
                    f"sequence {n}, head {head}: off by {np.nanmax(np.abs(got - want))} at "
                    f"{np.unravel_index(np.nanargmax(worst), worst.shape)}, {np.isnan(got).sum()} NaN"
                )
                if not c.lse:
                    continue
                with np.errstate(divide="ignore"):
                    want_lse = np.where(empty, c.masked_lse, top[:, 0] + np.log(total[:, 0]))
                if c.alibi_lse_offset:
                    want_lse = np.where(empty, want_lse, want_lse + self.slopes[n, head] * position[:, 0])
                np.testing.assert_allclose(
                    got_lse, want_lse, rtol=2e-6, atol=4e-6 * max(1.0, logits), err_msg=f"lse of {n}, {head}"
                )


@pytest.fixture(scope="session")
def libraries():
    return lambda dtype: driver.Library.of("general", f"attention_{KERNEL[dtype]}")


CASES = {
    "plain": Case(),
    "several steps and tasks": Case(seqlens_q=(300,), seqlens_k=(1300,), blocks=2),
    "causal": Case(seqlens_q=(700,), seqlens_k=(700,), heads=(1, 1), window=(-1, 0)),
    "causal, more keys": Case(seqlens_q=(200,), seqlens_k=(900,), window=(-1, 0)),
    "causal, fewer keys than queries": Case(seqlens_q=(300,), seqlens_k=(130,), window=(-1, 0), masked_lse=np.inf),
    "one row": Case(seqlens_q=(1,) * 4, seqlens_k=(1000, 1, 17, 513), heads=(1, 1)),
    "decode": Case(seqlens_q=(1,) * 5, seqlens_k=(1000, 0, 17, 513, 64), heads=(8, 2)),
    "group of three": Case(seqlens_q=(50,), seqlens_k=(333,), heads=(6, 2), window=(-1, 0)),
    "group larger than a tile": Case(seqlens_q=(3,), seqlens_k=(70,), heads=(150, 1), window=(-1, 0)),
    "bf16": Case(dtype="bf16", seqlens_q=(130,), seqlens_k=(600,), heads=(4, 2), window=(-1, 0)),
    "bf16, large": Case(dtype="bf16", seqlens_q=(64,), seqlens_k=(600,), size=3000.0),
    "window": Case(seqlens_q=(300,), seqlens_k=(1200,), window=(100, 20)),
    "narrow window": Case(seqlens_q=(300,), seqlens_k=(700,), window=(3, 0), heads=(4, 2)),
    "window to the right": Case(seqlens_q=(100,), seqlens_k=(300,), window=(-1, 50)),
    "window that leaves rows empty": Case(seqlens_q=(400,), seqlens_k=(100,), window=(10, 10)),
    "chunk": Case(seqlens_q=(300,), seqlens_k=(700,), chunk=100, window=(-1, 0)),
    "chunk and window": Case(seqlens_q=(120,), seqlens_k=(400,), chunk=64, window=(30, 5), heads=(4, 2)),
    "softcap": Case(seqlens_q=(70,), seqlens_k=(200,), softcap=15.0, size=30.0),
    "softcap, saturated": Case(seqlens_q=(20,), seqlens_k=(100,), softcap=2.0, size=1000.0),
    "softcap, huge": Case(seqlens_q=(70,), seqlens_k=(600,), softcap=3e6, size=3.0),
    "softcap, large": Case(seqlens_q=(20,), seqlens_k=(300,), softcap=150.0, size=400.0),
    "alibi": Case(seqlens_q=(100,), seqlens_k=(700,), heads=(4, 2), alibi=True),
    "alibi, causal, offset": Case(
        seqlens_q=(150,), seqlens_k=(140,), heads=(6, 2), alibi=True, window=(-1, 0), alibi_lse_offset=True
    ),
    "alibi, softcap, window": Case(
        seqlens_q=(90,), seqlens_k=(300,), heads=(2, 1), alibi=True, window=(60, 0), softcap=5.0
    ),
    "qv": Case(seqlens_q=(60,), seqlens_k=(300,), dims=(64, 256), qv=True, heads=(4, 1)),
    "qv, wide": Case(seqlens_q=(9,), seqlens_k=(300,), dims=(64, 512), qv=True, heads=(16, 1)),
    "qv, widest": Case(dtype="bf16", seqlens_q=(70,), seqlens_k=(600,), dims=(256, 512), qv=True, heads=(1, 1)),
    "head dim 1": Case(dims=(1, 1), seqlens_q=(20,), seqlens_k=(100,)),
    "head dims 40, 24": Case(dims=(40, 24), seqlens_q=(70,), seqlens_k=(577,), heads=(4, 2)),
    "head dims 136, 200": Case(dims=(136, 200), seqlens_q=(130,), seqlens_k=(577,)),
    "head dims 33, 129": Case(dims=(33, 129), seqlens_q=(130,), seqlens_k=(577,), heads=(3, 1), splits=2),
    "head dims 256, 256": Case(dims=(256, 256), seqlens_q=(130,), seqlens_k=(1100,), window=(-1, 0)),
    "head dims 192, 128": Case(dims=(192, 128), seqlens_q=(130,), seqlens_k=(600,), window=(-1, 0)),
    "head dims 16, 500": Case(dims=(16, 500), seqlens_q=(130,), seqlens_k=(600,)),
    "packed queries": Case(
        packed_q=True, seqlens_q=(3, 0, 140, 1), seqlens_k=(100, 50, 600, 9), heads=(4, 2), window=(-1, 0)
    ),
    "pages": Case(page_size=16, seqlens_q=(5, 5, 5), seqlens_k=(100, 5, 731), heads=(4, 2), window=(-1, 0)),
    "odd pages": Case(page_size=37, seqlens_q=(60, 60), seqlens_k=(200, 731)),
    "large pages": Case(page_size=256, seqlens_q=(60, 60), seqlens_k=(200, 731)),
    "pages and left padding": Case(
        page_size=19, leftpad=(5, 30), seqlens_q=(7, 7), seqlens_k=(200, 331), window=(-1, 0)
    ),
    "left padding": Case(leftpad=(0, 5, 77), seqlens_q=(20,) * 3, seqlens_k=(200, 31, 100), window=(50, 0)),
    "batch index": Case(batch_idx=True, seqlens_q=(20,) * 3, seqlens_k=(200, 31, 100)),
    "heads first": Case(layout=(0, 2, 1, 3), seqlens_q=(60,), seqlens_k=(300,), heads=(4, 2)),
    "odd strides": Case(gaps=(5, 3, 11, 1), offset=3, seqlens_q=(60,), seqlens_k=(300,), heads=(4, 2), dims=(33, 47)),
    "strides beyond 65535": Case(
        gaps=(0, 0, 0, 70000), seqlens_q=(2,), seqlens_k=(9,), heads=(2, 2), dims=(16, 16), page_size=4
    ),
    "splits": Case(splits=3, seqlens_q=(20, 20), seqlens_k=(1700, 300), heads=(4, 2), window=(-1, 0)),
    "splits, packed": Case(splits=4, packed_q=True, seqlens_q=(20, 3), seqlens_k=(1700, 300), heads=(4, 2)),
    "more splits than steps": Case(splits=5, seqlens_q=(1,), seqlens_k=(600,), heads=(1, 1), window=(100, 0)),
    "one row after many": Case(
        packed_q=True,
        seqlens_q=(90, 1, 1, 1, 1, 90, 1),
        seqlens_k=(1500, 80, 70, 60, 700, 90, 9),
        heads=(1, 1),
        blocks=1,
    ),
    "fp8": Case(dtype="f8", seqlens_q=(130,), seqlens_k=(1300,), heads=(4, 2), window=(-1, 0)),
    "fp8, decode": Case(dtype="f8", seqlens_q=(1,) * 4, seqlens_k=(1000, 1, 0, 513), heads=(8, 2), page_size=16),
    "fp8, odd": Case(
        dtype="f8", seqlens_q=(20, 20), seqlens_k=(300, 77), dims=(33, 47), gaps=(5, 3, 11, 1), offset=3, page_size=7
    ),
    "fp8, wide": Case(dtype="f8", seqlens_q=(20, 20), seqlens_k=(600, 77), dims=(256, 512), leftpad=(3, 4), splits=2),
    "fp8, many steps": Case(dtype="f8", seqlens_q=(3,), seqlens_k=(4000,), heads=(1, 1), blocks=1, size=4.0),
    "no lse": Case(lse=False, seqlens_q=(5,)),
    "no keys": Case(seqlens_q=(5,) * 3, seqlens_k=(0, 10, 0), masked_lse=np.inf),
    "negative scale": Case(scale=-0.3, seqlens_q=(30,), seqlens_k=(600,)),
    "scale zero": Case(scale=0.0, seqlens_q=(30,), seqlens_k=(100,)),
    "large logits": Case(size=400.0, seqlens_q=(30,), seqlens_k=(600,)),
}


@pytest.mark.parametrize("name", CASES)
def test_right(libraries, name):
    problem = Problem(replace(CASES[name], seed=zlib.crc32(name.encode())), libraries(CASES[name].dtype))
    problem.run("fast", 0)
    problem.check()


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", CASES)
def test_check_mode(libraries, name, seed):
    problem = Problem(replace(CASES[name], seed=seed), libraries(CASES[name].dtype))
    problem.run("check", seed)
    problem.check()


def test_same_bits_on_any_number_of_cores(libraries):
    case = Case(seqlens_q=(130, 130, 130), seqlens_k=(900, 77, 1300), heads=(4, 2), window=(-1, 0))
    results = []
    for blocks, seed in ((1, 0), (4, 1), (7, 2)):
        problem = Problem(replace(case, blocks=blocks), libraries("f16"))
        problem.run("fast", seed)
        results.append((problem.out.copy(), problem.lse.copy()))
    for out, lse in results[1:]:
        assert np.array_equal(out, results[0][0]) and np.array_equal(lse, results[0][1])


@pytest.mark.parametrize("mode", ["fast", "check"])
def test_only_what_a_fast_path_gave_up(libraries, rng, mode):
    """redo: one word per sequence, kv head and row tile; the rows of other tasks stay as they are."""
    case = Case(seqlens_q=(300, 300), seqlens_k=(500, 200), heads=(4, 2), window=(-1, 0))
    problem = Problem(case, libraries("f16"))
    redo = (rng.random((2, 2, 5)) < 0.4).astype(np.int32) * rng.integers(1, 3, (2, 2, 5), dtype=np.int32)
    assert redo.any() and not redo.all()
    problem.call.arrays["redo"] = driver.place(redo)
    problem.call._point("redo", problem.call.arrays["redo"])
    given = Problem(case, libraries("f16"))
    given.run("fast", 0)
    problem.out[...] = 7
    problem.lse[...] = 7
    problem.run(mode, 1)
    rows = 64  # query positions of a row tile: 128 packed rows of two heads
    for n, head, tile in np.ndindex(redo.shape):
        at = slice(tile * rows, (tile + 1) * rows)
        heads = slice(2 * head, 2 * head + 2)
        done = bool(redo[n, head, tile])
        assert np.array_equal(
            problem.out[n, at, heads], given.out[n, at, heads] if done else np.full_like(given.out[n, at, heads], 7)
        )
        assert np.array_equal(
            problem.lse[n, heads, at], given.lse[n, heads, at] if done else np.full_like(given.lse[n, heads, at], 7)
        )


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("dtype", ["f16", "f8"])
def test_wild_integers_reach_no_foreign_memory(libraries, dtype, seed):
    """Lengths, offsets and indices that nobody could check on the host: results are anything, accesses are not."""
    rng = np.random.default_rng(seed)
    case = Case(
        dtype=dtype,
        seqlens_q=(20, 3, 60) if seed % 2 else (30, 30, 30),
        packed_q=bool(seed % 2),
        seqlens_k=(200, 31, 100),
        heads=(4, 2),
        dims=(64, 64),
        page_size=16 if seed % 3 == 0 else 0,
        batch_idx=seed % 3 == 1,
        leftpad=(3, 0, 9) if seed % 4 < 2 else (),
        splits=2 if seed % 5 == 0 else 1,
        window=(-1, 0) if seed % 4 == 2 else (50, 20),
        seed=seed,
    )
    problem = Problem(case, libraries(dtype))
    assert problem.run_on_wild_integers(f"flash_attn_attention_{KERNEL[dtype]}", rng, seed) == []
