"""Writes build.ninja for one extension module or program, and runs ninja on it.

Nothing here knows what is compiled: the sources and their flags come in as arguments. Paths in the file are relative
to the root directory that ninja runs in, so neither binaries nor messages carry the machine's directories.
"""

from __future__ import annotations

import fcntl
import io
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

from sources import Source
from toolchain import Toolchain, ToolchainError


@dataclass(frozen=True)
class Target:
    """What one build.ninja makes.

    Attributes:
        output: file name of the result, placed in the build directory.
        sources: in link order.
        compile_flags: flags of every source; a source's own flags follow them.
        link_flags: flags of the link step.
        link_inputs: files in the build directory that the link step reads beyond objects (a version script).
    """

    output: str
    sources: Sequence[Source]
    compile_flags: Sequence[str]
    link_flags: Sequence[str]
    link_inputs: Sequence[str] = ()


def ninja_text(toolchain: Toolchain, target: Target, build_dir: str) -> str:
    """The text of build.ninja. `build_dir` is relative to the root directory that ninja runs in."""
    import ninja

    text = io.StringIO()
    writer: Any = ninja.Writer  # its type stub contradicts its own documentation
    out = writer(text, width=120)
    out.comment("Written by kernels-common/build/ninja_writer.py. Do not edit: the next build overwrites it.")
    out.variable("ninja_required_version", "1.5")
    out.variable("builddir", build_dir)
    out.variable("cxx", _words(toolchain.command))
    out.variable("flags", _words(target.compile_flags))
    out.variable("ldflags", _words(target.link_flags))
    out.newline()
    # -MD and not -MMD: system headers count too, so a new Python or compiler header causes a rebuild.
    out.rule(
        "cxx",
        "$cxx -MD -MF $out.d $flags $own_flags -c $in -o $out",
        description="compile $in",
        depfile="$out.d",
        deps="gcc",
    )
    out.rule("link", "$cxx $in $ldflags -o $out", description="link $out")
    out.newline()
    objects = []
    for source in target.sources:
        objects.append(f"{build_dir}/obj/{source.path}.o")
        out.build(objects[-1], "cxx", source.path, variables={"own_flags": _words(source.flags)})
    out.newline()
    link_inputs = [f"{build_dir}/{name}" for name in target.link_inputs]
    out.build(f"{build_dir}/{target.output}", "link", objects, implicit=link_inputs)
    out.default(f"{build_dir}/{target.output}")
    return text.getvalue()


def build(toolchain: Toolchain, target: Target, root: Path, build_dir: str, jobs: Optional[int] = None) -> Path:
    """Brings `target` up to date and returns its path. Incremental: an up-to-date target costs one ninja start.

    Raises:
        ToolchainError: there is no ninja.
        subprocess.CalledProcessError: the compile failed; the compiler's messages went to stdout.
    """
    program = find_ninja()
    directory = root / build_dir
    write_if_changed(directory / "build.ninja", ninja_text(toolchain, target, build_dir))
    command = [program, "-f", f"{build_dir}/build.ninja", "-j", str(jobs or len(os.sched_getaffinity(0)))]
    subprocess.run(command, cwd=root, check=True)
    return directory / target.output


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Holds the build directory: two builds of one package at a time would write each other's objects."""
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def write_if_changed(path: Path, text: str) -> None:
    """Leaves the file's time alone when there is nothing new, so that nothing is rebuilt for it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text() != text:
        path.write_text(text)


def find_ninja() -> str:
    """PyPI's ninja (it is a build requirement), else one on PATH."""
    try:
        import ninja
    except ImportError:
        raise ToolchainError(
            "The Python package `ninja` is missing. With --no-build-isolation the build requirements must be installed "
            "first:  pip install hatchling ninja editables"
        ) from None
    own = Path(ninja.BIN_DIR, "ninja")
    path = str(own) if own.is_file() else shutil.which("ninja")
    if path is None:
        raise ToolchainError("The Python package `ninja` has no program, and none is on PATH:  pip install ninja")
    return path


def _words(words: Sequence[str]) -> str:
    """Joins arguments for a command line in build.ninja, quoting for the shell and then for ninja."""
    return shlex.join(words).replace("$", "$$")
