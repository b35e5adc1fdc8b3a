# SPDX-License-Identifier: BSD-3-Clause
"""Compile the twin's runtime and Ascend C sources; results are cached by content.

A source is compiled twice, as bisheng does: once as the cube program, once as the vector program. The two objects are
made self-contained (one relocatable each, hidden symbols local) and linked into one shared library:
the host code of the source is the cube object's, `extern "C"` kernels appear as NAME__aic and NAME__aiv.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import high_level, preprocess

HERE = Path(__file__).resolve().parent
INCLUDE = HERE / "include"
RUNTIME = HERE / "runtime"

PASS_MACROS = {
    "cube": ["-D__DAV_C220_CUBE__=1", "-D__DAV_CUBE__=1"],
    "vec": ["-D__DAV_C220_VEC__=1", "-D__DAV_VEC__=1"],
}
# The device compiler knows half, bfloat16_t and the address spaces without any header.
LANGUAGE = ["-include", str(INCLUDE / "ascendc" / "qualifiers.h"), "-include", str(INCLUDE / "ascendc" / "numeric.h")]
COMMON_MACROS = [
    "-D__NPU_ARCH__=2201",
    "-D__CCE_AICORE__=220",
    "-D__DAV_C220__=1",
    "-D__CCE__=1",
    "-DASCEND_TWIN=1",
    *LANGUAGE,
]


class BuildError(RuntimeError):
    """The host compiler refused a source; the text is its diagnostics."""


@dataclass
class Library:
    """A built shared library and the kernels it offers by name."""

    path: Path
    kernels: dict[str, int]  # name -> KERNEL_TASK_TYPE number, -1: not declared


def compiler() -> list[str]:
    """The C++ compiler's command ($CXX may hold a launcher and options)."""
    return shlex.split(os.environ.get("CXX", "")) or ["g++"]


@functools.cache
def _compiler_facts(command: tuple[str, ...]) -> tuple[bool, str, dict[str, str]]:
    """Whether it is clang, the machine it compiles for, and the binutils that go with it."""
    clang = "clang" in run([*command, "--version"])
    machine = run([*command, "-dumpmachine"]).split("-")[0]
    tools = {name: run([*command, f"-print-prog-name={name}"]).strip() for name in ("ld", "nm", "objcopy")}
    return clang, machine, tools


def second_compiler() -> list[str] | None:
    """clang++ for sources that g++ refuses: bisheng is a clang, and kernels lean on what clang accepts."""
    named = os.environ.get("CXX", "")
    clang = shutil.which("clang++")
    return [clang] if clang and not named else None


def tool(command: Sequence[str], name: str) -> str:
    """Path of the compiler's own ld, nm or objcopy."""
    return _compiler_facts(tuple(command))[2][name]


def _for_this_machine() -> bool:
    return _compiler_facts(tuple(compiler()))[1] == platform.machine()


def _code_flags(command: Sequence[str]) -> list[str]:
    """Flags of everything that is compiled. Nothing is contracted: every host gives the same bits."""
    clang, machine, _ = _compiler_facts(tuple(command))
    flags = ["-std=c++17", "-fPIC", "-ffp-contract=off"]
    if not clang:
        return [*flags, "-fno-gnu-unique"]  # inline variables of the two passes must not become one
    flags.append("-ferror-limit=0")  # g++ has no limit either
    # Without it, conversions of half call functions that libgcc does not offer.
    return [*flags, "-mf16c"] if machine == "x86_64" else flags


def cache_dir() -> Path:
    root = os.environ.get("FLASH_ATTN_NPU_TWIN_CACHE")
    path = (
        Path(root) if root else Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "flash-attn-npu-twin"
    )
    path.mkdir(parents=True, exist_ok=True)
    return path


def run(command: Sequence[str | Path]) -> str:
    """What the command printed; a BuildError with all of it when the command fails."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        raise BuildError(f"{' '.join(str(c) for c in command)}\n{done.stderr}{done.stdout}")
    return done.stdout


def _digest(parts: Iterable[bytes]) -> str:
    h = hashlib.sha256()
    for part in parts:
        h.update(hashlib.sha256(part).digest())
    return h.hexdigest()[:24]


@contextmanager
def _locked(key: str):
    """One process builds, the others wait for its result."""
    with open(cache_dir() / f"{key}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def runtime_library() -> Path:
    """The model of the machine as a shared library."""
    sources = sorted(RUNTIME.glob("*.cc"))
    inputs = (
        sources + sorted(RUNTIME.glob("*.h")) + sorted(RUNTIME.glob("*.def")) + sorted((INCLUDE / "twin").glob("*.h"))
    )
    flags = [*_code_flags(compiler()), "-O3", f"-I{INCLUDE}", f"-I{RUNTIME}"]
    if _for_this_machine():
        flags.append("-march=native")
    key = "runtime-" + _digest([p.read_bytes() for p in inputs] + [" ".join([*compiler(), *flags]).encode()])
    target = cache_dir() / f"libascend_twin-{key}.so"
    if target.exists():
        return target
    with _locked(key):
        if target.exists():
            return target
        with tempfile.TemporaryDirectory() as tmp:

            def one(source: Path) -> Path:
                out = Path(tmp) / (source.stem + ".o")
                run([*compiler(), *flags, "-c", source, "-o", out])
                return out

            with ThreadPoolExecutor(max_workers=2) as pool:
                objects = list(pool.map(one, sources))
            made = Path(tmp) / "lib.so"
            run([*compiler(), "-shared", "-o", made, *objects, "-lpthread"])
            _install(made, target)
    return target


def _install(made: Path, target: Path) -> None:
    """Put a file in the cache in one step (the temporary directory may be another file system)."""
    near = target.with_suffix(f".{os.getpid()}.tmp")
    near.write_bytes(made.read_bytes())
    os.replace(near, target)


def includes() -> list[str]:
    """Where sources find Ascend C: the named high-level library, if any, and the twin's headers."""
    return [*high_level.flags(cache_dir()), f"-I{INCLUDE}"]


def build_pass(
    command: Sequence[str], name: str, source: Path, flags: Sequence[str], tmp: Path
) -> tuple[Path, preprocess.Kernels, bool]:
    """Pass `name` ("cube" or "vec") of a source, made in `tmp`: a self-contained object whose kernels have the pass's
    suffix, what is known about them, and whether they call the cube. Leaves NAME.ii, the preprocessed source, there.
    """
    macros = [*COMMON_MACROS, *PASS_MACROS[name]]
    text = run([*command, "-std=c++17", "-E", "-x", "c++", *macros, *includes(), *flags, source])
    code, kernels = preprocess.transform(text)
    ii, obj, one = tmp / f"{name}.ii", tmp / f"{name}.o", tmp / f"{name}.one.o"
    ii.write_text(code)
    options = [f for f in flags if not f.startswith(("-I", "-D", "-include"))]
    compile_it = [*command, *_code_flags(command), "-O2", "-g1", "-w", "-fvisibility=hidden", "-x", "c++-cpp-output"]
    run([*compile_it, *options, "-c", ii, "-o", obj])
    run([tool(command, "ld"), "-r", "--force-group-allocation", obj, "-o", one])
    suffix = "__aic" if name == "cube" else "__aiv"
    symbols = run([tool(command, "nm"), "-g", "--defined-only", one])
    defined = {line.split()[-1] for line in symbols.splitlines() if line.strip()}
    rename = [f"--redefine-sym={k}={k}{suffix}" for k in kernels.names if k in defined]
    keep = [f"--keep-global-symbol={k}{suffix}" for k in kernels.names if k in defined]
    objcopy = tool(command, "objcopy")
    if name == "vec":
        # Host code is taken from the cube object; of this one only the kernels are seen.
        run([objcopy, *rename, one])
        run([objcopy, *(keep or ["--keep-global-symbol=twin_no_kernel"]), one])
    else:
        run([objcopy, *rename, "--localize-hidden", one])
    return one, kernels, preprocess.uses_cube(text, str(INCLUDE))


def _build(command: Sequence[str], source: Path, flags: Sequence[str], runtime: Path, tmp: Path) -> dict[str, int]:
    """Both passes of a source into tmp/kernel.so; names and kinds of its kernels."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        cube, vec = pool.map(lambda name: build_pass(command, name, source, flags, tmp), ("cube", "vec"))
    link: list[str | Path] = [*command, "-shared", "-Wl,-Bsymbolic", "-Wl,-z,defs", "-o", tmp / "kernel.so"]
    run([*link, cube[0], vec[0], runtime, f"-Wl,-rpath,{runtime.parent}"])
    declared = {**vec[1].kinds, **cube[1].kinds}
    other = -1 if cube[2] or vec[2] else 0
    return {n: declared.get(n, other) for n in sorted({*cube[1].names, *vec[1].names})}


def _headers(source: Path, flags: Sequence[str]) -> list[Path]:
    """Headers of the source itself, by the preprocessor's own dependency list."""
    listed = ""
    for macros in PASS_MACROS.values():
        command = [*compiler(), "-std=c++17", "-MM", "-x", "c++", *COMMON_MACROS, *macros, *includes(), *flags]
        listed += run([*command, source])
    own = {w for w in listed.replace("\\\n", " ").split() if not w.endswith(":")} - {str(source)}
    return [Path(o) for o in sorted(own) if Path(o).is_file()]


def build_kernel(source: str | Path, flags: Sequence[str] = ()) -> Library:
    """Build one Ascend C source.

    source: file, or source text.
    flags: extra compiler flags (-I..., -D...).
    Raises BuildError with the compiler's diagnostics.
    """
    runtime = runtime_library()
    with tempfile.TemporaryDirectory() as tmp_name:
        tmp = Path(tmp_name)
        text_source = isinstance(source, str) and "\n" in source
        if text_source:
            path = tmp / "kernel.cpp"
            path.write_text(str(source))
        else:
            path = Path(source)
        inputs = [path, *sorted(INCLUDE.rglob("*.h")), *_headers(path, flags)]
        inputs += [Path(__file__), Path(preprocess.__file__)]
        commands = [compiler(), *filter(None, [second_compiler()])]
        words = [*sum(commands, []), *includes(), *flags, "" if text_source else str(path), str(runtime)]
        key = _digest([p.read_bytes() for p in inputs] + [" ".join(words).encode()])
        target = cache_dir() / f"kernel-{key}.so"
        meta = cache_dir() / f"kernel-{key}.json"
        if not (target.exists() and meta.exists()):
            with _locked(key):
                if not (target.exists() and meta.exists()):
                    identity = [*flags, f'-DTWIN_BUILD_ID="{key}"']
                    refused: BuildError | None = None
                    for command in commands:
                        try:
                            kinds = _build(command, path, identity, runtime, tmp)
                            break
                        except BuildError as error:
                            refused = refused or error
                    else:
                        assert refused is not None
                        raise refused
                    _install(tmp / "kernel.so", target)
                    meta.write_text(json.dumps(kinds))
        return Library(target, json.loads(meta.read_text()))
