# SPDX-License-Identifier: BSD-3-Clause
"""Which implementation the tests exercise: FLASH_ATTN_NPU_TEST_BACKEND, default "cpu".

The tests build their inputs on the host and pass them through `Backend.call`; nothing else in them knows a device. A
further backend registers itself in BACKENDS.

"twin": the Ascend kernels on the twin, from the library that FLASH_ATTN_NPU_DEVICE_LIB names. What it cannot compute or
would take too long for is changed in one place, `Backend.adapted`.
"""

from __future__ import annotations

import dataclasses
import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from tests.support.cases import Case

FUNCTION = "flash_attn_with_kvcache"


@dataclass(frozen=True)
class Backend:
    """An implementation of the API.

    Attributes:
        name: what FLASH_ATTN_NPU_TEST_BACKEND says.
        device: where tensors go.
        dtypes: of q; v2 never has fp8.
        environment: variables that send calls to it; set for the whole run when it is the current one.
        compared_with: a backend whose results must agree within the accuracy rule, besides the reference's.
        half_score_rows: packed rows of a kv head from which scores may be rounded to half precision, 0: never; see
            harness.compare_lse.
        half_scores_anywhere: also in calls as small as the tests'; see harness.allowed_error.
        pair_rounds: covers of all pairs of features that test_pairs runs through.
        fuzz_calls: random calls of each part of test_fuzz.
    """

    name: str
    device: str
    dtypes: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    compared_with: str | None = None
    half_score_rows: int = 0
    half_scores_anywhere: bool = False
    pair_rounds: int = 5
    fuzz_calls: int = 150

    def supports(self, case: Case) -> bool:
        return case.dtype in self.dtypes

    def adapted(self, case: Case) -> Case:
        """The case itself, or the nearest one that the backend computes."""
        return case if self.supports(case) else dataclasses.replace(case, dtype=self.dtypes[0])

    def call(self, api: str, kwargs: dict[str, Any]) -> Any:
        """Calls the API with host tensors; the caches are updated in the tensors given."""
        function = getattr(package(api), FUNCTION)
        if self != current():
            with environment(self.environment):
                return function(**kwargs)
        if self.device == "cpu":
            return function(**kwargs)
        on_device = {k: x.to(self.device) if isinstance(x, Tensor) else x for k, x in kwargs.items()}
        result = function(**on_device)
        for name in ("k_cache", "v_cache"):
            kwargs[name].copy_(on_device[name])
        return tuple(x.cpu() for x in result) if isinstance(result, tuple) else result.cpu()


@contextmanager
def environment(variables: tuple[tuple[str, str], ...]) -> Iterator[None]:
    """The variables are set inside the block."""
    before = {name: os.environ.get(name) for name, _ in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


FORCED_FAST_PATHS = os.environ.get("FLASH_ATTN_NPU_DEVICE_KERNELS") == "fast"

BACKENDS = {
    "cpu": Backend(
        "cpu",
        "cpu",
        ("float16", "bfloat16", "float32", "float8_e4m3fn"),
        environment=(("FLASH_ATTN_NPU_BACKEND", "cpu"),),
    ),
    "twin": Backend(
        "twin",
        "cpu",
        ("float16", "bfloat16", "float8_e4m3fn"),
        environment=(("FLASH_ATTN_NPU_BACKEND", "device"),),
        compared_with="cpu",
        half_score_rows=17 if FORCED_FAST_PATHS else 128,
        half_scores_anywhere=FORCED_FAST_PATHS,
        pair_rounds=2,
        fuzz_calls=75,
    ),
}


def current() -> Backend:
    name = os.environ.get("FLASH_ATTN_NPU_TEST_BACKEND", "cpu")
    if name not in BACKENDS:
        raise ValueError(f"FLASH_ATTN_NPU_TEST_BACKEND={name}, expected one of {sorted(BACKENDS)}")
    return BACKENDS[name]


def package(api: str) -> ModuleType:
    return importlib.import_module(f"flash_attn_npu_{api}")


def dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
