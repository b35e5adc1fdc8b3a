"""Call the peer's forward kernel on the twin (needs PEER_HOME and CATLASS_HOME)."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import numpy as np
from ascend_twin import Machine, build_kernel
from ascend_twin.machine import aligned

HERE = Path(__file__).resolve().parent


class Call(ctypes.Structure):
    _fields_ = [(n, ctypes.c_void_p) for n in "q k v o lse mask seqlens_k workspace tiling page_table".split()]
    _fields_ += [("workspace_bytes", ctypes.c_uint64)]
    _fields_ += [
        (n, ctypes.c_uint32)
        for n in (
            "batch heads heads_k seqlen_q seqlen_k head_dim cores causal bf16 pages pages_per_batch page_size".split()
        )
    ]
    _fields_ += [("scale", ctypes.c_float)]


def library() -> ctypes.CDLL:
    Machine.get()
    tree = Path(os.environ["PEER_HOME"]) / "csrc" / "ascend910" / "flash_attn_npu_4"
    flags = [f"-I{tree}", f"-I{os.environ['CATLASS_HOME']}/include", "-DCATLASS_ARCH=2201"]
    lib = ctypes.CDLL(str(build_kernel(HERE / "peer_forward.cpp", flags).path))
    lib.peer_tiling_bytes.restype = lib.peer_workspace_bytes.restype = ctypes.c_uint64
    return lib


def forward(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    *,
    causal: bool = False,
    bf16: bool = False,
    cores: int = 24,
    mode: str = "fast",
    page_table: np.ndarray | None = None,
    seqlens_k: np.ndarray | None = None,
    **options,
) -> tuple[np.ndarray, np.ndarray]:
    """q (b, sq, h, d), k and v (b, sk, hk, d) as float16 or bfloat16 bits -> o, lse (b, h, sq).

    With page_table (b, pages per batch) k and v are (pages, page size, hk, d); seqlens_k: keys of each batch.
    """
    lib, machine = library(), Machine.get()
    machine.configure(mode, cores=cores, **options)
    machine.clear()
    b, sq, h, d = q.shape
    sk, hk = k.shape[1:3]
    lengths = np.full(b, sk, np.int32) if seqlens_k is None else seqlens_k.astype(np.int32)
    paged = page_table is not None
    pages = (k.shape[0], page_table.shape[1], k.shape[1]) if page_table is not None else (0, 0, 0)

    def put(name: str, source: np.ndarray, **how) -> np.ndarray:
        array = aligned(source.shape, source.dtype)
        array[...] = source
        machine.register(array, name, **how)
        return array

    tiling = np.zeros(lib.peer_tiling_bytes(), np.uint8)
    workspace_bytes = lib.peer_workspace_bytes(cores)
    mask = np.triu(np.ones((2048, 2048), np.uint8), 1) if causal else np.zeros(1, np.uint8)
    t = {
        "q": put("q", q, read_only=True),
        "k": put("k", k, read_only=True),
        "v": put("v", v, read_only=True),
        "o": put("o", np.zeros((b, sq, h, d), q.dtype), initialised=False),
        "lse": put("lse", np.full((b, h, sq), np.inf, np.float32), initialised=False),
        "mask": put("mask", mask, read_only=True),
        "seqlens_k": put("seqlens_k", lengths, read_only=True),
        "workspace": put("workspace", np.zeros(workspace_bytes, np.uint8), initialised=False),
        "tiling": put("tiling", tiling),
    }
    if page_table is not None:
        t["page_table"] = put("page_table", page_table.astype(np.int32), read_only=True)
    addresses = [a.ctypes.data for a in t.values()] + ([] if paged else [None])
    longest = int(lengths.max())
    call = Call(*addresses, workspace_bytes, b, h, hk, sq, longest, d, cores, causal, bf16, *pages, d**-0.5)
    lib.peer_forward(ctypes.byref(call))
    for array in t.values():
        machine.unregister(array.ctypes.data)
    return t["o"], t["lse"]
