# SPDX-License-Identifier: BSD-3-Clause
"""The benchmark as a picture: how many times faster than each peer, case by case."""

from __future__ import annotations

from pathlib import Path

from benchmarks.cpu.report import Row

# By peer, so that a colour means the same everywhere.
COLOURS = {
    "sdpa": "#1f6f9f",
    "sdpa loop": "#1f6f9f",
    "sdpa+mask": "#1f6f9f",
    "sdpa rows": "#7fb3d5",
    "gather+sdpa": "#5a9e4b",
    "convert+sdpa": "#9ac98a",
    "flex": "#e08a2c",
    "ours full": "#a85a9c",
    "ours causal": "#d3a5cc",
}


def peer_names(rows: list[Row]) -> list[str]:
    """All peers in the order of first appearance."""
    return list(dict.fromkeys(name for row in rows for name in ratios_of(row)))


def ratios_of(row: Row) -> dict[str, float]:
    return {row.peer: row.ratio, **{name: peer["ratio"] for name, peer in row.other_peers.items()}}


def draw(path: Path, rows: list[Row], subtitle: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import ScalarFormatter

    groups = list(dict.fromkeys(row.group for row in rows))
    ratios = [ratio for row in rows for ratio in ratios_of(row).values()]
    heights = [2 + sum(len(row.other_peers) + 1.6 for row in rows if row.group == group) for group in groups]
    figure, all_axes = pyplot.subplots(
        len(groups),
        1,
        figsize=(11, 0.17 * sum(heights) + 1.4),
        gridspec_kw={"height_ratios": heights},
        squeeze=False,
        layout="constrained",
    )
    for axes, group in zip(all_axes[:, 0], groups):
        rows_of_group = [row for row in rows if row.group == group]
        colours = {name: COLOURS[name] for name in peer_names(rows_of_group)}
        positions, labels, y = [], [], 0.0
        for row in rows_of_group:
            for n, (name, ratio) in enumerate(ratios_of(row).items()):
                axes.barh(y + n, ratio - 1, left=1, height=0.9, color=colours[name])
                axes.text(max(ratio, 1) * 1.02, y + n, f"{ratio:.2f}x", va="center", fontsize=7)
            positions.append(y + len(row.other_peers) / 2)
            fraction = "" if row.fraction_of_peak is None else f"  ({row.fraction_of_peak:.0%} of peak)"
            labels.append(f"{row.case.removeprefix(group + ' ')}{fraction}")
            y += len(row.other_peers) + 1.6
        axes.axvline(1.0, color="black", linewidth=1)
        axes.set_yticks(positions, labels, fontsize=8)
        axes.invert_yaxis()
        axes.margins(y=0.01)
        axes.set_xscale("log", base=2)
        axes.set_xlim(min(0.5, 0.9 * min(ratios)), max(4, 1.6 * max(ratios)))
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.grid(axis="x", alpha=0.3)
        axes.set_axisbelow(True)
        axes.set_title(group, loc="left", fontsize=10, fontweight="bold")
        handles = [pyplot.Rectangle((0, 0), 1, 1, color=colour) for colour in colours.values()]
        axes.legend(handles, colours, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), title="compared with")
    all_axes[-1, 0].set_xlabel("times faster than the peer (logarithmic; line: equal)")
    figure.suptitle(f"flash-attn-npu, cpu backend\n{subtitle}", fontsize=10)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
