# SPDX-License-Identifier: BSD-3-Clause
"""Writes build.ninja for one extension module, program or device library, and runs ninja on it.

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

from .sources import Source
from .toolchain import Toolchain, ToolchainError


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


class Ninja:
    """build.ninja for one result: rules, one object per source, and the result that is made of them."""

    def __init__(self, author: str, build_dir: str):
        """`author`: the file to blame; `build_dir`: where objects and result go, relative to where ninja runs."""
        import ninja

        self._text = io.StringIO()
        self._build_dir = build_dir
        writer: Any = ninja.Writer  # its type stub contradicts its own documentation
        self._out = writer(self._text, width=120)
        self._out.comment(f"Written by kernels-common/buildtools/{author}. Do not edit: the next build overwrites it.")
        self._out.variable("ninja_required_version", "1.5")
        self._out.variable("builddir", build_dir)
        self._part = ""

    def variable(self, name: str, words: Sequence[str]) -> None:
        self._out.variable(name, quoted(words))

    def rule(self, name: str, command: Sequence[str], description: str, depfile: bool = False) -> None:
        """`command`: words, in which $in, $out and ninja's variables stand for themselves."""
        self._begin("rules")
        extra = {"depfile": "$out.d", "deps": "gcc"} if depfile else {}
        line = " ".join(word if "$" in word else quoted([word]) for word in command)
        self._out.rule(name, line, description=description, **extra)

    def object(
        self,
        source: str,
        rule: str,
        implicit: Sequence[str] = (),
        variables: Optional[dict[str, str]] = None,
        name: Optional[str] = None,
    ) -> str:
        """Compiles `source`; returns the path of the object, which is called after `name` (default: `source`)."""
        self._begin("objects")
        path = f"{self._build_dir}/obj/{name or source}.o"
        self._out.build(path, rule, source, implicit=list(implicit), variables=variables)
        return path

    def default(self, output: str, rule: str, objects: Sequence[str], implicit: Sequence[str] = ()) -> None:
        self._begin("result")
        self._out.build(f"{self._build_dir}/{output}", rule, list(objects), implicit=list(implicit))
        self._out.default(f"{self._build_dir}/{output}")

    def text(self) -> str:
        return self._text.getvalue()

    def _begin(self, part: str) -> None:
        if part != self._part:
            self._out.newline()
        self._part = part


def ninja_text(toolchain: Toolchain, target: Target, build_dir: str) -> str:
    """The text of build.ninja. `build_dir` is relative to the root directory that ninja runs in."""
    ninja = Ninja("ninja_writer.py", build_dir)
    ninja.variable("cxx", toolchain.command)
    ninja.variable("flags", target.compile_flags)
    ninja.variable("ldflags", target.link_flags)
    # -MD and not -MMD: system headers count too, so a new Python or compiler header causes a rebuild.
    compile_words = ["$cxx", "-MD", "-MF", "$out.d", "$flags", "$own_flags", "-c", "$in", "-o", "$out"]
    ninja.rule("cxx", compile_words, "compile $in", depfile=True)
    ninja.rule("link", ["$cxx", "$in", "$ldflags", "-o", "$out"], "link $out")
    objects = [ninja.object(s.path, "cxx", variables={"own_flags": quoted(s.flags)}) for s in target.sources]
    ninja.default(target.output, "link", objects, [f"{build_dir}/{name}" for name in target.link_inputs])
    return ninja.text()


def build(toolchain: Toolchain, target: Target, root: Path, build_dir: str, jobs: Optional[int] = None) -> Path:
    """Brings `target` up to date and returns its path. Incremental: an up-to-date target costs one ninja start.

    Raises:
        ToolchainError: there is no ninja.
        subprocess.CalledProcessError: the compile failed; the compiler's messages went to stdout.
    """
    directory = root / build_dir
    write_if_changed(directory / "build.ninja", ninja_text(toolchain, target, build_dir))
    run_ninja(Path(build_dir, "build.ninja"), root, jobs)
    return directory / target.output


def run_ninja(file: Path, root: Path, jobs: Optional[int] = None) -> None:
    """Runs ninja on `file` in the directory `root`."""
    command = [find_ninja(), "-f", str(file), "-j", str(jobs or len(os.sched_getaffinity(0)))]
    subprocess.run(command, cwd=root, check=True)


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


def quoted(words: Sequence[str]) -> str:
    """Joins arguments for a command line in build.ninja, quoting for the shell and then for ninja."""
    return shlex.join(words).replace("$", "$$")
