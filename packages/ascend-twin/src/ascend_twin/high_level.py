# SPDX-License-Identifier: BSD-3-Clause
"""The high-level library (softmax, matmul, layernorm, ...) of an asc-devkit checkout, over the twin's basic API.

That library is header code in terms of the basic API, so it runs on the twin as any kernel does. ASCEND_TWIN_DEVKIT
names the checkout; it is read in place. Its headers reach the basic API by relative paths, so a compiler sees them
through a tree of links in the cache, in which the basic API's places hold headers that lead to the twin's own.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

LIBRARY = ("include/adv_api", "impl/adv_api/detail", "impl/adv_api/tiling")
#: Headers of the basic API that only hold the library's own parameter blocks.
BLOCKS = ("kernel_utils_struct_confusion_pad.h", "kernel_utils_struct_norm_sort.h")
#: Messages by which Matmul objects of AIVs give work to their AIC.
MESSAGES = "impl/basic_api/dav_c220/kfc"
#: Not offered: communication between devices.
ABSENT = ("hccl/",)
BASIC = ("include/basic_api", "impl/basic_api", "include/utils/std", "impl/utils", "include/utils/debug")


#: What the names of such trees begin with.
VIEW = "devkit-"


def home() -> Path | None:
    """The checkout that ASCEND_TWIN_DEVKIT names, if any."""
    name = os.environ.get("ASCEND_TWIN_DEVKIT")
    if not name:
        return None
    path = Path(name).resolve()
    if not (path / "include" / "adv_api" / "kernel_api.h").is_file():
        raise FileNotFoundError(f"ASCEND_TWIN_DEVKIT={name} is no checkout of asc-devkit")
    return path


def _put(place: Path, text: str) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def _build(devkit: Path, view: Path) -> None:
    for part in LIBRARY:
        for source in sorted((devkit / part).rglob("*.h")):
            link = view / source.relative_to(devkit)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(source)
    for part in BASIC:
        for source in sorted((devkit / part).rglob("*.h")):
            place = view / source.relative_to(devkit)
            _put(place, '#include "ascendc/basic.h"\n')
            if source.parent.name == "dav_c220":  # where an installed toolkit has it
                _put(view / "impl" / "dav_c220" / source.name, '#include "ascendc/basic.h"\n')
            if source.name in BLOCKS or str(source.parent.relative_to(devkit)) == MESSAGES:
                place.unlink()
                place.symlink_to(source)
    everything = devkit / "include" / "adv_api" / "kernel_api.h"
    chosen = [
        line
        for line in everything.read_text().splitlines()
        if line.startswith("#include") and not line.split('"')[1].startswith(ABSENT)
    ]
    place = view / everything.relative_to(devkit)
    place.unlink()
    _put(place, "#pragma once\n" + "\n".join(chosen) + "\n")
    # As an installed toolkit has it: lib/ for include/adv_api, and short names in it.
    (view / "lib").symlink_to("include/adv_api")
    (view / "include" / "adv_api" / "matrix").symlink_to(".")  # as older toolkits call it
    _put(view / "include" / "adv_api" / "matmul_intf.h", '#include "adv_api/matmul/matmul_intf.h"\n')
    script = devkit / "impl" / "adv_api" / "cmake" / "scripts" / "gen_kernel_tiling_data_def.py"
    made = view / "tiling" / "kernel_tiling" / "kernel_tiling.h"
    subprocess.run(
        [sys.executable, str(script), str(devkit / "include" / "adv_api"), str(made)], check=True, capture_output=True
    )


def flags(cache: Path) -> list[str]:
    """Compiler flags that give a source the high-level library; none without ASCEND_TWIN_DEVKIT."""
    devkit = home()
    if devkit is None:
        return []
    text = [str(devkit), Path(__file__).read_text()]
    text += sorted(str(p.relative_to(devkit)) for part in LIBRARY + BASIC for p in (devkit / part).rglob("*.h"))
    view = cache / f"{VIEW}{hashlib.sha256(chr(0).join(text).encode()).hexdigest()[:16]}"
    if not view.is_dir():
        part = view.with_suffix(f".{os.getpid()}")
        _build(devkit, part)
        try:
            part.rename(view)
        except OSError:  # another process was faster
            if not view.is_dir():
                raise
    places = ["tiling", "", "include", "include/adv_api", "include/basic_api", "impl", "impl/basic_api"]
    return ["-DTWIN_HIGH_LEVEL=1", *(f"-I{view / place}" for place in places)]
