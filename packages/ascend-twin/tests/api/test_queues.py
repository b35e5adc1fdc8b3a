# SPDX-License-Identifier: BSD-3-Clause
"""Queues, pools and TPipe: data, what queues tell about themselves, and what orders the pipes.

Documents: resource management; the events are those of the vendor's framework.
"""

from __future__ import annotations

import numpy as np
import pytest
from ascend_twin.machine import Out

FILE, N = "queues.cpp", 1024


def run(api_kernel, rng, name: str, bad: int = 0, mode: str = "check", expect_clean: bool = True):
    data = rng.integers(-100, 100, 64 * N).astype(np.float16)
    out = np.zeros_like(data)
    found = api_kernel(FILE, name)(1, data, Out(out), bad, mode=mode, expect_clean=expect_clean)
    return data, out, found


@pytest.mark.parametrize("mode", ["check", "fast"])
@pytest.mark.parametrize(
    ("name", "tiles", "plus"),
    [("three_stages", 8, 1), ("in_place", 8, 1), ("bound", 8, 0), ("with_positions", 4, 1), ("pools", 8, 1)],
)
def test_data(api_kernel, rng, name, tiles, plus, mode):
    data, out, found = run(api_kernel, rng, name, mode=mode)
    assert np.array_equal(out[: tiles * N], data[: tiles * N] + np.float16(plus))
    assert [f for f in found if f.severity == "error"] == []


@pytest.mark.parametrize(
    ("name", "bad", "kind"),
    [
        ("three_stages", 1, "pipe_race"),
        ("in_place", 1, "pipe_race"),
        ("bound", 1, "pipe_race"),
        ("with_positions", 1, "pipe_race"),
        ("pools", 1, "buffer_overflow"),
        ("pools", 2, "pipe_race"),
        ("pools", 3, "buffer_overflow"),
        ("states", 1, "queue_overflow"),
        ("states", 2, "queue_underflow"),
        ("states", 4, "queue_overflow"),
        ("states", 5, "queue_underflow"),
        ("pipe_features", 1, "buffer_overflow"),
        ("cube_events", 1, "duplicate_event"),
    ],
)
def test_wrong(api_kernel, rng, name, bad, kind):
    _, _, found = run(api_kernel, rng, name, bad, expect_clean=False)
    assert kind in [f.kind for f in found], found


@pytest.mark.parametrize("bad", [0, 2])
def test_cube_events(api_kernel, rng, bad):
    _, _, found = run(api_kernel, rng, "cube_events", bad)
    assert found == []


def test_states(api_kernel, rng):
    free, occupied, enque, deque = range(4)
    _, out, _ = run(api_kernel, rng, "states")
    expected = [1, 0, 0, 1]  # room in the queue, a tensor in it, how many, a buffer to allocate
    expected += [occupied, 1, 0, 0, 0]
    expected += [enque, 0, 1, 2, 0]
    expected += [deque, 1, free, 1, 1, 1, 1]
    expected += [1]
    expected += [1, 0, 0, 1]
    assert out[: len(expected)].tolist() == expected
    assert out[len(expected)] == len(expected)


def test_pipe_features(api_kernel, rng):
    data, out, _ = run(api_kernel, rng, "pipe_features")
    assert np.array_equal(out[:N], data[:N] + np.float16(2))
    assert np.array_equal(out[17 * N : 18 * N], data[:N] + np.float16(1))  # the spill, N elements into its buffer
    left = 192 * 1024 - 64 - 2 * 64 * 1024 - 2 * N * 2  # 64 bytes at the end belong to messages between cores
    assert np.all(out[N : N + 128] == left // 2 // 32)


def test_timeline(api_kernel, rng):
    """The waits of queues are seen at the kernel's own lines."""
    run(api_kernel, rng, "three_stages", mode="cycles")
    report = api_kernel(FILE, "three_stages").machine.simulate()
    waits = {s["on"].split()[0] for s in report["stalls"] if s["where"].startswith("queues.cpp")}
    assert {"MTE2_V", "V_MTE3", "V_MTE2"} <= waits
