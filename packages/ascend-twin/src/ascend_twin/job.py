# SPDX-License-Identifier: BSD-3-Clause
"""A kernel and its launch as the command line describes them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from .arguments import Argument, ArgumentError, default_options, parse
from .build import build_kernel
from .machine import Finding, Kernel, Machine


class Job:
    """What `ascend-twin check`, `run` and `simulate` work on: the built kernel, its blocks and its arguments."""

    def __init__(self, chosen: argparse.Namespace, options: argparse.ArgumentParser) -> None:
        """chosen: the command line; options: the parser of what the source may choose as well.

        Raises:
            ArgumentError, BuildError, LookupError, OSError: with a text for the user.
        """
        self.machine = Machine.get()
        if chosen.chip not in self.machine.chips():
            raise ArgumentError(f"--chip {chosen.chip}: expected one of {', '.join(self.machine.chips())}")
        self.cores = self.machine.chips()[chosen.chip].cores
        file, _, name = chosen.kernel.rpartition(":")
        if not file or Path(chosen.kernel).is_file():
            file, name = chosen.kernel, ""
        self.source = Path(file)
        if not self.source.is_file():
            raise FileNotFoundError(f"there is no file {file}")
        first = self._with_defaults(chosen, options, name)
        library = build_kernel(self.source, [*(f"-I{d}" for d in first.I), *(f"-D{d}" for d in first.D)])
        names = sorted(library.kernels)
        if not name and len(names) != 1:
            raise LookupError(
                f"{file} has the kernels {', '.join(names)}: say which, as {file}:{(names or ['NAME'])[0]}"
            )
        self.name = name or names[0]
        if self.name not in names:
            raise LookupError(f"{file} has no kernel {self.name}; it has {', '.join(names) or 'none'}")
        self.kernel = Kernel(library, self.name)
        self.options = self._with_defaults(chosen, options, self.name)
        self.blocks = self.options.blocks or self.cores
        self.printed = ""
        self.arguments: list[Argument] = []  # of the last launch

    def _with_defaults(
        self, chosen: argparse.Namespace, options: argparse.ArgumentParser, name: str
    ) -> argparse.Namespace:
        """The command line over the options that the source carries."""
        words = default_options(self.source, name)
        merged, unknown = options.parse_known_args(words)
        if unknown:
            raise ArgumentError(f"{self.source}: its line '// ascend-twin:' has an unknown option: {' '.join(unknown)}")
        for key, value in vars(merged).items():
            given = getattr(chosen, key)
            setattr(merged, key, value + given if key in ("I", "D") else given or value)
        return merged

    def launch(self, mode: str, seed: int) -> list[Finding]:
        """Run the kernel once, on fresh arguments; what it found. `printed` is what the kernel printed."""
        rng = np.random.default_rng(0)
        self.arguments = [parse(text, rng) for text in self.options.arg]
        found = self.kernel(
            self.blocks,
            *(argument.value for argument in self.arguments),
            mode=mode,
            expect_clean=False,
            seed=seed,
            cores=self.cores,
            kind=self.options.kind,
            auto_sync=self.options.auto_sync,
            tiling_key=self.options.tiling_key,
        )
        self.printed = self.machine.output()
        return found

    def described(self) -> dict[str, Any]:
        """What was run, for --json."""
        return {"source": str(self.source), "kernel": self.name, "blocks": self.blocks, "arguments": self.options.arg}

    def save(self) -> None:
        """Write the outputs of the last launch to their files."""
        for argument in self.arguments:
            if argument.file is not None and argument.output is not None:
                np.save(argument.file, argument.output)

    def outputs(self) -> dict[int, dict[str, Any]]:
        """The outputs of the last launch in figures, by the argument's number."""
        found: dict[int, dict[str, Any]] = {}
        for number, argument in enumerate(self.arguments):
            if argument.output is None:
                continue
            numbers = argument.numbers()
            finite = numbers[np.isfinite(numbers)]
            found[number] = {
                "shape": list(numbers.shape),
                "type": str(argument.output.dtype),
                "min": float(finite.min()) if finite.size else None,
                "max": float(finite.max()) if finite.size else None,
                "mean": float(finite.mean()) if finite.size else None,
                "not_finite": int(numbers.size - finite.size),
                "file": str(argument.file) if argument.file else None,
            }
        return found
