"""The SIMD layer of the cpu backend: each level is compiled with the build's own flags and checked against doubles."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LEVELS = {"portable": "SimdPortable", "avx2": "SimdAvx2", "avx512": "SimdAvx512"}


def _build_sources():
    path = ROOT / "kernels-common" / "build" / "sources.py"
    spec = importlib.util.spec_from_file_location("kernels_common_build_sources", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up by name
    spec.loader.exec_module(module)
    return module


def _cpu_has(flags: tuple[str, ...]) -> bool:
    """Whether this CPU can run code compiled with `flags` (-mavx512bw -> avx512bw)."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    words = set(next(line for line in cpuinfo.splitlines() if line.startswith(("flags", "Features"))).split())
    return all(flag.removeprefix("-m") in words for flag in flags)


@pytest.mark.parametrize("kind", ["release", "sanitize"])
@pytest.mark.parametrize("level", list(LEVELS))
def test_simd_level(level: str, kind: str, tmp_path: Path) -> None:
    sources = _build_sources()
    if level != "portable" and platform.machine() != "x86_64":
        pytest.skip(f"{level} is an x86-64 level")
    flags = sources.X86_ISA_FLAGS.get(level, ())
    if not _cpu_has(flags):
        pytest.skip(f"this CPU cannot run {level}")
    compiler = shutil.which("g++") or shutil.which("c++") or pytest.fail("no C++ compiler")
    program = tmp_path / "simd_checks"
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
        f'-DSIMD_HEADER="cpu/tile/simd_{level}.h"',
        f"-DSIMD={LEVELS[level]}",
        str(Path(__file__).with_name("simd_checks.cpp")),
        "-o",
        str(program),
    ]
    compiled = subprocess.run(command, capture_output=True, text=True)
    assert compiled.returncode == 0, f"{' '.join(command)}\n{compiled.stderr}"
    result = subprocess.run([str(program)], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
