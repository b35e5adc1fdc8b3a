# SPDX-License-Identifier: BSD-3-Clause
"""Builds the files that users install: per package one sdist and one manylinux wheel made from that sdist.

python ci/distributions.py --out dist v2 v3
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = ("v2", "v3")


class StepFailed(RuntimeError):
    """A command failed; its own messages are already on the screen."""


def package_dir(version: str) -> Path:
    return ROOT / "packages" / f"flash-attn-npu-{version}"


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


def build_distributions(version: str, out: Path) -> list[Path]:
    """Builds and checks one package.

    `build` makes the wheel from the sdist and not from the repository: that is the proof that the sdist is complete.
    auditwheel then finds the oldest manylinux tag that the symbols in the binary allow, and writes it into the wheel.

    Returns:
        The sdist and the repaired wheel, in `out`; older files of the package there are removed.
    """
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob(f"flash_attn_npu_{version}-*"):
        old.unlink()
    with tempfile.TemporaryDirectory(prefix="flash-attn-npu-build-") as scratch:
        run(sys.executable, "-m", "build", "--outdir", scratch, package_dir(version))
        (raw_wheel,) = Path(scratch).glob("*.whl")
        (raw_sdist,) = Path(scratch).glob("*.tar.gz")
        run(sys.executable, "-m", "auditwheel", "show", raw_wheel)
        run(sys.executable, "-m", "auditwheel", "repair", "--wheel-dir", out, raw_wheel)
        sdist = Path(shutil.copy(raw_sdist, out))
    (wheel,) = out.glob(f"flash_attn_npu_{version}-*.whl")
    # The limited API is a promise about symbols, which a compile with today's headers alone does not prove.
    run(sys.executable, "-m", "abi3audit", "--strict", "--summary", wheel)
    run(sys.executable, "-m", "twine", "check", "--strict", sdist, wheel)
    return [sdist, wheel]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("versions", nargs="+", choices=VERSIONS)
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="where the files go (default: dist)")
    arguments = parser.parse_args()
    try:
        files = [file for version in arguments.versions for file in build_distributions(version, arguments.out)]
    except StepFailed as failure:
        sys.exit(f"The build stopped: {failure}")
    print("\nBuilt:")
    for file in files:
        print(f"  {file}  {file.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
