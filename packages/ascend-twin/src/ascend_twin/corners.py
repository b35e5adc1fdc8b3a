# SPDX-License-Identifier: BSD-3-Clause
"""Reports over the model's uncertain constants: no claim should rest on one guess."""

from __future__ import annotations

import itertools
import os
import re
from concurrent.futures import ThreadPoolExecutor

from .build import RUNTIME
from .machine import DEFAULT_CHIP, Machine, Report

#: The constants that costs.def calls corners: each is tried at both ends of its range there. Read from the text, so
#: that the command can name them before the runtime is compiled.
CORNERS = tuple(re.findall(r"^CORNER\((\w+)\)", (RUNTIME / "timing" / "costs.def").read_text(), re.MULTILINE))


def corner_values() -> list[dict[str, float]]:
    """Every combination of the ends of CORNERS.

    Example:
        >>> len(corner_values()), corner_values()[0]["l2_tbps"]
        (16, 5.2)
    """
    costs = Machine.get().costs()
    return [dict(zip(CORNERS, values)) for values in itertools.product(*(costs[name][1:3] for name in CORNERS))]


def corners(
    index: int = -1, chip: str = DEFAULT_CHIP, costs: dict[str, float] | None = None, runs: int = 1
) -> list[tuple[dict[str, float], Report]]:
    """(constants, report) of a recorded launch for every combination of CORNERS; `costs` change other constants.

    index, chip, runs: as Machine.simulate takes them.

    Example:
        >>> import numpy as np
        >>> from ascend_twin import EXAMPLE, Out, load
        >>> x, z = np.ones(8192, np.float16), np.zeros(8192, np.float16)
        >>> findings = load(EXAMPLE, "add")(8, x, x, Out(z), mode="timing")
        >>> print(table(corners()).splitlines()[-1])
        range: 1.30 to 1.30 us, cube 0.0 to 0.0 %
    """
    machine = Machine.get()
    changes = corner_values()
    # The timelines are independent and run outside the interpreter's lock.
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:

        def report(change: dict[str, float]) -> Report:
            return machine.simulate(index, chip, {**(costs or {}), **change}, runs=runs)

        return list(zip(changes, pool.map(report, changes)))


def table(results: list[tuple[dict[str, float], Report]]) -> str:
    """The corners as a text table, with the range at the end."""
    lines = ["  ".join(f"{name:>18}" for name in CORNERS) + f"  {'us':>10}  {'cube %':>7}"]
    for change, report in results:
        lines.append(
            "  ".join(f"{change[n]:>18g}" for n in CORNERS)
            + f"  {report['us']:>10.2f}  {100 * report['cube_utilisation']:>7.1f}"
        )
    us = [r["us"] for _, r in results]
    cube = [100 * r["cube_utilisation"] for _, r in results]
    lines.append(f"range: {min(us):.2f} to {max(us):.2f} us, cube {min(cube):.1f} to {max(cube):.1f} %")
    return "\n".join(lines)
