# SPDX-License-Identifier: BSD-3-Clause
"""Compile the twin's runtime and Ascend C sources; results are cached by content.

A source is compiled twice, as bisheng does: once as the cube program, once as the vector program. The two objects are
made self-contained (one relocatable each, hidden symbols local) and linked into one shared library:
the host code of the source is the cube object's, `extern "C"` kernels appear as NAME__aic and NAME__aiv.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import high_level, preprocess
from .compiler import NEEDED, BuildError, code_flags, compiler, for_this_machine, run, second_compiler, tool

#: For whoever builds libraries of kernels with a build system of their own: these names stay.
__all__ = [
    "INCLUDE",
    "BuildError",
    "Library",
    "build_kernel",
    "build_pass",
    "cache_dir",
    "compile_library",
    "compiler",
    "run",
    "runtime_library",
    "tool",
]

HERE = Path(__file__).resolve().parent
#: The folder of the twin's headers.
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


@dataclass
class Library:
    """A built shared library and the kernels it offers by name.

    Example:
        >>> Library(Path("kernel.so"), {"add": 0}).kernels["add"]
        0
    """

    path: Path
    kernels: dict[str, int]  # name -> KERNEL_TASK_TYPE number, -1: not declared


def cache_dir() -> Path:
    """Where built libraries are kept: $ASCEND_TWIN_CACHE, or ascend-twin in $XDG_CACHE_HOME or ~/.cache.

    Example:
        >>> cache_dir().is_dir()
        True
    """
    root = os.environ.get("ASCEND_TWIN_CACHE")
    path = Path(root) if root else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ascend-twin"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BuildError(
            f"the cache {path} cannot be made ({error.strerror}): ASCEND_TWIN_CACHE=DIR moves it"
        ) from None
    return path


def digest(parts: Iterable[bytes]) -> str:
    h = hashlib.sha256()
    for part in parts:
        h.update(hashlib.sha256(part).digest())
    return h.hexdigest()[:24]


@contextmanager
def locked(key: str) -> Iterator[None]:
    """One process builds, the others wait for its result."""
    with open(cache_dir() / f"{key}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _check_standard_library(command: Sequence[str], tmp: Path) -> None:
    """Says so before minutes of compiling when the command is that of a C compiler (CXX=gcc)."""
    source = tmp / "probe.cpp"
    source.write_text("#include <string>\nstd::string text(int n) { return std::to_string(n) + '.'; }\n")
    try:
        run([*command, "-std=c++17", "-fPIC", "-shared", "-Wl,-z,defs", source, "-o", tmp / "probe.so"])
    except BuildError as error:
        what = "links no C++ standard library: it is a C compiler." if "undefined" in str(error) else "does not work."
        raise BuildError(f"{' '.join(command)} {what} {NEEDED}\n{error}") from None


def compile_library(
    target: Path, sources: Iterable[Path], flags: Sequence[str], link_flags: Sequence[str | Path] = ()
) -> None:
    """Compile C++ sources and put the shared library at `target` in one step.

    Raises:
        BuildError: no compiler, or it refused a source or the link; the text is its diagnostics.

    Example:
        >>> import ctypes
        >>> with tempfile.TemporaryDirectory() as tmp:
        ...     source = Path(tmp) / "two.cc"
        ...     count = source.write_text('extern "C" int two() { return 2; }')
        ...     compile_library(Path(tmp) / "libtwo.so", [source], ["-fPIC"])
        ...     print(ctypes.CDLL(str(Path(tmp) / "libtwo.so")).two())
        2
    """
    command = compiler()
    with tempfile.TemporaryDirectory() as tmp:
        _check_standard_library(command, Path(tmp))

        def one(numbered: tuple[int, Path]) -> Path:
            out = Path(tmp) / f"{numbered[0]}.o"
            run([*command, *flags, "-c", numbered[1], "-o", out])
            return out

        with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            objects = list(pool.map(one, enumerate(sources)))
        made = Path(tmp) / "library.so"
        run([*command, "-shared", "-Wl,-z,defs", "-o", made, *objects, *link_flags, "-lpthread", "-ldl"])
        install(made, target)


def _processor() -> str:
    """What -march=native depends on: a cache may be shared by machines."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line for line in lines if line.startswith(("flags", "Features"))), "")


def runtime_library() -> Path:
    """The model of the machine as a shared library; compiled into the cache when it is not there yet.

    Raises:
        BuildError: no compiler, or it fails.

    Example:
        >>> runtime_library().name.startswith("libascend_twin-runtime-")
        True
    """
    sources = sorted(RUNTIME.rglob("*.cc"))
    headers = [*RUNTIME.rglob("*.h"), *RUNTIME.rglob("*.def"), *(INCLUDE / "twin").glob("*.h")]
    command = compiler()
    flags = [*code_flags(command), "-O3"]
    if for_this_machine(command):
        flags.append("-march=native")
    words = " ".join([*command, *flags, _processor()]).encode()
    key = digest([p.read_bytes() for p in [*sources, *sorted(headers)]] + [words])
    target = cache_dir() / f"libascend_twin-runtime-{key}.so"
    if not target.exists():
        with locked(f"runtime-{key}"):
            if not target.exists():
                compile_library(target, sources, [*flags, f"-I{INCLUDE}", f"-I{RUNTIME}"])
    return target


def install(made: Path, target: Path) -> None:
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

    Example:
        >>> from ascend_twin import EXAMPLE
        >>> with tempfile.TemporaryDirectory() as tmp:
        ...     made, kernels, cube = build_pass(compiler(), "vec", EXAMPLE, [], Path(tmp))
        ...     print(made.name, kernels.names, cube)
        vec.one.o ['add'] False
    """
    macros = [*COMMON_MACROS, *PASS_MACROS[name]]
    text = run([*command, "-std=c++17", "-E", "-x", "c++", *macros, *includes(), *flags, source])
    code, kernels = preprocess.transform(text)
    ii, obj, one = tmp / f"{name}.ii", tmp / f"{name}.o", tmp / f"{name}.one.o"
    ii.write_text(code)
    options = [f for f in flags if not f.startswith(("-I", "-D", "-include"))]
    compile_it = [*command, *code_flags(command), "-O2", "-g1", "-w", "-fvisibility=hidden", "-x", "c++-cpp-output"]
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

    Raises:
        BuildError: no compiler, or its diagnostics.

    Example:
        >>> from ascend_twin import EXAMPLE
        >>> build_kernel(EXAMPLE).kernels
        {'add': 0}
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
        key = digest([p.read_bytes() for p in inputs] + [" ".join(words).encode()])
        target = cache_dir() / f"kernel-{key}.so"
        meta = cache_dir() / f"kernel-{key}.json"
        if not (target.exists() and meta.exists()):
            with locked(key):
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
                    install(tmp / "kernel.so", target)
                    meta.write_text(json.dumps(kinds))
        return Library(target, json.loads(meta.read_text()))
