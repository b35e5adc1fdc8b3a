# SPDX-License-Identifier: BSD-3-Clause
"""Predicted time of flash_attn_with_kvcache on the 910B: the kernels of whole calls, recorded on the twin.

    python -m benchmarks.predict decode|prefill|all [--corners] [--out DIR]
    python -m benchmarks.predict b=1,h=32,hk=8,sq=1,sk=131072,d=128,page=128,dtype=bfloat16,causal=1 ...

With PEER_HOME and CATLASS_HOME (checkouts of flash-attention-npu and CATLASS) its forward kernel runs on the same twin
and model beside ours, for the calls that it serves (dense prefill).

Needs torch and flash_attn_npu_v3; builds the device library for the twin (kernels-common/buildtools/device.py) or
takes the one that FLASH_ATTN_NPU_DEVICE_LIB names. Nothing here was measured on silicon.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from .corners import CORNERS, corners
from .machine import Machine
from .trace import write_perfetto, write_picture

ROOT = Path(__file__).resolve().parents[2]
ALIGNMENT = 512  # bytes, of device memory


@dataclass(frozen=True)
class Shape:
    """One call; lengths count keys and queries of a sequence.

    Attributes:
        b, h, hk, sq, sk: batch, query heads, kv heads, queries and keys per sequence.
        d, dv: features of q and k, and of v (0: as d).
        page: page size, 0: dense cache.
        causal: 1 or 0.
        splits: num_splits, 0: automatic.
        lengths: keys of each sequence, if they differ (joined by "+" on the command line).
        new: keys appended by the call.
        rotary: features that are rotated; needs new.
        qv: 1: with qv, the part of the queries that meets V (MLA, absorbed).
    """

    b: int = 1
    h: int = 32
    hk: int = 32
    sq: int = 1
    sk: int = 4096
    d: int = 128
    dv: int = 0
    page: int = 0
    dtype: str = "float16"
    causal: int = 0
    splits: int = 0
    lengths: tuple[int, ...] = ()
    new: int = 0
    rotary: int = 0
    qv: int = 0

    @classmethod
    def parse(cls, text: str) -> Shape:
        """From "b=1,sk=4096,...", with the names of the attributes."""
        values: dict[str, Any] = {}
        for item in text.split(","):
            name, _, value = item.partition("=")
            if name not in cls.__dataclass_fields__:
                raise ValueError(f"{text}: {name!r} is none of {', '.join(cls.__dataclass_fields__)}")
            if name == "lengths":
                values[name] = tuple(int(length) for length in value.split("+"))
            else:
                values[name] = value if name == "dtype" else int(value)
        return cls(**values)

    def __str__(self) -> str:
        changed = {n: v for n, v in asdict(self).items() if v != self.__dataclass_fields__[n].default}
        changed = {"b": self.b, "h": self.h, "hk": self.hk, "sq": self.sq, "sk": self.sk, "d": self.d, **changed}
        text = {n: "+".join(map(str, v)) if isinstance(v, tuple) else v for n, v in changed.items()}
        return ",".join(f"{n}={v}" for n, v in text.items())


PREFILL = tuple(
    Shape(b=1, h=32, hk=32, sq=s, sk=s, d=128, dtype=dtype, causal=causal)
    for s in (8192, 32768)
    for dtype in ("float16", "bfloat16")
    for causal in (1, 0)
) + tuple(Shape(b=1, h=32, hk=32, sq=8192, sk=8192, d=d, dv=dv) for d, dv in ((64, 64), (192, 128), (256, 256)))
_DECODE = Shape(b=32, h=32, hk=8, sq=1, sk=4096, d=128)
DECODE = (
    _DECODE,
    *(replace(_DECODE, page=page) for page in (16, 32, 64, 128, 256)),
    Shape(b=1, h=32, hk=8, sq=1, sk=131072, d=128),
    Shape(b=1, h=32, hk=8, sq=1, sk=131072, d=128, splits=1),
    replace(_DECODE, lengths=(4096, 2048, 1024, 512) * 4 + (256,) * 8 + (64,) * 8, sk=4096),
    *(replace(_DECODE, page=page, dtype="float8_e4m3fn") for page in (0, 16)),
)


@dataclass
class Kernel:
    """One launch of a call as predicted; times in microseconds, shares of the launch's time."""

    name: str
    us: float  # on the cores
    task_us: float  # with the launch
    cube: float  # cube pipe busy, average over the cubes
    vector: float  # vector pipe busy, average over the vector cores
    hbm: float  # of what HBM can move
    limit: str  # the resource that is used most
    fraction: float  # of the time that this resource alone would need
    report: dict = field(repr=False)

    @classmethod
    def of(cls, report: dict) -> Kernel:
        us = report["us"]
        busy, roofline = report["busy"], report["roofline"]
        shares = {
            "cube": max(roofline["cube_us"] / us, busy.get("AIC M", 0.0)),
            "vector": busy.get("AIV V", 0.0),
            "HBM": roofline["hbm_us"] / us,
            "L2": roofline["l2_us"] / us,
        }
        limit = max(shares, key=lambda name: shares[name])
        return cls(
            report["kernel"],
            us,
            report["task_us"],
            busy.get("AIC M", 0.0),
            shares["vector"],
            shares["HBM"],
            limit,
            shares[limit],
            report,
        )


def record(shape: Shape, *, move_data: bool = False) -> int:
    """Runs the call on the twin in cycles mode; returns how many launches Machine.simulate() can now report on.

    move_data: also compute the results (on zeros). By default no data moves: much faster, and no different in time as
        long as kernels do not branch on results.
    """
    import torch

    import flash_attn_npu_v3

    dtype = getattr(torch, shape.dtype)
    dv = shape.dv or shape.d
    capacity = shape.sk + shape.new
    kwargs: dict[str, Any] = {"causal": bool(shape.causal), "num_splits": shape.splits}
    outer = (shape.b, capacity)
    if shape.page:
        pages = -(-capacity // shape.page)
        order = torch.randperm(shape.b * pages, generator=torch.Generator().manual_seed(0))
        kwargs["page_table"] = order.to(torch.int32).view(shape.b, pages)
        outer = (shape.b * pages, shape.page)
    lengths = shape.lengths or (shape.sk,) * shape.b
    kwargs["cache_seqlens"] = torch.tensor(lengths, dtype=torch.int32)

    def make(size: Sequence[int], dtype: torch.dtype) -> torch.Tensor:
        # As the device's allocator aligns: rows that straddle sectors of the L2 would cost up to half more traffic.
        elements = math.prod(size)
        memory = (torch.zeros if move_data else torch.empty)(elements + ALIGNMENT // dtype.itemsize, dtype=dtype)
        first = -memory.data_ptr() % ALIGNMENT // dtype.itemsize
        return memory[first : first + elements].view(size)

    kwargs["q"] = make((shape.b, shape.sq, shape.h, shape.d), dtype=dtype)
    kwargs["k_cache"] = make((*outer, shape.hk, shape.d), dtype=dtype)
    kwargs["v_cache"] = make((*outer, shape.hk, dv), dtype=dtype)
    if shape.new:
        kwargs["k"] = make((shape.b, shape.new, shape.hk, shape.d), dtype=dtype)
        kwargs["v"] = make((shape.b, shape.new, shape.hk, dv), dtype=dtype)
    if shape.qv:
        kwargs["qv"] = make((shape.b, shape.sq, shape.h, dv), dtype=dtype)
    if shape.rotary:
        kwargs["rotary_cos"] = make((capacity, shape.rotary // 2), dtype=dtype)
        kwargs["rotary_sin"] = make((capacity, shape.rotary // 2), dtype=dtype)
    flash_attn_npu_v3._C.describe_device()  # loads the library, and the runtime with it
    machine = Machine.get()
    machine.clear()
    machine.configure("cycles", skip_math=not move_data)
    flash_attn_npu_v3.flash_attn_with_kvcache(**kwargs)
    return machine.recorded()


def predict(
    shape: Shape,
    chip: str = "910B2",
    costs: dict[str, float] | None = None,
    traced: int = 0,
    traced_us: float = math.inf,
) -> list[Kernel]:
    """Records the call and returns its kernels in order of launch."""
    return [Kernel.of(Machine.get().simulate(i, chip, costs, traced, traced_us)) for i in range(record(shape))]


def over_corners(chip: str = "910B2") -> list[tuple[dict[str, float], list[Kernel]]]:
    """The recorded call under every combination of the model's uncertain constants (corners.py)."""
    launches = [corners(i, chip) for i in range(Machine.get().recorded())]
    return [(same[0][0], [Kernel.of(report) for _, report in same]) for same in zip(*launches)]


def peer_serves(shape: Shape) -> bool:
    """Whether there is a peer to compare the call with."""
    plain = shape.sq > 1 and not (shape.page or shape.splits or shape.lengths or shape.new or shape.rotary or shape.qv)
    return plain and {"PEER_HOME", "CATLASS_HOME"} <= os.environ.keys()


def predict_peer(shape: Shape, chip: str = "910B2") -> list[Kernel]:
    """The same call by the peer's forward kernel, read in place from its checkout; over_corners() then works on it."""
    import numpy as np

    sys.path.insert(0, str(ROOT / "tests" / "twin" / "others"))
    import peer

    bf16 = shape.dtype == "bfloat16"
    q = np.zeros((shape.b, shape.sq, shape.h, shape.d), np.uint16 if bf16 else np.float16)
    k = np.zeros((shape.b, shape.sk, shape.hk, shape.d), q.dtype)
    v = np.zeros((shape.b, shape.sk, shape.hk, shape.dv or shape.d), q.dtype)
    peer.forward(q, k, v, causal=bool(shape.causal), bf16=bf16, mode="timing")
    machine = Machine.get()
    kernels = [Kernel.of(machine.simulate(i, chip)) for i in range(machine.recorded())]
    return [replace(kernel, name="peer's forward") for kernel in kernels]  # its own name is a page of templates


class Prediction(NamedTuple):
    """One call: its kernels by the default constants, and, if asked for, at every corner; the peer's likewise."""

    shape: Shape
    kernels: list[Kernel]
    corners: list[tuple[dict[str, float], list[Kernel]]]
    peer: list[Kernel]
    peer_corners: list[tuple[dict[str, float], list[Kernel]]]

    def ratios(self) -> list[float]:
        """The peer's time over ours: by the default constants, then at every corner; empty without a peer."""
        ours = [self.kernels, *(kernels for _, kernels in self.corners)]
        theirs = [self.peer, *(kernels for _, kernels in self.peer_corners)] if self.peer else []
        return [sum(k.us for k in b) / sum(k.us for k in a) for a, b in zip(ours, theirs)]


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


def use_device_library(path: Path | None = None) -> None:
    """Sends the calls of this process to the twin; builds its library unless there is one."""
    if path is None and "FLASH_ATTN_NPU_DEVICE_LIB" in os.environ:
        path = Path(os.environ["FLASH_ATTN_NPU_DEVICE_LIB"])
    if path is None:
        sys.path.insert(0, str(ROOT / "kernels-common" / "buildtools"))
        from device import build_device

        path = build_device("twin", ROOT / "build" / "device" / "twin")
    os.environ["FLASH_ATTN_NPU_DEVICE_LIB"] = str(path)
    os.environ["FLASH_ATTN_NPU_BACKEND"] = "device"
    os.environ.pop("FLASH_ATTN_NPU_TWIN_MODE", None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="+", help="decode, prefill, all, or shapes like b=1,h=32,sq=1,sk=4096")
    parser.add_argument("--chip", default="910B2")
    parser.add_argument("--corners", action="store_true", help="also over the model's uncertain constants")
    parser.add_argument("--stalls", type=int, default=0, help="show this many reasons for waiting, per kernel")
    parser.add_argument(
        "--out", type=Path, help="directory for report.json, table.md, and a trace and a picture per shape"
    )
    parser.add_argument("--trace-us", type=float, default=2000, help="the traces end after this many microseconds")
    parser.add_argument("--picture-us", type=float, default=60, help="the pictures show this many microseconds")
    a = parser.parse_args()
    groups = {"decode": DECODE, "prefill": PREFILL, "all": (*PREFILL, *DECODE)}
    shapes = [shape for what in a.what for shape in groups.get(what) or (Shape.parse(what),)]
    use_device_library()
    results: list[Prediction] = []
    for number, shape in enumerate(shapes):
        start = time.perf_counter()
        kernels = predict(shape, a.chip, traced=1 if a.out else 0, traced_us=max(a.trace_us, a.picture_us))
        print(f"\n{shape}   (predicted for {a.chip}; simulated in {time.perf_counter() - start:.1f} s)\n{HEADER}")
        for kernel in kernels:
            print(line(kernel))
            for s in [s for s in kernel.report["stalls"] if s["reason"] != "nothing issued"][: a.stalls]:
                print(f"    {100 * s['share']:5.1f} %  {s['pipe']:9} {s['reason']:14} {s['on']} at {s['where']}")
        if len(kernels) > 1:
            print(
                f"{'sum':32} {sum(k.us for k in kernels):>10.1f}   with launches {sum(k.task_us for k in kernels):.1f}"
            )
        all_corners = over_corners(a.chip) if a.corners else []
        if all_corners:
            print("\n".join(corner_lines(all_corners)))
        if a.out:
            a.out.mkdir(parents=True, exist_ok=True)
            slowest = max(kernels, key=lambda k: k.us)
            write_perfetto(slowest.report, a.out / f"trace-{number}.json")
            write_picture(slowest.report, a.out / f"timeline-{number}.png", a.picture_us)
        peer = predict_peer(shape, a.chip) if peer_serves(shape) else []
        peer_corners = over_corners(a.chip) if peer and a.corners else []
        results.append(Prediction(shape, kernels, all_corners, peer, peer_corners))
        for kernel in peer:
            print(line(kernel))
        if peer:
            print("peer / ours: " + ", ".join(f"{ratio:.2f}" for ratio in results[-1].ratios()))
    if a.out:
        (a.out / "report.json").write_text(json.dumps([_json(result) for result in results], indent=1) + "\n")
        (a.out / "table.md").write_text(markdown(results))
        print(f"\nwrote report.json, table.md, trace-N.json, timeline-N.png to {a.out}")


def _json(result: Prediction) -> dict:
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


if __name__ == "__main__":
    main()
