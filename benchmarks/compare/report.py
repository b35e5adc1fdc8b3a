# SPDX-License-Identifier: BSD-3-Clause
"""The comparison as a table, as JSON and as a picture."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from benchmarks.compare.compare import Comparison

HEADER = (
    f"{'case':36} {'error: v2':>10} {'v3':>10} {'formula':>10} {'sdpa':>10}   "
    f"{'ms: v2':>8} {'v3':>8} {'sdpa':>8} {'sdpa/v3':>8}"
)


def line(row: Comparison) -> str:
    sdpa_error = "-" if row.sdpa_error is None else f"{row.sdpa_error:.2e}"
    sdpa_ms = "-" if row.sdpa_ms is None else f"{row.sdpa_ms:.3f}"
    ratio = "-" if row.sdpa_ms is None else f"{row.sdpa_ms / row.v3_ms:.2f}x"
    marker = "*" if row.statistic == "minimum" else " "
    return (
        f"{row.case:36} {row.v2_error:10.2e} {row.v3_error:10.2e} {row.formula_error:10.2e} {sdpa_error:>10}  "
        f"{marker}{row.v2_ms:8.3f} {row.v3_ms:8.3f} {sdpa_ms:>8} {ratio:>8}"
    )


def write_json(path: Path, rows: list[Comparison], about: dict[str, Any]) -> None:
    path.write_text(json.dumps({"about": about, "rows": [dataclasses.asdict(row) for row in rows]}, indent=1) + "\n")


def draw(path: Path, rows: list[Comparison], subtitle: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    series = {"v2": "#1f6f9f", "v3": "#5a9e4b", "sdpa": "#e08a2c", "formula": "#888888"}
    markers = {"v2": "o", "v3": "o", "sdpa": "s", "formula": "|"}
    sizes = {"v2": 60, "v3": 14, "sdpa": 110, "formula": 80}
    figure, (errors, times) = pyplot.subplots(
        1, 2, sharey=True, figsize=(13, 0.28 * len(rows) + 1.8), layout="constrained"
    )
    for axes, suffix in ((errors, "error"), (times, "ms")):
        for name, colour in series.items():
            field = f"{name}_{suffix}"
            points = [(getattr(row, field, None), n) for n, row in enumerate(rows)]
            shown = [(value, n) for value, n in points if value is not None]
            if shown:
                label = "formula in the same dtype" if name == "formula" else name
                # Results are often equal, and all must be seen: hollow markers of different sizes.
                hollow = {"facecolors": "none"} if name in ("v2", "sdpa") else {}
                axes.scatter(*zip(*shown), color=colour, marker=markers[name], s=sizes[name], label=label, **hollow)
        axes.set_xscale("log")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(0, -0.06), ncols=4, frameon=False)
    errors.set_yticks(range(len(rows)), [row.case for row in rows], fontsize=8)
    errors.invert_yaxis()
    errors.set_title("largest error against float64", fontsize=10)
    times.set_title("time, ms", fontsize=10)
    figure.suptitle(f"flash-attn-npu v2 and v3, the same inputs\n{subtitle}", fontsize=10)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
