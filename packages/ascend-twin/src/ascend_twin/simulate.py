# SPDX-License-Identifier: BSD-3-Clause
"""Run a kernel on the twin, check it, predict its time.

    python -m ascend_twin.simulate my_kernel.cpp:name --blocks 24 --arg 4096:half --arg 4096:half:out --arg 4096

Writes report.json, trace.json (Perfetto), timeline.png and chip.png (one row per core) to the output directory.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .corners import corners, table
from .machine import Machine, Out, load
from .trace import summary, write_chip_picture, write_perfetto, write_picture, write_report

DTYPES = {
    "half": np.float16,
    "float": np.float32,
    "int8": np.int8,
    "uint8": np.uint8,
    "int32": np.int32,
    "uint32": np.uint32,
}


def run_kernel(spec: str, blocks: int, arguments: list[str], cores: int, check: bool, mode: str):
    """Any extern "C" kernel: arguments are COUNT:TYPE[:out] tensors of random numbers, integers, or floats (1.0)."""
    source, _, name = spec.rpartition(":")
    kernel = load(Path(source), name)
    rng = np.random.default_rng(0)
    args: list = []
    for text in arguments:
        parts = text.split(":")
        if len(parts) == 1:
            args.append(float(text) if "." in text else int(text))
            continue
        dtype = DTYPES[parts[1]]
        data = (
            rng.standard_normal(int(parts[0]))
            if np.issubdtype(dtype, np.floating)
            else rng.integers(0, 100, int(parts[0]))
        )
        args.append(Out(data.astype(dtype)) if parts[2:] == ["out"] else data.astype(dtype))
    if check:
        for finding in kernel(blocks, *args, mode="check", cores=cores, expect_clean=False):
            print(finding)
    kernel(blocks, *args, mode=mode, cores=cores)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kernel", help='FILE:NAME of an extern "C" kernel')
    parser.add_argument("--chip", default="910B2", help="910B1, 910B2, 910B3, 910B4 or 910C (one die)")
    parser.add_argument("--blocks", type=int, default=24)
    parser.add_argument(
        "--arg",
        action="append",
        default=[],
        help="kernel argument: COUNT:TYPE[:out], an integer, or a float (with a point)",
    )
    parser.add_argument("--cost", action="append", default=[], help="NAME=VALUE: change a constant of costs.def")
    parser.add_argument("--corners", action="store_true", help="rerun the report over the model's uncertain constants")
    parser.add_argument(
        "--timing-only",
        action="store_true",
        help="record without floating-point results: much faster",
    )
    parser.add_argument(
        "--runs", type=int, default=1, help="predict the last of so many runs: L2 holds what the one before left there"
    )
    parser.add_argument("--no-check", action="store_true", help="skip the run in check mode")
    parser.add_argument("--trace-us", type=float, default=math.inf, help="the trace ends after this many microseconds")
    parser.add_argument("--picture-us", type=float, help="the picture shows this many microseconds")
    parser.add_argument("--out", type=Path, default=Path("build/simulate"))
    a = parser.parse_args(argv)
    cores = 20 if a.chip in ("910B3", "910B4") else 24
    run_kernel(a.kernel, a.blocks, a.arg, cores, not a.no_check, "timing" if a.timing_only else "cycles")
    changes = {name: float(value) for name, value in (c.split("=") for c in a.cost)}
    report = Machine.get().simulate(chip=a.chip, costs=changes, traced=1, traced_us=a.trace_us, runs=a.runs)
    a.out.mkdir(parents=True, exist_ok=True)
    write_report(report, a.out / "report.json")
    write_perfetto(report, a.out / "trace.json")
    write_picture(report, a.out / "timeline.png", a.picture_us)
    write_chip_picture(report, a.out / "chip.png")
    print(summary(report))
    print(f"wrote report.json, trace.json, timeline.png, chip.png to {a.out}")
    if a.corners:
        print(table(corners(chip=a.chip, costs=changes, runs=a.runs)))


if __name__ == "__main__":
    main()
