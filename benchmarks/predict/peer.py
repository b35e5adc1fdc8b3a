# SPDX-License-Identifier: BSD-3-Clause
"""The same calls by the peer's forward kernel, on the same twin and model.

The driver of that kernel belongs to the tests of ascend-twin, which run it too. It is no module of a package, so it is
loaded by its path.
"""

from __future__ import annotations

import importlib.util
import os
from dataclasses import replace
from types import ModuleType

import numpy as np
from ascend_twin import Machine

from benchmarks.predict.prediction import ROOT, Kernel
from benchmarks.predict.shapes import Shape

DRIVER = ROOT / "packages" / "ascend-twin" / "tests" / "others" / "peer.py"


def peer_driver() -> ModuleType:
    """Module with `forward`, which runs the peer's kernel on numpy arrays."""
    spec = importlib.util.spec_from_file_location("ascend_twin_peer", DRIVER)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def peer_serves(shape: Shape) -> bool:
    """Whether there is a peer to compare the call with."""
    plain = shape.sq > 1 and not (shape.page or shape.splits or shape.lengths or shape.new or shape.rotary or shape.qv)
    return plain and {"ASCEND_TWIN_PEER", "ASCEND_TWIN_CATLASS"} <= os.environ.keys()


def predict_peer(shape: Shape, chip: str = "910B2") -> list[Kernel]:
    """The same call by the peer's forward kernel, read in place from its checkout; over_corners() then works on it."""
    bf16 = shape.dtype == "bfloat16"
    q = np.zeros((shape.b, shape.sq, shape.h, shape.d), np.uint16 if bf16 else np.float16)
    k = np.zeros((shape.b, shape.sk, shape.hk, shape.d), q.dtype)
    v = np.zeros((shape.b, shape.sk, shape.hk, shape.dv or shape.d), q.dtype)
    peer_driver().forward(q, k, v, causal=bool(shape.causal), bf16=bf16, mode="timing")
    machine = Machine.get()
    kernels = [Kernel.of(machine.simulate(i, chip)) for i in range(machine.recorded())]
    return [replace(kernel, name="peer's forward") for kernel in kernels]  # its own name is a page of templates
