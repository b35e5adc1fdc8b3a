"""Which implementation the tests exercise: FLASH_ATTN_NPU_TEST_BACKEND, default "cpu".

The tests build their inputs on the host and pass them through `Backend.call`; nothing else in them knows a device. A
further backend (an Ascend twin, a device) registers itself in BACKENDS.
"""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from tests.common.cases import Case

FUNCTION = "flash_attn_with_kvcache"


@dataclass(frozen=True)
class Backend:
    name: str
    device: str
    dtypes: tuple[str, ...]  # v2 never has fp8

    def supports(self, case: Case) -> bool:
        return case.dtype in self.dtypes

    def call(self, api: str, kwargs: dict[str, Any]) -> Any:
        """Calls the API with host tensors; the caches are updated in the tensors given."""
        function = getattr(package(api), FUNCTION)
        if self.device == "cpu":
            return function(**kwargs)
        on_device = {k: x.to(self.device) if isinstance(x, Tensor) else x for k, x in kwargs.items()}
        result = function(**on_device)
        for name in ("k_cache", "v_cache"):
            kwargs[name].copy_(on_device[name])
        return tuple(x.cpu() for x in result) if isinstance(result, tuple) else result.cpu()


BACKENDS = {"cpu": Backend("cpu", "cpu", ("float16", "bfloat16", "float32", "float8_e4m3fn"))}


def current() -> Backend:
    name = os.environ.get("FLASH_ATTN_NPU_TEST_BACKEND", "cpu")
    if name not in BACKENDS:
        raise ValueError(f"FLASH_ATTN_NPU_TEST_BACKEND={name}, expected one of {sorted(BACKENDS)}")
    return BACKENDS[name]


def package(api: str) -> ModuleType:
    return importlib.import_module(f"flash_attn_npu_{api}")


def dtype_name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
