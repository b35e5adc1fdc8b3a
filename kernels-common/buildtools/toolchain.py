# SPDX-License-Identifier: BSD-3-Clause
"""Finds the C++ compiler and checks that it can build this project.

The result is a `Toolchain`: the command, the compiler's kind and version, and the machine it compiles *for*, which is
not the machine it runs on when CXX names a cross compiler. What cannot work raises `ToolchainError` with one message
that says what to install.
"""

from __future__ import annotations

import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

# The oldest versions that have what the sources use: _Float16 in C++ on x86 and the AVX512-BF16 and AMX intrinsics.
# Older ones fail with pages of errors about intrinsics, so they are refused up front.
OLDEST = {"g++": 12, "clang++": 14}

# g++ before clang++: it is what the wheels are built and measured with. Versioned names let a distribution with an old
# default compiler build without setting CXX.
CANDIDATES = (
    "g++",
    *(f"g++-{major}" for major in range(19, OLDEST["g++"] - 1, -1)),
    "clang++",
    *(f"clang++-{major}" for major in range(24, OLDEST["clang++"] - 1, -1)),
)

HOW_TO_INSTALL = """\
Install one of these, or name a compiler with CXX=/path/to/g++:
  Debian 12+, Ubuntu 22.04+     apt-get install g++-12 python3-dev
  RHEL, Rocky, AlmaLinux 8, 9   dnf install gcc-toolset-12-gcc-c++ python3-devel
                                and then: source /opt/rh/gcc-toolset-12/enable
  openEuler 24.03+              dnf install gcc-c++ python3-devel
  openEuler 22.03               dnf install gcc-toolset-12-gcc-c++ python3-devel
                                and then: source /opt/openEuler/gcc-toolset-12/enable
macOS and Windows are not supported: build in a Linux container or WSL 2."""

NEEDED = (
    f"flash-attn-npu needs a C++17 compiler: g++ {OLDEST['g++']} or newer, or clang++ {OLDEST['clang++']} or newer."
)

# A compiler can be new enough and still call an assembler (binutils) that has never heard of AMX.
X86_PROBE = 'void probe() { asm volatile("tdpbf16ps %tmm0, %tmm1, %tmm2"); }\n'

# A C compiler compiles C++ too, but links none of its library.
LINK_PROBE = """\
#include <iostream>
#include <string>
int main(int count, char** words) {
    if (count > 9) throw std::string(words[9]);
    std::cout << count;
}
"""


class ToolchainError(RuntimeError):
    """No usable compiler; the message is meant for the person who runs the build."""


@dataclass(frozen=True)
class Toolchain:
    """A C++ compiler that passed the checks.

    Attributes:
        command: the compiler and any arguments that came with CXX, e.g. ("ccache", "g++").
        kind: "g++" or "clang++".
        version: e.g. (12, 2, 0).
        machine: what it compiles for, e.g. "x86_64" or "aarch64".
    """

    command: tuple[str, ...]
    kind: str
    version: tuple[int, int, int]
    machine: str

    @property
    def name(self) -> str:
        """Short and fit for a directory name, e.g. "g++-12.2.0"."""
        return f"{self.kind}-{'.'.join(map(str, self.version))}"

    def accepts(self, flags: Sequence[str], source: str = "") -> bool:
        """Whether `source` compiles and assembles with `flags`."""
        command = [*self.command, *flags, "-x", "c++", "-c", "-", "-o", os.devnull]
        return subprocess.run(command, input=source, text=True, capture_output=True).returncode == 0

    def link_problem(self, flags: Sequence[str] = ()) -> str:
        """Why a small C++ program does not link with `flags`, in one line; empty when it does."""
        with tempfile.TemporaryDirectory() as directory:
            command = [*self.command, "-x", "c++", "-", *flags, "-o", f"{directory}/program"]
            done = subprocess.run(command, input=LINK_PROBE, text=True, capture_output=True)
        if done.returncode == 0:
            return ""
        lines = [line for line in done.stderr.splitlines() if "undefined reference" in line or "cannot find" in line]
        return (lines or done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[0].strip()


def find_toolchain(environ: Optional[Mapping[str, str]] = None) -> Toolchain:
    """The compiler named by CXX, else the first of `CANDIDATES` on PATH that is new enough.

    Raises:
        ToolchainError: not Linux, nothing found, or nothing new enough.
    """
    environ = os.environ if environ is None else environ
    if not sys.platform.startswith("linux"):
        raise ToolchainError(f"flash-attn-npu builds on Linux only, not on {sys.platform}.\n{HOW_TO_INSTALL}")
    if environ.get("CXX", "").strip():
        return _checked(_examine(tuple(shlex.split(environ["CXX"])), environ))

    too_old = []
    for candidate in CANDIDATES:
        path = shutil.which(candidate, path=environ.get("PATH"))
        if path is None:
            continue
        toolchain = _examine((path,), environ)
        try:
            return _checked(toolchain)
        except ToolchainError:
            too_old.append(f"{toolchain.name} ({path})")
    found = f"Too old: {', '.join(too_old)}." if too_old else "There is no g++ and no clang++ on PATH."
    raise ToolchainError(f"{NEEDED}\n{found}\n{HOW_TO_INSTALL}")


def python_include_dir(toolchain: Toolchain) -> str:
    """The directory of Python.h of the running interpreter.

    Raises:
        ToolchainError: the header is not installed, or the compiler is a cross compiler (its extension would be
            labelled with this machine's platform tag).
    """
    if toolchain.machine != platform.machine():
        raise ToolchainError(
            f"The compiler {shlex.join(toolchain.command)} makes code for {toolchain.machine}, but this is a Python "
            f"for {platform.machine()}: a wheel is built on the machine type it is for."
        )
    include_dir = sysconfig.get_path("include")
    if not Path(include_dir, "Python.h").is_file():
        raise ToolchainError(
            f"Python's C headers are missing: there is no {include_dir}/Python.h.\n"
            "Install them:  apt-get install python3-dev  (Debian, Ubuntu)  or  dnf install python3-devel  "
            "(RHEL, openEuler)."
        )
    return include_dir


def _examine(command: tuple[str, ...], environ: Mapping[str, str]) -> Toolchain:
    """Asks the compiler for its predefined macros: kind, version and target in one call."""
    path = environ.get("PATH")
    if not command or shutil.which(command[0], path=path) is None:
        raise ToolchainError(f"{NEEDED}\nCXX names {shlex.join(command)!r}, which does not exist.\n{HOW_TO_INSTALL}")
    ask = subprocess.run(
        [*command, "-dM", "-E", "-x", "c++", "-"], input="", text=True, capture_output=True, env=dict(environ)
    )
    macros = dict(re.findall(r"^#define (\w+) (.*)$", ask.stdout, flags=re.MULTILINE))
    prefix = "__clang" if "__clang_major__" in macros else "__GNUC"
    numbers = ("_major__", "_minor__", "_patchlevel__") if prefix == "__clang" else ("__", "_MINOR__", "_PATCHLEVEL__")
    try:
        major, minor, patch = (int(macros[prefix + number]) for number in numbers)
    except (KeyError, ValueError):
        reason = ask.stderr.strip() or "its answer names no version"
        raise ToolchainError(
            f"{NEEDED}\n{shlex.join(command)} is not a g++ or clang++ that works: {reason}\n{HOW_TO_INSTALL}"
        ) from None
    return Toolchain(command, "clang++" if prefix == "__clang" else "g++", (major, minor, patch), _machine(macros))


def _machine(macros: Mapping[str, str]) -> str:
    for machine in ("x86_64", "aarch64"):
        if f"__{machine}__" in macros:
            return machine
    return "other"


def _checked(toolchain: Toolchain) -> Toolchain:
    command = shlex.join(toolchain.command)
    if toolchain.version[0] < OLDEST[toolchain.kind]:
        raise ToolchainError(f"{NEEDED}\nToo old: {toolchain.name} ({command}).\n{HOW_TO_INSTALL}")
    if toolchain.machine == "x86_64" and not toolchain.accepts((), X86_PROBE):
        raise ToolchainError(
            f"{toolchain.name} ({command}) is new enough, but the assembler it calls does not know AMX instructions: "
            f"binutils 2.35 or newer is needed.\n{HOW_TO_INSTALL}"
        )
    problem = toolchain.link_problem()
    if problem:
        raise ToolchainError(
            f"{command} compiles C++ but does not link it: {problem}\n"
            "A C compiler (gcc, clang) leaves out the C++ library: name the C++ compiler (CXX=g++) or leave CXX "
            f"unset.\n{HOW_TO_INSTALL}"
        )
    return toolchain
