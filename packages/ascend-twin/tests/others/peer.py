# SPDX-License-Identifier: BSD-3-Clause
"""Calls the peer's kernels on the twin.

Needs ASCEND_TWIN_PEER and ASCEND_TWIN_CATLASS; the backward needs ASCEND_TWIN_DEVKIT as well.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import numpy as np
from ascend_twin import Machine, build_kernel
from ascend_twin.machine import aligned

HERE = Path(__file__).resolve().parent
TREES = {2: "flash_attn_npu", 3: "flash_attn_npu_3", 4: "flash_attn_npu_4"}
Lengths = tuple[list[int], list[int]]


class ForwardCall(ctypes.Structure):
    _fields_ = [
        (n, ctypes.c_void_p)
        for n in (
            "q k v o lse mask lengths_q lengths_k workspace tiling page_table host_lengths_q host_lengths_k".split()
        )
    ]
    _fields_ += [
        (n, ctypes.c_int64)
        for n in (
            "batch heads heads_k seqlen_q seqlen_k head_dim head_dim_v cores pages pages_per_batch page_size left "
            "right splits"
        ).split()
    ]
    _fields_ += [("scale", ctypes.c_float), ("softcap", ctypes.c_float)]


class BackwardCall(ctypes.Structure):
    _fields_ = [
        (n, ctypes.c_void_p)
        for n in (
            "dout q k v o lse mask lengths_q lengths_k dq dk dv workspace tiling host_lengths_q host_lengths_k".split()
        )
    ]
    _fields_ += [(n, ctypes.c_int64) for n in "batch heads heads_k seqlen_q seqlen_k head_dim left right cores".split()]
    _fields_ += [("scale", ctypes.c_float), ("softcap", ctypes.c_float)]


class Arguments:
    """Device memory of a call: registered arrays whose addresses stand in its structure."""

    def __init__(self, call: ctypes.Structure) -> None:
        self.call = call
        self.arrays: dict[str, np.ndarray] = {}

    def put(self, name: str, source: np.ndarray, **how) -> np.ndarray:
        array = aligned(source.shape, source.dtype)
        array[...] = source
        Machine.get().register(array, name, **how)
        setattr(self.call, name, array.ctypes.data)
        self.arrays[name] = array
        return array

    def run(self, library: ctypes.CDLL, function: str) -> None:
        library.peer_tiling_bytes.restype = library.peer_tiling.restype = ctypes.c_uint64
        self.put("tiling", np.zeros(library.peer_tiling_bytes(), np.uint8))
        workspace = library.peer_tiling(ctypes.byref(self.call))
        assert workspace
        self.put("workspace", np.zeros(workspace, np.uint8), initialised=False)
        getattr(library, function)(ctypes.byref(self.call))
        for array in self.arrays.values():
            Machine.get().unregister(array.ctypes.data)


def library(source: str, tree: int, **macros: object) -> ctypes.CDLL:
    Machine.get()
    home = Path(os.environ["ASCEND_TWIN_PEER"]) / "csrc" / "ascend910" / TREES[tree]
    flags = [f"-I{home}", f"-I{os.environ['ASCEND_TWIN_CATLASS']}/include", "-DCATLASS_ARCH=2201"]
    flags += [f"-DPEER_TREE={tree}", *(f"-DPEER_{name.upper()}={value}" for name, value in macros.items())]
    return ctypes.CDLL(str(build_kernel(HERE / source, flags).path))


def upper_triangle() -> np.ndarray:
    return np.triu(np.ones((2048, 2048), np.uint8), 1)


def forward(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    *,
    causal: bool = False,
    window: tuple[int, int] = (-1, -1),
    softcap: float = 0.0,
    splits: int = 0,
    tree: int = 4,
    bf16: bool = False,
    cores: int = 24,
    mode: str = "fast",
    page_table: np.ndarray | None = None,
    seqlens_k: np.ndarray | None = None,
    lengths: Lengths | None = None,
    **options,
) -> tuple[np.ndarray, np.ndarray]:
    """q (b, sq, h, d), k (b, sk, hk, d), v (b, sk, hk, dv) as float16 or bfloat16 bits -> o, lse (b, h, sq).

    With page_table (b, pages per batch) k and v are (pages, page size, hk, ...); seqlens_k: keys of each batch.
    With lengths (of queries, of keys): q (total, h, d), k and v (total, hk, ...) or paged, lse (h, total).
    splits: ways to split the keys of a paged call, -1: as the kernel's own plan has it.
    With dv < d the kernel does its work, but puts rows of o in wrong places: of use for its time only.
    """
    d = q.shape[-1]
    if causal:
        window = (-1, 0)
    lib = library("peer_forward.cpp", tree, type="bfloat16_t" if bf16 else "half", tnd=int(lengths is not None))
    machine = Machine.get()
    machine.configure(mode, cores=cores, **options)
    machine.clear()
    if lengths is not None:
        batch, longest_q, of_keys = len(lengths[0]), max(lengths[0]), np.array(lengths[1])
    else:
        batch, longest_q = q.shape[:2]
        of_keys = np.full(batch, k.shape[1]) if seqlens_k is None else seqlens_k
    call = ForwardCall(
        batch=batch,
        heads=q.shape[-2],
        heads_k=k.shape[-2],
        seqlen_q=longest_q,
        seqlen_k=int(of_keys.max()),
        head_dim=d,
        head_dim_v=v.shape[-1],
        cores=cores,
        left=window[0],
        right=window[1],
        splits=splits,
        scale=d**-0.5,
        softcap=softcap,
    )
    args = Arguments(call)
    for name, array in (("q", q), ("k", k), ("v", v)):
        args.put(name, array, read_only=True)
    o = args.put("o", np.zeros((*q.shape[:-1], v.shape[-1]), q.dtype), initialised=False)
    lse_shape = (q.shape[-2], q.shape[0]) if lengths is not None else (batch, q.shape[-2], longest_q)
    lse = args.put("lse", np.full(lse_shape, np.inf, np.float32), initialised=False)
    if window != (-1, -1):
        args.put("mask", upper_triangle(), read_only=True)
    if page_table is not None:
        args.put("page_table", page_table.astype(np.int32), read_only=True)
        call.pages, call.page_size, call.pages_per_batch = k.shape[0], k.shape[1], page_table.shape[1]
    host_k = of_keys.astype(np.int32)
    call.host_lengths_k = host_k.ctypes.data
    if lengths is not None:
        sums = args.put("lengths_q", np.cumsum([0, *lengths[0]]).astype(np.int32), read_only=True)
        call.host_lengths_q = sums.ctypes.data
        dense = np.cumsum([0, *lengths[1]]).astype(np.int32)
        args.put("lengths_k", host_k if page_table is not None else dense, read_only=True)
    else:
        args.put("lengths_k", host_k, read_only=True)
        call.lengths_q = call.lengths_k
    args.run(lib, "peer_forward")
    return o, lse


def backward(
    dout: np.ndarray,
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    o: np.ndarray,
    lse: np.ndarray,
    *,
    window: tuple[int, int] = (-1, -1),
    softcap: float = 0.0,
    deterministic: bool = False,
    lengths: Lengths | None = None,
    bf16: bool = False,
    tree: int = 3,
    cores: int = 24,
    mode: str = "fast",
    **options,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dq, dk, dv of (b, s, h, d) arrays, lse (b, h, sq); window (-1, 0): causal.

    With lengths (of queries, of keys) the arrays are (total, h, d) and lse (h, total). Trees 3 and 4: FAGGeneral, which
    is v2's as well where lengths are equal; tree 2: FAGVarlenOpt, with lengths.
    """
    d = q.shape[-1]
    masked = window != (-1, -1)
    kind = "bfloat16_t" if bf16 else "half"
    if tree == 2:
        assert lengths is not None
        lib = library("peer_varlen_backward.cpp", tree, type=kind, causal=int(masked), softcap=int(softcap > 0))
    else:
        lib = library(
            "peer_backward.cpp",
            tree,
            type=kind,
            dim=f"Aligned{next(n for n in (64, 128, 192, 256) if d <= n)}",
            layout="BSND" if lengths is None else "TND",
            mask=int(masked),
            deterministic=int(deterministic),
            softcap=int(softcap > 0),
        )
    machine = Machine.get()
    machine.configure(mode, cores=cores, **options)
    machine.clear()
    call = BackwardCall(
        batch=q.shape[0] if lengths is None else len(lengths[0]),
        heads=q.shape[-2],
        heads_k=k.shape[-2],
        seqlen_q=q.shape[1] if lengths is None else max(lengths[0]),
        seqlen_k=k.shape[1] if lengths is None else max(lengths[1]),
        head_dim=d,
        left=window[0],
        right=window[1],
        cores=cores,
        scale=d**-0.5,
        softcap=softcap,
    )
    args = Arguments(call)
    for name, array in (("dout", dout), ("q", q), ("k", k), ("v", v), ("o", o), ("lse", lse.astype(np.float32))):
        args.put(name, array, read_only=True)
    if masked:
        args.put("mask", upper_triangle(), read_only=True)
    if lengths is not None:
        for name, of in zip(("lengths_q", "lengths_k"), lengths):
            sums = np.cumsum([0, *of]).astype(np.int32)
            args.put(name, sums if tree == 2 else sums[1:], read_only=True)
            setattr(call, f"host_{name}", args.arrays[name].ctypes.data)
    dq, dk, dv = (
        args.put(name, np.zeros_like(like), initialised=False) for name, like in (("dq", q), ("dk", k), ("dv", v))
    )
    args.run(lib, "peer_backward")
    return dq, dk, dv
