# SPDX-License-Identifier: BSD-3-Clause
"""The command `ascend-twin`: check, run and time Ascend C kernels with no NPU and no CANN."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import __version__
from .arguments import ArgumentError
from .build import cache_dir
from .compiler import BuildError, compiler, run
from .corners import CORNERS, corners, table
from .job import Job
from .machine import DEFAULT_CHIP, KINDS, Finding, Machine
from .progress import shown
from .trace import short_report, summary, write_chip_picture, write_perfetto, write_picture, write_report

CLEAN, FINDINGS, FAILED = 0, 1, 2

DESCRIPTION = """\
Run, check and time Ascend C kernels for the 910B on this machine, with no NPU and no CANN.

  ascend-twin check add.cpp:add --blocks 8 --arg 4096:half --arg 4096:half:out
  ascend-twin simulate add.cpp:add --blocks 24 --arg 4096:half --arg 4096:half:out --corners
"""
EPILOG = """\
exit codes: 0 clean, 1 the checker found something, 2 wrong usage, or the kernel could not be built or run.
environment: CXX the compiler, ASCEND_TWIN_CACHE where built libraries are kept (~/.cache/ascend-twin),
ASCEND_TWIN_DEVKIT a checkout of asc-devkit, for its high-level library."""
KERNEL_EPILOG = (
    """\
A source may carry its options in a comment; what the command line says goes before it:
  // ascend-twin: -I../include --blocks 24 --arg 4096:half --arg 4096:half:out
  // ascend-twin other_kernel: --arg 7

"""
    + EPILOG
)


def _kernel_options() -> argparse.ArgumentParser:
    """What a kernel's source may choose too."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--blocks", type=int, help="blocks to launch; default: the chip's AI cores")
    parser.add_argument(
        "--arg",
        action="append",
        default=[],
        metavar="ARG",
        help="a kernel argument, in order: SHAPE:TYPE (a tensor of random numbers, as 4096:half or 64x128:float), "
        "FILE.npy (a tensor), an integer, or a float (with a point). A tensor with :out is written by the kernel, "
        "with :inout read and written; =FILE.npy after that says where it goes: 4096:half:out=y.npy",
    )
    parser.add_argument("-I", action="append", default=[], metavar="DIR", help="look for headers there")
    parser.add_argument("-D", action="append", default=[], metavar="NAME[=VALUE]", help="define a macro")
    parser.add_argument("--kind", choices=KINDS, help="what the kernel runs on; default: as it declares")
    parser.add_argument("--tiling-key", type=int, help="what TILING_KEY_IS compares with; default: every one holds")
    parser.add_argument("--auto-sync", action="store_true", help="accept what the compiler's auto-sync would insert")
    return parser


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "ascend-twin",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"ascend-twin {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    json_option = argparse.ArgumentParser(add_help=False)
    json_option.add_argument("--json", action="store_true", help="one JSON document on stdout, and nothing else there")

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(
            name,
            help=text,
            description=text[0].upper() + text[1:] + ".",
            parents=[json_option, *([_kernel_options()] if name != "info" else [])],
            epilog=KERNEL_EPILOG if name != "info" else EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    check = command("check", "run a kernel in check mode and print every race, bad access and lost flag")
    running = command("run", "run a kernel for its results")
    simulate = command("simulate", "check a kernel, then predict its time and write a report, a trace and pictures")
    command("info", "print versions, compiler, cache, chips and the constants of the cycle model")
    for one in (check, running, simulate):
        one.add_argument("kernel", metavar="FILE[:NAME]", help='source and name of an extern "C" kernel')
        one.add_argument("--chip", default=DEFAULT_CHIP, help="the chip: see ascend-twin info (default: %(default)s)")
        one.add_argument("--seed", type=int, default=0, help="order in which cores take turns; 0: block order")
    for one in (check, simulate):
        one.add_argument("--errors-only", action="store_true", help="warnings are printed, but exit with 0")
    check.add_argument("--seeds", type=int, default=1, metavar="N", help="check N orders of the cores, from --seed on")
    simulate.add_argument("--cost", action="append", default=[], metavar="NAME=VALUE", help="change a constant")
    simulate.add_argument(
        "--corners", action="store_true", help=f"all combinations of the ends of {', '.join(CORNERS)}"
    )
    simulate.add_argument(
        "--runs", type=int, default=1, metavar="N", help="predict the last of N runs: L2 holds what the others left"
    )
    simulate.add_argument(
        "--timing-only", action="store_true", help="record without floating-point results: 10 to 50 times faster"
    )
    simulate.add_argument("--no-check", action="store_true", help="skip the run in check mode")
    simulate.add_argument("--trace-us", type=float, default=math.inf, help="the trace ends after so many microseconds")
    simulate.add_argument("--picture-us", type=float, help="the picture of the pipes shows so many microseconds")
    simulate.add_argument(
        "--out",
        type=Path,
        default=Path("ascend-twin-report"),
        metavar="DIR",
        help="where files go (default: %(default)s)",
    )
    return parser


def _job(a: argparse.Namespace) -> Job:
    with shown("building"):
        return Job(a, _kernel_options())


def _print_findings(findings: Sequence[Finding]) -> None:
    for finding in findings:
        print(finding)


def _exit_code(findings: Sequence[Finding], errors_only: bool = False) -> int:
    return FINDINGS if any(f.severity == "error" or not errors_only for f in findings) else CLEAN


def check(a: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """`ascend-twin check`: the document for --json and the exit code; texts go to stdout without --json."""
    job = _job(a)
    seeds = list(range(a.seed, a.seed + max(a.seeds, 1)))
    findings: dict[tuple[str, str, int, str], Finding] = {}
    printed = ""
    for seed in seeds:
        with shown(f"checking, order {seed}"):
            for f in job.launch("check", seed):
                findings.setdefault((f.kind, f.file, f.line, f.message), f)
        printed += job.printed
    found = list(findings.values())
    errors = sum(f.severity == "error" for f in found)
    if not a.json:
        print(printed, end="")
        _print_findings(found)
        what = f"{errors} errors, {len(found) - errors} warnings" if found else "clean"
        print(f"{job.name}, {job.blocks} blocks, {len(seeds)} order{'s' * (len(seeds) > 1)} of the cores: {what}")
    document = {
        **job.described(),
        "seeds": seeds,
        "errors": errors,
        "warnings": len(found) - errors,
        "findings": [asdict(f) for f in found],
        "printed": printed,
    }
    return document, _exit_code(found, a.errors_only)


def run_kernel(a: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """`ascend-twin run`, as check()."""
    job = _job(a)
    with shown("running"):
        findings = job.launch("fast", a.seed)
    job.save()
    outputs = job.outputs()
    if not a.json:
        print(job.printed, end="")
        _print_findings(findings)
        for number, output in outputs.items():
            print(f"argument {number}: " + ", ".join(f"{key} {value}" for key, value in output.items()))
    document = {
        **job.described(),
        "outputs": [{"argument": number, **output} for number, output in outputs.items()],
        "findings": [asdict(f) for f in findings],
        "printed": job.printed,
    }
    return document, _exit_code(findings)


def simulate(a: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """`ascend-twin simulate`, as check()."""
    costs: dict[str, float] = {}
    for text in a.cost:
        name, _, value = text.partition("=")
        try:
            costs[name] = float(value)
        except ValueError:
            raise ArgumentError(f"--cost {text}: expected NAME=NUMBER") from None
    job = _job(a)
    findings: list[Finding] = []
    if not a.no_check:
        with shown("checking"):
            findings = job.launch("check", a.seed)
    if not a.json:
        _print_findings(findings)
    with shown("recording"):
        job.launch("timing" if a.timing_only else "cycles", a.seed)
    machine = Machine.get()
    lines = machine.recorded_lines()

    def fraction(timelines: int) -> float | None:
        return machine.progress()[0] / (lines * timelines) if lines else None

    machine.clear_progress()
    with shown("timeline", lambda: fraction(a.runs)):
        report = machine.simulate(chip=a.chip, costs=costs, traced=1, traced_us=a.trace_us, runs=a.runs)
    files = _write_files(a, report)
    document = {**job.described(), "findings": [asdict(f) for f in findings], "report": short_report(report)}
    if not a.json:
        print(summary(report))
        print(f"wrote {', '.join(files)} to {a.out}")
    if a.corners:
        machine.clear_progress()
        with shown("corners", lambda: fraction(2 ** len(CORNERS) * a.runs)):
            results = corners(chip=a.chip, costs=costs, runs=a.runs)
        document["corners"] = [{"costs": change, "report": short_report(one)} for change, one in results]
        if not a.json:
            print(table(results))
    document["files"] = [str(a.out / name) for name in files]
    return document, _exit_code(findings, a.errors_only)


def _write_files(a: argparse.Namespace, report: dict[str, Any]) -> list[str]:
    a.out.mkdir(parents=True, exist_ok=True)
    write_report(report, a.out / "report.json")
    write_perfetto(report, a.out / "trace.json")
    files = ["report.json", "trace.json"]
    try:
        with shown("drawing"):
            write_picture(report, a.out / "timeline.png", a.picture_us)
            write_chip_picture(report, a.out / "chip.png")
        files += ["timeline.png", "chip.png"]
    except ImportError:
        print("no pictures: they need matplotlib (pip install 'ascend-twin[plot]')", file=sys.stderr)
    return files


def info(a: argparse.Namespace) -> tuple[dict[str, Any], int]:
    """`ascend-twin info`, as check()."""
    from .high_level import home

    command = compiler()
    with shown("building the runtime"):
        machine = Machine.get()
    devkit = home()
    document: dict[str, Any] = {
        "version": __version__,
        "package": str(Path(__file__).resolve().parent),
        "compiler": [*command, run([*command, "--version"]).splitlines()[0]],
        "cache": str(cache_dir()),
        "cache_bytes": sum(path.stat().st_size for path in cache_dir().glob("*") if path.is_file()),
        "devkit": str(devkit) if devkit else None,
        "chips": {name: asdict(chip) for name, chip in machine.chips().items()},
        "costs": {
            name: dict(zip(("value", "low", "high", "unit", "confidence", "source"), cost))
            for name, cost in machine.costs().items()
        },
    }
    if not a.json:
        print(f"ascend-twin {__version__} in {document['package']}")
        print(f"compiler: {' '.join(command)} ({document['compiler'][-1]})")
        print(f"cache: {cache_dir()}, {document['cache_bytes'] / 2**20:.0f} MiB (may be deleted at any time)")
        print(f"asc-devkit: {devkit or 'none (ASCEND_TWIN_DEVKIT)'}")
        for name, chip in machine.chips().items():
            print(f"chip {name}: {chip.cores} AI cores, {chip.mhz:g} MHz, HBM x {chip.hbm:g}, L2 x {chip.l2:g}")
        print("constants of the cycle model: value [low to high] unit (confidence: source)")
        for name, (value, low, high, unit, confidence, source) in machine.costs().items():
            print(f"  {name} {value:g} [{low:g} to {high:g}] {unit} ({confidence}: {source})")
    return document, CLEAN


COMMANDS = {"check": check, "run": run_kernel, "simulate": simulate, "info": info}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command: prints, and returns the exit code.

    arguments: default: those of the process.

    Example:
        >>> main(["check", "missing.cpp:add"])
        2
    """
    a = _parser().parse_args(arguments)
    try:
        document, code = COMMANDS[a.command](a)
    except BrokenPipeError:
        raise
    except (BuildError, ArgumentError, LookupError, OSError, RuntimeError, ValueError) as error:
        document, code = {"error": str(error)}, FAILED
        print(f"ascend-twin: {error}", file=sys.stderr)
    if a.json:
        print(json.dumps({"command": a.command, "exit_code": code, **document}, indent=1))
    return code


def script() -> int:
    """What the console script runs: a reader that closes the pipe ends the command without a traceback."""
    try:
        code = main()
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
