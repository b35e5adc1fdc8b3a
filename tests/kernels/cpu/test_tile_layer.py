# SPDX-License-Identifier: BSD-3-Clause
"""The SIMD and tile layers of the cpu backend: each level, compiled with the build's own flags, against scalar code."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import pytest

from buildtools import sources
from tests.support.paths import ROOT

LEVELS = {"portable": "SimdPortable", "avx2": "SimdAvx2", "avx512": "SimdAvx512"}


def _cpu_has(flags: tuple[str, ...]) -> bool:
    """Whether this CPU can run code compiled with `flags` (-mavx512bw -> avx512bw)."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    words = set(next(line for line in cpuinfo.splitlines() if line.startswith(("flags", "Features"))).split())
    # the kernel writes avx512_bf16 and amx_tile where gcc says -mavx512bf16 and -mamx-tile
    words = {word.replace("_", "") for word in words}
    return all(flag[len("-m") :].replace("-", "") in words for flag in flags)


def _run_checks(program: str, level: str, kind: str, defines: dict[str, str], tmp_path: Path) -> None:
    """Compiles tests/kernels/cpu/<program>.cpp with the flags of `level` and runs it."""
    if level != "portable" and platform.machine() != "x86_64":
        pytest.skip(f"{level} is an x86-64 level")
    flags = sources.X86_ISA_FLAGS.get(level, ())
    if not _cpu_has(flags):
        pytest.skip(f"this CPU cannot run {level}")
    compiler = shutil.which("g++") or shutil.which("c++") or pytest.fail("no C++ compiler")
    binary = tmp_path / program
    command = [
        compiler,
        *sources.LANGUAGE_FLAGS,
        *sources.KIND_FLAGS[kind],
        *flags,
        "-Wall",
        "-Wextra",
        "-Werror",
        f"-I{ROOT / 'kernels-common' / 'include'}",
        f"-I{ROOT / 'kernels-common'}",
        *(f"-D{name}={value}" for name, value in defines.items()),
        str(Path(__file__).with_name(f"{program}.cpp")),
        "-o",
        str(binary),
    ]
    compiled = subprocess.run(command, capture_output=True, text=True)
    assert compiled.returncode == 0, f"{' '.join(command)}\n{compiled.stderr}"
    result = subprocess.run([str(binary)], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("kind", ["release", "sanitize"])
@pytest.mark.parametrize("level", list(LEVELS))
def test_simd_level(level: str, kind: str, tmp_path: Path) -> None:
    defines = {"SIMD_HEADER": f'"cpu/tile/simd_{level}.h"', "SIMD": LEVELS[level]}
    _run_checks("simd_checks", level, kind, defines, tmp_path)


@pytest.mark.parametrize("level", ["amx_emulated", "amx_bf16"])
def test_amx_tiles(level: str, tmp_path: Path) -> None:
    """The model of the tiles follows the manual bit for bit; so do the real tiles where there are any."""
    defines = {
        "amx_emulated": {"TILES_HEADER": '"cpu/tile/amx_tiles_emulated.h"', "TILES": "AmxTilesEmulated"},
        "amx_bf16": {"TILES_HEADER": '"cpu/tile/amx_tiles.h"', "TILES": "AmxTiles", "TILES_ARE_REAL": "1"},
    }[level]
    _run_checks("amx_tiles_checks", level, "release", defines, tmp_path)


@pytest.mark.parametrize("program", ["mask_checks", "request_checks"])
def test_shared_facts(program: str, tmp_path: Path) -> None:
    """include/: the mask's two questions against its definition; the list of a request's tensors."""
    _run_checks(program, "portable", "sanitize", {}, tmp_path)
