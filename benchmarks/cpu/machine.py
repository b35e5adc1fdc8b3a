# SPDX-License-Identifier: BSD-3-Clause
"""What this machine can do at most, measured by a small C++ program that is compiled here for this CPU."""

from __future__ import annotations

import dataclasses
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from buildtools.toolchain import ToolchainError, find_toolchain

SOURCE = Path(__file__).with_name("machine_probe.cpp")
FLAGS = ("-std=c++17", "-O3", "-march=native", "-ffp-contract=fast", "-pthread")


class ProbeError(RuntimeError):
    """The limits cannot be measured; the message says why."""


@dataclass(frozen=True)
class MachineLimits:
    """Measured peaks of all threads together; None where the CPU lacks the unit."""

    threads: int
    fp32_gflops: float
    read_gb_per_s: float
    bf16_dot_gflops: float | None = None
    amx_bf16_gflops: float | None = None

    @property
    def bf16_gflops(self) -> float:
        return max(self.bf16_dot_gflops or 0.0, self.amx_bf16_gflops or 0.0)

    def gflops(self, dtype: str) -> float:
        """The fastest way to multiply values of this type without losing accuracy.

        fp16 has no matrix unit of its own here: it becomes fp32, or three products of bf16 halves.
        """
        if dtype == "fp32":
            return self.fp32_gflops
        return max(self.fp32_gflops, self.bf16_gflops if dtype == "bf16" else self.bf16_gflops / 3)

    def best_of(self, other: MachineLimits) -> MachineLimits:
        """Neighbours can only slow a probe down, so the higher figure is the truer one."""
        values: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            pair = [getattr(self, field.name), getattr(other, field.name)]
            values[field.name] = max((x for x in pair if x is not None), default=None)
        return MachineLimits(**values)

    def __str__(self) -> str:
        bf16 = [f"bf16 dot {self.bf16_dot_gflops:.0f} GFLOP/s"] if self.bf16_dot_gflops else []
        bf16 += [f"AMX bf16 {self.amx_bf16_gflops:.0f} GFLOP/s"] if self.amx_bf16_gflops else []
        parts = [f"fp32 FMA {self.fp32_gflops:.0f} GFLOP/s", *bf16, f"reads {self.read_gb_per_s:.1f} GB/s"]
        return f"{', '.join(parts)} ({self.threads} threads)"


def cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def build_probe(directory: Path) -> Path:
    """Compiles the probe with the compiler that builds the wheels.

    Raises:
        ProbeError: no compiler, or it cannot compile the probe.
    """
    try:
        toolchain = find_toolchain()
    except ToolchainError as error:
        raise ProbeError(str(error)) from None
    directory.mkdir(parents=True, exist_ok=True)
    program = directory / "machine_probe"
    command = [*toolchain.command, *FLAGS, str(SOURCE), "-o", str(program)]
    compiled = subprocess.run(command, text=True, capture_output=True)
    if compiled.returncode != 0:
        raise ProbeError(f"{' '.join(command)}\n{compiled.stderr}")
    return program


def parse(output: str, threads: int) -> MachineLimits:
    """The probe's "name value" lines."""
    values = {name: float(value) for name, value in (line.split() for line in output.splitlines())}
    return MachineLimits(threads=threads, **values)


def measure(program: Path, threads: int) -> MachineLimits:
    """Runs the probe once, a few seconds.

    Raises:
        ProbeError: it crashed.
    """
    result = subprocess.run([str(program), str(threads)], text=True, capture_output=True)
    if result.returncode != 0:
        raise ProbeError(f"{program} ended with {result.returncode}: {result.stderr}")
    return parse(result.stdout, threads)
