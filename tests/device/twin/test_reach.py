# SPDX-License-Identifier: BSD-3-Clause
"""Every kernel of the device library is reached by calls of the API, so that the API's tests prove it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from buildtools.instances import instances
from tests.device.twin import library
from tests.support.call import arguments, call
from tests.support.cases import Case
from tests.support.paths import ROOT
from tests.support.seed import SEED


def declared() -> set[str]:
    ascend = ROOT / "kernels-common" / "ascend"
    passes = re.findall(r"FLASH_ATTN_NPU_KERNEL\((flash_attn_\w+),", (ascend / "host" / "kernels.h").read_text())
    return {*passes, *(instance.symbol for instance in instances(ascend))}


def calls() -> Iterator[Case]:
    for dtype in ("float16", "bfloat16", "float8_e4m3fn"):
        yield Case("v3", SEED, dtype, softcap=5.0, num_splits=2)
        yield Case("v3", SEED, dtype, seqlen_new=1, cache_seqlens=5, rotary_dim=16, causal=True)
        for d, dv in ((64, 64), (128, 128), (192, 128), (256, 256)):
            yield Case("v3", SEED, dtype, batch=3, heads=8, heads_k=8, seqlen_q=512, capacity=512, d=d, dv=dv)


class Launches:
    """Which kernels a call launches, as the twin records them in cycles mode."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.machine = library.machine()
        monkeypatch.setenv("FLASH_ATTN_NPU_TWIN_MODE", "cycles")

    def of(self, case: Case, kernels: str = "") -> set[str]:
        """`kernels`: FLASH_ATTN_NPU_DEVICE_KERNELS."""
        self.monkeypatch.setenv("FLASH_ATTN_NPU_DEVICE_KERNELS", kernels)
        self.machine.clear()
        call("v3", arguments(case))
        names = {self.machine.simulate(i)["kernel"] for i in range(self.machine.recorded())}
        self.machine.clear()
        return names


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> Launches:
    return Launches(monkeypatch)


def test_every_kernel_is_reached(launches: Launches) -> None:
    assert set[str]().union(*(launches.of(case, "fast") for case in calls())) == declared()


def test_fast_paths_are_taken_where_they_pay(launches: Launches) -> None:
    general = {"flash_attn_attention_f16"}
    prefill = {"flash_attn_prefill_f16_d64", *general}  # and the general kernel for what it gives up
    large = Case("v3", SEED, heads=16, heads_k=16, batch=1, seqlen_q=512, capacity=1024, d=64)
    small = Case("v3", SEED, heads=4, heads_k=4, batch=1, seqlen_q=130, capacity=130, d=64)
    assert [launches.of(large, kernels) for kernels in ("", "fast", "general")] == [prefill, prefill, general]
    assert [launches.of(small, kernels) for kernels in ("", "fast", "general")] == [general, prefill, general]
    decode = Case("v3", SEED, heads=4, heads_k=4, batch=1, seqlen_q=1, capacity=130, d=64)
    assert [launches.of(decode, kernels) for kernels in ("", "general")] == [{"flash_attn_decode_f16"}, general]
