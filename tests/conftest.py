# SPDX-License-Identifier: BSD-3-Clause
"""Seed, backend and threads of the whole test suite."""

from __future__ import annotations

import os

import pytest
import torch

from tests.support import backend
from tests.support.seed import SEED

os.environ.update(backend.current().environment)
# Said, so that a test that changes it for itself changes it for itself only.
os.environ.setdefault("FLASH_ATTN_NPU_TWIN_MODE", "fast")

# Two threads, however many the machine has: the parallel paths run everywhere, and two xdist workers fit two cores.
torch.set_num_threads(2)


def pytest_report_header(config: pytest.Config) -> str:
    return f"FLASH_ATTN_NPU_TEST_SEED={SEED} FLASH_ATTN_NPU_TEST_BACKEND={backend.current().name}"
