# SPDX-License-Identifier: BSD-3-Clause
"""The text of build.ninja, and what an incremental build rebuilds."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from buildtools.ninja_writer import Target, build, ninja_text, write_if_changed
from buildtools.sources import Source
from buildtools.toolchain import Toolchain, find_toolchain

GOLDEN = """\
# Written by kernels-common/buildtools/ninja_writer.py. Do not edit: the next build overwrites it.
ninja_required_version = 1.5
builddir = build/x
cxx = ccache g++
flags = -O3 '-DNAME=a b'
ldflags = -shared '-Wl,-rpath,$$ORIGIN'

rule cxx
  command = $cxx -MD -MF $out.d $flags $own_flags -c $in -o $out
  description = compile $in
  depfile = $out.d
  deps = gcc
rule link
  command = $cxx $in $ldflags -o $out
  description = link $out

build build/x/obj/csrc/module.cpp.o: cxx csrc/module.cpp
  own_flags = -Icsrc
build build/x/obj/kernels-common/cpu/isa/isa_avx2.cpp.o: cxx kernels-common/cpu/isa/isa_avx2.cpp
  own_flags = -mavx2 -mfma

build build/x/_C.abi3.so: link build/x/obj/csrc/module.cpp.o build/x/obj/kernels-common/cpu/isa/isa_avx2.cpp.o | $
    build/x/exports.map
default build/x/_C.abi3.so
"""


def test_text() -> None:
    toolchain = Toolchain(("ccache", "g++"), "g++", (12, 2, 0), "x86_64")
    target = Target(
        output="_C.abi3.so",
        sources=[
            Source("csrc/module.cpp", ("-Icsrc",)),
            Source("kernels-common/cpu/isa/isa_avx2.cpp", ("-mavx2", "-mfma")),
        ],
        compile_flags=("-O3", "-DNAME=a b"),
        link_flags=("-shared", "-Wl,-rpath,$ORIGIN"),
        link_inputs=("exports.map",),
    )
    assert ninja_text(toolchain, target, "build/x") == GOLDEN


@pytest.fixture
def program(tmp_path: Path) -> Target:
    """main.cpp and other.cpp, of which only main.cpp includes value.h."""
    (tmp_path / "value.h").write_text("#define VALUE 3\n")
    (tmp_path / "main.cpp").write_text('#include "value.h"\nint other();\nint main() { return VALUE + other(); }\n')
    (tmp_path / "other.cpp").write_text("int other() { return 4; }\n")
    return Target("program", [Source("main.cpp"), Source("other.cpp", ("-O2",))], (), ())


def compiled(root: Path, target: Target) -> tuple[int, set[str]]:
    """Builds; returns the program's exit status and the objects that were written."""
    before = {path: path.stat().st_mtime_ns for path in root.glob("build/x/obj/*.o")}
    output = build(find_toolchain(), target, root, "build/x", jobs=1)
    after = {path: path.stat().st_mtime_ns for path in root.glob("build/x/obj/*.o")}
    status = subprocess.run([output]).returncode
    return status, {path.name for path in after if before.get(path) != after[path]}


def test_incremental(program: Target, tmp_path: Path) -> None:
    assert compiled(tmp_path, program) == (7, {"main.cpp.o", "other.cpp.o"})
    assert compiled(tmp_path, program) == (7, set())

    (tmp_path / "value.h").write_text("#define VALUE 30\n")
    assert compiled(tmp_path, program) == (34, {"main.cpp.o"})

    other_flags = Target("program", [Source("main.cpp"), Source("other.cpp", ("-O1",))], (), ())
    assert compiled(tmp_path, other_flags) == (34, {"other.cpp.o"})


def test_compile_error_is_an_error(program: Target, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "other.cpp").write_text("int other() { return nonsense; }\n")
    with pytest.raises(subprocess.CalledProcessError):
        build(find_toolchain(), program, tmp_path, "build/x", jobs=1)
    assert "other.cpp:1:22: error: " in capfd.readouterr().out


def test_unchanged_text_keeps_its_time(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    write_if_changed(path, "text")
    os.utime(path, (1000, 1000))
    write_if_changed(path, "text")
    assert path.stat().st_mtime == 1000
    write_if_changed(path, "other text")
    assert path.stat().st_mtime > 1000
