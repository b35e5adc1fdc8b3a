"""Every kernel of the device library is reached by calls of the API, so that the API's tests prove it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.ascend import library
from tests.common.call import arguments, call
from tests.common.cases import Case
from tests.common.seed import SEED


def declared() -> set[str]:
    text = (library.ROOT / "kernels-common/ascend/host/kernels.h").read_text()
    return set(re.findall(r"FLASH_ATTN_NPU_KERNEL\((flash_attn_\w+),", text))


def calls() -> Iterator[Case]:
    for dtype in ("float16", "bfloat16", "float8_e4m3fn"):
        yield Case("v3", SEED, dtype, softcap=5.0, num_splits=2)
        yield Case("v3", SEED, dtype, seqlen_new=1, cache_seqlens=5, rotary_dim=16, causal=True)
        for d, dv in ((64, 64), (128, 128), (192, 128), (256, 256)):
            yield Case("v3", SEED, dtype, batch=3, heads=8, heads_k=8, seqlen_q=512, capacity=512, d=d, dv=dv)


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The kernels that `calls` launch, as the twin records them in cycles mode."""
    monkeypatch.setenv("FLASH_ATTN_NPU_TWIN_MODE", "cycles")
    monkeypatch.setenv("FLASH_ATTN_NPU_DEVICE_KERNELS", "fast")
    machine = library.machine()
    names: set[str] = set()
    for case in calls():
        machine.clear()
        call("v3", arguments(case))
        names |= {machine.simulate(i)["kernel"] for i in range(machine.recorded())}
    machine.clear()
    return names


def test_every_kernel_is_reached(launched: set[str]) -> None:
    assert launched == declared()
