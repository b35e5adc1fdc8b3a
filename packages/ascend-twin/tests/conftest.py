# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of the twin's tests: built kernels, seeded random numbers."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
KERNELS = HERE / "kernels"


@pytest.fixture
def rng(request) -> np.random.Generator:
    """Generator whose seed is the test's name; printed so that a failure can be repeated."""
    seed = zlib.crc32(request.node.nodeid.encode())
    print(f"seed {seed}")
    return np.random.default_rng(seed)


@pytest.fixture(scope="session")
def kernel():
    """kernel(file, name): a kernel of packages/ascend-twin/tests/kernels."""
    from ascend_twin import build_kernel
    from ascend_twin.machine import Kernel, Machine

    Machine.get()
    built: dict[str, object] = {}

    def get(file: str, name: str) -> Kernel:
        if file not in built:
            built[file] = build_kernel(KERNELS / file)
        return Kernel(built[file], name)

    return get
