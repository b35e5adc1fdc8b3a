# SPDX-License-Identifier: BSD-3-Clause
"""Lengths, offsets and indices out of range, given to the device library without the host's checks, as on an NPU.

Nobody reads device memory before a launch, so the kernels hold every value inside the tensors. The twin's check mode
knows every byte that belongs to the call: an access anywhere else is an error. Results are unspecified; memory around
the tensors must stay as it was.
"""

from __future__ import annotations

import contextlib
import importlib
from typing import Any

import pytest
import torch

from tests.device.twin import library
from tests.support import backend
from tests.support.call import call
from tests.support.cases import Built, Case, build
from tests.support.harness import bits
from tests.support.seed import SEED

LARGEST = 2**31 - 1
WILD = (-1, -(2**31), 2**30, LARGEST)

PAGED: dict[str, Any] = {"capacity": 512, "cache_seqlens": (300, 40), "seqlen_q": 3, "causal": True}
BASES: dict[str, dict[str, Any]] = {
    "decode": {"cache_seqlens": (20, 64)},
    "dense": {"cache_seqlens": (20, 64), "seqlen_q": 20, "causal": True, "heads": 8},
    "splits": {"cache_seqlens": (20, 64), "num_splits": 3},
    "batch_idx": {"cache_seqlens": (20, 64), "batch_idx": True},
    "leftpad": {"cache_seqlens": (20, 64), "leftpad": (3, 0), "seqlen_q": 3},
    "append": {"cache_seqlens": (20, 40), "seqlen_new": 3, "seqlen_q": 3, "rotary_dim": 16, "cache_layout": "slice"},
    "paged": {**PAGED, "page_size": 256},
    "append paged": {**PAGED, "page_size": 256, "seqlen_new": 3, "rotary_dim": 16},
    "varlen": {"seqlen_q": (3, 5), "cache_seqlens": (20, 64), "softcap": 10.0},
    "varlen decode": {"seqlen_q": (1, 2), "cache_seqlens": (20, 64)},
    "append varlen": {"seqlen_q": (3, 5), "seqlen_new": (2, 4), "cache_seqlens": (20, 40), "page_size": 16},
    "rotary_seqlens": {
        "cache_seqlens": (20, 40),
        "seqlen_new": 3,
        "seqlen_q": 3,
        "rotary_dim": 16,
        "rotary_seqlens": (0, 7),
    },
    "fp8": {"dtype": "float8_e4m3fn", "cache_seqlens": (20, 64), "page_size": 16, "seqlen_q": 3},
    "fp8 many rows": {
        "dtype": "float8_e4m3fn",
        "d": 64,
        "cache_seqlens": (20, 64),
        "page_size": 16,
        "seqlen_q": 20,
        "leftpad": (3, 0),
    },
}
V3_ONLY = {"varlen", "varlen decode", "append varlen", "rotary_seqlens", "fp8", "fp8 many rows"}
# What wild contents may bring about without leaving the tensors: sequences that share rows of out or pages, and keys
# that nobody ever wrote.
HARMLESS = {"race_between_cores", "uninitialised_read"}
# The tensors whose contents a call reads as numbers.
NAMES = ("cache_seqlens", "cache_batch_idx", "cache_leftpad", "block_table", "page_table", "cu_seqlens_q")
NAMES += ("cu_seqlens_k_new", "rotary_seqlens")


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls take the path of npu tensors, on which the host checks no contents; the twin checks the kernels."""
    for api in ("v2", "v3"):
        package = backend.package(api)
        interface = importlib.import_module(f"{package.__name__}.flash_attn_interface")
        for name in ("flash_attn_with_kvcache", "flash_attn_with_kvcache_partials"):
            if hasattr(interface, f"_{name}"):  # v2 has no partial results
                run = getattr(package._C, name)
                monkeypatch.setattr(interface, f"_{name}", lambda *args, run=run: run(*args, lambda: 0))
    monkeypatch.setenv("FLASH_ATTN_NPU_TWIN_MODE", "check")
    monkeypatch.setenv("FLASH_ATTN_NPU_TWIN_SEED", "1")


def cases() -> list[Any]:
    return [
        pytest.param(api, base, name, id=f"{api}-{base}-{name}".replace(" ", "-"))
        for api in ("v2", "v3")
        for base, options in BASES.items()
        if api == "v3" or base not in V3_ONLY
        for name in NAMES
        if name in build(Case(api, SEED, **options)).kwargs
    ]


@pytest.mark.parametrize(("api", "base", "name"), cases())
def test_stays_inside(api: str, base: str, name: str, unchecked: None) -> None:
    for value in WILD:
        for index in (0, -1):
            built = build(Case(api, SEED, **BASES[base]))
            built.kwargs[name].flatten()[index] = value
            call_and_look_around(api, built, f"{name}[{index}] = {value}")


@pytest.mark.parametrize("api", ["v2", "v3"])
@pytest.mark.parametrize("turn", range(10))
def test_everything_wild_at_once(api: str, turn: int, unchecked: None) -> None:
    generator = torch.Generator().manual_seed(SEED + turn)
    for base, options in BASES.items():
        if api == "v2" and base in V3_ONLY:
            continue
        built = build(Case(api, SEED, **options))
        for name in set(NAMES) & set(built.kwargs):
            x = built.kwargs[name]
            wild = torch.randint(-(2**31), LARGEST, x.shape, generator=generator).to(torch.int32)
            near = torch.randint(-3, 70, x.shape, generator=generator).to(torch.int32)
            x.copy_(torch.where(torch.rand(x.shape, generator=generator) < 0.5, wild, near))
        call_and_look_around(api, built, f"{base}: {describe(built)}")


def call_and_look_around(api: str, built: Built, what: str) -> None:
    before = built.clone()
    with contextlib.suppress(RuntimeError):  # it reports only the first findings
        call(api, built.kwargs)
    found = [f for f in library.machine().findings() if f.severity == "error" and f.kind not in HARMLESS]
    assert not found, what + "\n" + "\n".join(map(str, found))
    for name, base in before.bases.items():
        now = built.bases[name]
        changed = bits(base) != bits(now)
        if name in ("k_cache", "v_cache"):
            view = built.kwargs[name]
            changed.as_strided(view.shape, view.stride(), view.storage_offset()).fill_(False)
        assert not changed.any(), f"{what}: {int(changed.sum())} elements of or around {name} were written"


def describe(built: Built) -> str:
    return ", ".join(f"{name} {built.kwargs[name].tolist()}" for name in NAMES if name in built.kwargs)
