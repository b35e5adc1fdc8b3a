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
import math
import os
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch

from tests.support.cases import Case

FUNCTION = "flash_attn_with_kvcache"


@dataclass(frozen=True)
class Backend:
    """An implementation of the API.

    Attributes:
        name: what FLASH_ATTN_NPU_TEST_BACKEND says.
        dtypes: of q; v2 never has fp8.
        environment: variables that send calls to it; set for the whole run.
        half_score_rows: packed rows of a kv head from which scores may be rounded to half precision; infinity: never.
            See harness.Expected.check_lse.
        pair_rounds: covers of all pairs of features that test_pairs runs through.
        fuzz_calls: random calls of each part of test_fuzz.
    """

    name: str
    dtypes: tuple[str, ...]
    environment: tuple[tuple[str, str], ...] = ()
    half_score_rows: float = math.inf
    pair_rounds: int = 5
    fuzz_calls: int = 150

    def supports(self, case: Case) -> bool:
        return case.dtype in self.dtypes

    def adapted(self, case: Case) -> Case:
        """The case itself, or the nearest one that the backend computes."""
        return case if self.supports(case) else dataclasses.replace(case, dtype=self.dtypes[0])

    def call(self, api: str, kwargs: dict[str, Any]) -> Any:
        """Calls the API with host tensors; the caches are updated in the tensors given."""
        return getattr(package(api), FUNCTION)(**kwargs)


BACKENDS = {
    "cpu": Backend(
        "cpu",
        ("float16", "bfloat16", "float32", "float8_e4m3fn"),
        environment=(("FLASH_ATTN_NPU_BACKEND", "cpu"),),
    ),
    "twin": Backend(
        "twin",
        ("float16", "bfloat16", "float8_e4m3fn"),
        environment=(("FLASH_ATTN_NPU_BACKEND", "device"),),
        half_score_rows=17,  # the prefill kernel, which FLASH_ATTN_NPU_DEVICE_KERNELS=fast sends such calls to
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
