# SPDX-License-Identifier: BSD-3-Clause
"""Tests of the device library on the twin, beyond those of the API that run on every backend (tests/api)."""

from __future__ import annotations

import pytest

from tests.support import backend


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if backend.current().name != "twin":
        raise pytest.UsageError("tests/device/twin need FLASH_ATTN_NPU_TEST_BACKEND=twin: see the session test-ascend")
