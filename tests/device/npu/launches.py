# SPDX-License-Identifier: BSD-3-Clause
"""Python functions as kernels on a stream, to hold a stream up and to look at what is in flight."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Callable

import torch

_KERNEL = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_void_p)
_DESTROY = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_kept: list[Any] = []  # ctypes' functions must outlive the launch


def launch(function: Callable[[], None]) -> None:
    """Enqueues `function` on the current stream."""

    def run(_: Any) -> float:
        function()
        return 0.0

    _kept.extend([_KERNEL(run), _DESTROY(lambda _: None)])
    stream = ctypes.c_void_p(torch.npu.current_stream().npu_stream)
    runtime = ctypes.CDLL("libascendcl.so")
    status = runtime.acl_emulated_launch(stream, b"test kernel", _kept[-2], None, _kept[-1])
    assert status == 0


@contextmanager
def held_up(seconds: float = 60) -> Iterator[Callable[[], None]]:
    """The current stream does nothing until the function that is yielded was called, or the block is left."""
    go = threading.Event()
    launch(lambda: assert_set(go.wait(seconds)))
    try:
        yield go.set
    finally:
        go.set()


def assert_set(was_set: bool) -> None:
    assert was_set, "nobody let the stream go on"
