# SPDX-License-Identifier: BSD-3-Clause
"""Both wheels in one environment: the same inputs through v2 and v3, against float64 and PyTorch's SDPA.

    python -m benchmarks.compare            all shared features, under a minute
    python -m benchmarks.compare --quick    what continuous integration needs

Ends with code 1 if v2 and v3 differ in a bit (LSE conventions aside) or an error exceeds the project's bound.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from tqdm import tqdm

from benchmarks.compare import report
from benchmarks.compare.cases import quick_cases, shared_cases
from benchmarks.compare.compare import compare
from benchmarks.cpu.machine import cpu_name
from benchmarks.cpu.neighbours import Neighbours
from tests.support.seed import SEED

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.compare",
        description="The same inputs through flash_attn_npu_v2 and flash_attn_npu_v3.",
    )
    parser.add_argument("--quick", action="store_true", help="one dtype, short timings")
    parser.add_argument("--seconds", type=float, help="time per case (default 0.5; --quick 0.05)")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "compare", help="directory for the results")
    options = parser.parse_args()
    seconds = options.seconds if options.seconds is not None else (0.05 if options.quick else 0.5)
    torch.set_grad_enabled(False)
    options.out.mkdir(parents=True, exist_ok=True)

    about = {"cpu": cpu_name(), "threads": torch.get_num_threads(), "torch": torch.__version__, "seed": SEED}
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    print(report.HEADER)
    rows, failures = [], []
    with Neighbours() as neighbours:
        progress = tqdm((quick_cases() if options.quick else shared_cases()).items(), disable=None, leave=False)
        for name, case in progress:
            try:
                rows.append(compare(name, case, seconds))
                progress.write(report.line(rows[-1]))
            except AssertionError as error:
                failures.append(f"{name}: {error}\n{case.snippet()}")
                progress.write(f"{name}: FAILED")
    print(neighbours.warning(), end="")
    print("times: medians, or * minima where a median would measure the neighbours; formula: PyTorch, same dtype")

    report.write_json(options.out / "compare.json", rows, {**about, "failures": failures})
    if rows:
        agree = f"{len(rows)} of {len(rows) + len(failures)} cases agree in every bit"
        subtitle = f"{agree}; {about['cpu']}, {about['threads']} threads, torch {about['torch']}"
        report.draw(options.out / "compare.png", rows, subtitle)
    print(f"wrote {options.out / 'compare.json'} and {options.out / 'compare.png'}")
    if failures:
        print("\n".join(["FAILED", *failures]), file=sys.stderr)
        return 1
    print(f"v2 and v3 agree in every bit in {len(rows)} cases, and are within the bound of the float64 reference.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
