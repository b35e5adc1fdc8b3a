# SPDX-License-Identifier: BSD-3-Clause
"""The host's C++ compiler: which one, what goes with it, how it is run."""

from __future__ import annotations

import functools
import os
import platform
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

#: Tried in this order where $CXX names none.
NAMES = ("g++", "clang++")
NEEDED = (
    "ascend-twin compiles its runtime and your kernels with g++ (9 or later) or clang++ (14 or later) and binutils. "
    "Install them (apt install g++, dnf install gcc-c++, conda install gxx), or name a compiler: CXX=/path/to/g++."
)


class BuildError(RuntimeError):
    """There is no usable compiler, or it refused a source: the text says what is missing or is its diagnostics.

    Example:
        >>> try:
        ...     run(["no-such-compiler"])
        ... except BuildError as error:
        ...     print(str(error)[:29])
        no-such-compiler does not run
    """


def compiler() -> list[str]:
    """The C++ compiler's command: $CXX (which may hold a launcher and options), or g++, or clang++.

    Raises:
        BuildError: there is none.

    Example:
        >>> len(compiler()) > 0
        True
    """
    command = shlex.split(os.environ.get("CXX", ""))
    if not command:
        command = [next((name for name in NAMES if shutil.which(name)), "")]
        if not command[0]:
            raise BuildError(f"no C++ compiler was found. {NEEDED}")
    if not shutil.which(command[0]):
        raise BuildError(f"CXX={os.environ['CXX']}: there is no {command[0]}. {NEEDED}")
    return command


def second_compiler() -> list[str] | None:
    """clang++ for sources that g++ refuses: bisheng is a clang, and kernels lean on what clang accepts."""
    clang = shutil.which("clang++")
    return [clang] if clang and not os.environ.get("CXX") and compiler() != ["clang++"] else None


def run(command: Sequence[str | Path]) -> str:
    """What the command printed.

    Raises:
        BuildError: the command is not there or fails; the text is all it said.

    Example:
        >>> run(["echo", "kernel"])
        'kernel\\n'
    """
    try:
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    except OSError as error:
        raise BuildError(f"{command[0]} does not run ({error.strerror}). {NEEDED}") from None
    if done.returncode:
        raise BuildError(f"{' '.join(str(c) for c in command)}\n{done.stderr}{done.stdout}")
    return done.stdout


@functools.cache
def _facts(command: tuple[str, ...]) -> tuple[bool, str, dict[str, str]]:
    """Whether it is clang, the machine it compiles for, and the binutils that go with it."""
    clang = "clang" in run([*command, "--version"])
    machine = run([*command, "-dumpmachine"]).split("-")[0]
    tools = {name: run([*command, f"-print-prog-name={name}"]).strip() for name in ("ld", "nm", "objcopy")}
    missing = [name for name, path in tools.items() if not shutil.which(path)]
    if missing:
        raise BuildError(f"{' '.join(command)} has no {', '.join(missing)}. {NEEDED}")
    return clang, machine, tools


def tool(command: Sequence[str], name: str) -> str:
    """Path of the compiler's own ld, nm or objcopy.

    Example:
        >>> tool(compiler(), "nm").endswith("nm")
        True
    """
    return _facts(tuple(command))[2][name]


def for_this_machine(command: Sequence[str]) -> bool:
    """False for a cross compiler."""
    return _facts(tuple(command))[1] == platform.machine()


def code_flags(command: Sequence[str]) -> list[str]:
    """Flags of everything that is compiled. Nothing is contracted: every host gives the same bits."""
    clang, machine, _ = _facts(tuple(command))
    flags = ["-std=c++17", "-fPIC", "-ffp-contract=off"]
    if not clang:
        return [*flags, "-fno-gnu-unique"]  # inline variables of the two passes must not become one
    flags.append("-ferror-limit=0")  # g++ has no limit either
    # Without it, conversions of half call functions that libgcc does not offer.
    return [*flags, "-mf16c"] if machine == "x86_64" else flags
