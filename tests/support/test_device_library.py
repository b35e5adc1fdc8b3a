# SPDX-License-Identifier: BSD-3-Clause
"""What the extension module says about a device library that is missing, broken or of another version."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

OTHER_VERSION = """
#include <cstdint>
extern "C" const void* flash_attn_npu_backend(uint32_t) { return nullptr; }
extern "C" uint32_t flash_attn_npu_backend_abi_version() { return 1; }
"""
# A library of the right version on device memory: cpu tensors must not reach it.
NOT_FOR_THE_HOST = """
#include "flash_attn_npu/backend.h"
using namespace flash_attn_npu;
static const Backend backend{kBackendAbiVersion, "stub", false, nullptr, nullptr, nullptr, [] { return "a stub"; }};
extern "C" const Backend* flash_attn_npu_backend(uint32_t version) {
    return version == kBackendAbiVersion ? &backend : nullptr;
}
extern "C" uint32_t flash_attn_npu_backend_abi_version() { return kBackendAbiVersion; }
"""
CALL = """
import torch
import flash_attn_npu_v3 as package
q = torch.ones(1, 1, 1, 8)
package.flash_attn_with_kvcache(q, torch.ones(1, 3, 1, 8), torch.ones(1, 3, 1, 8))
"""
DESCRIBE = "import flash_attn_npu_v3 as package\nprint(package._C.describe_device())"


def library(tmp_path: Path, code: str) -> Path:
    source, target = tmp_path / "library.cpp", tmp_path / "library.so"
    source.write_text(code)
    compiler = os.environ.get("CXX", "g++").split()
    include = ROOT / "kernels-common" / "include"
    subprocess.run([*compiler, "-std=c++17", "-shared", "-fPIC", f"-I{include}", source, "-o", target], check=True)
    return target


def run(code: str, **variables: str) -> str:
    """The last line that the program prints or the message it ends with."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FLASH_ATTN_NPU_")}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**environment, **variables}, text=True, capture_output=True, timeout=120
    )
    return (done.stdout + done.stderr).strip().splitlines()[-1]


def test_importing_and_the_cpu_need_none() -> None:
    assert run(CALL + "print('done')", FLASH_ATTN_NPU_DEVICE_LIB="/nowhere.so") == "done"


def test_wheel_without_a_library() -> None:
    message = run(DESCRIBE)
    assert (
        message.startswith("RuntimeError: The Ascend device library ") and "flash_attn_npu_v3/_ascend910b.so" in message
    )
    assert "ASCEND_HOME_PATH" in message and "FLASH_ATTN_NPU_DEVICE_LIB" in message


def test_named_library_does_not_exist() -> None:
    message = run(DESCRIBE, FLASH_ATTN_NPU_DEVICE_LIB="/nowhere.so")
    assert "/nowhere.so does not exist: FLASH_ATTN_NPU_DEVICE_LIB names it" in message


def test_file_is_no_library(tmp_path: Path) -> None:
    (tmp_path / "text.so").write_text("text")
    message = run(DESCRIBE, FLASH_ATTN_NPU_DEVICE_LIB=str(tmp_path / "text.so"))
    assert f"{tmp_path}/text.so cannot be loaded: " in message and "set_env.sh" in message


def test_library_of_somebody_else(tmp_path: Path) -> None:
    message = run(DESCRIBE, FLASH_ATTN_NPU_DEVICE_LIB=str(library(tmp_path, "int other() { return 1; }")))
    assert "is not a device library of flash-attn-npu: it does not export flash_attn_npu_backend" in message


def test_other_interface_version(tmp_path: Path) -> None:
    message = run(DESCRIBE, FLASH_ATTN_NPU_DEVICE_LIB=str(library(tmp_path, OTHER_VERSION)))
    header = (ROOT / "kernels-common/include/flash_attn_npu/backend.h").read_text(encoding="utf-8")
    (needed,) = re.findall(r"kBackendAbiVersion = (\d+);", header)
    assert f"has interface version 1, and this wheel needs version {needed}:" in message


def test_library_on_device_memory(tmp_path: Path) -> None:
    path = str(library(tmp_path, NOT_FOR_THE_HOST))
    assert run(DESCRIBE, FLASH_ATTN_NPU_DEVICE_LIB=path) == f"stub: a stub ({path})"
    message = run(CALL, FLASH_ATTN_NPU_DEVICE_LIB=path, FLASH_ATTN_NPU_BACKEND="device")
    assert message.endswith(f"q is on the cpu, and {path} works on tensors of an NPU")


@pytest.mark.parametrize("value", ["npu", "Device"])
def test_unknown_backend(value: str) -> None:
    message = run(CALL, FLASH_ATTN_NPU_BACKEND=value)
    assert message == f"ValueError: FLASH_ATTN_NPU_BACKEND: got {value}, expected cpu or device"
