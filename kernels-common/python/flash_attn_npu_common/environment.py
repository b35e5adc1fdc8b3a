# SPDX-License-Identifier: BSD-3-Clause
"""`python -m flash_attn_npu_vN info`: what is installed, and which backend a call would use."""

from __future__ import annotations

import importlib
import os
import platform
import sys
from collections.abc import Iterator
from typing import Any

import torch

from . import npu
from .torch_npu_import import reason

# Every environment variable of the wheels, read when a call needs it. Those of the build: buildtools/extension.py.
VARIABLES = {
    "FLASH_ATTN_NPU_BACKEND": "cpu (default) or device: where cpu tensors go; device needs a library for host memory",
    "FLASH_ATTN_NPU_CPU_ISA": "SIMD level of the cpu backend, e.g. avx2; default: the best this CPU has",
    "FLASH_ATTN_NPU_DEBUG": "1: also check the contents of npu tensors (lengths, pages), which makes the host wait",
    "FLASH_ATTN_NPU_DEVICE_KERNELS": "general or fast: the device kernels that serve calls; default: whichever pays",
    "FLASH_ATTN_NPU_DEVICE_LIB": "path of the device library; default: the one inside the wheel",
}

# Flags of /proc/cpuinfo that decide the cpu backend's SIMD level.
_FEATURES_X86 = "avx2 fma f16c avx512f avx512bw avx512dq avx512vl avx512_bf16 amx_tile amx_bf16".split()
_FEATURES_ARM = "asimd asimdhp bf16 sve".split()


def main(package: str, version: str, extension: Any) -> None:
    """The command line of a wheel.

    Args:
        package: Name of the Python package.
        version: Its version.
        extension: Its `_C` module.
    """
    if sys.argv[1:] != ["info"]:
        variables = "\n".join(f"  {name:<30} {meaning}" for name, meaning in VARIABLES.items())
        sys.exit(
            f"usage: python -m {package} info    prints versions, chips, and which backend a call would use\n\n"
            f"environment variables:\n{variables}"
        )
    for name, value in report(package, version, extension):
        print(f"{name:<16}  {value}")


def report(package: str, version: str, extension: Any) -> Iterator[tuple[str, str]]:
    """Yields (name, value) pairs; see `main`."""
    yield package, version
    yield "python", f"{platform.python_version()}, {platform.system()} {platform.machine()}"
    yield "torch", torch.__version__
    yield "cpu features", " ".join(cpu_features()) or "unknown"
    unusable = []

    def line(name: str, found: str, problem: str) -> tuple[str, str]:
        if problem:
            unusable.append(name)
        return name, "; ".join(text for text in (found, problem) if text)

    torch_npu, problem = import_torch_npu()
    yield line("torch_npu", torch_npu.__version__ if torch_npu else "", problem)
    if torch_npu:
        cann = npu.cann_version()
        yield line("CANN", cann or "unknown version", npu.cann_problem(cann))
        chips = [torch_npu.npu.get_device_name(i) for i in range(torch_npu.npu.device_count())]
        problem = next(filter(None, map(npu.chip_problem, chips)), "") if chips else "no NPU was found"
        yield line("chips", ", ".join(f"npu:{i} {chip}" for i, chip in enumerate(chips)), problem)
    try:
        yield line("device library", extension.describe_device(), "")
    except RuntimeError as error:
        yield line("device library", "", str(error))
    yield "cpu tensors", f"cpu backend: {extension.describe_cpu()}, {torch.get_num_threads()} threads"
    if os.environ.get("FLASH_ATTN_NPU_BACKEND") == "device":
        yield "", "FLASH_ATTN_NPU_BACKEND=device sends them to the device library if it works on host memory"
    yield "npu tensors", f"not possible: see {', '.join(unusable)}" if unusable else "device library"


def import_torch_npu() -> tuple[Any, str]:
    """Returns (torch_npu, "") or (None, why not)."""
    try:
        return importlib.import_module("torch_npu"), ""
    except Exception as error:  # it runs code of CANN: anything may come
        if isinstance(error, ModuleNotFoundError) and error.name == "torch_npu":
            return None, f"not installed: pip install torch_npu=={'.'.join(torch.__version__.split('.')[:2])}.*"
        return None, reason(error)


def cpu_features() -> list[str]:
    """The SIMD extensions of this CPU by the kernel's names; empty where /proc/cpuinfo does not tell."""
    try:
        with open("/proc/cpuinfo") as stream:
            for line in stream:
                name, _, flags = line.partition(":")
                if name.strip() in ("flags", "Features"):
                    known = set(flags.split())
                    return [feature for feature in (*_FEATURES_X86, *_FEATURES_ARM) if feature in known]
    except OSError:
        pass
    return []
