# SPDX-License-Identifier: BSD-3-Clause
"""Seeded random numbers for the tests of the Ascend kernels."""

from __future__ import annotations

import zlib

import numpy as np
import pytest


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Generator whose seed is the test's name, printed so that a failure can be repeated."""
    seed = zlib.crc32(request.node.nodeid.encode())
    print(f"seed {seed}")
    return np.random.default_rng(seed)
