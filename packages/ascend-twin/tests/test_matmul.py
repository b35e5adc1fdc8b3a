# SPDX-License-Identifier: BSD-3-Clause
"""A pipelined matmul on the twin: right, clean in check mode, and its cycle report makes sense."""

from __future__ import annotations

import json

import numpy as np
import pytest
from ascend_twin import Machine, load
from ascend_twin.corners import CORNERS, corners
from ascend_twin.machine import Out
from ascend_twin.trace import write_perfetto, write_picture

from .conftest import KERNELS


@pytest.fixture(scope="module")
def matmul():
    return load(KERNELS / "matmul.cpp", "matmul_f16")


@pytest.mark.parametrize("mode,seed", [("fast", 0), ("check", 0), ("check", 5)])
@pytest.mark.parametrize(
    "m,n,k", [(128, 256, 256), (1, 1, 1), (16, 16, 16), (100, 130, 70), (129, 257, 520), (512, 768, 1024)]
)
def test_result(matmul, rng, m, n, k, mode, seed):
    a, b = rng.standard_normal((m, k)).astype(np.float16), rng.standard_normal((k, n)).astype(np.float16)
    c = np.zeros((m, n), np.float16)
    findings = matmul(5, a, b, Out(c), m, n, k, mode=mode, seed=seed)
    assert findings == []
    exact = a.astype(np.float64) @ b.astype(np.float64)
    bound = 2.0**-11 * np.abs(exact) + (k + 1) * 2.0**-23 * (
        np.abs(a.astype(np.float64)) @ np.abs(b.astype(np.float64))
    )
    assert np.all(np.abs(c - exact) <= bound)


def record(matmul, m: int, n: int, k: int) -> Machine:
    zeros = np.zeros((max(m, k), max(n, k)), np.float16)
    matmul(24, zeros[:m, :k], zeros[:k, :n], Out(np.zeros((m, n), np.float16)), m, n, k, mode="cycles", skip_math=True)
    return Machine.get()


def test_report_counts_what_the_kernel_moves(matmul):
    m, n, k = 512, 1024, 768
    report = record(matmul, m, n, k).simulate(chip="910B2")
    tiles_m, tiles_n = m // 128, n // 256
    assert report["bytes"]["GM->L1"] == 2 * (m * k * tiles_n + k * n * tiles_m)
    assert report["bytes"]["L0C->GM"] == 2 * m * n
    # Every L1 tile goes once to L0.
    assert report["bytes"]["L1->L0A"] + report["bytes"]["L1->L0B"] == report["bytes"]["GM->L1"]
    assert report["tflops"] == pytest.approx(2 * m * n * k / report["us"] * 1e-6)
    ideal = m * n * k / 4096 / 24 / 1800
    assert report["cube_utilisation"] == pytest.approx(ideal / report["us"])
    assert report["us"] > report["roofline"]["cube_us"] and 0 < report["roofline"]["fraction"] <= 1


def test_constants_act(matmul):
    machine = record(matmul, 2048, 2048, 2048)
    base = machine.simulate()["us"]
    assert machine.simulate(costs={"mmad_tile": 2})["us"] > 1.5 * base
    assert machine.simulate(costs={"l2_tbps": 1.0})["us"] > 1.3 * base
    assert machine.simulate(chip="910B3")["us"] > base
    with pytest.raises(RuntimeError, match="no cost is called"):
        machine.simulate(costs={"nonsense": 1})


def test_timeline_is_deterministic(matmul):
    first = record(matmul, 640, 512, 512).simulate(traced=1)
    again = record(matmul, 640, 512, 512).simulate(traced=1)
    assert first["cycles"] == again["cycles"] and first["intervals"] == again["intervals"]


def test_trace_ends_when_it_is_told_to(matmul):
    machine = record(matmul, 640, 512, 512)
    whole, part = machine.simulate(traced=1), machine.simulate(traced=1, traced_us=3)
    assert part["intervals"] == [i for i in whole["intervals"] if i[2] < 3 * whole["mhz"]]
    assert 0 < len(part["intervals"]) < len(whole["intervals"]) and part["us"] == whole["us"]


def test_pipes_do_not_overlap_themselves(matmul):
    report = record(matmul, 384, 512, 1024).simulate(traced=24)
    by_pipe: dict = {}
    for core, pipe, start, end, *_ in report["intervals"]:
        by_pipe.setdefault((core, pipe), []).append((start, end))
    for spans in by_pipe.values():
        spans.sort()
        assert all(a[1] <= b[0] + 1e-6 for a, b in zip(spans, spans[1:]))
    assert {pipe for _, pipe in by_pipe} == {"MTE2", "MTE1", "M", "FIX"}


def test_corners_span_every_combination(matmul):
    record(matmul, 256, 512, 512)
    results = corners()
    assert len(results) == 2 ** len(CORNERS) and len({tuple(c.values()) for c, _ in results}) == len(results)


def test_cost_table_is_documented():
    for name, (value, low, high, unit, confidence, source) in Machine.get().costs().items():
        assert low <= value <= high, name
        assert unit and source and confidence in ("H", "M", "L"), name


def test_trace_and_picture(matmul, tmp_path):
    report = record(matmul, 256, 256, 512).simulate(traced=1)
    write_perfetto(report, tmp_path / "trace.json")
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    assert len([e for e in events if e["ph"] == "X"]) == len(report["intervals"])
    write_picture(report, tmp_path / "timeline.png")
    assert (tmp_path / "timeline.png").stat().st_size > 5000
