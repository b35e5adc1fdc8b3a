# SPDX-License-Identifier: BSD-3-Clause
"""What tests of Mmad and Fixpipe share: operands as the cube reads them, and one run of kernels/matmul.cpp."""

from __future__ import annotations

import numpy as np
from ascend_twin.machine import Out

from .elements import STORAGE, from_values, round_to_float, round_to_integer, size_of

FILE = "matmul.cpp"
B_AT, BIAS_AT, SCALES_AT, BYTES = 64 * 1024, 128 * 1024, 132 * 1024, 140 * 1024
OUT = 64 * 1024
NAMES = [
    "m",
    "n",
    "k",
    "steps",
    "unit",
    "bias",
    "align_k",
    "a_bytes",
    "b_bytes",
    "n_size",
    "m_size",
    "src_stride",
    "dst_stride",
    "quant",
    "scale",
    "nd_num",
    "src_nd",
    "dst_nd",
    "relu",
    "split",
    "vector",
    "to_l1",
    "ctrl48",
    "start",
    "hf32",
    "atomic",
    "by_copy",
]
NO_QUANT, F16, VREQ8, REQ8, VDEQF16, DEQF16, BF16, VB8, B8 = 0, 1, 2, 3, 4, 5, 16, 23, 24


def up(x: int, step: int) -> int:
    return -(-x // step) * step


def tiled(x: np.ndarray, rows: int, cols: int) -> np.ndarray:
    """Row-major blocks of `rows` x `cols`, row-major inside: zZ. Padding is a number that would be seen in a result."""
    padded = np.full((up(x.shape[0], rows), up(x.shape[1], cols)), 77.0)
    padded[: x.shape[0], : x.shape[1]] = x
    return padded.reshape(padded.shape[0] // rows, rows, -1, cols).transpose(0, 2, 1, 3).ravel()


def multiply(
    api_kernel, kernel: str, dtype: str, a: list, b: list, out: np.ndarray, *, row=None, scales=None, **numbers: int
):
    """C = sum of a[s] @ b[s] (+ row), then Fixpipe by `numbers` into `out` in GM. Returns it and the L1 image."""
    c0 = 32 // size_of(dtype)
    m, k = a[0].shape
    n = b[0].shape[1]
    memory = np.zeros(BYTES, np.uint8)

    def place(at, parts):
        stored = np.concatenate([from_values(p, dtype) for p in parts]).view(np.uint8)
        memory[at : at + stored.size] = stored
        return stored.size // len(parts)

    k_tile = up(k, 16) if numbers.get("align_k") else k
    if m == 1:  # GEMV: a plain vector, filled up to whole fractals
        lay_a = [np.concatenate([x[0], np.full(up(k, 16 * c0) - k, 77.0)]) for x in a]
    else:
        lay_a = [tiled(np.pad(x, ((0, 0), (0, k_tile - k)), constant_values=77.0), 16, c0) for x in a]
    # nZ: 16 columns by C0 rows per block, blocks row-major: the transposed blocks of B^T's column order.
    lay_b = [tiled(x, c0, 16).reshape(-1, c0, 16).transpose(0, 2, 1).ravel() for x in b]
    a_bytes, b_bytes = place(0, lay_a), place(B_AT, lay_b)
    if row is not None:
        stored = row.astype(np.int32 if dtype == "int8_t" else np.float32).view(np.uint8)
        memory[BIAS_AT : BIAS_AT + stored.size] = stored
    if scales is not None:
        memory[SCALES_AT : SCALES_AT + scales.nbytes] = scales.view(np.uint8)
    m16 = up(m, 16)
    defaults = {
        "m": m,
        "n": n,
        "k": k,
        "steps": len(a),
        "a_bytes": a_bytes,
        "b_bytes": b_bytes,
        "n_size": n,
        "m_size": m,
        "src_stride": m16,
        "dst_stride": n,
        "nd_num": 1,
        "ctrl48": 1,
    }
    values = {**defaults, **numbers}
    words = np.array([values.get(x, 0) for x in NAMES], np.uint64).view(np.int64)
    api_kernel(FILE, kernel)(1, memory, Out(out), words, mode="check")
    return out, memory


def whole(rng, dtype: str, *shape: int) -> np.ndarray:
    return rng.integers(-11, 12, shape).astype(np.float64)


SHAPES = [(16, 16, 16), (48, 32, 64), (37, 21, 50), (100, 48, 24), (17, 100, 33), (2, 5, 7)]
RESULT = {"half": "float", "bfloat16_t": "float", "float": "float", "int8_t": "int32_t"}


def scale_word(scale: np.ndarray, offset: int = 0, signed: bool = True) -> np.ndarray:
    bits = np.asarray(scale, np.float32).view(np.uint32).astype(np.uint64)
    return bits | np.uint64((offset & 0x1FF) << 37 | int(signed) << 46)


def kept(scale: np.ndarray) -> np.ndarray:
    """The scale as the hardware keeps it: 10 bits of mantissa."""
    return (np.asarray(scale, np.float32).view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32).astype(np.float64)


def converted(x: np.ndarray, dtype: str, scale, relu: bool, saturate: bool, offset: int = 0) -> np.ndarray:
    """Storage of one result: relu, scale, round, clamp, offset."""
    x = np.where(x < 0, 0, x) if relu else x
    if dtype in ("int8_t", "uint8_t"):
        return round_to_integer(np.rint(np.clip(x * scale, -256, 255)) + offset, dtype, "CAST_RINT")
    if dtype in ("half", "bfloat16_t"):
        return from_values(
            round_to_float((x * scale).astype(np.float32).astype(np.float64), dtype, saturate=saturate), dtype
        )
    return x.astype(STORAGE[dtype])


CONVERSIONS = [
    # from L0C (through which operands), to, quantisation, needs a scale, vector
    ("float", "float", NO_QUANT, False, 0),
    ("float", "half", F16, False, 0),
    ("float", "bfloat16_t", BF16, False, 0),
    ("float", "int8_t", B8, True, 0),
    ("float", "uint8_t", B8, True, 0),
    ("float", "int8_t", VB8, True, 1),
    ("float", "uint8_t", VB8, True, 1),
    ("int8_t", "int32_t", NO_QUANT, False, 0),
    ("int8_t", "half", DEQF16, True, 0),
    ("int8_t", "half", VDEQF16, True, 1),
    ("int8_t", "int8_t", REQ8, True, 0),
    ("int8_t", "uint8_t", REQ8, True, 0),
    ("int8_t", "int8_t", VREQ8, True, 1),
    ("int8_t", "uint8_t", VREQ8, True, 1),
]
IDS = [f"{s}-{d}-{q}{'v' if v else ''}" for s, d, q, _, v in CONVERSIONS]


def tile(rng, source: str, m: int, n: int) -> tuple[list, list, np.ndarray]:
    """Operands that leave interesting numbers in L0C: any floats (times a unit matrix), wide-ranging int32."""
    if source == "float":
        x = rng.standard_normal((m, n)) * 10.0 ** rng.integers(-3, 5, (m, n))
        x = np.where(rng.random((m, n)) < 0.3, np.rint(x) + 0.5, x).astype(np.float32).astype(np.float64)
        return [np.eye(m)], [x], x
    a, b = rng.integers(-128, 128, (m, 32)).astype(np.float64), rng.integers(-128, 128, (32, n)).astype(np.float64)
    return [a], [b], a @ b


def scaling(rng, scaled: bool, vector: int, dtype: str, n: int) -> tuple[dict, np.ndarray | float]:
    """Parameters and the effective scale of each column."""
    if not scaled:
        return {}, 1.0
    s = (rng.uniform(0.5, 2, n) * (1e-3 if dtype != "half" else 0.1)).astype(np.float32)
    words = scale_word(s, signed=dtype != "uint8_t")
    if vector:
        return {"scales": words, "vector": 1}, kept(s)
    return {"scale": int(words[0])}, kept(s[:1])[0]
