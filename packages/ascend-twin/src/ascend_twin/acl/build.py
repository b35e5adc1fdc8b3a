# SPDX-License-Identifier: BSD-3-Clause
"""Builds the emulated CANN libraries.

libascendcl.so is the runtime (runtime/*.cc) plus one stub per function that the wheel links and the runtime does not
have: a stub names itself and aborts. libopapi.so holds the operators (operators/*.cc); it wraps device memory as torch
tensors and is therefore built for one torch. The other libraries the wheel links are empty and depend on libascendcl.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from ..build import compile_library, digest, locked
from ..compiler import compiler, run
from .wheel_symbols import defined, needs_of_wheel, package_dir

HERE = Path(__file__).resolve().parent
RUNTIME = "libascendcl.so"
OPERATORS = "libopapi.so"
FLAGS = ("-std=c++17", "-g1", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra")
INCLUDES = tuple(f"-I{HERE / name}" for name in ("include", "runtime"))


def build_emulation(out_dir: Path) -> Path:
    """Bring OUT_DIR/lib up to date and return it.

    Raises:
        BuildError: no compiler, or it fails.
        ModuleNotFoundError: torch, torch_npu or pyelftools is not installed.
    """
    out_dir = out_dir.resolve()
    libraries = out_dir / "lib"
    libraries.mkdir(parents=True, exist_ok=True)
    needs = needs_of_wheel()
    with locked(f"acl-{digest([str(out_dir).encode()])}"):
        _build_runtime(needs.functions, out_dir)
        _build_operators(libraries)
        for name in needs.libraries:
            if name not in (RUNTIME, OPERATORS) and not (libraries / name).exists():
                link_flags: list[str | Path] = [
                    f"-Wl,-soname,{name}",
                    "-Wl,--no-as-needed",
                    libraries / RUNTIME,
                    "-Wl,-rpath,$ORIGIN",
                ]
                run([*compiler(), "-shared", "-o", libraries / name, *link_flags])
        for stale in libraries.glob("*.so"):
            if stale.name not in {*needs.libraries, RUNTIME, OPERATORS}:
                stale.unlink()
    return libraries


def _build_runtime(functions: list[str], out_dir: Path) -> None:
    """libascendcl.so. Linked twice: what the first link does not define becomes a stub of the second."""
    sources = sorted((HERE / "runtime").glob("*.cc"))
    flags = [*FLAGS, "-O2", *INCLUDES]
    plain, stubs = out_dir / "without_stubs.so", out_dir / "stubs.cc"
    _link(plain, sources, flags, [f"-Wl,-soname,{RUNTIME}"])
    stubs.write_text(_stub_source(sorted(set(functions) - defined(plain))))
    _link(out_dir / "lib" / RUNTIME, [*sources, stubs], flags, [f"-Wl,-soname,{RUNTIME}"])


def _stub_source(functions: list[str]) -> str:
    lines = ["// Functions that torch_npu links and the emulated runtime does not have.", '#include "acl_types.h"']
    lines += ['#include "fatal.h"', ""]
    lines += [f'ACL_EXPORT void {name}() {{ acl_emulation::not_implemented("{name}"); }}' for name in functions]
    return "\n".join(lines) + "\n"


def _build_operators(libraries: Path) -> None:
    torch = package_dir("torch")
    sources = [*sorted((HERE / "operators").glob("*.cc")), HERE / "runtime" / "fatal.cc"]
    # Lines of torch's headers warn; -isystem keeps that to itself.
    flags = [*FLAGS, "-O1", *INCLUDES, f"-isystem{torch / 'include'}"]
    link_flags: list[str | Path] = [
        libraries / RUNTIME,
        f"-L{torch / 'lib'}",
        "-ltorch_cpu",
        "-lc10",
        f"-Wl,-rpath,{torch / 'lib'}",
    ]
    _link(libraries / OPERATORS, sources, flags, [f"-Wl,-soname,{OPERATORS}", *link_flags])


def _link(target: Path, sources: Sequence[Path], flags: Sequence[str], link_flags: Iterable[str | Path]) -> None:
    """Compile and link `target` unless it was made of the same things."""
    link_flags = list(link_flags)
    headers = sorted([*(HERE / "include").glob("*.h"), *HERE.glob("*/*.h")])
    words = [*compiler(), *flags, *map(str, link_flags)]
    key = digest([*(p.read_bytes() for p in [*sources, *headers]), " ".join(words).encode()])
    mark = target.with_suffix(".key")
    if target.exists() and mark.exists() and mark.read_text() == key:
        return
    compile_library(target, sources, flags, link_flags)
    mark.write_text(key)
