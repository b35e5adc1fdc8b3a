# SPDX-License-Identifier: BSD-3-Clause
"""The twin from Python: build Ascend C sources with the host compiler, run them, read what the model says."""

from ._version import __version__
from .build import BuildError, build_kernel
from .machine import CheckFailure, Finding, InOut, Kernel, Machine, Out, load

__all__ = [
    "BuildError",
    "CheckFailure",
    "Finding",
    "InOut",
    "Kernel",
    "Machine",
    "Out",
    "__version__",
    "build_kernel",
    "load",
]
