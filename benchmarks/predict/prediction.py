# SPDX-License-Identifier: BSD-3-Clause
"""A call on the twin and what the model says about its kernels."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ascend_twin import Machine
from ascend_twin.corners import corners

from benchmarks.predict.shapes import Shape

ROOT = Path(__file__).resolve().parents[2]
ALIGNMENT = 512  # bytes, of device memory


def use_device_library(path: Path | None = None) -> None:
    """Sends the calls of this process to the twin; builds its library unless there is one."""
    if path is None and "FLASH_ATTN_NPU_DEVICE_LIB" in os.environ:
        path = Path(os.environ["FLASH_ATTN_NPU_DEVICE_LIB"])
    if path is None:
        from emulation.twin.build import build_twin

        path = build_twin(ROOT / "build" / "device-twin")
    os.environ["FLASH_ATTN_NPU_DEVICE_LIB"] = str(path)
    os.environ["FLASH_ATTN_NPU_BACKEND"] = "device"
    os.environ.pop("FLASH_ATTN_NPU_TWIN_MODE", None)


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
