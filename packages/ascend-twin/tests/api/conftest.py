# SPDX-License-Identifier: BSD-3-Clause
"""Kernels of this folder, built once per process (and cached between runs by the twin)."""

from __future__ import annotations

from pathlib import Path

import pytest

KERNELS = Path(__file__).resolve().parent / "kernels"


@pytest.fixture(scope="session")
def api_kernel():
    """api_kernel(file, name): a kernel of packages/ascend-twin/tests/api/kernels."""
    from ascend_twin import build_kernel
    from ascend_twin.machine import Kernel, Machine

    Machine.get()
    built: dict[str, object] = {}

    def get(file: str, name: str) -> Kernel:
        if file not in built:
            built[file] = build_kernel(KERNELS / file)
        return Kernel(built[file], name)

    return get
