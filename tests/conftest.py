"""Seed, backend and threads of the whole test suite."""

from __future__ import annotations

import pytest
import torch

from tests.common import backend
from tests.common.seed import SEED

# Two threads, however many the machine has: the parallel paths run everywhere, and two xdist workers fit two cores.
torch.set_num_threads(2)


def pytest_report_header(config: pytest.Config) -> str:
    return f"FLASH_ATTN_NPU_TEST_SEED={SEED} FLASH_ATTN_NPU_TEST_BACKEND={backend.current().name}"
