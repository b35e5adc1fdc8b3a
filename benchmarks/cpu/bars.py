# SPDX-License-Identifier: BSD-3-Clause
"""The bars of the project: how much faster than a peer each case must be, on a quiet machine.

A run counts only when nobody else used much of the cores, and the peer shows its quiet speed: its median is at most
QUIET times the least time it was ever seen to take here. Otherwise neighbours were measured, and the run is repeated.
"""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from benchmarks.cpu.cases import BenchCase
from benchmarks.cpu.report import Row, is_quiet

QUIET = 1.15


@dataclass(frozen=True)
class Bar:
    group: str
    dtype: str
    ratio: float
    stretch: float | None = None
    # Which cases of the group; None means any.
    causal: bool | None = None
    d: int = 128
    seqlen: int = 4096
    paged: bool = False

    def applies_to(self, case: BenchCase) -> bool:
        return (
            (case.group, case.dtype, case.d, case.seqlen) == (self.group, self.dtype, self.d, self.seqlen)
            and (case.heads, case.heads_k) in ((32, 8), (8, 8))  # not MQA
            and self.causal in (None, case.causal)
            and (case.page_size is not None) == self.paged
        )


BARS = (
    Bar("prefill", "bf16", 2.0, 2.5, causal=True),
    Bar("prefill", "bf16", 1.7, 2.5, causal=False),
    Bar("prefill", "bf16", 2.2, causal=True, d=64),
    Bar("prefill", "fp16", 2.8, 3.8),
    Bar("prefill", "fp32", 1.2, causal=True),
    Bar("decode", "bf16", 2.0, 2.8),
    Bar("decode", "fp16", 4.0, 6.0),
    Bar("decode", "bf16", 1.8, paged=True),
    Bar("decode", "fp16", 3.5, paged=True),
    Bar("decode", "fp16", 4.5, seqlen=32768),
    Bar("window", "bf16", 5.0, seqlen=8192),
    Bar("window", "fp16", 5.0, seqlen=8192),
)


def bar_of(case: BenchCase) -> Bar | None:
    found = [bar for bar in BARS if bar.applies_to(case)]
    assert len(found) <= 1, f"{case.name} has {len(found)} bars"
    return found[0] if found else None


class QuietBook:
    """The least time in milliseconds that each peer was ever seen to take for each case, kept in a file.

    `machine` sets entries apart that cannot be compared: CPU, threads, torch version.
    """

    def __init__(self, path: Path, machine: str):
        self._path, self._machine = path, machine
        self._least: dict[str, float] = json.loads(path.read_text()) if path.exists() else {}

    def saw(self, row: Row) -> float:
        """Notes the row's peer and returns the least time known. Our own times are not remembered: code changes."""
        key = f"{self._machine} | {row.case} | {row.peer}"
        if row.peer.startswith("ours"):
            return row.peer_min_ms
        least = min(row.peer_min_ms, self._least.get(key, float("inf")))
        if least != self._least.get(key):
            self._least[key] = least
            self._path.write_text(json.dumps(self._least, indent=1, sort_keys=True) + "\n")
        return least


@dataclass(frozen=True)
class Verdict:
    case: str
    peer: str
    bar: float
    stretch: float | None
    result: str  # "pass", "miss" or "not quiet"
    ratio: float  # of the runs that counted; of all if none did
    ratios: tuple[float, ...]
    counted: int
    runs: int

    def line(self) -> str:
        stretch = ""
        if self.stretch is not None and self.counted:
            stretch = f", stretch {self.stretch:.1f}x {'reached' if self.ratio >= self.stretch else 'not reached'}"
        runs = " ".join(f"{ratio:.2f}" for ratio in self.ratios)
        return (
            f"{self.result:9} {self.case:40} {self.ratio:5.2f}x {self.peer}, bar {self.bar:.1f}x{stretch} "
            f"({self.counted} of {self.runs} runs counted: {runs})"
        )


def judge(case: BenchCase, bar: Bar, run: Callable[[], Row], book: QuietBook, wanted: int, most: int) -> Verdict:
    """Repeats `run` until `wanted` runs counted, at most `most` times; judges the median of the ratios that count."""
    rows: list[Row] = []
    counted: list[float] = []
    while len(counted) < wanted and len(rows) < most:
        rows.append(run())
        # Once more for all of them: a later run may have shown that an earlier one was not quiet.
        least = min(book.saw(row) for row in rows)
        counted = [row.ratio for row in rows if row.peer_ms <= QUIET * least and is_quiet(row)]
    ratio = statistics.median(counted or [row.ratio for row in rows])
    result = ("pass" if ratio >= bar.ratio else "miss") if counted else "not quiet"
    ratios = tuple(row.ratio for row in rows)
    return Verdict(case.name, rows[0].peer, bar.ratio, bar.stretch, result, ratio, ratios, len(counted), len(rows))


def write_json(path: Path, verdicts: Sequence[Verdict]) -> None:
    path.write_text(json.dumps([dataclasses.asdict(verdict) for verdict in verdicts], indent=1) + "\n")
