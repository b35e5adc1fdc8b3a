# SPDX-License-Identifier: BSD-3-Clause
"""The cycle model: what must follow from costs.def, and timing-only execution."""

from __future__ import annotations

import numpy as np
import pytest
from ascend_twin import Machine, load
from ascend_twin.cli import main
from ascend_twin.corners import CORNERS, corner_values, corners
from ascend_twin.machine import Out
from ascend_twin.trace import imbalance, slots

from .conftest import KERNELS

# Reads a count through UB and copies as many rows; a float statistic that grew would add a thousand.
COUNTED = """
#include "kernel_operator.h"
using namespace AscendC;
extern "C" __global__ __vector__ void counted(GM_ADDR counts, GM_ADDR rows) {
    GlobalTensor<int32_t> n;
    GlobalTensor<float> x;
    n.SetGlobalBuffer((__gm__ int32_t*)counts);
    x.SetGlobalBuffer((__gm__ float*)rows);
    LocalTensor<int32_t> table(TPosition::VECCALC, 0, 8);
    LocalTensor<float> row(TPosition::VECCALC, 1024, 4096), top(TPosition::VECCALC, 32768, 64);
    DataCopy(table, n[GetBlockIdx() * 8], 8);
    SetFlag<HardEvent::MTE2_V>(0);
    WaitFlag<HardEvent::MTE2_V>(0);
    Adds(table, table, 1, 8);
    Duplicate(top, 3.0f, 64);
    SetFlag<HardEvent::V_S>(0);
    WaitFlag<HardEvent::V_S>(0);
    int32_t count = table.GetValue(0);
    if (STATISTIC && top.GetValue(5) > 1.0f) count += 1000;
    for (int32_t i = 0; i < count; ++i) {
        DataCopy(row, x, 4096);
        PipeBarrier<PIPE_ALL>();
    }
}
"""

# Cores that wait for each other all the time.
MEETS = """
#include "kernel_operator.h"
using namespace AscendC;
extern "C" __global__ __vector__ void meets(int64_t rounds) {
    for (int64_t i = 0; i < rounds; ++i) SyncAll();
}
"""

# The second block waits for what nobody sets.
WAITS = """
#include "kernel_operator.h"
using namespace AscendC;
extern "C" __global__ __mix__(1, 2) void waits(GM_ADDR) {
    if ASCEND_IS_AIV {
        if (GetBlockIdx() / 2 == 1) CrossCoreWaitFlag(3);
    }
}
"""

# Copies tiles of 16 KB from one tensor to another.
COPIES = """
#include "kernel_operator.h"
using namespace AscendC;
extern "C" __global__ __vector__ void copies(GM_ADDR from, GM_ADDR to, int64_t tiles) {
    GlobalTensor<half> a, b;
    a.SetGlobalBuffer((__gm__ half*)from);
    b.SetGlobalBuffer((__gm__ half*)to);
    LocalTensor<half> tile(TPosition::VECCALC, 0, 8192);
    for (int64_t i = 0; i < tiles; ++i) {
        DataCopy(tile, a[i * 8192], 8192);
        PipeBarrier<PIPE_ALL>();
        DataCopy(b[i * 8192], tile, 8192);
        PipeBarrier<PIPE_ALL>();
    }
}
"""

# Even blocks read the same 128 KB again and again, odd blocks one after the other what nobody has read.
READERS = """
#include "kernel_operator.h"
using namespace AscendC;
extern "C" __global__ __vector__ void readers(GM_ADDR same, GM_ADDR fresh, int64_t tiles) {
    GlobalTensor<half> a;
    const int64_t i = GetBlockIdx();
    const bool repeats = i % 2 == 0;
    a.SetGlobalBuffer((__gm__ half*)(repeats ? same : fresh));
    LocalTensor<half> tile(TPosition::VECCALC, 0, 65536);
    for (int64_t t = 0; t < tiles; ++t) DataCopy(tile, a[repeats ? 0 : (i / 2 * tiles + t) * 65536], 65536);
}
"""

# One vector instruction; placement and strides come from the macros.
ADDED = """
#include "kernel_operator.h"
using namespace AscendC;
extern "C" __global__ __vector__ void added(GM_ADDR) {
    LocalTensor<float> a(TPosition::VECCALC, 0, 8192), b(TPosition::VECCALC, 65536 + SHIFT, 8192);
    LocalTensor<float> c(TPosition::VECCALC, 131072, 8192);
    Add(c, a, b, (uint64_t)64, 100, BinaryRepeatParams(STRIDE, 1, 1, 1, 8, 8));
}
"""


def vector_cycles(shift: int, stride: int) -> float:
    kernel = load(ADDED, "added", [f"-DSHIFT={shift}", f"-DSTRIDE={stride}"])
    kernel(1, 0, mode="timing")
    report = Machine.get().simulate(chip="910B2")
    return report["busy"]["AIV V"] * report["cycles"]  # one AIV


def test_bank_conflicts():
    """Two reads of a bank group take two cycles a repeat, eight writes eight (devkit measured both)."""
    assert vector_cycles(256, 1) == pytest.approx(100)
    assert vector_cycles(0, 1) == pytest.approx(200)
    assert vector_cycles(256, 16) == pytest.approx(800)
    assert vector_cycles(256, 8) == pytest.approx(400)
    assert vector_cycles(256, 17) == pytest.approx(100)


@pytest.mark.parametrize("statistic", [0, 1])
def test_timing_only_keeps_control_flow(statistic):
    """Counts that come through UB are real; a float statistic reads zero, with results it reads 3."""
    kernel = load(COUNTED, "counted", [f"-DSTATISTIC={statistic}"])
    counts = np.zeros((2, 8), np.int32)
    counts[:, 0] = 4, 9
    rows = np.ones(4096, np.float32)
    moved = {}
    for mode in ("timing", "cycles"):
        kernel(2, counts, rows, mode=mode)
        moved[mode] = Machine.get().simulate()["bytes"]["GM->UB"]
    tables, asked = 2 * 32, (5 + 10) * 16384
    assert moved["timing"] == tables + asked
    assert moved["cycles"] == tables + asked + statistic * 2000 * 16384


def test_timing_only_times_what_cycles_times(rng):
    kernel = load(KERNELS / "matmul.cpp", "matmul_f16")
    a, b = (rng.standard_normal(s).astype(np.float16) for s in ((384, 256), (256, 512)))
    us = []
    for mode in ("timing", "cycles"):
        kernel(24, a, b, Out(np.zeros((384, 512), np.float16)), 384, 512, 256, mode=mode)
        us.append(Machine.get().simulate()["us"])
    # L2 sees other addresses, nothing else differs.
    assert us[0] == pytest.approx(us[1], rel=0.02)


def test_cores_and_corners():
    """Every core has its row; the work of blocks 1 and 2 differs as the counts do; all corners are there, in order."""
    kernel = load(COUNTED, "counted", ["-DSTATISTIC=0"])
    counts = np.zeros((3, 8), np.int32)
    counts[:, 0] = 1, 20, 60
    kernel(3, counts, np.ones(4096, np.float32), mode="timing")
    report = Machine.get().simulate()
    rows = slots(report)
    assert len(rows) == 3
    ends = [row[-1]["end_us"] for row in rows]
    assert max(ends) == pytest.approx(report["us"], rel=1e-3)
    assert ends == sorted(ends)
    assert imbalance(rows, [1, 20, 60]) == {"AIV": pytest.approx(60 * 3 / 81)}
    results = corners()
    assert len(results) == 2 ** len(CORNERS)
    lows = {name: cost[1] for name, cost in Machine.get().costs().items() if name in CORNERS}
    assert results[0][0] == lows and [change for change, _ in results] == corner_values()
    assert {r["us"] for _, r in results} == {r["us"] for _, r in corners()}


def test_slow_host_threads_are_no_deadlock():
    """Threads that the host does not run for a while must not be taken for stuck: the recording would end early."""
    kernel = load(MEETS, "meets")
    for _ in range(100):
        assert kernel(48, 20, mode="cycles", threads=16) == []


def test_repeated_runs_find_what_the_last_one_left():
    """4 MB read and 4 MB written by each run, through an L2 that holds all of it or a quarter."""
    tiles = 256
    kernel, size = load(COPIES, "copies"), tiles * 16384
    kernel(1, np.zeros(size // 2, np.float16), Out(np.zeros(size // 2, np.float16)), tiles, mode="timing")
    machine = Machine.get()

    def hbm(runs: int, l2_mbytes: float) -> float:
        return machine.simulate(runs=runs, costs={"l2_mbytes": l2_mbytes})["l2"]["hbm_bytes"]

    assert hbm(1, 192) == size and hbm(2, 192) == hbm(3, 192) == 0
    # What was written last stays, at most as much as L2 holds; the next run has to write it back.
    assert size + size / 2 <= hbm(1, 2) <= 2 * size
    assert hbm(2, 2) == hbm(3, 2) == 2 * size
    one, two = (machine.simulate(runs=runs)["us"] for runs in (1, 2))
    assert two < one


def test_rate_of_nd_to_nz_from_hbm():
    """Where L2 misses, ND->NZ takes nz_hbm_rate; a copy is nz_head, and per row its bytes and nz_row."""
    rows, columns, copies = 64, 256, 12
    kernel = load(KERNELS / "copy_rate.cpp", "gm_to_l1")
    kernel(1, np.zeros((rows, columns * copies), np.float16), rows, columns * copies, rows, columns, mode="timing")
    machine = Machine.get()
    costs = machine.costs()

    def cycles_of_a_copy(rate: float) -> float:
        return costs["nz_head"][0] + rows * (2 * columns / rate + costs["nz_row"][0])

    for runs, changes, rate in [(1, {"nz_hbm_rate": 80}, 80), (2, {"nz_hbm_rate": 80}, 135), (1, {}, 135)]:
        report = machine.simulate(runs=runs, costs=changes)
        assert report["busy"]["AIC MTE2"] * report["cycles"] == pytest.approx(copies * cycles_of_a_copy(rate))


def test_corners_of_the_command_line(tmp_path, capsys):
    """Every corner has its line, and what --cost changes holds in all of them."""
    source = tmp_path / "added.cpp"
    source.write_text(ADDED.replace("SHIFT", "256").replace("STRIDE", "1"))
    kernel = [f"{source}:added", "--blocks", "2", "--arg", "64:float"]
    times = []
    for change in ([], ["--cost", "dispatch_us=40"]):
        main(["simulate", *kernel, "--timing-only", "--corners", "--runs", "2", "--out", str(tmp_path), *change])
        lines = capsys.readouterr().out.splitlines()
        first = next(i for i, line in enumerate(lines) if line.split()[: len(CORNERS)] == list(CORNERS))
        rows = [line.split() for line in lines[first + 1 : -1]]
        assert len({tuple(row[: len(CORNERS)]) for row in rows}) == len(rows) == 2 ** len(CORNERS)
        times.append([float(row[len(CORNERS)]) for row in rows])
        assert lines[-1].startswith(f"range: {min(times[-1]):.2f} to {max(times[-1]):.2f} us")
    assert all(b > a + 10 for a, b in zip(*times))


def test_bandwidth_is_shared():
    """Readers that hit in L2 go at the speed of their ports or share L2; those that miss share what HBM gives."""
    tiles, blocks, tile = 24, 48, 131072
    kernel = load(READERS, "readers")
    same, fresh = np.zeros(tile // 2, np.float16), np.zeros(blocks // 2 * tiles * tile // 2, np.float16)
    kernel(blocks, same, fresh, tiles, mode="timing")
    machine = Machine.get()
    constant = {name: value[0] for name, value in machine.costs().items()}

    def ends(l2_tbps: float, hbm_tbps: float) -> list[float]:
        """Mean time in microseconds of the readers that hit and of those that miss."""
        report = machine.simulate(costs={"l2_tbps": l2_tbps, "hbm_tbps": hbm_tbps, "dispatch_us": 0})
        spans = [core["end_us"] for core in report["cores"]]
        return [float(np.mean(spans[first::2])) for first in (0, 1)]

    moved = blocks // 2 * tiles * tile
    port = tiles * (tile / constant["aiv_read_rate"] + constant["copy_head"] + constant["copy_run"]) / 1800
    slow_hbm = moved / (0.3e6 * constant["hbm_efficiency"])
    # HBM is the limit of one half, the other half does not feel it.
    assert ends(50, 0.3) == pytest.approx([port, slow_hbm], rel=0.03)
    # HBM is no limit: all go at the speed of their ports.
    assert ends(50, 50) == pytest.approx([port, port], rel=0.03)
    # L2 is the limit of everybody.
    assert ends(2, 50) == pytest.approx([2 * moved / 2e6] * 2, rel=0.03)


def test_a_deadlock_has_no_timeline():
    kernel = load(WAITS, "waits")
    for threads in (1, 2):
        found = kernel(2, 0, mode="cycles", threads=threads, expect_clean=False)
        assert "deadlock" in {f.kind for f in found}
        with pytest.raises(RuntimeError, match="deadlock"):
            Machine.get().simulate()
