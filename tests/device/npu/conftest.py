# SPDX-License-Identifier: BSD-3-Clause
"""The real torch_npu over the emulated ACL runtime. `nox -s test-npu-emulated` sets it up; nothing else runs this."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

NEEDED = "nox -s test-npu-emulated builds what these tests need and runs them"


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "order: order of work between torch_npu's task queue, streams and our launches")
    config.addinivalue_line("markers", "kernels: repeated with the twin's kernels in place of the cpu backend")


def pytest_sessionstart(session: pytest.Session) -> None:
    try:
        import torch_npu  # noqa: F401
    except ImportError as error:
        raise pytest.UsageError(f"torch_npu cannot be imported ({error}): {NEEDED}") from error
    emulated = Path(os.environ.get("ASCEND_TWIN_ACL_LIB_DIR", "")) / "libascendcl.so"
    if str(emulated) not in Path("/proc/self/maps").read_text():
        raise pytest.UsageError(f"torch_npu runs, but not over the emulated runtime: {NEEDED}")


def pytest_report_header(config: pytest.Config) -> str:
    names = ("TASK_QUEUE_ENABLE", "FLASH_ATTN_NPU_DEVICE_LIB", "ASCEND_TWIN_ACL_DELAY_US")
    return " ".join(f"{name}={os.environ.get(name, '')}" for name in names)


@pytest.fixture(autouse=True)
def settled() -> Iterator[None]:
    """A test's own work is over when it ends; an error on a stream belongs to the test that caused it."""
    yield
    for index in range(torch.npu.device_count()):
        torch.npu.synchronize(index)
