# SPDX-License-Identifier: BSD-3-Clause
"""The host half of the device library compiles against the ACL headers that ship inside the torch_npu wheel."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import pytest

from buildtools import device, device_targets
from buildtools.toolchain import find_toolchain

TORCH_NPU = importlib.util.find_spec("torch_npu")


@pytest.mark.skipif(TORCH_NPU is None, reason="torch_npu is not installed: pip install --no-deps torch-npu==2.13.0")
@pytest.mark.parametrize("source", device_targets.host_sources(device.ROOT))
def test_compiles(source: str) -> None:
    assert TORCH_NPU is not None and TORCH_NPU.origin is not None
    headers = Path(TORCH_NPU.origin).parent / "include/third_party/acl/inc"
    assert (headers / "acl" / "acl_rt.h").is_file()
    compiler = find_toolchain().command
    command = [*compiler, *device_targets.HOST_FLAGS, "-Werror", f"-isystem{headers}", "-fsyntax-only", source]
    done = subprocess.run(command, cwd=device.ROOT, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
