# SPDX-License-Identifier: BSD-3-Clause
"""Where a package is built: a directory outside of the source tree, which may be read-only or have any name.

The directory holds links to the sources, build.ninja and the objects. Ninja runs in it, so that paths in commands,
messages and binaries are relative. It is

    FLASH_ATTN_NPU_BUILD_DIR/PACKAGE    when the variable is set
    a directory of the user's cache     for a package in a checkout, so that the next build compiles what has changed
    a temporary directory               for an unpacked sdist, whose path never comes again, and without a usable cache
"""

from __future__ import annotations

import atexit
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from .ninja_writer import locked
from .sources import KERNELS

BUILD_DIR = "FLASH_ATTN_NPU_BUILD_DIR"

# kernels-common as it really is: in a checkout without symlinks the package has only a file that names it.
KERNELS_DIR = Path(__file__).resolve().parents[1]


def staged(package_dir: Path, environ: Mapping[str, str], kernels_dir: Path = KERNELS_DIR) -> Path:
    """Prepares the build directory of the package in `package_dir` and returns it.

    A temporary directory lasts as long as this process.
    """
    package_dir, kernels_dir = package_dir.resolve(), kernels_dir.resolve()
    named = environ.get(BUILD_DIR, "").strip()
    if named:
        root = Path(named).resolve() / package_dir.name
    elif package_dir in kernels_dir.parents:
        root = _temporary()
    else:
        root = _cached(package_dir, environ) or _temporary()
    root.mkdir(parents=True, exist_ok=True)
    with locked(root):
        _link(root / "csrc", package_dir / "csrc")
        _link(root / KERNELS, kernels_dir)
        _forget_if_replaced(root)
    return root


def _forget_if_replaced(root: Path) -> None:
    """Removes the objects when a source has changed and is older than they are.

    Another version was unpacked in the place of the one that was built, with the times of its archive. Ninja compares
    times alone and would take the old objects for current ones.
    """
    record = root / "sources.json"
    now = {
        str(path): [path.stat().st_mtime_ns, path.stat().st_size]
        for part in ("csrc", KERNELS)
        for path in sorted((root / part).resolve().rglob("*"))
        if path.is_file() and path.suffix != ".pyc"
    }
    if record.is_file():
        before, built = json.loads(record.read_text()), record.stat().st_mtime_ns
        if any(state != before.get(path) and state[0] <= built for path, state in now.items()):
            shutil.rmtree(root / "build", ignore_errors=True)
    record.write_text(json.dumps(now))


def _cached(package_dir: Path, environ: Mapping[str, str]) -> Path | None:
    """The package's directory in the user's cache; None where there is no cache to write to."""
    base = environ.get("XDG_CACHE_HOME", "") or (Path(environ["HOME"], ".cache") if environ.get("HOME") else "")
    if not base or not Path(base).is_absolute():
        return None
    cache = Path(base, "flash-attn-npu", "build")
    key = hashlib.sha256(os.fsencode(package_dir)).hexdigest()[:12]
    try:
        (cache / f"{package_dir.name}-{key}").mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=cache / f"{package_dir.name}-{key}").close()
    except OSError:
        return None
    for other in cache.iterdir():
        if (other / KERNELS).is_symlink() and not (other / KERNELS).exists():
            shutil.rmtree(other, ignore_errors=True)  # its checkout is gone
    return cache / f"{package_dir.name}-{key}"


def _temporary() -> Path:
    path = Path(tempfile.mkdtemp(prefix="flash-attn-npu-build-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def _link(link: Path, target: Path) -> None:
    if link.is_symlink() and Path(os.readlink(link)) == target:
        return
    link.unlink(missing_ok=True)
    link.symlink_to(target)
