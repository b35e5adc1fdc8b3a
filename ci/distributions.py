# SPDX-License-Identifier: BSD-3-Clause
"""Builds the files that users install: per package one sdist, and one wheel made from that sdist.

python -m ci.distributions --out dist v2 v3 twin
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from .packages import PACKAGES, ROOT, Package, chosen


class StepFailed(RuntimeError):
    """A command failed; its own messages are already on the screen."""


def run(*command: str | Path) -> None:
    """Runs a command with its output visible.

    Raises:
        StepFailed: it did not exit with 0.
    """
    words = [str(word) for word in command]
    print(f"> {shlex.join(words)}", flush=True)
    status = subprocess.run(words, cwd=ROOT).returncode
    if status != 0:
        raise StepFailed(f"exit status {status}: {shlex.join(words)}")


def build_distributions(package: Package, out: Path) -> list[Path]:
    """Builds and checks one package.

    `build` makes the wheel from the sdist and not from the repository: that is the proof that the sdist is complete.

    Args:
        package: Which one.
        out: Where the files go; older files of the package there are removed.

    Returns:
        The sdist and the wheel, in `out`.

    Raises:
        StepFailed: a command failed.
    """
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob(f"{package.module}-*"):
        old.unlink()
    with tempfile.TemporaryDirectory(prefix="flash-attn-npu-build-") as scratch:
        run(sys.executable, "-m", "build", "--outdir", scratch, package.directory)
        (raw_wheel,) = Path(scratch).glob("*.whl")
        (raw_sdist,) = Path(scratch).glob("*.tar.gz")
        sdist = Path(shutil.copy(raw_sdist, out))
        wheel = repaired(raw_wheel, out) if package.compiled else Path(shutil.copy(raw_wheel, out))
    run(sys.executable, "-m", "twine", "check", "--strict", sdist, wheel)
    return [sdist, wheel]


def repaired(raw_wheel: Path, out: Path) -> Path:
    """The wheel with the oldest manylinux tag that the symbols in its binaries allow."""
    run(sys.executable, "-m", "auditwheel", "show", raw_wheel)
    run(sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", out, raw_wheel)
    (wheel,) = out.glob(f"{raw_wheel.name.split('-')[0]}-*.whl")
    # The limited API is a promise about symbols, which a compile with today's headers alone does not prove.
    run(sys.executable, "-m", "abi3audit", "--strict", "--summary", wheel)
    return wheel


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("packages", nargs="*", help="names of packages (default: all)")
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where the files go (default: dist)")
    arguments = parser.parse_args()
    try:
        packages = chosen(arguments.packages, PACKAGES)
    except ValueError as error:
        parser.error(str(error))
    try:
        files = [file for package in packages for file in build_distributions(package, arguments.out)]
    except StepFailed as failure:
        sys.exit(f"The build stopped: {failure}")
    print("\nBuilt:")
    for file in files:
        print(f"  {file}  {file.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
