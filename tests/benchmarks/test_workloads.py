# SPDX-License-Identifier: BSD-3-Clause
"""Ours and every peer of the benchmark compute the same; needs flash_attn_npu_v3."""

from __future__ import annotations

import dataclasses
from typing import Callable

import pytest
import torch

from benchmarks.cpu import plot, workload
from benchmarks.cpu.cases import BenchCase, quick_cases


@pytest.mark.parametrize("case", quick_cases(), ids=lambda case: case.name)
def test_ours_and_the_peers_agree(case: BenchCase) -> None:
    work = workload.make(case, with_flex=False)
    assert set(work.peers) - work.other_result, "nothing to compare with"
    work.check()


@pytest.mark.parametrize("case", quick_cases(), ids=lambda case: case.name)
def test_every_peer_has_a_colour(case: BenchCase) -> None:
    assert set(workload.make(case, with_flex=False).peers) <= set(plot.COLOURS)


@pytest.mark.parametrize("spoil", [lambda x: x * 1.1, lambda x: torch.full_like(x, float("nan"))], ids=["wrong", "nan"])
def test_a_wrong_result_is_noticed(spoil: Callable[[torch.Tensor], torch.Tensor]) -> None:
    work = workload.make(quick_cases()[0], with_flex=False)
    ours = work.ours
    with pytest.raises(AssertionError, match="ours and sdpa differ"):
        dataclasses.replace(work, ours=lambda: spoil(ours())).check()
