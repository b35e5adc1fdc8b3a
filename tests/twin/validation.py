"""Predicted against published times: prints the table of docs/twin.md.

python tests/twin/validation.py            copies and the project's matmul
CATLASS_HOME=... PEER_HOME=... adds the peer's attention kernel
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "kernels-common" / "twin"), str(HERE / "others")]

from ascend_twin import Machine, load  # noqa: E402
from ascend_twin.machine import Out  # noqa: E402

ASCEND = ROOT / "kernels-common" / "ascend"
LOW = {"l2_tbps": 7.0, "hbm_tbps": 1.8, "vec_two_source": 1, "cross_flag_latency": 200}
HIGH = {"l2_tbps": 5.2, "hbm_tbps": 1.4, "vec_two_source": 2, "cross_flag_latency": 1000}


def row(name: str, chip: str, published: float, key: str = "us", scale: float = 1.0) -> None:
    """One line: default constants, corners, the published figure, the error."""
    machine = Machine.get()
    now, low, high = (machine.simulate(chip=chip, costs=c)[key] * scale for c in ({}, LOW, HIGH))
    error = 100 * (now / published - 1)
    print(f"| {name} | {chip} | {now:.1f} [{low:.1f} to {high:.1f}] | {published:g} | {error:+.0f} % |", flush=True)


def copies() -> None:
    """devkit data_copy: 12288 x 12288 half, MTE2 time in us. Every fourth row of tiles is run, the time is scaled."""
    data = np.zeros((12288 // 4, 12288), np.float16)
    for name, blocks, tile, published in [
        ("gm_to_ub", 48, (1, 64), 548.2),
        ("gm_to_ub", 48, (64, 64), 220.8),
        ("gm_to_ub", 48, (64, 1024), 202.7),
        ("gm_to_l1", 24, (64, 64), 283.5),
        ("gm_to_l1", 24, (64, 256), 214.5),
    ]:
        kernel = load(HERE / "kernels" / "copy_rate.cpp", name)
        kernel(blocks, data, *data.shape, *tile, mode="cycles", skip_math=True)
        row(f"{name.replace('_', ' ')} 12288², tile {tile[0]} x {tile[1]}, MTE2", "910B2", published, scale=4)


def matmuls() -> None:
    kernel = load(ASCEND / "kernel" / "matmul_f16.cpp", "matmul_f16", [f"-I{ASCEND}"])
    for size, chip, published, whose in [
        (1536, "910C", 38.8, "pto GEMM"),
        (3072, "910C", 206.7, "pto GEMM"),
        (6144, "910C", 1506.0, "pto GEMM"),
        (7680, "910C", 3168.0, "pto GEMM"),
        (8192, "910B1", 3559.0, "devkit"),
    ]:
        zeros = np.zeros((size, size), np.float16)
        kernel(24, zeros, zeros, Out(zeros.copy()), size, size, size, mode="cycles", skip_math=True)
        row(
            f"fp16 matmul {size}³ (ours; published: {whose})", chip, published, "us" if whose == "devkit" else "task_us"
        )


def attention() -> None:
    import peer

    for keys, pto, fused in [(2048, 32.46, 70.8), (4096, 88.9, 118.3), (8192, 292.6, 353.1), (16384, 909.1, 1118.5)]:
        q = np.zeros((1, keys, 1, 128), np.float16)
        peer.forward(q, q, q, mode="cycles", skip_math=True)
        row(f"peer forward, 1 head, {keys} (published: fused op {fused:g}, pto)", "910B2", pto, "task_us")


if __name__ == "__main__":
    print("| kernel | chip | predicted us [corners] | published us | error |\n|---|---|---|---|---|")
    copies()
    matmuls()
    if {"CATLASS_HOME", "PEER_HOME"} <= os.environ.keys():
        attention()
