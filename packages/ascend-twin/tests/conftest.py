# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of the twin's tests: built kernels, seeded random numbers."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest

from .building import kernels_of

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
    return kernels_of(KERNELS)
