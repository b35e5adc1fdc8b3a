# SPDX-License-Identifier: BSD-3-Clause
"""Fill a Forward request from numpy arrays and launch a kernel on it (driver.h is the C++ half)."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ascend_twin import Machine, build_kernel
from ascend_twin.machine import CheckFailure, Finding, aligned

from buildtools.instances import instances
from tests.support.paths import ROOT

HERE = Path(__file__).resolve().parent
ASCEND = ROOT / "kernels-common" / "ascend"
FLAGS = [f"-I{ASCEND}", f"-I{ROOT / 'kernels-common' / 'include'}", f"-I{HERE}"]
DTYPES = {"f16": 0, "bf16": 1, "f8": 3}  # DType of flash_attn_npu/dtype.h
STORAGE = {"f16": np.float16, "bf16": np.uint16, "f8": np.uint8}


class FlatTensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("strides", ctypes.c_int64 * 3)]


class FlatPerHead(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("strides", ctypes.c_int64 * 2)]


TENSORS = "q qv out k_cache v_cache k_new v_new prepared_q".split()
POINTERS = (
    "lse out_accum lse_accum cu_seqlens_q seqused_q cache_seqlens cu_seqlens_k_new leftpad batch_idx page_table "
    "cu_seqlens_k cos sin rotary_seqlens core_workspace redo"
).split()
PER_HEAD = "alibi_slopes q_descale k_descale v_descale".split()
INT64 = "total_q total_new page_table_stride cos_stride sin_stride core_workspace_bytes".split()
INT32 = (
    "dtype out_dtype batch num_heads_q num_heads_kv head_dim head_dim_v max_seqlen_q max_seqlen_k cache_seqlen "
    "seqlen_new page_size num_blocks index_rows capacity rotary_seqlen rotary_dim rotary_interleaved "
    "rotary_q_per_row window_left window_right attention_chunk alibi_lse_offset num_splits tile_rows tile_keys "
    "folded_scale"
).split()
FLOATS = "scale softcap lse_of_masked_row".split()


class FlatCall(ctypes.Structure):
    """twin_test::Call."""

    _fields_ = (
        [(n, FlatTensor) for n in TENSORS]
        + [(n, ctypes.c_void_p) for n in POINTERS]
        + [(n, FlatPerHead) for n in PER_HEAD]
        + [("lse_strides", ctypes.c_int64 * 2)]
        + [(n, ctypes.c_int64) for n in INT64]
        + [(n, ctypes.c_int32) for n in INT32]
        + [(n, ctypes.c_float) for n in FLOATS]
    )


def place(
    values: np.ndarray, layout: Sequence[int] | None = None, gaps: Sequence[int] | None = None, offset: int = 0
) -> np.ndarray:
    """A copy of `values` in memory of its own, aligned as device allocations are.

    layout: the axes from outermost to innermost in memory (default: as they are); gaps: elements left free after each
    axis of the layout; offset: elements before the first one. What lies between is 0xff (a NaN, or code 0xff).
    """
    layout = list(range(values.ndim)) if layout is None else list(layout)
    gaps = [0] * values.ndim if gaps is None else list(gaps)
    size, strides = values.itemsize, [0] * values.ndim
    step = 1
    for axis, gap in zip(reversed(layout), reversed(gaps)):
        strides[axis] = step * size
        step = step * values.shape[axis] + gap
    base = aligned(offset + step, values.dtype, None)
    base.view(np.uint8)[...] = 0xFF
    view = np.ndarray(values.shape, values.dtype, base, offset * size, strides)
    view[...] = values
    return view


def allocation(view: np.ndarray) -> np.ndarray:
    """All bytes of the memory that `place` or `aligned` made for a view."""
    base = view
    while isinstance(base.base, np.ndarray):
        if base.base.dtype == np.uint8 and base.base.ndim == 1 and base.base.base is None:
            # The raw bytes: what is aligned of them.
            start = -base.base.ctypes.data % 512
            return base.base[start : base.base.size - 512 + start]
        base = base.base
    if view.flags["C_CONTIGUOUS"]:
        return view.reshape(-1).view(np.uint8)
    raise ValueError("a strided view must come from place()")


class Call:
    """One call: names of driver.h's Call -> numpy arrays (views keep their strides) or numbers.

    Tensors are (batch or block, row, head, dim), or (row, head, dim) when packed. `out_dtype` defaults to `dtype`
    ("bf16" for "f8"); cos_stride, sin_stride, page_table_stride, the strides of lse (batch, head, row; packed: head,
    row) and the sizes of tensors are read off the arrays. Names in `written` may be written by the kernel, those in
    `fresh` also hold nothing yet: reading them is a finding.
    """

    def __init__(self, dtype: str = "f16", *, written: Sequence[str] = (), fresh: Sequence[str] = (), **given: Any):
        self.flat = FlatCall()
        self.arrays: dict[str, np.ndarray] = {k: v for k, v in given.items() if isinstance(v, np.ndarray)}
        self.written, self.fresh = set(written) | set(fresh), set(fresh)
        out_dtype = given.pop("out_dtype", "bf16" if dtype == "f8" else dtype)
        numbers = {"window_left": -1, "window_right": -1, "scale": 1.0, "tile_rows": 128, "tile_keys": 128}
        numbers.update(num_splits=1, dtype=DTYPES[dtype], out_dtype=DTYPES[out_dtype])
        numbers.update({k: v for k, v in given.items() if v is not None and not isinstance(v, np.ndarray)})
        for name, value in numbers.items():
            setattr(self.flat, name, value)
        for name, array in self.arrays.items():
            self._point(name, array)

    def _point(self, name: str, array: np.ndarray) -> None:
        flat, size = self.flat, array.itemsize
        steps = [s // size for s in array.strides]
        if name in TENSORS:
            assert steps[-1] == 1 or array.shape[-1] == 1, name
            setattr(
                flat, name, FlatTensor(array.ctypes.data, (ctypes.c_int64 * 3)(*([0] * (4 - array.ndim) + steps[:-1])))
            )
        elif name in PER_HEAD:
            setattr(flat, name, FlatPerHead(array.ctypes.data, (ctypes.c_int64 * 2)(*([0] * (2 - array.ndim) + steps))))
        else:
            assert name in POINTERS, name
            setattr(flat, name, array.ctypes.data)
            if name == "lse":
                flat.lse_strides = (ctypes.c_int64 * 2)(*([0] * (3 - array.ndim) + steps[:-1]))
            elif name in ("cos", "sin", "page_table"):
                setattr(flat, f"{name}_stride", steps[0])

    def run(
        self, library: Library, kernel: str, blocks: int, *, mode: str = "fast", clean: bool = True, **options: Any
    ) -> list[Finding]:
        """Launch; raises CheckFailure on errors that the model reports (`clean`), returns all findings."""
        machine = Machine.get()
        machine.configure(mode, **options)
        machine.clear()
        # Tensors may share an allocation (k and v of one cache): registered once.
        regions: dict[int, tuple[np.ndarray, list[str]]] = {}
        for name, array in self.arrays.items():
            memory = allocation(array)
            regions.setdefault(memory.ctypes.data, (memory, []))[1].append(name)
        for memory, names in regions.values():
            machine.register(
                memory,
                "+".join(names),
                initialised=not self.fresh.issuperset(names),
                read_only=not self.written.intersection(names),
            )
        try:
            getattr(library.library, f"run_{kernel}")(ctypes.byref(self.flat), ctypes.c_uint32(blocks))
        finally:
            for memory, _ in regions.values():
                machine.unregister(memory.ctypes.data)
        found = machine.findings()
        errors = [f for f in found if f.severity == "error"]
        if errors and clean:
            raise CheckFailure(errors)
        return found


class Library:
    """A source that launches a kernel (see driver.h), built for the twin."""

    def __init__(self, source: str):
        Machine.get()
        self.library = ctypes.CDLL(str(build_kernel(source, FLAGS).path))
        self.library.twin_call_bytes.restype = ctypes.c_uint64
        assert self.library.twin_call_bytes() == ctypes.sizeof(FlatCall), "driver.h and driver.py differ"

    @classmethod
    @functools.cache
    def of(cls, room: str, kernel: str) -> Library:
        """The library of one kernel, built once per process.

        `<ROOM>_DRIVER(kernel)` is in the header `<room>_driver.h`.
        """
        made = {instance.symbol: instance for instance in instances(ASCEND)}.get(f"flash_attn_{kernel}")
        source = made.source(ASCEND) if made else f'#include "{room}/{kernel}.cpp"\n'
        return cls(f'{source}#include "{room}_driver.h"\n{room.upper()}_DRIVER({kernel})\n')
