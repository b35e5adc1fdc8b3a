# SPDX-License-Identifier: BSD-3-Clause
"""Refuses includes that point upward: the order of the rooms of the C++ tree (docs/architecture.md has its picture).

python -m ci.rooms [FILE ...]        default: every C++ file that git tracks or would track
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Optional

from .findings import CPP, Finding, checked, tracked
from .packages import ROOT

KERNELS = "kernels-common/"
ASCEND = "kernels-common/ascend/"
FACTS = "kernels-common/include"

_FLOOR = (FACTS, f"{ASCEND}arch", f"{ASCEND}contract")
_KERNEL = (*_FLOOR, f"{ASCEND}tile", f"{ASCEND}shared")

# Every room, and the other rooms that it may include.
ROOMS: dict[str, tuple[str, ...]] = {
    FACTS: (),
    f"{KERNELS}api": (FACTS,),
    f"{KERNELS}cpu": (FACTS,),
    f"{KERNELS}binding": (FACTS, f"{KERNELS}api", f"{KERNELS}cpu"),
    f"{ASCEND}arch": (),
    f"{ASCEND}contract": (FACTS, f"{ASCEND}arch"),
    f"{ASCEND}tile": _FLOOR,
    f"{ASCEND}shared": (*_FLOOR, f"{ASCEND}tile"),
    f"{ASCEND}general": _KERNEL,
    f"{ASCEND}decode": _KERNEL,
    f"{ASCEND}prefill": _KERNEL,
    f"{ASCEND}passes": _KERNEL,
    f"{ASCEND}host": _FLOOR,
    "packages/flash-attn-npu-v2": (FACTS, f"{KERNELS}api", f"{KERNELS}binding"),
    "packages/flash-attn-npu-v3": (FACTS, f"{KERNELS}api", f"{KERNELS}binding"),
    "packages/ascend-twin": (),
    "emulation": (*_FLOOR, f"{ASCEND}host", f"{KERNELS}cpu"),
    "examples": (FACTS, f"{ASCEND}arch", f"{ASCEND}tile"),
    "benchmarks": (),
    # Tests look everywhere.
    "tests": (FACTS, f"{KERNELS}api", f"{KERNELS}binding", f"{KERNELS}cpu", ASCEND.rstrip("/")),
}

# Where the compiler looks for "...", after the file's own directory.
# The headers of Ascend C are CANN's or the twin's: nobody's room.
SEARCHED = ("kernels-common", ASCEND.rstrip("/"), FACTS)
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')


def room_of(path: str) -> Optional[str]:
    """The room that a path from the root lies in; None outside of all."""
    inside = [room for room in ROOMS if path.startswith(f"{room}/")]
    return max(inside, key=len, default=None)


def target_of(name: str, folder: str, root: Path = ROOT) -> Optional[str]:
    """The file that "name" means in a file of `folder`, from the root; None for one that is not ours."""
    for searched in (folder, *SEARCHED):
        path = (root / searched / name).resolve()
        if path.is_file() and path.is_relative_to(root):
            return path.relative_to(root).as_posix()
    return None


def findings(path: str, text: str, root: Path = ROOT) -> Iterator[Finding]:
    """Includes of rooms that the room of `path` must not know. `path` is relative to the root."""
    room = room_of(path)
    if room is None:
        if path.startswith(ASCEND):
            yield Finding(root / path, 1, f"is in no room: {', '.join(sorted(ROOMS))}")
        return
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        target = target_of(match.group(1), str(Path(path).parent), root) if match else None
        if target is None or target.startswith(f"{room}/"):
            continue
        if not target.startswith(tuple(f"{allowed}/" for allowed in ROOMS[room])):
            allowed = ", ".join(ROOMS[room]) or "no other room"
            yield Finding(root / path, number, f"{room} includes {target}; it may include {allowed}")


def main(arguments: list[str]) -> int:
    paths = [Path(argument).resolve() for argument in arguments] or tracked(CPP)
    return checked(paths, lambda path, text: findings(path.relative_to(ROOT).as_posix(), text))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
