# SPDX-License-Identifier: BSD-3-Clause
"""Synchronisation of AIVs through words in global memory (documents: IBSet, IBWait, SyncAll, WaitPreBlock,
NotifyNextBlock, InitDetermineComputeWorkspace, GroupBarrier)."""

from __future__ import annotations

import numpy as np
import pytest
from ascend_twin.machine import InOut, Out

FILE, N, BLOCKS = "soft_sync.cpp", 256, 6


def run(api_kernel, name: str, data: np.ndarray, *, bad: int = 0, mode: str = "check", work=None, seed: int = 1):
    work = InOut(np.zeros(32768, np.int32)) if work is None else work
    kernel = api_kernel(FILE, name)
    found = kernel(BLOCKS, InOut(data), work, bad, mode=mode, seed=seed, expect_clean=not bad, threads=2)
    return [f.kind for f in found if f.severity == "error"]


def tiles(rng) -> np.ndarray:
    return rng.integers(0, 1000, (3 * BLOCKS + 1, N)).astype(np.int32)


MODES = ["check", "fast"]


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("mode", MODES)
def test_chain(api_kernel, rng, mode, seed):
    data = tiles(rng)
    expected = data.copy()
    for _ in range(2):
        for b in range(BLOCKS):
            expected[b + 1] = expected[b] + 1
    assert run(api_kernel, "ib_chain", data, mode=mode, seed=seed) == []
    assert np.array_equal(data, expected)


@pytest.mark.parametrize("mode", MODES)
def test_all(api_kernel, rng, mode):
    data = tiles(rng)
    expected = data.copy()
    expected[BLOCKS : 2 * BLOCKS] = expected[:BLOCKS] + 1
    expected[2 * BLOCKS : 3 * BLOCKS] = np.roll(expected[BLOCKS : 2 * BLOCKS], -1, axis=0) + 1
    assert run(api_kernel, "soft_all", data, mode=mode) == []
    assert np.array_equal(data, expected)


def test_some(api_kernel, rng):
    data = tiles(rng)
    expected = data.copy()
    expected[BLOCKS : BLOCKS + 2] = expected[:2] + 1
    expected[2 * BLOCKS : 2 * BLOCKS + 2] = expected[[BLOCKS + 1, BLOCKS]] + 1
    assert run(api_kernel, "soft_some", data) == []
    assert np.array_equal(data, expected)


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("mode", MODES)
def test_in_order(api_kernel, rng, mode, seed):
    """No initial value of the workspace is needed."""
    data = tiles(rng)
    expected = data.copy()
    for block in [*range(BLOCKS), *range(BLOCKS)]:
        expected[0] = expected[0] * 2 + block
    assert run(api_kernel, "in_order", data, mode=mode, seed=seed, work=Out(np.full(32768, 7, np.int32))) == []
    assert np.array_equal(data, expected)


@pytest.mark.parametrize("mode", MODES)
def test_group(api_kernel, rng, mode):
    data = tiles(rng)
    expected = data.copy()
    expected[BLOCKS : BLOCKS + 2] = expected[:2] + 1
    expected[:2] = expected[BLOCKS : BLOCKS + 2] + 1
    expected[BLOCKS : BLOCKS + 2] = expected[:2] + 1
    for b in range(2, BLOCKS):
        expected[2 * BLOCKS + b] = expected[BLOCKS + b % 2]
    assert run(api_kernel, "group", data, mode=mode) == []
    assert np.array_equal(data, expected)


@pytest.mark.parametrize("name", ["ib_chain", "soft_all", "soft_some", "in_order", "group"])
def test_without_synchronisation(api_kernel, rng, name):
    assert "race_between_cores" in run(api_kernel, name, tiles(rng), bad=1)


@pytest.mark.parametrize("name", ["ib_chain", "soft_all", "group"])
def test_workspace_must_be_zero(api_kernel, rng, name):
    kernel = api_kernel(FILE, name)
    found = kernel(BLOCKS, InOut(tiles(rng)), Out(np.zeros(32768, np.int32)), 0, mode="check", expect_clean=False)
    assert "uninitialised_read" in [f.kind for f in found]


def test_missing_set_is_a_deadlock(api_kernel, rng):
    """The last block's IBSet is nobody's: a flag that stays set makes the next IBSet of the same word wait for ever."""
    work = np.zeros(32768, np.int32)
    work[BLOCKS * 8] = 1  # event 1 of block 0 is set already
    kernel = api_kernel(FILE, "ib_chain")
    found = kernel(BLOCKS, InOut(tiles(rng)), InOut(work), 0, mode="check", expect_clean=False)
    assert {"race_between_cores", "deadlock"} & {f.kind for f in found}


def test_cycles(api_kernel, rng):
    kernel = api_kernel(FILE, "soft_all")
    kernel(BLOCKS, InOut(tiles(rng)), InOut(np.zeros(32768, np.int32)), 0, mode="cycles")
    assert kernel.machine.simulate()["us"] > 0
