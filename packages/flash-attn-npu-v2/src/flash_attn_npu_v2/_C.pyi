# SPDX-License-Identifier: BSD-3-Clause
"""Types of the extension module (csrc/module.cpp)."""

from collections.abc import Callable
from typing import Any

# Take the values of the schema in the order of the bound names, then None or a function that returns the stream.
flash_attn_with_kvcache: Callable[..., Any]

def bind_flash_attn_with_kvcache(names: tuple[str, ...], /) -> None: ...
def describe_cpu() -> str: ...
def describe_device() -> str: ...
