# SPDX-License-Identifier: BSD-3-Clause
"""Builds `_C.abi3.so` of one package: what the packages' build hooks call.

Environment:
    CXX: the compiler, with arguments if need be ("ccache g++"). Default: the first usable one on PATH.
    MAX_JOBS: compile jobs at a time. Default: the CPUs this process may use.
    FLASH_ATTN_NPU_BUILD_TYPE: release (default), debug, or sanitize (AddressSanitizer and UBSan).
    FLASH_ATTN_NPU_BUILD_DIR: where objects go; see staging.py. Default: the user's cache.
    FLASH_ATTN_NPU_TEST_ISAS: 1 adds the test-only ISA levels (amx_emulated). Default: 0.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from . import sources
from .ninja_writer import Target, build, locked, write_if_changed
from .toolchain import Toolchain, ToolchainError, find_toolchain, python_include_dir

MODULE_FILE = "_C.abi3.so"
WHEEL_TAG = f"cp39-abi3-{sysconfig.get_platform().replace('-', '_').replace('.', '_')}"

# Both wheels can be loaded into one process, beside torch and its own C++ runtime. Exporting the init function alone
# keeps the two modules, and their copies of libstdc++, from ever resolving symbols to each other.
EXPORTS_FILE = "exports.map"
EXPORTS = "{ global: PyInit__C; local: *; };\n"

LINK_FLAGS = (
    "-shared",
    "-pthread",
    f"-Wl,--version-script={{build_dir}}/{EXPORTS_FILE}",
    "-Wl,-Bsymbolic",
    "-Wl,--exclude-libs,ALL",
    "-Wl,--gc-sections",
    "-Wl,--as-needed",
    "-Wl,-z,relro,-z,now",
)
# libstdc++ goes in statically: a g++ 12 build otherwise asks for GLIBCXX symbols newer than old distributions have, and
# then glibc alone would not decide the manylinux tag. libgcc_s stays shared: every distribution has it, its few symbols
# are old, while a static unwinder of a recent g++ pulls in _dl_find_object of glibc 2.35.
RUNTIME_FLAGS = {
    "release": ("-static-libstdc++",),
    "debug": ("-static-libstdc++",),
    # Shared, as the sanitizer's interceptor of __cxa_throw must see the one copy that is in use.
    "sanitize": ("-fsanitize=address,undefined",),
}
# clang links its sanitizer runtime into programs only, unless told; g++ has no such flag.
CLANG_SANITIZE_FLAGS = ("-shared-libsan",)


@dataclass(frozen=True)
class Options:
    """What the environment asks for."""

    kind: str = "release"
    test_isas: bool = False
    jobs: Optional[int] = None

    @classmethod
    def from_environ(cls, environ: Mapping[str, str]) -> Options:
        """Reads the variables listed at the top of this file.

        Raises:
            ToolchainError: a value that is not allowed.
        """
        kind = environ.get("FLASH_ATTN_NPU_BUILD_TYPE", "") or cls.kind
        if kind not in sources.KIND_FLAGS:
            raise ToolchainError(f"FLASH_ATTN_NPU_BUILD_TYPE={kind!r}: allowed are {', '.join(sources.KIND_FLAGS)}")
        test_isas = environ.get("FLASH_ATTN_NPU_TEST_ISAS", "") or "0"
        if test_isas not in ("0", "1"):
            raise ToolchainError(f"FLASH_ATTN_NPU_TEST_ISAS={test_isas!r}: allowed are 0 and 1")
        jobs = environ.get("MAX_JOBS", "")
        if jobs and not (jobs.isdigit() and int(jobs) > 0):
            raise ToolchainError(f"MAX_JOBS={jobs!r}: a positive whole number is needed")
        return cls(kind, test_isas == "1", int(jobs) if jobs else None)


def build_extension(root: Path, environ: Optional[Mapping[str, str]] = None) -> Path:
    """Compiles the extension module of one package, or brings it up to date.

    Each combination of platform, compiler and kind has its own directory below `root`/build, so that switching between
    them rebuilds nothing.

    Args:
        root: A directory that holds the package's csrc and kernels-common and can be written to (staging.py).
        environ: Where the variables at the top of this file are looked up; default: this process's environment.

    Returns:
        The path of the module file.

    Raises:
        ToolchainError: no usable compiler, or a bad environment variable.
        subprocess.CalledProcessError: the compile failed.
    """
    environ = os.environ if environ is None else environ
    options = Options.from_environ(environ)
    toolchain = find_toolchain(environ)
    check_runtime(toolchain, options.kind)
    build_dir = f"build/{sysconfig.get_platform()}-{toolchain.name}-{options.kind}"
    if options.test_isas:
        build_dir += "-test-isas"
    target = extension_target(root, toolchain, options, build_dir, python_include_dir(toolchain))
    with locked(root / build_dir):
        write_if_changed(root / build_dir / EXPORTS_FILE, EXPORTS)
        module = build(toolchain, target, root, build_dir, options.jobs)
    if options.kind != "sanitize":  # its runtime must be loaded before python itself
        check_import(module)
    return module


def runtime_flags(toolchain: Toolchain, kind: str) -> tuple[str, ...]:
    """Link flags that name the C++ runtime, and that of the sanitizers."""
    clang_sanitize = kind == "sanitize" and toolchain.kind == "clang++"
    return (*RUNTIME_FLAGS[kind], *(CLANG_SANITIZE_FLAGS if clang_sanitize else ()))


def check_runtime(toolchain: Toolchain, kind: str) -> None:
    """Links a small program with the runtime that the module will be linked with.

    Raises:
        ToolchainError: a library is not installed.
    """
    flags = runtime_flags(toolchain, kind)
    problem = toolchain.link_problem(flags)
    if problem:
        what = "the sanitizer runtimes (libasan, libubsan)" if kind == "sanitize" else "the static C++ library"
        raise ToolchainError(
            f"{toolchain.name} ({' '.join(toolchain.command)}) cannot link with {' '.join(flags)}: {problem}\n"
            f"Install {what} of this compiler; RHEL and openEuler:  dnf install libstdc++-static"
        )


# torch, which the module asks for at the end of its start, need not be installed where it is built.
IMPORT = """
import importlib.util, sys
sys.modules["torch"] = None
spec = importlib.util.spec_from_file_location("_C", sys.argv[1])
try:
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
"""


def check_import(module: Path) -> None:
    """Imports the module once, in a process of its own.

    The linker lets undefined symbols pass, as it must for those of Python. Without this the user's import would be the
    first to fail.

    Raises:
        ToolchainError: the import failed; the message is Python's.
    """
    done = subprocess.run([sys.executable, "-c", IMPORT, module], text=True, capture_output=True)
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
        raise ToolchainError(
            f"{module.name} was compiled but cannot be imported: {reason[0]}\n"
            "An undefined symbol of flash_attn_npu has no source that kernels-common/buildtools/sources.py lists."
        )


def extension_target(root: Path, toolchain: Toolchain, options: Options, build_dir: str, python_include: str) -> Target:
    """What the module is made of."""
    binding = sources.binding_sources(root, python_include)
    backend = sources.backend_sources(root, toolchain.machine, options.test_isas)
    if not binding or not backend:
        missing = "csrc/*.cpp" if not binding else f"{sources.KERNELS}/cpu"
        raise ToolchainError(f"{root} has no {missing}: the checkout or the sdist is not complete.")
    link_flags = [flag.format(build_dir=build_dir) for flag in LINK_FLAGS]
    link_flags += runtime_flags(toolchain, options.kind)
    return Target(
        output=MODULE_FILE,
        sources=[*binding, *backend],
        compile_flags=sources.common_flags(options.kind, options.test_isas),
        link_flags=link_flags,
        link_inputs=(EXPORTS_FILE,),
    )
