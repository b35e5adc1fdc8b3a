# SPDX-License-Identifier: BSD-3-Clause
"""Calls of the API with the tensors of a host-side case moved to npu, with strides and surroundings as they are."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from tests.support import backend


class Moved:
    """Arguments on a device. Tensors that share memory on the host share it there too."""

    def __init__(self, kwargs: dict[str, Any], device: str = "npu:0"):
        self._device = device
        self._flat: dict[int, tuple[Tensor, Tensor]] = {}  # host address -> storage as a flat tensor, there and here
        self.kwargs = {name: self._move(x) if isinstance(x, Tensor) else x for name, x in kwargs.items()}

    def _move(self, x: Tensor) -> Tensor:
        address = x.untyped_storage().data_ptr()
        if address not in self._flat:
            here = torch.empty(0, dtype=torch.uint8).set_(x.untyped_storage())
            self._flat[address] = here.to(self._device), here
        flat = self._flat[address][0].view(x.dtype)
        return flat.as_strided(x.shape, x.stride(), x.storage_offset())

    def copy_back(self) -> None:
        """Every byte of every argument's memory: writes beside a tensor count too."""
        for there, here in self._flat.values():
            here.copy_(there)


def call_on_npu(api: str, kwargs: dict[str, Any], device: str = "npu:0") -> Any:
    """As Backend.call of the test suite: host tensors in and out, caches updated in place."""
    moved = Moved(kwargs, device)
    result = getattr(backend.package(api), backend.FUNCTION)(**moved.kwargs)
    moved.copy_back()
    return tuple(x.cpu() for x in result) if isinstance(result, tuple) else result.cpu()
