# SPDX-License-Identifier: BSD-3-Clause
"""Benchmark of the cpu backend against PyTorch's attention and against the machine's own limits.

    python -m benchmarks.cpu                    all cases: a table, bench.json, bench.png
    python -m benchmarks.cpu --only 'decode.*fp16'
    python -m benchmarks.cpu --bars             pass or miss for each of the project's bars
    python -m benchmarks.cpu --quick            small sizes, half a minute: does the benchmark itself work?

Both wheels must be installed. Times are medians (marked *: minima, as below a millisecond medians measure the
neighbours; marked !: others used the cores meanwhile); ratio = the peer's time / ours. Peers run in the same process
with the same threads, in turns with ours.
"""

from __future__ import annotations

import argparse
import re
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable

import torch
from tqdm import tqdm

from benchmarks.cpu import bars, machine, overhead, plot, report, workload
from benchmarks.cpu.cases import BenchCase, all_cases, quick_cases
from benchmarks.cpu.machine import MachineLimits
from benchmarks.cpu.neighbours import TOLERABLE, Neighbours
from benchmarks.cpu.timing import time_in_turns

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    options = arguments()
    torch.set_grad_enabled(False)
    if options.threads:
        torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)
    cases = [case for case in (quick_cases() if options.quick else all_cases()) if re.search(options.only, case.name)]
    if options.bars:
        cases = [case for case in cases if bars.bar_of(case) is not None]
    if not cases:
        print(f"No case matches --only {options.only!r}", file=sys.stderr)
        return 2
    about = about_this_run()
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    return run_bars(cases, options, about) if options.bars else run_table(cases, options, about)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.cpu",
        description="Times flash_attn_with_kvcache against PyTorch's attention. Both wheels must be installed.",
    )
    parser.add_argument("--only", default="", metavar="REGEX", help="cases whose name matches, e.g. 'prefill bf16'")
    parser.add_argument("--quick", action="store_true", help="small sizes; the figures say nothing about speed")
    parser.add_argument("--no-flex", action="store_true", help="without flex_attention, which compiles for each case")
    parser.add_argument("--seconds", type=float, help="time per case (default 4; --quick 0.2)")
    parser.add_argument("--threads", type=int, help="default: torch's own choice")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "bench", help="directory for the results")
    parser.add_argument("--bars", action="store_true", help="judge the project's bars instead of printing the table")
    parser.add_argument("--runs", type=int, default=3, help="--bars: quiet runs that count for each bar")
    parser.add_argument("--attempts", type=int, default=8, help="--bars: runs at most for each bar")
    parser.add_argument("--strict", action="store_true", help="--bars: exit code 1 unless every bar is passed")
    options = parser.parse_args()
    if options.seconds is None:
        options.seconds = 0.2 if options.quick else 4.0
    options.no_flex = options.no_flex or options.quick or options.bars
    return options


def about_this_run() -> dict[str, Any]:
    import flash_attn_npu_v3

    return {
        "cpu": machine.cpu_name(),
        "isa": flash_attn_npu_v3._C.describe_cpu(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "flash_attn_npu_v3": flash_attn_npu_v3.__version__,
        "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def run_table(cases: list[BenchCase], options: argparse.Namespace, about: dict[str, Any]) -> int:
    probe = build_probe(options.out)
    limits = measure_limits(probe, None)
    if limits is not None:
        print(f"limits of this machine: {limits}")
    print(report.HEADER)
    rows, notes = [], []
    progress = tqdm(cases, disable=None, unit="case", leave=False)
    for case in progress:
        progress.set_description(case.name)
        work = workload.make(case, with_flex=not options.no_flex)
        work.check()
        rows.append(measure(case, {"ours": work.ours, **work.peers}, options.seconds, limits))
        notes += [f"{case.name}: {note}" for note in work.notes]
        tqdm.write(report.line(rows[-1]))

    # Again at the end: a neighbour may have slowed the first probe, and fractions above 1 would mean nothing.
    limits = measure_limits(probe, limits)
    overheads = overhead.measure(batches=5 if options.quick else 30)
    print(overhead.line(overheads))
    if limits is not None:
        rows = [report.with_limits(row, case, limits) for row, case in zip(rows, cases)]
        print(f"limits of this machine, best of two probes: {limits}")
    for note in notes:
        print(f"note: {note}")
    if noisy := [row for row in rows if not report.is_quiet(row)]:
        print(f"! {len(noisy)} of {len(rows)} cases: others used over {TOLERABLE:.0%} of the cores: not to be quoted")

    about = {
        **about,
        "limits": None if limits is None else vars(limits),
        "overhead_us": {x.name: x.us for x in overheads},
        "overhead_limit_us": overhead.LIMIT_US,
        "notes": notes,
    }
    report.write_json(options.out / "bench.json", rows, about)
    plot.draw(options.out / "bench.png", rows, f"{about['cpu']}, {about['isa']}; {limits}; torch {about['torch']}")
    print(f"wrote {options.out / 'bench.json'} and {options.out / 'bench.png'}")
    return 0


def measure(
    case: BenchCase, functions: dict[str, Callable[[], Any]], seconds: float, limits: MachineLimits | None
) -> report.Row:
    with Neighbours() as neighbours:
        samples = time_in_turns(functions, seconds)
    return report.make_row(case, samples, limits, neighbours.share)


def run_bars(cases: list[BenchCase], options: argparse.Namespace, about: dict[str, Any]) -> int:
    machine_key = f"{about['cpu']}, {about['threads']} threads, torch {about['torch']}"
    book = bars.QuietBook(options.out / "quiet.json", machine_key)
    verdicts = []
    progress = tqdm(cases, disable=None, unit="bar", leave=False)
    for case in progress:
        progress.set_description(case.name)
        bar = bars.bar_of(case)
        assert bar is not None
        work = workload.make(case, with_flex=False)
        work.check()
        peer = next(iter(work.peers))
        functions = {"ours": work.ours, peer: work.peers[peer]}

        def run(case: BenchCase = case, functions: dict[str, Any] = functions) -> report.Row:
            return measure(case, functions, options.seconds, None)

        verdicts.append(bars.judge(case, bar, run, book, options.runs, options.attempts))
        tqdm.write(verdicts[-1].line())

    overheads = overhead.measure()
    overhead_passes = all(x.us <= overhead.LIMIT_US for x in overheads if x.name in ("v2", "v3"))
    print(f"{'pass' if overhead_passes else 'miss':9} {overhead.line(overheads)}")
    bars.write_json(options.out / "bars.json", verdicts)
    counts = {result: sum(verdict.result == result for verdict in verdicts) for result in ("pass", "miss", "not quiet")}
    counts["pass" if overhead_passes else "miss"] += 1
    print(", ".join(f"{count} {result}" for result, count in counts.items()))
    return 1 if options.strict and counts["pass"] != sum(counts.values()) else 0


def build_probe(directory: Path) -> Path | None:
    try:
        return machine.build_probe(directory)
    except machine.ProbeError as error:
        print(f"The limits of this machine cannot be measured: {error}", file=sys.stderr)
        return None


def measure_limits(probe: Path | None, before: MachineLimits | None) -> MachineLimits | None:
    if probe is None:
        return None
    limits = machine.measure(probe, torch.get_num_threads())
    return limits if before is None else limits.best_of(before)


if __name__ == "__main__":
    sys.exit(main())
