# SPDX-License-Identifier: BSD-3-Clause
"""The twin from Python: build Ascend C sources with the host compiler, run them, read what the model says.

Example:
    >>> import numpy as np
    >>> kernel = load(EXAMPLE, "add")
    >>> x, z = np.ones(8192, np.float16), np.zeros(8192, np.float16)
    >>> kernel(8, x, x, Out(z), mode="check"), z[:2].tolist()
    ([], [2.0, 2.0])
    >>> findings = kernel(8, x, x, Out(z), mode="timing")
    >>> round(Machine.get().simulate(chip="910B2")["us"], 1)
    1.3
"""

from pathlib import Path

from ._version import __version__
from .build import BuildError, build_kernel
from .machine import CheckFailure, Finding, InOut, Kernel, Machine, Out, load

#: Source of a kernel that adds two tensors; examples in the documentation use it.
EXAMPLE = Path(__file__).resolve().parent / "example.cpp"

__all__ = [
    "EXAMPLE",
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
