# SPDX-License-Identifier: BSD-3-Clause
"""The prefill kernel on the twin: as accurate as the bar asks, check-clean, and it knows what it cannot do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from . import driver
from .formats import STAGED_FACTOR, bf16, exact, nearest_code
from .test_attention import KERNEL, Case, Problem

HEAD_DIMS = (64, 128, 192, 256)
KERNELS = {(dtype, d): f"{KERNEL[dtype]}_d{d}" for dtype in ("f16", "bf16", "f8") for d in HEAD_DIMS}


class Prefill(Problem):
    """A case of the general kernel's tests, run by the prefill kernel. fp8: as convert_kv and prepare leave it."""

    def __init__(self, case: Case, library: driver.Library):
        super().__init__(case, library)
        flat = self.call.flat
        row_tiles = -(-flat.max_seqlen_q * self.group // flat.tile_rows)
        self.redo = driver.place(np.zeros((len(case.seqlens_k), case.heads[1], row_tiles), np.int32))
        self.call.arrays["redo"] = self.redo
        self.call._point("redo", self.redo)
        self.call.written |= {"redo"}
        self.cached = {name: self.call.arrays[name] for name in ("k_cache", "v_cache")}
        if case.dtype == "f8":
            self.convert()

    def convert(self) -> None:
        """K and V as half, dense; queries times a power of two near the scale of their scores."""
        c, flat = self.case, self.call.flat
        flat.folded_scale = 1
        self.indices = {n: self.call.arrays.pop(n) for n in ("page_table", "batch_idx") if n in self.call.arrays}
        self.numbers = {n: getattr(flat, n) for n in ("page_size", "num_blocks", "index_rows")}
        for name in self.indices:
            setattr(flat, name, None)
        flat.page_size, flat.num_blocks, flat.index_rows = 0, len(c.seqlens_k), len(c.seqlens_k)
        for name, rows in (("k_cache", self.k), ("v_cache", self.v)):
            cache = np.full((len(rows), flat.capacity, *rows[0].shape[1:]), np.nan, np.float16)
            for n, x in enumerate(rows):
                first = c.leftpad[n] if c.leftpad else 0
                cache[n, first : first + len(x)] = exact(x) * STAGED_FACTOR
            self.call.arrays[name] = driver.place(cache)
            self.call._point(name, self.call.arrays[name])
        self.factor = 2.0 ** np.maximum(np.floor(np.log2(self.scores_scale())), -15)
        rows_factor = np.repeat(self.factor, self.group, 1)  # (sequence, query head)
        if c.packed_q:
            rows_factor = np.repeat(rows_factor, c.seqlens_q, 0)
        else:
            rows_factor = rows_factor[:, None]
        self.q = driver.place((exact(self.q) * rows_factor[..., None]).astype(np.float16))
        self.call.arrays["q"] = self.q
        self.call._point("q", self.q)

    def scores_scale(self) -> np.ndarray:
        """From products of the kernel's operands to logits, before queries are scaled: (sequence, kv head)."""
        if self.case.dtype != "f8":
            return np.full((len(self.case.seqlens_k), self.case.heads[1]), self.scale)
        scale = self.scale * self.descale["q_descale"].astype(np.float64) * self.descale["k_descale"]
        return np.where(scale > 0, scale / STAGED_FACTOR, 1.0)

    def run(self, mode: str, seed: int) -> None:
        kernel = KERNELS[self.case.dtype, self.case.dims[0]]
        findings = self.call.run(self.library, f"flash_attn_prefill_{kernel}", self.case.blocks, mode=mode, seed=seed)
        assert findings == []

    def run_general(self, library: driver.Library, mode: str, seed: int) -> None:
        """What the prefill kernel gave up, by the general kernel; the rest must stay as it is."""
        flat = self.call.flat
        library.library.attention_limits(driver.ctypes.byref(flat))
        workspace = driver.aligned((self.case.blocks, flat.core_workspace_bytes), np.uint8, None)
        self.call.arrays["core_workspace"] = workspace
        self.call._point("core_workspace", workspace)
        self.call.fresh -= {"out", "lse"}
        for name, array in {**self.cached, **getattr(self, "indices", {})}.items():
            self.call.arrays[name] = array
            self.call._point(name, array)
        for name, number in getattr(self, "numbers", {}).items():
            setattr(flat, name, number)
        self.call.run(
            library, f"flash_attn_attention_{KERNEL[self.case.dtype]}", self.case.blocks, mode=mode, seed=seed
        )
        self.redo[...] = 0

    def rows(self, n: int, head: int) -> tuple[np.ndarray, ...]:
        """q, k, v of one head as the cube multiplies them, and which keys its rows see."""
        c, sq, sk = self.case, self.case.seqlens_q[n], self.case.seqlens_k[n]
        at = slice(self.q_start[n], self.q_start[n] + sq)
        q = (self.q[at] if c.packed_q else self.q[n])[:, head]
        factor = STAGED_FACTOR if c.dtype == "f8" else 1
        return (
            exact(q),
            exact(self.k[n][:, head // self.group]) * factor,
            exact(self.v[n][:, head // self.group]) * factor,
            self.visible(sq, sk),
        )

    def scales(self, n: int, head: int) -> tuple[float, float]:
        """From q k^T to logits, and from P v to the output."""
        if self.case.dtype != "f8":
            return self.scale, 1.0
        at = n, head // self.group
        return float(self.scores_scale()[at] / self.factor[at]), float(self.descale["v_descale"][at]) / STAGED_FACTOR

    def redone(self, n: int, head: int) -> np.ndarray:
        """Which rows of a head the kernel left to the general one."""
        packed = np.arange(self.case.seqlens_q[n]) * self.group + head % self.group
        return self.redo[n, head // self.group, packed // self.call.flat.tile_rows] != 0

    def check(self, after_general: bool = False) -> tuple[float, float]:
        """Errors of out over those of the same formula in the input's type; and of LSE."""
        c = self.case
        round_to = (
            (lambda x: exact(bf16(x))) if c.dtype == "bf16" else (lambda x: x.astype(np.float16).astype(np.float64))
        )
        round_out = (lambda x: exact(bf16(x))) if c.dtype == "f8" else round_to
        error, usual, lse_error = 0.0, 0.0, 0.0
        out, lse = exact(self.out), self.lse.astype(np.float64)
        for n, sq in enumerate(c.seqlens_q):
            for head in range(c.heads[0]):
                q, k, v, see = self.rows(n, head)
                scale, v_scale = self.scales(n, head)
                empty = ~see.any(-1)
                redone = self.redone(n, head)
                keep = ~redone & ~empty
                if not after_general:
                    # Row tiles are given up for a row that sees no key, and for a largest score that half cannot hold.
                    largest = np.abs(np.where(see, q @ k.T, -np.inf).max(-1, initial=-np.inf))
                    tile = (np.arange(sq) * self.group + head % self.group) // self.call.flat.tile_rows
                    must = np.isin(tile, tile[largest > 33000])
                    assert np.all(redone[must]), "rows that half scores cannot serve were not given up"
                    if self.group == 1:
                        may = np.isin(tile, tile[largest > 32700])
                        assert not np.any(redone & ~may), "given up without need"
                if not keep.any():
                    continue
                s = np.where(see, q @ k.T * scale, -np.inf)[keep]
                top = s.max(-1, keepdims=True)
                p = np.exp(s - top)
                total = p.sum(-1, keepdims=True)
                want = p / total @ v * v_scale
                # The formula in the input's type: every intermediate result is rounded.
                s16 = round_to(round_to(q @ k.T) * scale)[keep]
                s16 = np.where(see[keep], s16, -np.inf)
                p16 = np.exp(s16 - s16.max(-1, keepdims=True))
                p16 = round_to(p16 / p16.sum(-1, keepdims=True))
                at = slice(self.q_start[n], self.q_start[n] + sq)
                got = (out[at] if c.packed_q else out[n])[:, head][keep]
                got_lse = (lse[head, at] if c.packed_q else lse[n, head])[keep]
                assert np.isfinite(got).all(), f"sequence {n}, head {head}: {np.isnan(got).sum()} NaN"
                error = max(error, np.abs(got - want).max())
                usual = max(usual, np.abs(round_out(p16 @ v * v_scale) - want).max())
                lse_error = max(lse_error, np.abs(got_lse - (top + np.log(total))[:, 0]).max())
        assert error <= 2 * usual + 1e-5, f"off by {error}; the formula in {c.dtype} is off by {usual}"
        return error / max(usual, 1e-9), lse_error


@pytest.fixture(scope="session")
def general():
    return lambda dtype: driver.Library.of("general", f"attention_{KERNEL[dtype]}")


@pytest.fixture(scope="session")
def libraries():
    return lambda case: driver.Library.of("prefill", f"prefill_{KERNELS[case.dtype, case.dims[0]]}")


CASES = {
    "one tile": Case(seqlens_q=(128,), seqlens_k=(128,), heads=(1, 1)),
    "two sub-blocks": Case(seqlens_q=(256,), seqlens_k=(256,), heads=(1, 1), blocks=1),
    "several steps": Case(seqlens_q=(256,), seqlens_k=(2500,), heads=(1, 1), blocks=1),
    "several tasks": Case(seqlens_q=(700,), seqlens_k=(1300,), heads=(2, 1), blocks=2),
    "few rows": Case(seqlens_q=(5,), seqlens_k=(77,), heads=(4, 2)),
    "causal": Case(seqlens_q=(700,), seqlens_k=(700,), heads=(1, 1), window=(-1, 0)),
    "causal, more keys": Case(seqlens_q=(300,), seqlens_k=(1900,), heads=(1, 1), window=(-1, 0)),
    "causal, fewer keys than queries": Case(seqlens_q=(700,), seqlens_k=(330,), heads=(1, 1), window=(-1, 0)),
    "odd lengths": Case(seqlens_q=(517,), seqlens_k=(1033,), heads=(2, 2), window=(-1, 0)),
    "group of three": Case(seqlens_q=(150,), seqlens_k=(333,), heads=(6, 2), window=(-1, 0)),
    "group of 16": Case(seqlens_q=(70,), seqlens_k=(533,), heads=(16, 1), window=(-1, 0)),
    "group larger than a tile": Case(seqlens_q=(3,), seqlens_k=(70,), heads=(150, 1), window=(-1, 0)),
    "window": Case(seqlens_q=(500,), seqlens_k=(1500,), heads=(1, 1), window=(300, 20)),
    "narrow window": Case(seqlens_q=(300,), seqlens_k=(1300,), heads=(2, 1), window=(3, 0)),
    "window that leaves rows empty": Case(seqlens_q=(400,), seqlens_k=(100,), window=(10, 10)),
    "packed queries": Case(
        packed_q=True, seqlens_q=(3, 0, 340, 1), seqlens_k=(100, 50, 600, 9), heads=(4, 2), window=(-1, 0)
    ),
    "no keys": Case(seqlens_q=(200, 200), seqlens_k=(0, 300), heads=(1, 1)),
    "pages": Case(page_size=64, seqlens_q=(205,) * 2, seqlens_k=(100, 731), heads=(2, 1), window=(-1, 0)),
    "odd pages": Case(page_size=37, seqlens_q=(260,) * 2, seqlens_k=(200, 731), heads=(1, 1)),
    "left padding": Case(leftpad=(0, 77), seqlens_q=(200,) * 2, seqlens_k=(331, 100), heads=(1, 1)),
    "batch index": Case(batch_idx=True, seqlens_q=(130,) * 2, seqlens_k=(200, 331), heads=(1, 1)),
    "heads first": Case(layout=(0, 2, 1, 3), seqlens_q=(260,), seqlens_k=(300,), heads=(4, 2)),
    "odd strides": Case(gaps=(5, 3, 11, 1), offset=3, seqlens_q=(160,), seqlens_k=(300,), heads=(4, 2)),
    "no lse": Case(seqlens_q=(260,), seqlens_k=(300,), heads=(1, 1), lse=False),
    "large scores": Case(seqlens_q=(260,), seqlens_k=(1100,), heads=(1, 1), size=20.0),
    "bf16": Case(dtype="bf16", seqlens_q=(300,), seqlens_k=(1100,), heads=(1, 1)),
    "bf16, causal": Case(dtype="bf16", seqlens_q=(517,), seqlens_k=(1033,), heads=(2, 1), window=(-1, 0)),
    "head dim 64": Case(seqlens_q=(517,), seqlens_k=(1233,), heads=(4, 2), dims=(64, 64), window=(-1, 0)),
    "bf16, head dim 64": Case(dtype="bf16", seqlens_q=(300,), seqlens_k=(2100,), heads=(1, 1), dims=(64, 64)),
    "head dims 192, 128": Case(seqlens_q=(517,), seqlens_k=(1233,), heads=(2, 1), dims=(192, 128), window=(-1, 0)),
    "bf16, head dims 192, 128": Case(dtype="bf16", seqlens_q=(300,), seqlens_k=(2100,), heads=(1, 1), dims=(192, 128)),
    "head dim 256": Case(seqlens_q=(517,), seqlens_k=(1233,), heads=(2, 1), dims=(256, 256), window=(-1, 0)),
    "bf16, head dim 256": Case(dtype="bf16", seqlens_q=(300,), seqlens_k=(2100,), heads=(1, 1), dims=(256, 256)),
}
OF_FP8 = (
    "several steps",
    "several tasks",
    "few rows",
    "odd lengths",
    "group of three",
    "narrow window",
    "packed queries",
    "no keys",
    "odd pages",
    "left padding",
    "batch index",
    "no lse",
    "head dim 64",
    "head dims 192, 128",
    "head dim 256",
)
CASES.update({f"fp8: {name}": replace(CASES[name], dtype="f8") for name in OF_FP8})


@pytest.mark.parametrize("mode", ["fast", "check"])
@pytest.mark.parametrize("name", CASES)
def test_result(libraries, name, mode):
    problem = Prefill(CASES[name], libraries(CASES[name]))
    problem.run(mode, 0)
    print(problem.check())


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(
    "name", ["several tasks", "causal", "packed queries", "no keys", "bf16", "head dim 256", "fp8: several tasks"]
)
def test_order_of_cores_does_not_matter(libraries, name, seed):
    problem = Prefill(CASES[name], libraries(CASES[name]))
    problem.run("check", seed)
    print(problem.check())


@pytest.mark.parametrize("seed", range(16))
def test_random_lengths(libraries, seed):
    rng = np.random.default_rng(seed)
    group, kv_heads = int(rng.choice([1, 1, 2, 5])), int(rng.integers(1, 3))
    seqlen_k = int(rng.integers(1, 1500))
    case = Case(
        dtype=str(rng.choice(["f16", "bf16", "f8"])),
        seqlens_q=(int(rng.integers(1, 1500)),),
        seqlens_k=(seqlen_k,),
        heads=(group * kv_heads, kv_heads),
        window=[(-1, -1), (-1, 0), (int(rng.integers(0, 900)), 0)][rng.integers(3)],
        blocks=int(rng.integers(1, 4)),
        seed=seed,
    )
    print(case)
    problem = Prefill(case, libraries(case))
    problem.run("fast", 0)
    print(problem.check())


# A score beyond 65504 is an infinity in half, one beyond 32752 cannot be told from a masked one with certainty.
@pytest.mark.parametrize("dtype,size", [("bf16", 3000.0), ("bf16", 1e4), ("f16", 900.0), ("bf16", 1e30)])
@pytest.mark.parametrize("mode", ["fast", "check"])
def test_scores_beyond_half_are_left_to_the_general_kernel(libraries, general, dtype, size, mode):
    # Without scale every row's softmax is one-hot, and its largest score is what half has to hold.
    case = Case(dtype=dtype, seqlens_q=(300,), seqlens_k=(400,), heads=(2, 2), size=1.0, scale=0.125)
    problem = Prefill(case, libraries(case))
    # The rows of one head's second tile are large, the others stay.
    grown = exact(problem.q[0, 128:256, 1]) * size
    problem.q[0, 128:256, 1] = bf16(grown) if dtype == "bf16" else grown.astype(np.float16)
    problem.run(mode, 0)
    assert problem.redo[0, 1, 1] != 0 and np.count_nonzero(problem.redo) == 1
    kept = problem.out[0, :, 0].copy()
    problem.run_general(general(dtype), mode, 1)
    assert np.array_equal(problem.out[0, :, 0], kept)
    problem.check(after_general=True)


@pytest.mark.parametrize("mode", ["fast", "check"])
def test_fp8_scores_beyond_half_are_left_to_the_general_kernel(libraries, general, mode):
    case = Case(dtype="f8", seqlens_q=(300,), seqlens_k=(400,), heads=(2, 2), page_size=37)
    problem = Prefill(case, libraries(case))
    # Products of 128 times 448 * 448, and the scale takes little of them.
    problem.q[0, 128:256, 1] = np.sign(problem.q[0, 128:256, 1]) * 448 * problem.factor[0, 1]
    problem.k[0][7, 1] = nearest_code(np.sign(exact(problem.q[0, 130, 1])) * 448)
    problem.call.arrays["k_cache"][0, 7, 1] = exact(problem.k[0][7, 1]) * STAGED_FACTOR
    page = problem.indices["page_table"][0, 0]
    problem.cached["k_cache"][page, 7, 1] = problem.k[0][7, 1]
    problem.run(mode, 0)
    assert problem.redo[0, 1, 1] != 0 and np.count_nonzero(problem.redo) == 1
    problem.run_general(general("f8"), mode, 1)
    problem.check(after_general=True)


@pytest.mark.parametrize("descale", [-1.0, 0.0, 1e-30, 1e30])
def test_fp8_scales_that_half_scores_are_not_for(libraries, general, descale):
    """One head's scale is negative, zero, or far from 1: the general kernel computes it, from queries as they were."""
    case = Case(dtype="f8", seqlens_q=(300,), seqlens_k=(400,), heads=(4, 2))
    problem = Prefill(case, libraries(case))
    # The queries of a head that is not served keep their scale.
    problem.q[0, :, 2:] = exact(problem.q[0, :, 2:]) / problem.factor[0, 1]
    problem.factor[0, 1] = 1.0
    problem.descale["k_descale"][0, 1] = descale
    problem.run("check", 0)
    assert np.all(problem.redo[0, 1] != 0) and np.all(problem.redo[0, 0] == 0)
    problem.check()
    problem.run_general(general("f8"), "check", 1)
    assert np.isfinite(exact(problem.out)).all()
    q, k, v, _ = problem.rows(0, 3)
    s = q @ k.T / STAGED_FACTOR * problem.scale * problem.descale["q_descale"][0, 1] * np.float64(np.float32(descale))
    p = np.exp(s - s.max(-1, keepdims=True))
    want = p / p.sum(-1, keepdims=True) @ v / STAGED_FACTOR * problem.descale["v_descale"][0, 1]
    if abs(descale) <= 1:
        assert np.abs(exact(problem.out)[0, :, 3] - want).max() <= 2.0**-8 * np.abs(want).max() + 1e-3


@pytest.mark.parametrize("sign", [1, -1])
def test_rows_whose_scores_are_all_large(libraries, general, sign):
    """All scores of a row near +-40000: beyond what is trusted, though half holds them."""
    case = Case(seqlens_q=(140,), seqlens_k=(300,), heads=(1, 1), scale=0.01)
    problem = Prefill(case, libraries(case))
    for k in problem.k:
        k[...] = 20.0
    problem.call.arrays["k_cache"][0, :300] = 20.0
    problem.q[0, 5, 0] = sign * 40000 / 128 / 20
    problem.run("fast", 0)
    assert list(problem.redo.ravel() != 0) == [True, False]
    problem.run_general(general("f16"), "fast", 0)
    problem.check(after_general=True)


@pytest.mark.parametrize("dtype", ["f16", "bf16"])
def test_predicted_cube_utilisation(libraries, dtype):
    """The bar for D = 128 (predicted, not measured): 4 tasks of 256 rows x 8192 keys per core, with start and end."""
    seqlen, heads, dim, cores = 8192, 3, 128, 24
    shape = (1, seqlen, heads, dim)
    tensors = {x: driver.aligned(shape, driver.STORAGE[dtype]) for x in ("q", "k_cache", "v_cache", "out")}
    call = driver.Call(
        dtype,
        **tensors,
        lse=driver.aligned((1, heads, seqlen), np.float32),
        redo=driver.aligned((heads * seqlen // 128,), np.int32),
        cache_seqlens=driver.place(np.array([seqlen], np.int32)),
        batch=1,
        num_heads_q=heads,
        num_heads_kv=heads,
        head_dim=dim,
        head_dim_v=dim,
        max_seqlen_q=seqlen,
        max_seqlen_k=seqlen,
        total_q=seqlen,
        num_blocks=1,
        index_rows=1,
        capacity=seqlen,
        scale=dim**-0.5,
        written=["redo"],
        fresh=["out", "lse", "core_workspace"],
    )
    library = libraries(Case(dtype=dtype, dims=(dim, dim)))
    assert library.library.attention_limits(driver.ctypes.byref(call.flat)), "not served"
    workspace = driver.aligned((cores, call.flat.core_workspace_bytes), np.uint8, None)
    call.arrays["core_workspace"] = workspace
    call._point("core_workspace", workspace)
    call.run(library, f"flash_attn_prefill_{dtype}_d{dim}", cores, mode="timing")
    for l2_tbps, bar in ((5.2, 0.60), (7.0, 0.75)):
        costs = {"l2_tbps": l2_tbps, "vec_two_source": 2, "cross_flag_latency": 1000, "hbm_tbps": 1.4}
        report = driver.Machine.get().simulate(chip="910B2", costs=costs)
        print(costs, report["cube_utilisation"])
        assert report["cube_utilisation"] >= bar, costs
