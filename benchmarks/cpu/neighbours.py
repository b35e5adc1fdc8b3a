# SPDX-License-Identifier: BSD-3-Clause
"""How much of the cores other processes used while something was measured (Linux)."""

from __future__ import annotations

import os
from pathlib import Path

PROC_STAT = Path("/proc/stat")
# From here on figures are not worth quoting: at a barrier, every thread waits for the one that was held up.
TOLERABLE = 0.10


class Neighbours:
    """Context manager; `share` afterwards is between 0 and 1, or None where the system does not tell."""

    share: float | None = None

    def __enter__(self) -> Neighbours:
        self._before = self._now()
        return self

    def __exit__(self, *_: object) -> None:
        after = self._now()
        if self._before is None or after is None:
            return
        busy, total, own = (b - a for a, b in zip(self._before, after))
        if total > 0:
            self.share = min(1.0, max(0.0, (busy - own) / total))

    def warning(self) -> str:
        """A line to print beside the figures, empty if they can be trusted."""
        if self.share is None or self.share <= TOLERABLE:
            return ""
        return f"! others used {self.share:.0%} of the cores meanwhile: times and ratios are not to be quoted\n"

    @staticmethod
    def _now() -> tuple[float, float, float] | None:
        if not PROC_STAT.exists():
            return None
        busy, total = core_seconds(PROC_STAT.read_text(), os.sched_getaffinity(0), os.sysconf("SC_CLK_TCK"))
        own = os.times()
        return busy, total, own.user + own.system


def core_seconds(proc_stat: str, cores: set[int], ticks_per_second: int) -> tuple[float, float]:
    """Seconds that these cores have been busy, and seconds in all. Time stolen by the hypervisor counts as busy."""
    busy = total = 0
    for line in proc_stat.splitlines():
        name, *values = line.split()
        if name.startswith("cpu") and name[3:].isdigit() and int(name[3:]) in cores:
            # user, nice, system, idle, iowait, irq, softirq, steal; guest times are part of user and nice.
            ticks = [int(value) for value in values[:8]]
            total += sum(ticks)
            busy += sum(ticks) - ticks[3] - ticks[4]
    return busy / ticks_per_second, total / ticks_per_second
