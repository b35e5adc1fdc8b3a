# SPDX-License-Identifier: BSD-3-Clause
"""Calls on npu tensors: device, stream, and plain words when something in the environment does not fit."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import torch

# The kernels are compiled for this core (dav-2201): 910B1 to 910B4 and, as two dies, 910C.
CHIPS = ("Ascend910B", "Ascend910_93")
# What device libraries are built against (kernels-common/buildtools/cann.py).
OLDEST_CANN = (8, 5)


class NpuImplementation:
    """What the dispatcher calls for tensors on npu.

    The host never waits here: lengths stay on the device, and outputs and workspace come from torch's caching allocator
    in the current stream's pool, so that they are reused only after the launch.
    """

    def __init__(self, call: Callable[..., Any]):
        """
        Args:
            call: Takes the operator's arguments and, last, a function that returns the current stream as an int. It
                asks for the stream when everything torch has to do is done, and launches at once: asking empties
                torch_npu's host task queue (TASK_QUEUE_ENABLE 1 and 2), where later work of torch would be held back.
        """
        self._call = call

    def __call__(self, *args: Any) -> Any:
        device = args[0].device
        if device.type != "npu":
            raise NotImplementedError(f"q: got a tensor on {device}, expected one on cpu or npu")
        npu = _usable(device.index)
        current_stream = functools.partial(npu.raw_stream, device.index)
        if npu.current_device() == device.index:
            return self._call(*args, current_stream)
        with torch.npu.device(device.index):  # type: ignore[attr-defined]
            return self._call(*args, current_stream)


class _TorchNpu:
    """The functions of torch_npu that a call uses."""

    def __init__(self, torch_npu: Any):
        self.current_device: Callable[[], int] = torch_npu.npu.current_device
        # Private, but 0.2 us instead of 10 us; both empty the task queue first.
        self.raw_stream: Callable[[int], int] = getattr(
            torch_npu._C, "_npu_getCurrentRawStream", lambda index: torch_npu.npu.current_stream(index).npu_stream
        )


@functools.cache
def _usable(index: int) -> _TorchNpu:
    """torch_npu, once it is clear that CANN and the chip of device `index` fit.

    Raises:
        NotImplementedError: they do not.
    """
    torch_npu = sys.modules.get("torch_npu")
    if torch_npu is None:
        raise NotImplementedError("q: got a tensor on npu, but torch_npu is not imported: import torch_npu first")
    for problem in (cann_problem(cann_version()), chip_problem(torch_npu.npu.get_device_name(index))):
        if problem:
            raise NotImplementedError(f"q: got a tensor on npu:{index}, which cannot be used: {problem}")
    return _TorchNpu(torch_npu)


def cann_version() -> str:
    """CANN's version as torch_npu reports it; empty when it cannot tell."""
    torch_npu = sys.modules.get("torch_npu")
    try:
        return torch_npu.npu.utils.get_cann_version() if torch_npu else ""
    except (AttributeError, RuntimeError):  # torch_npu before 2.5, or a CANN without version files
        return ""


def cann_problem(version: str) -> str:
    """Why this CANN cannot be used, or "". An unknown version passes: loading the device library is the real test."""
    numbers = version.split(".")[:2]
    if len(numbers) < 2 or not all(number.isdigit() for number in numbers):
        return ""
    if tuple(map(int, numbers)) >= OLDEST_CANN:
        return ""
    return f"CANN is {version}, and {'.'.join(map(str, OLDEST_CANN))} or newer is needed"


def chip_problem(name: str) -> str:
    """Why this chip cannot be used, or ""."""
    if name.startswith(CHIPS):
        return ""
    return f"the chip is {name}, and the kernels are for {' and '.join(chip + '*' for chip in CHIPS)}"
