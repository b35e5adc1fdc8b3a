# SPDX-License-Identifier: BSD-3-Clause
"""Predictions as text, Markdown and JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ascend_twin.corners import CORNERS

from benchmarks.predict.prediction import Kernel, Prediction

HEADER = f"{'kernel':32} {'us':>10} {'cube %':>7} {'vector %':>8} {'HBM %':>6} {'limit':>7} {'of limit %':>10}"


def line(kernel: Kernel) -> str:
    return (
        f"{kernel.name.removeprefix('flash_attn_'):32} {kernel.us:>10.1f} {100 * kernel.cube:>7.1f} "
        f"{100 * kernel.vector:>8.1f} {100 * kernel.hbm:>6.1f} {kernel.limit:>7} {100 * kernel.fraction:>10.1f}"
    )


def corner_lines(results: Sequence[tuple[dict[str, float], list[Kernel]]]) -> Iterable[str]:
    yield "  ".join(f"{name:>18}" for name in CORNERS) + f"  {'us':>10}  {'cube %':>7}  {'HBM %':>6}"
    for change, kernels in results:
        total = sum(k.us for k in kernels)
        cube = sum(k.cube * k.us for k in kernels) / total
        hbm = sum(k.hbm * k.us for k in kernels) / total
        values = "  ".join(f"{change[name]:>18g}" for name in CORNERS)
        yield f"{values}  {total:>10.1f}  {100 * cube:>7.1f}  {100 * hbm:>6.1f}"


def markdown(results: Sequence[Prediction]) -> str:
    """A table of calls: times by default constants, and in brackets from the best to the worst corner."""
    lines = [
        "| call | kernels | us | us over corners | cube % | vector % | HBM % | limit | of limit % | peer / ours |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for result in results:
        shape, kernels, all_corners = result.shape, result.kernels, result.corners
        slowest = max(kernels, key=lambda k: k.us)
        totals = [sum(k.us for k in ks) for _, ks in all_corners]
        over = f"{min(totals):.1f} to {max(totals):.1f}" if totals else ""
        cubes = [next(k.cube for k in ks if k.name == slowest.name) for _, ks in all_corners]
        cube = f" ({100 * min(cubes):.0f} to {100 * max(cubes):.0f})" if cubes else ""
        ratios = result.ratios()
        ratio = f"{ratios[0]:.2f}" if ratios else ""
        if len(ratios) > 1:
            ratio += f" ({min(ratios):.2f} to {max(ratios):.2f})"
        names = ", ".join(k.name.removeprefix("flash_attn_") for k in kernels)
        lines.append(
            f"| `{shape}` | {names} | {sum(k.us for k in kernels):.1f} | {over} | {100 * slowest.cube:.0f}{cube} | "
            f"{100 * slowest.vector:.0f} | {100 * slowest.hbm:.0f} | {slowest.limit} | {100 * slowest.fraction:.0f} | "
            f"{ratio} |"
        )
    return "\n".join(lines) + "\n"


def as_json(result: Prediction) -> dict:
    """What report.json says about one call."""

    def plain(kernels: list[Kernel]) -> list[dict]:
        return [{n: v for n, v in vars(kernel).items() if n != "report"} for kernel in kernels]

    def at_corners(results: list[tuple[dict[str, float], list[Kernel]]]) -> list[dict]:
        return [{"costs": costs, "kernels": plain(kernels)} for costs, kernels in results]

    return {
        "shape": str(result.shape),
        "kernels": plain(result.kernels),
        "corners": at_corners(result.corners),
        "peer": plain(result.peer),
        "peer_corners": at_corners(result.peer_corners),
    }
