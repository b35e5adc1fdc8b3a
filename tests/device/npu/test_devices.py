# SPDX-License-Identifier: BSD-3-Clause
"""Which device a call runs on, and the errors for tensors that are elsewhere."""

from __future__ import annotations

import os
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.device.npu.npu_call import Moved, call_on_npu
from tests.device.npu.subprocesses import output_of
from tests.support import backend
from tests.support.cases import Case, build
from tests.support.harness import check
from tests.support.seed import SEED

APIS = ("v2", "v3")


def arguments(api: str, device: str, **options: Any) -> dict[str, Any]:
    return Moved(build(Case(api, SEED, cache_seqlens=(9, 20), **options)).kwargs, device).kwargs


def function(api: str) -> Any:
    return getattr(backend.package(api), backend.FUNCTION)


@pytest.mark.parametrize("api", APIS)
def test_second_device(api: str) -> None:
    """Tensors on npu:1 are computed there, whatever the current device is, and that one stays as it was."""
    check(Case(api, SEED, seqlen_q=3, seqlen_new=3, cache_seqlens=(9, 20)), lambda a, k: call_on_npu(a, k, "npu:1"))
    assert torch.npu.current_device() == 0
    out = function(api)(**arguments(api, "npu:1"))[0]
    assert out.device == torch.device("npu", 1)
    with torch.npu.device(1):
        assert function(api)(**arguments(api, "npu:0"))[0].device == torch.device("npu", 0)
        assert torch.npu.current_device() == 1


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("name", ["k_cache", "v_cache", "cache_seqlens", "k", "rotary_cos"])
@pytest.mark.parametrize("elsewhere", ["cpu", "npu:1"])
def test_a_tensor_elsewhere(api: str, name: str, elsewhere: str) -> None:
    kwargs = arguments(api, "npu:0", seqlen_new=1, rotary_dim=16)
    before = kwargs["v_cache"].cpu().clone()
    moved = {**kwargs, name: kwargs[name].to(elsewhere)}
    with pytest.raises(ValueError, match=rf"^{name}: got a tensor on {elsewhere}, expected .*npu:0.*the device of q"):
        function(api)(**moved)
    assert torch.equal(kwargs["v_cache"].cpu().view(torch.int16), before.view(torch.int16))


@pytest.mark.parametrize("api", APIS)
def test_q_elsewhere(api: str) -> None:
    kwargs = arguments(api, "npu:0")
    first = next(name for name, x in kwargs.items() if isinstance(x, Tensor) and name != "q")
    with pytest.raises(ValueError, match=rf"^{first}: got a tensor on npu:0, expected .*cpu.*the device of q"):
        function(api)(**{**kwargs, "q": kwargs["q"].cpu()})


@pytest.mark.parametrize("api", APIS)
def test_float32_is_for_the_cpu(api: str) -> None:
    with pytest.raises(NotImplementedError, match="float32"):
        function(api)(**arguments(api, "npu:0", dtype="float32"))


@pytest.mark.parametrize("api", APIS)
def test_wrong_arguments(api: str) -> None:
    kwargs = arguments(api, "npu:0")
    with pytest.raises(ValueError, match="^v_cache: got "):
        function(api)(**{**kwargs, "v_cache": kwargs["v_cache"][:, 1:]})
    with pytest.raises(TypeError, match="^k_cache: got "):
        function(api)(**{**kwargs, "k_cache": kwargs["k_cache"].bfloat16()})


WRONG_CONTENTS = """
import sys
from tests.support.cases import Case, build
from tests.device.npu.npu_call import Moved
from flash_attn_npu_{api} import flash_attn_with_kvcache
for options, name, value in (
    (dict(cache_seqlens=(9, 20)), "cache_seqlens", 1000),
    (dict(cache_seqlens=(9, 20)), "cache_seqlens", -7),
    (dict(cache_seqlens=(9, 20), seqlen_new=3), "cache_seqlens", 63),
    (dict(cache_seqlens=(9, 20), page_size={page_size}), "{table}", 1 << 20),
    (dict(cache_seqlens=(9, 20), page_size={page_size}), "{table}", -1),
    (dict(cache_seqlens=(9, 20), batch_idx=True), "cache_batch_idx", 77),
):
    kwargs = Moved(build(Case("{api}", 5, poison=False, **options)).kwargs).kwargs
    kwargs[name].view(-1)[0] = value
    try:
        flash_attn_with_kvcache(**kwargs)
        torch.npu.synchronize()
        print(name, "passed")
    except ValueError as error:
        print(error)
"""


def wrong_contents(api: str, **env: str) -> list[str]:
    page_size, table = (256, "block_table") if api == "v2" else (16, "page_table")
    return output_of(WRONG_CONTENTS.format(api=api, page_size=page_size, table=table), **env).splitlines()


@pytest.mark.parametrize("api", APIS)
def test_wrong_contents_touch_no_foreign_memory(api: str) -> None:
    """The twin's kernels, with every tensor an allocation of its own: an access beside one would end the process."""
    twin = os.environ["FLASH_ATTN_NPU_TEST_TWIN_LIB"]
    lines = wrong_contents(api, PYTORCH_NO_NPU_MEMORY_CACHING="1", FLASH_ATTN_NPU_DEVICE_LIB=twin)
    assert len(lines) == 6 and all(line.endswith("passed") for line in lines), lines


@pytest.mark.parametrize("api", APIS)
def test_wrong_contents_are_found_in_debug_mode(api: str) -> None:
    lines = wrong_contents(api, FLASH_ATTN_NPU_DEBUG="1")
    table = "block_table" if api == "v2" else "page_table"
    names = ["cache_seqlens"] * 3 + [table] * 2 + ["cache_batch_idx"]
    assert len(lines) == 6, lines
    for line, name in zip(lines, names):
        assert line.startswith(name) and ": got " in line, line
