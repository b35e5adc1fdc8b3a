# SPDX-License-Identifier: BSD-3-Clause
"""The order of tasks (shared/schedule.h, compiled for the host): complete, deterministic, short makespans."""

from __future__ import annotations

import ctypes
import heapq
import subprocess

import numpy as np
import pytest
from ascend_twin.build import compiler

from .driver import FLAGS, HERE, Call, place

FIELDS = "n kv_head row_begin row_end split key_begin key_end".split()
ROWS = 128


@pytest.fixture(scope="session")
def library(tmp_path_factory):
    path = tmp_path_factory.mktemp("schedule") / "schedule.so"
    source = HERE / "schedule_host.cpp"
    flags = ["-std=c++17", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared", *FLAGS]
    subprocess.run([*compiler(), *flags, str(source), "-o", str(path)], check=True)
    lib = ctypes.CDLL(str(path))
    lib.schedule.restype = ctypes.c_int64
    return lib


def call_of(seqlens, *, heads=(4, 4), dim=128, splits=1, keys=512, rows=None, **options) -> Call:
    """A batch of (seqlen_q, seqlen_k) pairs, queries packed."""
    seqlens_q, seqlens_k = (np.asarray(x, np.int32) for x in zip(*seqlens))
    group = heads[0] // heads[1]
    rows = rows or (ROWS // group * group if group <= ROWS else ROWS)
    cu = np.concatenate([[0], np.cumsum(seqlens_q)]).astype(np.int32)
    return Call(
        "f16",
        cu_seqlens_q=place(cu),
        cache_seqlens=place(seqlens_k),
        batch=len(seqlens),
        num_heads_q=heads[0],
        num_heads_kv=heads[1],
        head_dim=dim,
        head_dim_v=dim,
        total_q=int(cu[-1]),
        max_seqlen_q=max(1, int(seqlens_q.max())),
        max_seqlen_k=int(seqlens_k.max()),
        capacity=int(seqlens_k.max()) + 1,
        num_blocks=len(seqlens),
        index_rows=len(seqlens),
        num_splits=splits,
        tile_rows=rows,
        tile_keys=keys,
        **options,
    )


def tasks_of(library, call: Call, core: int, cores: int, tiles: int = 1) -> np.ndarray:
    room = 200000
    out = np.zeros((room, len(FIELDS)), np.int32)
    count = library.schedule(
        ctypes.byref(call.flat), core, cores, tiles, out.ctypes.data_as(ctypes.c_void_p), ctypes.c_int64(room)
    )
    assert count >= 0
    return out[:count]


def all_tasks(library, call: Call, cores: int, tiles: int = 1) -> list[np.ndarray]:
    return [tasks_of(library, call, core, cores, tiles) for core in range(cores)]


def visible(call: Call, seqlen_q: int, seqlen_k: int, rows: tuple[int, int], group: int) -> tuple[int, int]:
    """Keys that the packed rows see, by the masks' definition, row by row."""
    begin, end = seqlen_k, 0
    left, right, chunk = call.flat.window_left, call.flat.window_right, call.flat.attention_chunk
    for i in range(rows[0] // group, (rows[1] - 1) // group + 1):
        p = i + seqlen_k - seqlen_q
        first = max(0, p - left) if left >= 0 else 0
        last = min(seqlen_k, p + right + 1) if right >= 0 else seqlen_k
        if chunk:
            first, last = max(first, p // chunk * chunk), min(last, p // chunk * chunk + chunk)
        if first < last:
            begin, end = min(begin, first), max(end, last)
    return (begin, end) if begin < end else (0, 0)


@pytest.mark.parametrize("seed", range(60))
def test_every_task_once(library, rng, seed):
    batch = int(rng.choice([1, 2, 5, 30, 300])) if seed % 2 else int(rng.integers(1, 12))
    longest_q, longest_k = (int(x) for x in rng.choice([1, 40, 700, 3000], 2))
    if batch > 20:
        longest_q = min(longest_q, 300)
    seqlens = [(int(rng.integers(0, longest_q + 1)), int(rng.integers(0, longest_k + 1))) for _ in range(batch)]
    kv = int(rng.integers(1, 6))
    group = int(rng.choice([1, 2, 4, 7]))
    options = [
        {},
        {"window_right": 0},
        {"window_left": 100, "window_right": 0},
        {"attention_chunk": 128},
        {"window_left": 50},
    ]
    splits = int(rng.choice([1, 1, 2, 5]))
    tiles = int(rng.choice([1, 2, 4]))
    cores = int(rng.choice([1, 3, 20, 24, 64]))
    call = call_of(seqlens, heads=(kv * group, kv), splits=splits, keys=128, **options[seed % len(options)])
    per_core = all_tasks(library, call, cores, tiles)
    again = all_tasks(library, call, cores, tiles)
    assert all(np.array_equal(a, b) for a, b in zip(per_core, again))
    got = np.concatenate(per_core)
    rows = call.flat.tile_rows * tiles
    want = {
        (n, head, begin, min(begin + rows, q * group), split)
        for n, (q, _) in enumerate(seqlens)
        for head in range(kv)
        for begin in range(0, q * group, rows)
        for split in range(splits)
    }
    keys = [tuple(row[:5]) for row in got.tolist()]
    assert len(keys) == len(want) and set(keys) == want
    # Splits of a row tile together are what the rows see, cut at whole steps.
    ranges: dict[tuple, list] = {}
    for n, head, begin, end, split, key_begin, key_end in got.tolist():
        ranges.setdefault((n, head, begin, end), []).append((split, key_begin, key_end))
    for (n, head, begin, end), parts in ranges.items():
        if head:
            assert sorted(parts) == sorted(ranges[n, 0, begin, end])
            continue
        parts = sorted(p for p in parts if p[2] > p[1])
        seen = visible(call, *seqlens[n], (begin, end), group)
        if seen == (0, 0):
            assert not parts or options[seed % len(options)]  # the hull of rows that see nothing may hold keys
            continue
        assert parts[0][1] <= seen[0] and parts[-1][2] >= seen[1]
        assert all(a[2] == b[1] and a[2] % 128 == 0 for a, b in zip(parts, parts[1:]))


# Makespans. A task costs a constant and, as the pipeline study has it, whole steps of 512 keys; or less for a part of
# a step, as in kernels that shorten the last one (the general kernel on the twin: 1900 of 9000 cycles do not shrink).
STEP, CONSTANT = {1: 8260, 2: 14160}, 350


def cycles(tasks: list[list[int]], tiles: int, whole: bool) -> list[float]:
    keys = np.asarray([max(0, t[6] - t[5]) for t in tasks])
    steps = -(-keys // 512)
    return (CONSTANT + STEP[tiles] * (steps if whole else 0.8 * keys / 512 + 0.2 * steps)).tolist()


def longest_first(costs: list[float], cores: int) -> float:
    """Makespan of the classical rule: fully sorted, each to the core with the least work."""
    work = [0.0] * cores
    for cost in sorted(costs, reverse=True):
        heapq.heapreplace(work, work[0] + cost)
    return max(work)


def mixes() -> dict[str, tuple]:
    rng = np.random.default_rng(7)
    u64 = [(int(s), int(s)) for s in rng.integers(64, 1025, 64)]
    return {
        "64 seqs U(64..1024), 32 heads": (u64, 32),
        "8 seqs U(64..1024), 32 heads": (u64[:8], 32),
        "16 x 128, 8 heads": ([(128, 128)] * 16, 8),
        "8192 + 31 x 256, 8 heads": ([(8192, 8192)] + [(256, 256)] * 31, 8),
        "31 x 256 + 8192, 8 heads": ([(256, 256)] * 31 + [(8192, 8192)], 8),
        "4 x 2048, 4 heads": ([(2048, 2048)] * 4, 4),
        "5 seqs U(100..9000), 3 heads": ([(int(s), int(s)) for s in rng.integers(100, 9000, 5)], 3),
        "64 short queries, keys U(1..32k), 8 heads": ([(16, int(s)) for s in rng.integers(16, 32768, 64)], 8),
        "500 short queries, exponential keys, 1 head": ([(16, 16 + int(s)) for s in rng.exponential(3000, 500)], 1),
        "3000 short queries, exponential keys, 1 head": ([(16, 16 + int(s)) for s in rng.exponential(3000, 3000)], 1),
        "1 x 32768, 2 heads": ([(32768, 32768)], 2),
    }


@pytest.mark.parametrize("whole", [False, True], ids=["shortened steps", "whole steps"])
@pytest.mark.parametrize("tiles", [1, 2])
@pytest.mark.parametrize("name", mixes())
def test_makespan(library, name, tiles, whole):
    seqlens, heads = mixes()[name]
    cores = 24
    call = call_of(seqlens, heads=(heads, heads), window_right=0)
    per_core = [tasks.tolist() for tasks in all_tasks(library, call, cores, tiles)]
    mine = max(sum(cycles(tasks, tiles, whole)) for tasks in per_core)
    everything = sorted(sum(per_core, []), key=lambda t: (t[0], t[2], t[1], t[4]))
    costs = cycles(everything, tiles, whole)
    bound = max(sum(costs) / cores, max(costs), -(-len(costs) // cores) * min(costs))
    in_order = max(sum(costs[core::cores]) for core in range(cores))
    best = longest_first(costs, cores)
    over = [round(x / bound, 3) for x in (mine, in_order, best)]
    print(f"{name}, {tiles} tiles, {len(costs)} tasks: over the bound {over[0]}, in order {over[1]}, sorted {over[2]}")
    # How much a last step costs is not what decides; but it is not known to the schedule either.
    assert mine <= (1.05 if whole else 1.03) * best
    assert mine <= 1.02 * in_order


def test_heads_share_the_cache(library):
    """At any time the cores work on so few heads that K and V of them fit into L2."""
    call = call_of([(32768, 32768)], heads=(32, 32), window_right=0)
    timelines = []
    for tasks in all_tasks(library, call, 24):
        timelines.append((np.cumsum(cycles(tasks.tolist(), 1, True)), tasks))
    end = min(ends[-1] for ends, _ in timelines)
    most = 0
    for time in np.linspace(0, end, 3000):
        keys: dict[int, int] = {}  # by head, what is being read
        for ends, tasks in timelines:
            task = tasks[np.searchsorted(ends, time)]
            keys[int(task[1])] = max(keys.get(int(task[1]), 0), int(task[6]))
        most = max(most, sum(keys.values()) * (128 + 128) * 2)
    # 64 MB, and as much again while the next heads begin and the last tasks of the others run.
    assert most <= 2 * 64 * 2**20, most / 2**20


def test_cores_are_dealt_in_order_when_tasks_are_alike(library):
    call = call_of([(128, 1000)] * 12, heads=(2, 2))
    first = [tuple(tasks[0][:2]) for tasks in all_tasks(library, call, 24)]
    assert first == [(n, head) for n in range(12) for head in range(2)]


@pytest.mark.parametrize("seed", range(20))
def test_marked_tasks_only(library, rng, seed):
    batch, kv, group, cores = int(rng.integers(1, 8)), int(rng.integers(1, 6)), int(rng.choice([1, 4])), 24
    seqlens = [(int(rng.integers(0, 2000)), int(rng.integers(0, 3000))) for _ in range(batch)]
    splits = int(rng.choice([1, 3]))
    call = call_of(seqlens, heads=(kv * group, kv), splits=splits, keys=128, window_right=0)
    every = {tuple(task) for tasks in all_tasks(library, call, cores) for task in tasks.tolist()}
    tiles = max(1, -(-call.flat.max_seqlen_q * group // ROWS))
    redo = place((rng.random((batch, kv, tiles, splits)) < rng.choice([0, 0.1, 1])).astype(np.int32))
    call.arrays["redo"] = redo
    call._point("redo", redo)
    got = [tuple(task) for tasks in all_tasks(library, call, cores) for task in tasks.tolist()]
    assert len(set(got)) == len(got)
    assert set(got) == {t for t in every if redo[t[0], t[1], t[2] // ROWS, t[4]]}


@pytest.mark.parametrize("marked", ["a head", "the first rows of all heads"])
def test_marked_tasks_are_shared(library, marked):
    call = call_of([(8192, 8192)], heads=(8, 8), window_right=0)
    redo = place(np.zeros((1, 8, 64, 1), np.int32))
    redo[(slice(None), 3) if marked == "a head" else (slice(None), slice(None), 0)] = 1
    call.arrays["redo"] = redo
    call._point("redo", redo)
    counts = [len(tasks) for tasks in all_tasks(library, call, 24)]
    assert max(counts) == -(-redo.sum() // 24)
