# SPDX-License-Identifier: BSD-3-Clause
"""Kernels of a folder, built once per process (and cached between runs by the twin)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

from ascend_twin import build_kernel
from ascend_twin.machine import Kernel, Machine


def kernels_of(folder: Path) -> Callable[[str, str], Kernel]:
    """get(file, name): a kernel of a source in `folder`."""
    Machine.get()
    build = functools.cache(build_kernel)

    def get(file: str, name: str) -> Kernel:
        return Kernel(build(folder / file), name)

    return get
