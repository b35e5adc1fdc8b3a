"""The prefill kernel on the twin: as accurate as the bar asks, check-clean, and it knows what it cannot do."""

from __future__ import annotations

import driver
import numpy as np
import pytest
from test_attention import Case, Problem, bf16, exact

HEAD_DIMS = (64, 128, 192, 256)
KERNELS = {(dtype, d): f"{dtype}_d{d}" for dtype in ("f16", "bf16") for d in HEAD_DIMS}


class Prefill(Problem):
    """A case of the general kernel's tests, run by the prefill kernel."""

    def __init__(self, case: Case, library: driver.Library):
        super().__init__(case, library)
        flat = self.call.flat
        row_tiles = -(-flat.max_seqlen_q * self.group // flat.tile_rows)
        self.redo = driver.place(np.zeros((len(case.seqlens_k), case.heads[1], row_tiles), np.int32))
        self.call.arrays["redo"] = self.redo
        self.call._point("redo", self.redo)
        self.call.written |= {"redo"}

    def run(self, mode: str, seed: int) -> None:
        kernel = KERNELS[self.case.dtype, self.case.dims[0]]
        findings = self.call.run(
            self.library, f"flash_attn_prefill_{kernel}", self.case.blocks, mode=mode, seed=seed
        )
        assert findings == []

    def rows(self, n: int, head: int) -> tuple[np.ndarray, ...]:
        """q, k, v of one head, and which keys its rows see."""
        c, sq, sk = self.case, self.case.seqlens_q[n], self.case.seqlens_k[n]
        at = slice(self.q_start[n], self.q_start[n] + sq)
        q = (self.q[at] if c.packed_q else self.q[n])[:, head]
        return exact(q), exact(self.k[n][:, head // self.group]), exact(self.v[n][:, head // self.group]), self.visible(sq, sk)

    def redone(self, n: int, head: int) -> np.ndarray:
        """Which rows of a head the kernel left to the general one."""
        packed = np.arange(self.case.seqlens_q[n]) * self.group + head % self.group
        return self.redo[n, head // self.group, packed // self.call.flat.tile_rows] != 0

    def check(self, may_redo: bool = False) -> tuple[float, float]:
        """Errors of out over those of the same formula in the input's type; and of LSE."""
        c = self.case
        round_to = (lambda x: exact(bf16(x))) if c.dtype == "bf16" else (lambda x: x.astype(np.float16).astype(np.float64))
        error, usual, lse_error = 0.0, 0.0, 0.0
        out, lse = exact(self.out), self.lse.astype(np.float64)
        for n, sq in enumerate(c.seqlens_q):
            for head in range(c.heads[0]):
                q, k, v, see = self.rows(n, head)
                empty = ~see.any(-1)
                redone = self.redone(n, head)
                assert np.all(redone[empty]), "a row without keys was not given up"
                keep = ~redone
                if not may_redo:
                    tiles = np.unique((np.arange(sq) * self.group)[empty] // self.call.flat.tile_rows)
                    of_empty = np.isin(np.arange(sq) * self.group // self.call.flat.tile_rows, tiles)
                    assert np.all(keep[~of_empty]), "given up without need"
                if not keep.any():
                    continue
                s = np.where(see, q @ k.T * self.scale, -np.inf)[keep]
                top = s.max(-1, keepdims=True)
                p = np.exp(s - top)
                total = p.sum(-1, keepdims=True)
                want = p / total @ v
                # The formula in the input's type: every intermediate result is rounded.
                s16 = round_to(round_to(q @ k.T) * self.scale)[keep]
                s16 = np.where(see[keep], s16, -np.inf)
                p16 = np.exp(s16 - s16.max(-1, keepdims=True))
                p16 = round_to(p16 / p16.sum(-1, keepdims=True))
                at = slice(self.q_start[n], self.q_start[n] + sq)
                got = (out[at] if c.packed_q else out[n])[:, head][keep]
                got_lse = (lse[head, at] if c.packed_q else lse[n, head])[keep]
                assert np.isfinite(got).all(), f"sequence {n}, head {head}: {np.isnan(got).sum()} NaN"
                error = max(error, np.abs(got - want).max())
                usual = max(usual, np.abs(round_to(p16 @ v) - want).max())
                lse_error = max(lse_error, np.abs(got_lse - (top + np.log(total))[:, 0]).max())
        assert error <= 2 * usual + 1e-5, f"off by {error}; the formula in {c.dtype} is off by {usual}"
        return error / max(usual, 1e-9), lse_error


@pytest.fixture(scope="session")
def libraries():
    built: dict[str, driver.Library] = {}

    def get(case: Case) -> driver.Library:
        kernel = KERNELS[case.dtype, case.dims[0]]
        if kernel not in built:
            built[kernel] = driver.Library(f"prefill_{kernel}.cpp")
        return built[kernel]

    return get


CASES = {
    "one tile": Case(seqlens_q=(128,), seqlens_k=(128,), heads=(1, 1)),
    "two sub-blocks": Case(seqlens_q=(256,), seqlens_k=(256,), heads=(1, 1), blocks=1),
    "several steps": Case(seqlens_q=(256,), seqlens_k=(2500,), heads=(1, 1), blocks=1),
    "several tasks": Case(seqlens_q=(700,), seqlens_k=(1300,), heads=(2, 1), blocks=2),
    "causal": Case(seqlens_q=(700,), seqlens_k=(700,), heads=(1, 1), window=(-1, 0)),
    "causal, more keys": Case(seqlens_q=(300,), seqlens_k=(1900,), heads=(1, 1), window=(-1, 0)),
    "causal, fewer keys than queries": Case(seqlens_q=(700,), seqlens_k=(330,), heads=(1, 1), window=(-1, 0)),
    "group of three": Case(seqlens_q=(150,), seqlens_k=(333,), heads=(6, 2), window=(-1, 0)),
    "odd lengths": Case(seqlens_q=(517,), seqlens_k=(1033,), heads=(2, 2), window=(-1, 0)),
    "bf16": Case(dtype="bf16", seqlens_q=(300,), seqlens_k=(1100,), heads=(1, 1)),
    "bf16, causal": Case(dtype="bf16", seqlens_q=(517,), seqlens_k=(1033,), heads=(2, 1), window=(-1, 0)),
    "head dim 64": Case(seqlens_q=(517,), seqlens_k=(1233,), heads=(4, 2), dims=(64, 64), window=(-1, 0)),
    "bf16, head dim 64": Case(dtype="bf16", seqlens_q=(300,), seqlens_k=(2100,), heads=(1, 1), dims=(64, 64)),
    "head dims 192, 128": Case(seqlens_q=(517,), seqlens_k=(1233,), heads=(2, 1), dims=(192, 128), window=(-1, 0)),
    "bf16, head dims 192, 128": Case(dtype="bf16", seqlens_q=(300,), seqlens_k=(2100,), heads=(1, 1), dims=(192, 128)),
    "head dim 256": Case(seqlens_q=(517,), seqlens_k=(1233,), heads=(2, 1), dims=(256, 256), window=(-1, 0)),
    "bf16, head dim 256": Case(dtype="bf16", seqlens_q=(300,), seqlens_k=(2100,), heads=(1, 1), dims=(256, 256)),
    "few rows": Case(seqlens_q=(5,), seqlens_k=(77,), heads=(4, 2)),
}


@pytest.mark.parametrize("mode,seed", [("fast", 0), ("check", 0), ("check", 3)])
@pytest.mark.parametrize("name", CASES)
def test_result(libraries, name, mode, seed):
    problem = Prefill(CASES[name], libraries(CASES[name]))
    problem.run(mode, seed)
    print(problem.check())
