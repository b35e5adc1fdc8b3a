# SPDX-License-Identifier: BSD-3-Clause
"""Arguments of a kernel as text: what `ascend-twin --arg` takes, and the defaults that a source carries."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Union

import numpy as np

from .machine import InOut, Out

#: Element types by name. numpy has no bfloat16: its bits are uint16.
TYPES: dict[str, type[np.generic]] = {
    "half": np.float16,
    "float": np.float32,
    "bfloat16": np.uint16,
    **{name: np.dtype(name).type for name in "int8 uint8 int16 uint16 int32 uint32 int64 uint64".split()},
}
#: What a source's line of default options begins with.
MARK = re.compile(r"^\s*//\s*ascend-twin(?:\s+(\w+))?:\s*(.*)$", re.MULTILINE)

Value = Union[np.ndarray, Out, int, float]


class ArgumentError(ValueError):
    """The text of an argument cannot be read; the message says what is expected."""


@dataclass
class Argument:
    """An argument of a kernel, and the file that its tensor goes to after the launch, if any."""

    text: str
    value: Value
    file: Path | None = None

    @property
    def output(self) -> np.ndarray | None:
        """What the kernel writes; None for an input or a number."""
        return self.value.array if isinstance(self.value, Out) else None

    def numbers(self) -> np.ndarray:
        """The tensor as float64, bfloat16 decoded."""
        array = self.value.array if isinstance(self.value, Out) else np.asarray(self.value)
        if ":bfloat16" in self.text:
            array = (array.astype(np.uint32) << 16).view(np.float32)
        return array.astype(np.float64)


def parse(text: str, rng: np.random.Generator) -> Argument:
    """Read one argument.

    text: SHAPE:TYPE (a tensor of random numbers), FILE.npy (a tensor of a file), an integer, or a float (with a point).
        SHAPE is as 4096 or 64x128. A tensor may end with ":out" (the kernel writes it), ":inout" (it reads and writes
        it), and then with "=FILE.npy", where it goes after the launch.
    rng: where random numbers come from: standard normal ones, integers from 0 to 99.

    Raises:
        ArgumentError: the text is none of these; OSError: a file cannot be read.

    Example:
        >>> parse("2x3:half:out=y.npy", np.random.default_rng(0)).output.shape
        (2, 3)
        >>> parse("0.5", np.random.default_rng(0)).value
        0.5
    """
    what, _, file = text.partition("=")
    parts = what.split(":")
    access = parts.pop() if len(parts) > 1 and parts[-1] in ("out", "inout") else ""
    if file and not access:
        raise ArgumentError(f"--arg {text}: only a tensor with :out or :inout can go to a file")
    if len(parts) == 1 and not access and not what.endswith(".npy"):
        try:
            return Argument(text, float(what) if "." in what or "e" in what else int(what, 0))
        except ValueError:
            raise ArgumentError(f"--arg {text}: expected SHAPE:TYPE[:out], FILE.npy or a number") from None
    if len(parts) == 1 and what.endswith((".npy", ".npy:inout", ".npy:out")):
        array = np.load(parts[0], allow_pickle=False)
    else:
        array = _random(text, parts, rng)
    value: Value = array if not access else Out(array) if access == "out" else InOut(array)
    return Argument(text, value, Path(file) if file else None)


def _random(text: str, parts: list[str], rng: np.random.Generator) -> np.ndarray:
    if len(parts) != 2 or parts[1] not in TYPES or not re.fullmatch(r"\d+(x\d+)*", parts[0]):
        raise ArgumentError(
            f"--arg {text}: expected SHAPE:TYPE[:out|:inout][=FILE.npy]; TYPE is one of {', '.join(TYPES)}"
        )
    shape = tuple(map(int, parts[0].split("x")))
    if parts[1] == "bfloat16":
        return (rng.standard_normal(shape).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
    dtype = TYPES[parts[1]]
    normal = np.issubdtype(dtype, np.floating)
    return (rng.standard_normal(shape) if normal else rng.integers(0, 100, shape)).astype(dtype)


def default_options(source: Path, name: str) -> list[str]:
    """Command-line options that the source itself carries in lines of the form

        // ascend-twin: -I../include --blocks 24 --arg 4096:half --arg 4096:half:out
        // ascend-twin other_kernel: --arg 7

    name: the kernel; lines with another name after "ascend-twin" are not for it.

    Paths after -I are relative to the source's folder.
    """
    words: list[str] = []
    for kernel, line in MARK.findall(source.read_text(errors="replace")):
        if kernel in ("", name):
            words += shlex.split(line)
    folder = source.resolve().parent
    return [f"-I{(folder / word[2:]).resolve()}" if len(word) > 2 and word.startswith("-I") else word for word in words]
