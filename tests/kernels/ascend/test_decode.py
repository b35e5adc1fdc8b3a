# SPDX-License-Identifier: BSD-3-Clause
"""The decode kernel on the twin: every feature it serves against float64, right and check-clean."""

from __future__ import annotations

import ctypes
import zlib
from dataclasses import replace

import numpy as np
import pytest

from . import driver
from .test_attention import KERNEL, Case, Problem


class DecodeProblem(Problem):
    def run(self, mode: str, seed: int) -> None:
        assert self.library.library.can_implement(ctypes.byref(self.call.flat))
        kernel = f"flash_attn_decode_{KERNEL[self.case.dtype]}"
        assert self.call.run(self.library, kernel, self.case.blocks, mode=mode, seed=seed) == []


@pytest.fixture(scope="session")
def libraries():
    return lambda dtype: driver.Library.of("decode", f"decode_{KERNEL[dtype]}")


def decode(lengths: tuple[int, ...], seqlen_q: int = 1, **options) -> Case:
    """Sequences of `lengths` keys that the kernel may cut for its cores."""
    return Case(
        **{"seqlens_q": (seqlen_q,) * len(lengths), "seqlens_k": lengths, "splits": 0, "heads": (8, 2), **options}
    )


ODD = (1, 15, 17, 127, 129, 4095)
CASES = {
    "one key": decode((1,)),
    "one sequence over all cores": decode((2000,), blocks=5),
    "odd lengths": decode(ODD),
    "odd lengths, bf16": decode(ODD, dtype="bf16"),
    "empty sequences": decode((0, 300, 0, 0, 17, 0), masked_lse=np.inf),
    "only empty sequences": decode((0, 0, 0)),
    "many short sequences": decode((3, 40, 1, 9, 64, 33, 80, 5, 100, 2, 0, 31), blocks=4),
    "more cores than keys": decode((20, 5), blocks=24),
    "one core": decode((700, 20), blocks=1),
    "GQA 32/8": decode((777, 130), heads=(32, 8)),
    "MHA": decode((130, 600), heads=(12, 12)),
    "MHA, two groups of heads": decode((130, 600), heads=(11, 11)),
    "MQA": decode((1000, 45), heads=(16, 1)),
    "MQA, one head": decode((1000, 45), heads=(1, 1)),
    "group of three": decode((500, 45), heads=(9, 3)),
    "four positions": decode((500, 3, 45), seqlen_q=4, window=(-1, 0)),
    "four positions, not causal": decode((500, 3, 45), seqlen_q=4),
    "sixteen positions": decode((900,), seqlen_q=16, heads=(5, 5), window=(-1, 0)),
    "five positions, group of three": decode((333, 40), seqlen_q=5, heads=(6, 2), window=(-1, 0)),
    "more queries than keys": decode((3, 0, 7), seqlen_q=5, heads=(6, 2), window=(-1, 0), masked_lse=np.inf),
    "window": decode((1500, 90, 300), window=(200, 0)),
    "window, positions": decode((1500, 9, 300), seqlen_q=4, window=(50, 2)),
    "narrow window": decode((1500, 9, 300), seqlen_q=4, window=(2, 0), blocks=7),
    "chunk": decode((1500, 90, 300), seqlen_q=4, chunk=128, window=(-1, 0)),
    "packed queries": decode((100, 50, 600, 9), packed_q=True, seqlens_q=(3, 0, 4, 1), window=(-1, 0)),
    "packed queries, one per sequence": decode((100, 50, 600, 9), packed_q=True, seqlens_q=(1, 1, 0, 1)),
    "left padding": decode((200, 31, 1000), leftpad=(0, 5, 77)),
    "batch index": decode((200, 31, 500), batch_idx=True),
    "pages of one": decode((100, 33), page_size=1),
    "pages of 16": decode((100, 33, 500), page_size=16, heads=(32, 8)),
    "pages of 32": decode((100, 33, 500), page_size=32, heads=(32, 8)),
    "pages of 37": decode((100, 33, 500), page_size=37, window=(60, 0)),
    "pages of 64": decode((100, 33, 500), page_size=64),
    "pages of 128, bf16": decode((128, 129, 500), page_size=128, dtype="bf16"),
    "pages of 256": decode((100, 33, 500), page_size=256),
    "pages and left padding": decode((200, 331), page_size=19, leftpad=(5, 30)),
    "heads first": decode((300, 70), layout=(0, 2, 1, 3)),
    "odd strides": decode((300, 70), gaps=(5, 3, 11, 1), offset=3, dims=(33, 47)),
    "strides beyond 65535": decode((9,), gaps=(0, 0, 0, 70000), dims=(16, 16), page_size=4),
    "head dims 64": decode((900, 70), heads=(16, 16), dims=(64, 64)),
    "head dims 256": decode((600, 70), heads=(10, 5), dims=(256, 256)),
    "head dims 192, 128": decode((600, 70), heads=(8, 4), dims=(192, 128)),
    "head dims 72, 200": decode((600, 70), heads=(8, 4), dims=(72, 200)),
    "head dims 16": decode((2000, 70), heads=(1, 1), dims=(16, 16)),
    "head dims 1": decode((100, 70), dims=(1, 1)),
    "uncut": decode((1700, 300, 20), splits=1),
    "splits": decode((1700, 300), splits=3, window=(-1, 0), seqlen_q=2),
    "splits, packed": decode((1700, 300), splits=4, packed_q=True, seqlens_q=(2, 3)),
    "more splits than keys": decode((300, 0), splits=5, window=(100, 0)),
    "no lse": decode((700,), lse=False),
    "large logits": decode((600, 30), size=400.0),
    "bf16, large": decode((600, 30), dtype="bf16", size=3000.0),
}
# The same with fp8 caches, which the vector cores convert; and what they change.
CASES.update(
    {
        f"fp8: {name}": replace(case, dtype="f8")
        for name, case in CASES.items()
        if case.dtype == "f16" and case.size == 1
    }
)
CASES.update(
    {
        "fp8: steps of one tile": decode((16, 1, 40, 0, 90) * 4, dtype="f8", heads=(64, 16), dims=(256, 256), blocks=1),
        "fp8: many tiles": decode((5000,), dtype="f8", heads=(32, 8), blocks=1),
        "fp8: large logits": decode((600, 30), dtype="f8", size=40.0),
        "fp8: negative scale": decode((600, 30), dtype="f8", scale=-0.3),
        "fp8: scale zero": decode((100, 30), dtype="f8", scale=0.0),
        "fp8: head dims 8, 250": decode((600, 70), dtype="f8", heads=(12, 3), dims=(8, 250)),
    }
)


@pytest.mark.parametrize("name", CASES)
def test_right(libraries, name):
    problem = DecodeProblem(replace(CASES[name], seed=zlib.crc32(name.encode())), libraries(CASES[name].dtype))
    problem.run("fast", 0)
    problem.check()


class InOrder(np.random.Generator):
    def permutation(self, x):
        return np.arange(x)


@pytest.mark.parametrize("page_size", [1, 5, 16])
def test_pages_in_order(libraries, monkeypatch, page_size):
    """Pages that follow each other in memory, within a sequence, are read together."""
    monkeypatch.setattr(np.random, "default_rng", lambda seed: InOrder(np.random.PCG64(seed)))
    problem = DecodeProblem(decode((300, 7, 0, 41), page_size=page_size, seed=page_size), libraries("f16"))
    problem.run("check", 1)
    problem.check()


def random_case(seed: int) -> Case:
    rng = np.random.default_rng(seed)
    kv_heads, group = int(rng.integers(1, 10)), int(rng.integers(1, 9))
    seqlen_q = int(rng.integers(1, 16 // group + 1))
    # Many of the lengths are small or zero.
    lengths = tuple(int(x) if rng.random() < 0.6 else int(x) % 40 for x in rng.integers(0, 900, rng.integers(1, 12)))
    return decode(
        lengths,
        seqlen_q,
        dtype=str(rng.choice(["f16", "bf16", "f8"])),
        heads=(kv_heads * group, kv_heads),
        dims=(int(rng.choice([64, 80, 128, 256])), int(rng.choice([64, 80, 128, 256]))),
        window=(int(rng.choice([-1, -1, 0, 30, 300])), int(rng.choice([-1, 0, 0, 5]))),
        page_size=int(rng.choice([0, 0, 1, 7, 16, 64, 256])),
        splits=int(rng.choice([0, 0, 0, 1, 3])),
        blocks=int(rng.integers(1, 25)),
        seed=seed,
    )


@pytest.mark.parametrize("seed", range(32))
def test_random(libraries, seed):
    case = random_case(seed)
    problem = DecodeProblem(case, libraries(case.dtype))
    problem.run("check" if seed % 2 else "fast", seed)
    problem.check()


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", CASES)
def test_check_mode(libraries, name, seed):
    problem = DecodeProblem(replace(CASES[name], seed=seed), libraries(CASES[name].dtype))
    problem.run("check", seed)
    problem.check()


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("dtype", ["f16", "f8"])
def test_wild_integers_reach_no_foreign_memory(libraries, dtype, seed):
    """Lengths, offsets and indices that nobody could check on the host: results are anything, accesses are not."""
    rng = np.random.default_rng(seed)
    case = decode(
        (200, 31, 100),
        dtype=dtype,
        packed_q=bool(seed % 2),
        seqlens_q=(4, 1, 2) if seed % 2 else (3, 3, 3),
        page_size=16 if seed % 3 == 0 else 0,
        batch_idx=seed % 3 == 1,
        leftpad=(3, 0, 9) if seed % 4 < 2 else (),
        splits=seed % 5 % 3,
        window=(-1, 0) if seed % 4 == 2 else (50, 20),
        seed=seed,
    )
    problem = DecodeProblem(case, libraries(dtype))
    assert problem.run_on_wild_integers(f"flash_attn_decode_{KERNEL[dtype]}", rng, seed) == []
