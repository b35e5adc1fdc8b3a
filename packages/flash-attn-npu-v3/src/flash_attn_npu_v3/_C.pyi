# SPDX-License-Identifier: BSD-3-Clause
"""Types of the extension module (csrc/module.cpp)."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

# Take the values of the schema in the order of the bound names, then None or a function that returns the stream.
flash_attn_with_kvcache: Callable[..., Any]
flash_attn_with_kvcache_partials: Callable[..., Any]

def bind_flash_attn_with_kvcache(names: tuple[str, ...], /) -> None: ...
def scheduler_metadata(
    batch_size: int, num_heads_q: int, num_heads_kv: int, cache_seqlens: Tensor, /
) -> tuple[int, int, int, int]: ...
def describe_cpu() -> str: ...
def describe_device() -> str: ...
