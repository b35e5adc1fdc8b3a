# SPDX-License-Identifier: BSD-3-Clause
"""FLASH_ATTN_NPU_CPU_ISA picks the SIMD level of the cpu backend, in processes of their own: it is read once."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.support import backend

pytestmark = pytest.mark.skipif(backend.current().name != "cpu", reason="about the cpu backend only")

CALL = """
import torch
import {package} as package
q = torch.ones(1, 1, 1, 8)
out = package.flash_attn_with_kvcache(q, torch.ones(1, 3, 1, 8), torch.ones(1, 3, 1, 8))
assert torch.equal(out, q)
print(package._C.describe_cpu())
"""


def _run(api: str, level: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "FLASH_ATTN_NPU_CPU_ISA": level}
    code = CALL.format(package=f"flash_attn_npu_{api}")
    return subprocess.run([sys.executable, "-c", code], env=environment, text=True, capture_output=True, timeout=120)


def test_unknown_level_is_refused(api: str) -> None:
    result = _run(api, "sse9")
    assert result.returncode != 0
    message = result.stderr.strip().splitlines()[-1]
    assert "FLASH_ATTN_NPU_CPU_ISA: got sse9, expected one of" in message and "portable" in message, result.stderr


def test_forced_level_is_used(api: str) -> None:
    result = _run(api, "portable")
    assert result.returncode == 0, result.stderr
    assert "portable" in result.stdout
