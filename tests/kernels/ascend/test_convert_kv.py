# SPDX-License-Identifier: BSD-3-Clause
"""flash_attn_convert_kv: 140 times what some query sees of fp8 caches, as half, dense; no other byte."""

from __future__ import annotations

import numpy as np
import pytest

from . import driver
from .formats import STAGED_FACTOR, e4m3fn
from .test_attention import Case, Problem

MODES = [("fast", 0), ("check", 0), ("check", 5)]


@pytest.fixture(scope="module")
def library():
    return driver.Library.of("passes", "convert_kv")


class Convert(Problem):
    def __init__(self, case: Case, library: driver.Library):
        # The limits of another kernel do not matter here.
        library.library.attention_limits = lambda call: None
        super().__init__(case, library)
        flat, (_, hk), (d, dv) = self.call.flat, case.heads, case.dims
        rows = len(case.seqlens_k) * flat.capacity
        self.memory = driver.place(np.zeros(rows * hk * (d + dv), np.uint16))
        self.memory[...] = 0xEEEE
        self.call.arrays["core_workspace"] = self.memory
        self.call._point("core_workspace", self.memory)
        self.call.fresh -= {"core_workspace"}
        self.call.written |= {"core_workspace"}
        of_k = rows * hk * d
        shape = (len(case.seqlens_k), flat.capacity, hk)
        self.converted = self.memory[:of_k].reshape(*shape, d), self.memory[of_k:].reshape(*shape, dv)

    def run(self, mode: str, seed: int) -> None:
        assert self.call.run(self.library, "flash_attn_convert_kv", self.case.blocks, mode=mode, seed=seed) == []

    def check(self) -> None:
        c = self.case
        for converted, rows in zip(self.converted, (self.k, self.v)):
            left = np.ones(converted.shape, bool)
            for n, codes in enumerate(rows):
                first = c.leftpad[n] if c.leftpad else 0
                seen = np.flatnonzero(self.visible(c.seqlens_q[n], len(codes)).any(0)) if c.seqlens_q[n] else []
                if len(seen) == 0:
                    continue
                keys = np.arange(seen[0], seen[-1] + 1)
                want = (e4m3fn(codes[keys]) * STAGED_FACTOR).astype(np.float16)
                got = converted[n, first + keys].view(np.float16)
                nan = np.isnan(want)
                assert np.array_equal(np.isnan(got), nan)
                assert np.array_equal(got.view(np.uint16)[~nan], want.view(np.uint16)[~nan])
                left[n, first + keys] = False
            assert np.all(converted[left] == 0xEEEE)


def fp8(**options) -> Case:
    return Case(**{"dtype": "f8", "seqlens_q": (40, 40), "seqlens_k": (300, 77), "blocks": 5, **options})


CASES = {
    "dense": fp8(),
    "many heads": fp8(heads=(160, 160), dims=(256, 256), seqlens_k=(9, 3)),
    "few keys": fp8(seqlens_k=(3, 0), blocks=24),
    "pages": fp8(page_size=16, heads=(4, 4)),
    "odd pages and left padding": fp8(page_size=7, leftpad=(3, 30)),
    "batch index": fp8(batch_idx=True, leftpad=(0, 9)),
    "heads first": fp8(layout=(0, 2, 1, 3), heads=(3, 3)),
    "odd strides": fp8(gaps=(5, 3, 11, 1), offset=3, heads=(3, 3)),
    "window": fp8(window=(5, 0)),
    "chunk": fp8(chunk=64, window=(-1, 0)),
    "head dims 192, 128": fp8(dims=(192, 128)),
    "head dim 64": fp8(dims=(64, 64), heads=(32, 8), seqlens_k=(900, 801)),
    "packed queries": fp8(packed_q=True, seqlens_q=(0, 3), window=(9, 0)),
}


@pytest.mark.parametrize("mode,seed", MODES)
@pytest.mark.parametrize("name", CASES)
def test_conversion(library, name, mode, seed):
    problem = Convert(CASES[name], library)
    problem.run(mode, seed)
    problem.check()
