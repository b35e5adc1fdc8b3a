# SPDX-License-Identifier: BSD-3-Clause
"""Options, seed, backend and threads of the whole test suite."""

from __future__ import annotations

import os

import pytest
import torch

from tests.support import apis, backend
from tests.support.seed import SEED

os.environ.update(backend.current().environment)
# A value of its own, so that a test which sets another one for itself gets this one back afterwards.
os.environ.setdefault("FLASH_ATTN_NPU_TWIN_MODE", "fast")

# Two threads, however many the machine has: the parallel paths run everywhere, and two xdist workers fit two cores.
torch.set_num_threads(2)


def pytest_addoption(parser: pytest.Parser) -> None:
    apis.add_option(parser)


def pytest_configure(config: pytest.Config) -> None:
    for marker in apis.MARKERS:
        config.addinivalue_line("markers", marker)
    if config.getoption("--api"):
        apis.chosen(config)  # ends the run here if one that was asked for is not installed


def pytest_report_header(config: pytest.Config) -> str:
    return f"FLASH_ATTN_NPU_TEST_SEED={SEED} FLASH_ATTN_NPU_TEST_BACKEND={backend.current().name}"
