# SPDX-License-Identifier: BSD-3-Clause
"""What the toolchain check says about compilers that are missing, too old, broken or for another machine."""

from __future__ import annotations

import os
import platform
import re
import stat
import sys
from pathlib import Path

import pytest

from buildtools import toolchain
from buildtools.toolchain import Toolchain, ToolchainError, find_toolchain, python_include_dir

GCC_MACROS = (
    "#define __GNUC__ {0}\n#define __GNUC_MINOR__ {1}\n#define __GNUC_PATCHLEVEL__ {2}\n#define __aarch64__ 1\n"
)
CLANG_MACROS = GCC_MACROS.format(4, 2, 1) + (
    "#define __clang_major__ {0}\n#define __clang_minor__ {1}\n#define __clang_patchlevel__ {2}\n"
)


def fake_compiler(path: Path, answer: str, assembles: bool = True) -> Path:
    """A program that answers the question for predefined macros, and otherwise succeeds or not."""
    path.parent.mkdir(parents=True, exist_ok=True)
    status = 0 if assembles else 1
    path.write_text(f"#!/bin/sh\ncase \"$*\" in *-dM*) printf '%s' '{answer}' ;; *) exit {status} ;; esac\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_finds_a_compiler_here() -> None:
    found = find_toolchain()
    assert found.machine == platform.machine()
    assert found.version[0] >= toolchain.OLDEST[found.kind]
    assert Path(python_include_dir(found), "Python.h").is_file()


def test_no_compiler_on_path(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError) as error:
        find_toolchain({"PATH": str(tmp_path)})
    message = str(error.value)
    assert "There is no g++ and no clang++ on PATH" in message
    for advice in ("apt-get install g++-12", "gcc-toolset-12-gcc-c++", "openEuler", "macOS"):
        assert advice in message


def test_too_old_compilers_are_all_named(tmp_path: Path) -> None:
    fake_compiler(tmp_path / "g++", GCC_MACROS.format(10, 2, 1))
    fake_compiler(tmp_path / "clang++", CLANG_MACROS.format(13, 0, 1))
    with pytest.raises(ToolchainError) as error:
        find_toolchain({"PATH": str(tmp_path)})
    assert "g++-10.2.1" in str(error.value)
    assert "clang++-13.0.1" in str(error.value)
    assert "g++ 12 or newer" in str(error.value)


def test_newer_compiler_under_a_versioned_name_is_taken(tmp_path: Path) -> None:
    fake_compiler(tmp_path / "g++", GCC_MACROS.format(10, 2, 1))
    versioned = fake_compiler(tmp_path / "g++-13", GCC_MACROS.format(13, 1, 0))
    found = find_toolchain({"PATH": str(tmp_path)})
    assert found == Toolchain((str(versioned),), "g++", (13, 1, 0), "aarch64")


def test_clang_is_told_from_gcc(tmp_path: Path) -> None:
    # clang++ defines __GNUC__ too, as 4.2.1
    fake_compiler(tmp_path / "clang++", CLANG_MACROS.format(14, 0, 6))
    found = find_toolchain({"PATH": str(tmp_path)})
    assert (found.kind, found.version) == ("clang++", (14, 0, 6))


@pytest.mark.parametrize("cxx", ["no-such-compiler", "/nowhere/g++ -m64"])
def test_cxx_that_does_not_exist(cxx: str, tmp_path: Path) -> None:
    fake_compiler(tmp_path / "g++", GCC_MACROS.format(12, 2, 0))
    with pytest.raises(ToolchainError, match=re.escape(f"CXX names '{cxx}', which does not exist")):
        find_toolchain({"PATH": str(tmp_path), "CXX": cxx})


def test_cxx_that_is_no_compiler(tmp_path: Path) -> None:
    program = fake_compiler(tmp_path / "strange", "hello")
    with pytest.raises(ToolchainError, match=r"is not a g\+\+ or clang\+\+ that works"):
        find_toolchain({"PATH": str(tmp_path), "CXX": str(program)})


def test_cxx_wins_and_keeps_its_arguments(tmp_path: Path) -> None:
    fake_compiler(tmp_path / "g++", GCC_MACROS.format(12, 2, 0))
    program = fake_compiler(tmp_path / "cache", GCC_MACROS.format(12, 4, 0))
    found = find_toolchain({"PATH": str(tmp_path), "CXX": f"{program} g++"})
    assert found.command == (str(program), "g++")
    assert found.version == (12, 4, 0)


def test_too_old_cxx_is_refused_although_path_has_a_good_one(tmp_path: Path) -> None:
    fake_compiler(tmp_path / "g++", GCC_MACROS.format(12, 2, 0))
    old = fake_compiler(tmp_path / "old", GCC_MACROS.format(9, 4, 0))
    with pytest.raises(ToolchainError, match=r"Too old: g\+\+-9.4.0"):
        find_toolchain({"PATH": str(tmp_path), "CXX": str(old)})


def test_old_assembler(tmp_path: Path) -> None:
    macros = GCC_MACROS.replace("__aarch64__", "__x86_64__")
    fake_compiler(tmp_path / "g++", macros.format(12, 2, 0), assembles=False)
    with pytest.raises(ToolchainError, match="binutils 2.35"):
        find_toolchain({"PATH": str(tmp_path), "CXX": str(tmp_path / "g++")})


def test_wheel_is_not_cross_compiled() -> None:
    other = "x86_64" if platform.machine() == "aarch64" else "aarch64"
    with pytest.raises(ToolchainError, match=f"makes code for {other}"):
        python_include_dir(Toolchain(("cross-g++",), "g++", (12, 2, 0), other))


def test_missing_python_headers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain.sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(ToolchainError, match="python3-dev"):
        python_include_dir(Toolchain(("g++",), "g++", (12, 2, 0), platform.machine()))


def test_other_systems_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ToolchainError, match="Linux only, not on darwin"):
        find_toolchain()


def test_c_compiler_is_refused() -> None:
    with pytest.raises(
        ToolchainError, match=r"gcc compiles C\+\+ but does not link it.*undefined reference(.|\n)*CXX=g\+\+"
    ):
        find_toolchain({**os.environ, "CXX": "gcc"})


def test_missing_runtime_is_named() -> None:
    found = find_toolchain()
    assert found.link_problem() == ""
    assert "no_such_library" in found.link_problem(["-lno_such_library"])
