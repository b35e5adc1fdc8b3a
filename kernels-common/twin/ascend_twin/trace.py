"""Reports as files: JSON, a trace for Perfetto (ui.perfetto.dev) or chrome://tracing, a picture of the timeline."""

from __future__ import annotations

import json
from pathlib import Path

PIPE_ORDER = ["S", "MTE2", "MTE1", "M", "FIX", "V", "MTE3"]


def write_report(report: dict, path: Path) -> None:
    path.write_text(json.dumps({k: v for k, v in report.items() if k != "intervals"}, indent=1) + "\n")


def write_perfetto(report: dict, path: Path) -> None:
    """Chrome trace events: one process per core, one thread per pipe, microseconds at the chip's clock."""
    cores = sorted({i[0] for i in report["intervals"]})
    events: list[dict] = []
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


def write_picture(report: dict, path: Path, until_us: float | None = None) -> None:
    """PNG of the first `until_us` microseconds (all of it by default): one row per pipe of the traced cores."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    mhz = report["mhz"]
    rows: list[tuple[str, str]] = []
    for core in sorted({i[0] for i in report["intervals"]}):
        used = {i[1] for i in report["intervals"] if i[0] == core}
        rows += [(core, pipe) for pipe in PIPE_ORDER if pipe in used]
    calls = sorted({i[4] for i in report["intervals"]})
    colours = dict(zip(calls, plt.get_cmap("tab20").colors * (1 + len(calls) // 20)))
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
        [plt.Rectangle((0, 0), 1, 1, color=colours[c]) for c in calls],
        calls,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.35 / (0.5 * len(rows) + 1)),
        ncol=min(6, len(calls)),
        frameon=False,
    )
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)


def summary(report: dict) -> str:
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
