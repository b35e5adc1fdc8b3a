# SPDX-License-Identifier: BSD-3-Clause
"""Rows of the benchmark: what was measured of one case, as a line of text and as JSON."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.cpu.cases import BenchCase
from benchmarks.cpu.machine import MachineLimits
from benchmarks.cpu.neighbours import TOLERABLE
from benchmarks.cpu.timing import Sample, statistic_for


@dataclass(frozen=True)
class Row:
    case: str
    group: str
    dtype: str
    ours_ms: float
    peer: str
    peer_ms: float
    ratio: float  # peer_ms / ours_ms: above 1, ours is faster
    gflops: float | None  # of ours; decode has gb_per_s instead
    gb_per_s: float | None
    fraction_of_peak: float | None  # of the machine's measured limit; None if that could not be measured
    statistic: str  # "median" or "minimum": what the times are
    rounds: int
    ours_min_ms: float
    peer_min_ms: float
    neighbours: float | None = None  # share of the cores that other processes used meanwhile
    other_peers: dict[str, dict[str, float]] = field(default_factory=dict)  # name -> {"ms", "ratio"}


def make_row(
    case: BenchCase, samples: dict[str, Sample], limits: MachineLimits | None, neighbours: float | None = None
) -> Row:
    """samples has "ours" and the peers, the first of them the one that the ratio refers to."""
    statistic = statistic_for(samples)
    times = {name: getattr(sample, statistic) for name, sample in samples.items()}
    ours = times.pop("ours")
    peer = next(iter(times))
    gflops = case.flops / ours / 1e6
    gb_per_s = case.kv_bytes / ours / 1e6
    fraction = None
    if limits is not None:
        fraction = gb_per_s / limits.read_gb_per_s if case.is_memory_bound else gflops / limits.gflops(case.dtype)
    return Row(
        case=case.name,
        group=case.group,
        dtype=case.dtype,
        ours_ms=ours,
        peer=peer,
        peer_ms=times[peer],
        ratio=times[peer] / ours,
        gflops=None if case.is_memory_bound else gflops,
        gb_per_s=gb_per_s if case.is_memory_bound else None,
        fraction_of_peak=fraction,
        statistic=statistic,
        rounds=len(samples["ours"].times_ms),
        ours_min_ms=samples["ours"].minimum,
        peer_min_ms=samples[peer].minimum,
        neighbours=neighbours,
        other_peers={name: {"ms": ms, "ratio": ms / ours} for name, ms in times.items() if name != peer},
    )


def with_limits(row: Row, case: BenchCase, limits: MachineLimits) -> Row:
    """The row with its fraction taken of other limits."""
    achieved = row.gb_per_s if case.is_memory_bound else row.gflops
    limit = limits.read_gb_per_s if case.is_memory_bound else limits.gflops(case.dtype)
    assert achieved is not None
    return dataclasses.replace(row, fraction_of_peak=achieved / limit)


HEADER = (
    f"{'case':40} {'ours ms':>9}  {'peer':12} {'peer ms':>9} {'ratio':>6}  {'speed':>13} {'of peak':>7}  other peers"
)


def is_quiet(row: Row) -> bool:
    """Whether nobody else used much of the cores; True if that is not known."""
    return row.neighbours is None or row.neighbours <= TOLERABLE


def line(row: Row) -> str:
    speed = f"{row.gflops:.0f} GFLOP/s" if row.gflops is not None else f"{row.gb_per_s:.1f} GB/s"
    fraction = "-" if row.fraction_of_peak is None else f"{row.fraction_of_peak:.0%}"
    others = ", ".join(f"{name} {peer['ratio']:.2f}x" for name, peer in row.other_peers.items())
    marker = ("*" if row.statistic == "minimum" else "") + ("" if is_quiet(row) else "!")
    return (
        f"{row.case:40} {row.ours_ms:9.3f}{marker:2}{row.peer:12} {row.peer_ms:9.3f} {row.ratio:5.2f}x  "
        f"{speed:>13} {fraction:>7}  {others}"
    )


def write_json(path: Path, rows: list[Row], about: dict[str, Any]) -> None:
    """One object per row; `about` says on what it was measured."""
    content = {"about": about, "rows": [dataclasses.asdict(row) for row in rows]}
    path.write_text(json.dumps(content, indent=1) + "\n")
