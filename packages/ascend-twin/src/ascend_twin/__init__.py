# SPDX-License-Identifier: BSD-3-Clause
"""The twin from Python: build Ascend C sources with the host compiler, run them, read what the model says."""

from .build import BuildError, build_kernel
from .machine import CheckFailure, Finding, Kernel, Machine, load

__all__ = ["BuildError", "CheckFailure", "Finding", "Kernel", "Machine", "build_kernel", "load"]
