# SPDX-License-Identifier: BSD-3-Clause
"""Arguments whose Python form is looser than what the operator takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch


def window_sides(window_size: Sequence[Any]) -> tuple[int, int]:
    """Return ``window_size`` as two ints.

    Clients pass tuples, lists and tensors of two elements, the elements ints or 0-dim tensors.

    Raises:
        TypeError: ``window_size`` is not a pair, or an element is not an integer.
    """
    try:
        left, right = window_size
    except (TypeError, ValueError):
        raise TypeError(f"window_size: got {window_size!r}, expected a pair of ints (left, right)") from None
    return _as_int("window_size", left), _as_int("window_size", right)


def split_cache_seqlens(cache_seqlens: Any) -> tuple[torch.Tensor | None, int | None]:
    """Return ``cache_seqlens`` as (tensor, int), one of them None: operator schemas know no union types.

    Raises:
        TypeError: ``cache_seqlens`` is neither None, an int nor a tensor.
    """
    if cache_seqlens is None or isinstance(cache_seqlens, torch.Tensor):
        return cache_seqlens, None
    return None, _as_int("cache_seqlens", cache_seqlens)


def optional_int(name: str, value: Any) -> int | None:
    """Return ``value`` as an int, or None. A 0-dim tensor counts as an int.

    Raises:
        TypeError: ``value`` is something else.
    """
    return None if value is None else _as_int(name, value)


def _as_int(name: str, value: Any) -> int:
    if type(value) is int or isinstance(value, torch.SymInt):
        return value
    if isinstance(value, torch.Tensor) and (value.dim() != 0 or value.is_floating_point()):
        raise TypeError(f"{name}: got a {value.dtype} tensor of shape {tuple(value.shape)}, expected an int")
    if isinstance(value, float):
        raise TypeError(f"{name}: got {value!r}, expected an int")
    try:
        return int(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name}: got {type(value).__name__}, expected an int") from None
