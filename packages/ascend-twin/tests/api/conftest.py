# SPDX-License-Identifier: BSD-3-Clause
"""Kernels of this folder, built once per process (and cached between runs by the twin)."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..building import kernels_of

KERNELS = Path(__file__).resolve().parent / "kernels"


@pytest.fixture(scope="session")
def api_kernel():
    """api_kernel(file, name): a kernel of packages/ascend-twin/tests/api/kernels."""
    return kernels_of(KERNELS)
