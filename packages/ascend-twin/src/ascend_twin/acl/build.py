# SPDX-License-Identifier: BSD-3-Clause
"""Builds the emulated CANN libraries for the torch_npu that is installed in the running Python.

    python packages/ascend-twin/src/ascend_twin/acl/build.py OUT_DIR     prints the directory for LD_LIBRARY_PATH

libascendcl.so is the runtime (runtime/*.cc) plus one stub per function that the wheel links and the runtime does not
have: a stub names itself and aborts. libopapi.so holds the operators (operators/*.cc); it wraps device memory as torch
tensors and is therefore built for one torch. The other libraries the wheel links are empty and depend on libascendcl.
OUT_DIR is relative to the repository. Needs the packages torch, torch_npu, ninja and pyelftools; torch is not imported.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from wheel_symbols import needs_of_wheel, package_dir

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
sys.path.insert(0, str(ROOT / "kernels-common" / "buildtools"))

from ninja_writer import Target, build, locked, write_if_changed  # noqa: E402
from sources import Source  # noqa: E402
from toolchain import Toolchain, find_toolchain  # noqa: E402

RUNTIME = "libascendcl.so"
OPERATORS = "libopapi.so"
FLAGS = ("-std=c++17", "-O2", "-g1", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra")
INCLUDES = tuple(f"-I{(HERE / name).relative_to(ROOT)}" for name in ("include", "runtime"))


def build_emulation(out_dir: str) -> Path:
    """Brings OUT_DIR/lib up to date and returns it."""
    toolchain = find_toolchain()
    needs = needs_of_wheel()
    with locked(ROOT / out_dir):
        library_dir = ROOT / out_dir / "lib"
        library_dir.mkdir(exist_ok=True)
        runtime = build_runtime(toolchain, needs.functions, out_dir)
        built = [runtime, build_operators(toolchain, runtime, out_dir)]
        for path in built:
            if not same_file(path, library_dir / path.name):
                shutil.copy2(path, library_dir / path.name)
        for name in needs.libraries:
            if name != RUNTIME and not (library_dir / name).exists():
                link_empty(toolchain, name, library_dir)
        for stale in library_dir.glob("*.so"):
            if stale.name not in {*needs.libraries, RUNTIME, OPERATORS}:
                stale.unlink()
    return library_dir


def build_runtime(toolchain: Toolchain, functions: list[str], out_dir: str) -> Path:
    """libascendcl.so. Linked twice: what the first link does not define becomes a stub of the second."""
    sources = list_sources("runtime")
    plain = link(toolchain, sources, f"{out_dir}/runtime", RUNTIME)
    missing = sorted(set(functions) - defined_functions(plain))
    stubs = f"{out_dir}/stubs/stubs.cc"
    write_if_changed(ROOT / stubs, stub_source(missing))
    return link(toolchain, [*sources, Source(stubs)], f"{out_dir}/runtime-with-stubs", RUNTIME)


def stub_source(functions: list[str]) -> str:
    lines = ["// Functions that torch_npu links and the emulated runtime does not have.", '#include "acl_types.h"']
    lines += ['#include "fatal.h"', ""]
    lines += [f'ACL_EXPORT void {name}() {{ acl_emulation::not_implemented("{name}"); }}' for name in functions]
    return "\n".join(lines) + "\n"


def build_operators(toolchain: Toolchain, runtime: Path, out_dir: str) -> Path:
    torch = package_dir("torch")
    # Lines of torch's headers warn; -isystem keeps that to itself.
    flags = (f"-isystem{torch / 'include'}", "-O1")
    sources = [Source(source.path, flags) for source in list_sources("operators")]
    sources += [source for source in list_sources("runtime") if source.path.endswith("/fatal.cc")]
    libraries = [str(runtime), f"-L{torch / 'lib'}", "-ltorch_cpu", "-lc10", f"-Wl,-rpath,{torch / 'lib'}"]
    return link(toolchain, sources, f"{out_dir}/operators", OPERATORS, *libraries)


def list_sources(directory: str) -> list[Source]:
    return [Source(str(path.relative_to(ROOT))) for path in sorted((HERE / directory).glob("*.cc"))]


def link(toolchain: Toolchain, sources: list[Source], directory: str, name: str, *flags: str) -> Path:
    target = Target(
        output=name,
        sources=sources,
        compile_flags=(*FLAGS, *INCLUDES),
        link_flags=("-shared", f"-Wl,-soname,{name}", "-Wl,--no-undefined", *flags, "-pthread", "-ldl"),
    )
    return build(toolchain, target, ROOT, directory)


def link_empty(toolchain: Toolchain, name: str, library_dir: Path) -> None:
    command = [*toolchain.command, "-shared", "-o", name, f"-Wl,-soname,{name}", "-Wl,--no-as-needed", RUNTIME]
    subprocess.run([*command, "-Wl,-rpath,$ORIGIN"], cwd=library_dir, check=True)


def defined_functions(library: Path) -> set[str]:
    from elftools.elf.elffile import ELFFile

    with library.open("rb") as stream:
        symbols = ELFFile(stream).get_section_by_name(".dynsym")
        return {s.name for s in symbols.iter_symbols() if s["st_shndx"] != "SHN_UNDEF"}


def same_file(a: Path, b: Path) -> bool:
    return b.exists() and a.read_bytes() == b.read_bytes()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    try:
        print(build_emulation(sys.argv[1]))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
