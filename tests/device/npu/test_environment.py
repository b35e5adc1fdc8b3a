# SPDX-License-Identifier: BSD-3-Clause
"""What the user is told when something does not fit, and what `python -m flash_attn_npu_vN info` prints."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.device.npu.subprocesses import output_of, run

APIS = ("v2", "v3")

CALL = """
from flash_attn_npu_{api} import flash_attn_with_kvcache
q, cache = torch.ones(1, 1, 2, 32, dtype=torch.float16), torch.ones(1, 16, 2, 32, dtype=torch.float16)
print(flash_attn_with_kvcache(q, cache, cache.clone()).shape)
try:
    print(flash_attn_with_kvcache(q.npu(), cache.npu(), cache.npu()).device)
except Exception as error:
    print(type(error).__name__ + ":", error)
"""

INFO = """
import runpy, sys
sys.argv = ["flash_attn_npu_{api}", "info"]
runpy.run_module("flash_attn_npu_{api}", run_name="__main__")
"""


def call(api: str, **env: str) -> str:
    """What a call with npu tensors says; the same call with cpu tensors must work."""
    on_cpu, on_npu = output_of(CALL.format(api=api), **env).split("\n", 1)
    assert on_cpu == "torch.Size([1, 1, 2, 32])"
    return on_npu.strip()


def info(api: str, **env: str) -> dict[str, str]:
    lines = output_of(INFO.format(api=api), **env).splitlines()
    return {name.strip(): value for name, value in (line.split("  ", 1) for line in lines)}


@pytest.mark.parametrize("api", APIS)
def test_everything_fits(api: str) -> None:
    assert call(api) == "npu:0"
    lines = info(api)
    assert list(lines) == [
        f"flash_attn_npu_{api}",
        "python",
        "torch",
        "cpu features",
        "torch_npu",
        "CANN",
        "chips",
        "device library",
        "cpu tensors",
        "npu tensors",
    ]
    assert lines["torch_npu"].strip() == "2.13.0" and lines["CANN"].strip() == "8.5.0"
    assert lines["chips"].strip() == "npu:0 Ascend910B2, npu:1 Ascend910B2"
    assert "the cpu backend in the place of an NPU" in lines["device library"]
    assert lines["npu tensors"].strip() == "device library"


@pytest.mark.parametrize("api", APIS)
def test_wrong_chip(api: str) -> None:
    env = {"ASCEND_TWIN_ACL_SOC": "Ascend310P3"}
    assert re.fullmatch(
        r"NotImplementedError: q: got a tensor on npu:0, .*the chip is Ascend310P3, .*Ascend910B\* and .*",
        call(api, **env),
    )
    lines = info(api, **env)
    assert "the chip is Ascend310P3, and the kernels are for" in lines["chips"]
    assert "not possible: see chips" in lines["npu tensors"]


@pytest.mark.parametrize("name", ["Ascend910B1", "Ascend910B4", "Ascend910_9391"])
def test_right_chips(name: str) -> None:
    assert call("v3", ASCEND_TWIN_ACL_SOC=name) == "npu:0"


def test_old_cann() -> None:
    env = {"ASCEND_TWIN_ACL_CANN": "8.0.0"}
    message = call("v3", **env)
    assert re.search(r"NotImplementedError: q: .*CANN is 8\.0\.0, and \d+\.\d+ or newer is needed", message), message
    assert "or newer is needed" in info("v3", **env)["CANN"]


@pytest.mark.parametrize("api", APIS)
def test_no_device_library(api: str) -> None:
    message = call(api, FLASH_ATTN_NPU_DEVICE_LIB="/nowhere/_ascend910b.so")
    assert "/nowhere/_ascend910b.so does not exist" in message, message
    message = call(api, FLASH_ATTN_NPU_DEVICE_LIB="")
    assert "_ascend910b.so" in message and "FLASH_ATTN_NPU_DEVICE_LIB" in message, message
    lines = info(api, FLASH_ATTN_NPU_DEVICE_LIB="/nowhere/_ascend910b.so")
    assert "/nowhere/_ascend910b.so" in lines["device library"]
    assert "not possible: see device library" in lines["npu tensors"]


def test_a_library_that_is_none() -> None:
    other = str(Path(os.environ["ASCEND_TWIN_ACL_LIB_DIR"]) / "libgraph.so")
    message = call("v3", FLASH_ATTN_NPU_DEVICE_LIB=other)
    assert "libgraph.so is not a device library of flash-attn-npu" in message, message


@pytest.mark.parametrize("api", APIS)
def test_without_cann_the_cpu_works(api: str) -> None:
    """torch_npu is installed, and CANN is not: torch is told not to load it by itself."""
    env = {"LD_LIBRARY_PATH": "", "TORCH_DEVICE_BACKEND_AUTOLOAD": "0"}
    assert call(api, **env).startswith(("AttributeError", "RuntimeError"))  # torch's: there is no Tensor.npu
    lines = info(api, **env)
    assert re.search(r"torch_npu 2\.13\.0 does not load with torch 2\.13\.0.*\.so.*CANN is needed", lines["torch_npu"])
    assert "not possible: see torch_npu" in lines["npu tensors"]


@pytest.mark.parametrize("api", APIS)
def test_torch_cannot_load_torch_npu(api: str) -> None:
    done = run(f"import flash_attn_npu_{api}", prelude="", LD_LIBRARY_PATH="")
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith(f"ImportError: flash_attn_npu_{api} cannot import torch"), done.stderr
    assert "CANN is needed" in last and "TORCH_DEVICE_BACKEND_AUTOLOAD=0" in last, last


def test_no_npu() -> None:
    assert "no NPU was found" in info("v3", ASCEND_TWIN_ACL_DEVICES="0")["chips"]
