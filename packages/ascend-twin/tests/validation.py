# SPDX-License-Identifier: BSD-3-Clause
"""Predicted against published times: prints the table of packages/ascend-twin/docs/validation.md.

python -m tests.validation            in packages/ascend-twin: copies and a matmul
ASCEND_TWIN_CATLASS=... adds example programs of CATLASS, ASCEND_TWIN_DEVKIT=... those of asc-devkit, unmodified,
against the times in their documents; ASCEND_TWIN_PEER=... (and ASCEND_TWIN_CATLASS) the peer's attention kernel

Published times are of repeated runs, so the second run is predicted, which finds in L2 what the first one left; only
the copies, of which a part is run, start with an empty L2.
"""

from __future__ import annotations

import ctypes
import os
import tempfile
from pathlib import Path

import numpy as np
from ascend_twin import Machine, build_kernel, load
from ascend_twin.corners import CORNERS
from ascend_twin.machine import Out

HERE = Path(__file__).resolve().parent
# Where a higher number of costs.def makes a kernel faster.
RATES = ("l2_tbps", "hbm_tbps")


def row(name: str, chip: str, published: float, key: str = "us", scale: float = 1.0, runs: int = 2) -> None:
    """One line: default constants, corners, the published figure, the error."""
    machine = Machine.get()
    costs = machine.costs()
    best = {n: costs[n][2 if n in RATES else 1] for n in CORNERS}
    worst = {n: costs[n][1 if n in RATES else 2] for n in CORNERS}
    now, low, high = (machine.simulate(chip=chip, costs=c, runs=runs)[key] * scale for c in ({}, best, worst))
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
        kernel(blocks, data, *data.shape, *tile, mode="timing")
        row(f"{name.replace('_', ' ')} 12288², tile {tile[0]} x {tile[1]}, MTE2", "910B2", published, scale=4, runs=1)


def matmuls() -> None:
    kernel = load(HERE / "kernels" / "matmul.cpp", "matmul_f16")
    for size, chip, published, whose in [
        (1536, "910C", 38.8, "pto GEMM"),
        (3072, "910C", 206.7, "pto GEMM"),
        (6144, "910C", 1506.0, "pto GEMM"),
        (7680, "910C", 3168.0, "pto GEMM"),
        (8192, "910B1", 3559.0, "devkit"),
    ]:
        zeros = np.zeros((size, size), np.float16)
        kernel(24, zeros, zeros, Out(zeros.copy()), size, size, size, mode="timing")
        row(
            f"fp16 matmul {size}³ (ours; published: {whose})", chip, published, "us" if whose == "devkit" else "task_us"
        )


def attention() -> None:
    from .others import peer

    for queries, keys, pto in [
        (2048, 2048, 32.46),
        (4096, 4096, 88.9),
        (8192, 8192, 292.6),
        (16384, 16384, 909.1),
        (32768, 32768, 3262.6),
        (128, 4096, 38.32),
        (128, 8192, 68.78),
        (512, 8192, 74.9),
        (1024, 8192, 76.86),
        (2048, 8192, 107.78),
    ]:
        q, k = (np.zeros((1, length, 1, 128), np.float16) for length in (queries, keys))
        peer.forward(q, k, k, mode="timing")
        row(f"peer forward, 1 head, {queries} x {keys} (published: pto)", "910B2", pto, "task_us")


def catlass() -> None:
    """Example programs of CATLASS, in place and unmodified; published: task durations in their documents."""
    home = Path(os.environ["ASCEND_TWIN_CATLASS"])
    basic, quant, preload = "00_basic_matmul", "12_quant_matmul", "21_basic_matmul_preload_zN"
    split, full, multi = (
        "34_single_core_splitk_matmul",
        "44_quant_matmul_full_loadA_tla",
        "52_quant_multi_core_splitk_matmul_tla",
    )
    # Size; chip and cores; programs and what is published for them.
    for size, chip, cores, programs in [
        ((2048, 4096, 4000), "910B2", 24, {split: 261, basic: 445}),
        ((4096, 4096, 8000), "910B2", 24, {split: 917, basic: 1231}),
        ((4096, 4096, 40000), "910B2", 24, {split: 4669, basic: 7775}),
        ((512, 4096, 1024), "910B1", 24, {quant: 33.26, full: 31.73}),
        ((128, 16384, 1024), "910B1", 24, {quant: 38.68, full: 37.05}),
        ((1024, 4096, 1024), "910B1", 24, {quant: 42.66, full: 41.96}),
        ((512, 8192, 1024), "910B1", 24, {quant: 52.36, full: 44.05}),
        ((128, 16384, 2048), "910B1", 24, {quant: 53.77, full: 52.75}),
        ((128, 256, 1024), "910B3", 20, {quant: 18.64, multi: 18.11}),
        ((128, 256, 2048), "910B3", 20, {quant: 23.23, multi: 20.67}),
        ((128, 256, 4096), "910B3", 20, {quant: 32.97, multi: 21.15}),
        ((128, 256, 8192), "910B3", 20, {quant: 47.73, multi: 20.01}),
        ((128, 256, 16384), "910B3", 20, {quant: 78.52, multi: 23.83}),
        ((256, 512, 16384), "910B3", 20, {quant: 75.39, multi: 34.29}),
        ((256, 1024, 16384), "910B3", 20, {quant: 77.35, multi: 51.41}),
        ((20, 6144, 16384), "910B3", 20, {preload: 181.4}),
        ((160, 6144, 2048), "910B3", 20, {preload: 40.6}),
    ]:
        for program, published in programs.items():
            folder = home / "examples" / program
            (source,) = folder.glob("*.cpp")
            includes = [HERE / "others" / "no_golden", home / "include", home / "examples" / "common", folder]
            library = build_kernel(source, [*(f"-I{path}" for path in includes), "-DCATLASS_ARCH=2201"])
            machine = Machine.get()
            machine.configure("timing", cores=cores)
            machine.clear()
            words = [b"program", *(str(number).encode() for number in size), b"0"]
            failed = ctypes.CDLL(str(library.path)).twin_main(len(words), (ctypes.c_char_p * 6)(*words, None))
            if failed or machine.recorded() != 1:
                raise RuntimeError(f"{program} {size}: returned {failed}, {machine.recorded()} launches")
            row(f"CATLASS {program} {'x'.join(map(str, size))}", chip, published, "task_us", runs=1)


def devkit() -> None:
    """Programs of asc-devkit, in place and unmodified; published: time on the cores, of a pipe, or of the task."""
    best = Path(os.environ["ASCEND_TWIN_DEVKIT"]) / "examples" / "01_simd_cpp_api" / "05_best_practices"
    square, matrix = 8192 * 8192 * 2, 12288 * 12288 * 2
    mmad = "01_matrix_compute/matmul_basic_api_high_performance/mmad.asc", {"x1_gm.bin": square, "x2_gm.bin": square}
    copy = "04_memory_access/data_copy/data_copy.asc", {"input.bin": matrix}
    nd2nz = "04_memory_access/bank_conflict_nd2nz/bank_conflict_nd2nz.asc", {"input.bin": square}
    add = "00_vector_compute/add_high_performance/add.asc", {"input_x.bin": square, "input_y.bin": square}
    for (source, inputs), scenario, flags, what, published in [
        (mmad, 1, [], "us", 3670.7),
        (mmad, 1, [], "AIC M", 3081.7),
        (mmad, 1, [], "AIC MTE1", 2538.3),
        (mmad, 1, [], "AIC MTE2", 3552.2),
        (mmad, 1, [], "AIC S", 337.3),
        (mmad, 2, [], "us", 3636.9),
        (copy, 6, ["-DCOPY_DST_UB=1"], "us", 354.6),
        (copy, 5, ["-DCOPY_DST_UB=1"], "us", 816.1),
        (copy, 5, ["-DCOPY_DST_L1=1"], "us", 397.8),
        (copy, 4, ["-DCOPY_DST_L1=1"], "us", 872.2),
        (nd2nz, 1, [], "AIV V", 47.8),
        (nd2nz, 2, [], "AIV V", 7.1),
        (nd2nz, 2, [], "us", 131.4),
        (add, 2, [], "us", 297.1),
        (add, 2, [], "AIV S", 8.22),
        (add, 3, [], "AIV S", 2.83),
        (add, 3, [], "task_us", 268.5),
        (add, 4, [], "us", 257.6),
        (add, 5, [], "task_us", 187.7),
        (add, 5, [], "AIV V", 12.8),
        (add, 6, [], "AIV V", 7.0),
    ]:
        machine = Machine.get()
        path = best / source
        numbers = [f"-DSCENARIO_NUM={scenario}", f"-DSCENARIO={scenario}", "-DNPU_ARCH=2201", "-DARCH_2201=1"]
        library = ctypes.CDLL(str(build_kernel(path, [f"-I{path.parent}", *numbers, *flags]).path))
        with tempfile.TemporaryDirectory() as work:
            (Path(work) / "input").mkdir()
            (Path(work) / "output").mkdir()
            for name, size in inputs.items():
                with open(Path(work) / "input" / name, "wb") as file:
                    file.truncate(size)
            before = os.getcwd()
            os.chdir(work)
            machine.configure("timing")
            machine.clear()
            library.twin_main(1, (ctypes.c_char_p * 2)(b"demo", None))
            os.chdir(before)
        label = f"devkit {path.stem} {scenario}{' to L1' if '-DCOPY_DST_L1=1' in flags else ''}"
        if what in ("us", "task_us"):
            row(label, "910B1", published, what)
        else:
            report = machine.simulate(chip="910B1")
            us = report["busy"][what] * report["us"]
            print(
                f"| {label}, {what} | 910B1 | {us:.1f} | {published:g} | {100 * (us / published - 1):+.0f} % |",
                flush=True,
            )


if __name__ == "__main__":
    print("| kernel | chip | predicted us [corners] | published us | error |\n|---|---|---|---|---|")
    copies()
    matmuls()
    if {"ASCEND_TWIN_CATLASS", "ASCEND_TWIN_PEER"} <= os.environ.keys():
        attention()
    if "ASCEND_TWIN_CATLASS" in os.environ:
        catlass()
    if "ASCEND_TWIN_DEVKIT" in os.environ:
        devkit()
