# SPDX-License-Identifier: BSD-3-Clause
"""Reports as files: JSON, a trace for Perfetto (ui.perfetto.dev) or chrome://tracing, a picture of the timeline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .machine import Report

PIPE_ORDER = ["S", "MTE2", "MTE1", "M", "FIX", "V", "MTE3"]


def short_report(report: Report) -> dict[str, Any]:
    """The report without what the pictures are made of.

    Example:
        >>> short_report({"us": 3.5, "intervals": []})
        {'us': 3.5}
    """
    return {k: v for k, v in report.items() if k not in ("intervals", "cores", "cycles_per_step")}


def write_report(report: Report, path: Path) -> None:
    """The short report as JSON."""
    path.write_text(json.dumps(short_report(report), indent=1) + "\n")


def write_perfetto(report: Report, path: Path) -> None:
    """Chrome trace events: one process per core, one thread per pipe, microseconds at the chip's clock."""
    cores = sorted({i[0] for i in report["intervals"]})
    events: list[dict[str, Any]] = []
    for pid, core in enumerate(cores):
        events.append({"ph": "M", "pid": pid, "name": "process_name", "args": {"name": core}})
        for tid, pipe in enumerate(PIPE_ORDER):
            events.append({"ph": "M", "pid": pid, "tid": tid, "name": "thread_name", "args": {"name": pipe}})
    mhz = report["mhz"]
    for core, pipe, start, end, api, line in report["intervals"]:
        events.append(
            {
                "ph": "X",
                "pid": cores.index(core),
                "tid": PIPE_ORDER.index(pipe),
                "name": api,
                "ts": start / mhz,
                "dur": (end - start) / mhz,
                "args": {"line": line, "cycles": end - start},
            }
        )
    path.write_text(json.dumps({"traceEvents": events, "displayTimeUnit": "ns"}))


def write_picture(report: Report, path: Path, until_us: float | None = None) -> None:
    """PNG of the first `until_us` microseconds (all of it by default): one row per pipe of the traced cores."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.patches import Rectangle

    mhz = report["mhz"]
    rows: list[tuple[str, str]] = []
    for core in sorted({i[0] for i in report["intervals"]}):
        used = {i[1] for i in report["intervals"] if i[0] == core}
        rows += [(core, pipe) for pipe in PIPE_ORDER if pipe in used]
    calls = sorted({i[4] for i in report["intervals"]})
    colours = dict(zip(calls, [plt.get_cmap("tab20")(i % 20) for i in range(len(calls))]))
    figure, axes = plt.subplots(figsize=(12, 0.5 * len(rows) + 1.8))
    for y, row in enumerate(rows):
        for call in calls:
            spans = [
                (s / mhz, (e - s) / mhz) for c, p, s, e, a, _ in report["intervals"] if (c, p) == row and a == call
            ]
            spans = [s for s in spans if until_us is None or s[0] < until_us]
            axes.broken_barh(spans, (y - 0.4, 0.8), facecolors=colours[call], linewidth=0)
    axes.set_yticks(range(len(rows)), [f"{core} {pipe}" for core, pipe in rows])
    axes.invert_yaxis()
    axes.set_xlim(left=0, right=until_us)
    axes.set_xlabel("µs (predicted)")
    title = f"{report['kernel']} on {report['chip']}: {report['us']:.1f} µs"
    axes.set_title(f"{title}, cube {100 * report['cube_utilisation']:.0f} % busy")
    axes.legend(
        [Rectangle((0, 0), 1, 1, color=colours[c]) for c in calls],
        calls,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.35 / (0.5 * len(rows) + 1)),
        ncol=min(6, len(calls)),
        frameon=False,
    )
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)


def slots(report: Report) -> list[list[dict[str, Any]]]:
    """The cores of a report in order of time, blocks that took turns on one AI core together."""
    rows: list[list[dict[str, Any]]] = []
    for core in report["cores"]:
        kind = core["name"].split(".")[-1]
        for row in rows:
            if row[-1]["name"].split(".")[-1] == kind and row[-1]["end_us"] <= core["start_us"]:
                row.append(core)
                break
        else:
            rows.append([core])
    return sorted(rows, key=lambda row: row[0]["name"].split(".")[-1])


def write_chip_picture(report: Report, path: Path) -> None:
    """PNG of the whole chip: one row per AIC and AIV, dark where its cube or vector pipe is busy."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    rows = slots(report)
    steps = max(len(core["busy"]) for row in rows for core in row)
    grid = [[sum(core["busy"][i] for core in row) for i in range(steps)] for row in rows]
    width_us = steps * report["cycles_per_step"] / report["mhz"]
    figure, axes = plt.subplots(figsize=(12, 0.14 * len(rows) + 1.6))
    image = axes.imshow(grid, aspect="auto", cmap="viridis_r", vmin=0, vmax=1, extent=(0, width_us, len(rows), 0))
    axes.set_yticks([i + 0.5 for i in range(len(rows))], [row[0]["name"] for row in rows], fontsize=6)
    axes.set_xlim(0, report["us"])
    axes.set_xlabel("µs (predicted)")
    work = [sum(line) for line in grid]
    axes.set_title(
        f"{report['kernel'].split('<')[0]} on {report['chip']}: {report['us']:.1f} µs; busiest core over average: "
        + ", ".join(f"{kind} {ratio:.2f}" for kind, ratio in imbalance(rows, work).items())
    )
    figure.colorbar(image, ax=axes, label="cube or vector pipe busy")
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)


def imbalance(rows: list[list[dict[str, Any]]], work: list[float]) -> dict[str, float]:
    """Largest over average work of the AICs and of the AIVs: 1 is perfect balance."""
    out = {}
    for kind in ("AIC", "AIV"):
        mine = [w for row, w in zip(rows, work) if kind in row[0]["name"]]
        if mine and sum(mine):
            out[kind] = max(mine) * len(mine) / sum(mine)
    return out


def summary(report: Report) -> str:
    """The report in a few lines for a terminal."""
    lines = [
        f"{report['kernel']} on {report['chip']}, {report['blocks']} blocks: {report['us']:.2f} us on the cores, "
        f"{report['task_us']:.2f} us with launch (predicted)",
        f"cube utilisation {100 * report['cube_utilisation']:.1f} %, {report['tflops']:.1f} TFLOPS, "
        f"{100 * report['roofline']['fraction']:.1f} % of the roofline (cube {report['roofline']['cube_us']:.2f} us, "
        f"HBM {report['roofline']['hbm_us']:.2f} us, L2 {report['roofline']['l2_us']:.2f} us)",
        "busy: " + ", ".join(f"{k} {100 * v:.0f} %" for k, v in report["busy"].items()),
        "moved: "
        + ", ".join(f"{k} {v / 2**20:.1f} MiB" for k, v in report["bytes"].items())
        + f"; L2 hit rate {100 * report['l2']['hit_rate']:.0f} %, L2 {report['l2']['tbps']:.2f} TB/s, "
        + f"HBM {report['l2']['hbm_tbps']:.2f} TB/s",
        "stalls (share of the pipe's time):",
    ]
    waits = [s for s in report["stalls"] if s["reason"] != "nothing issued"]
    for s in waits[:8]:
        lines.append(f"  {100 * s['share']:5.1f} %  {s['pipe']:9} {s['reason']:14} {s['on']} at {s['where']}")
    return "\n".join(lines)
