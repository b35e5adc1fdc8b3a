# SPDX-License-Identifier: BSD-3-Clause
"""Operator projects: the tiling structures that their build generates for kernels from the host's definitions."""

from __future__ import annotations

import re
from pathlib import Path

FIELD = re.compile(r"TILING_DATA_FIELD_DEF(_ARR|_STRUCT)?\s*\(([^()]*)\)")


def tiling_structures(*headers: str | Path) -> str:
    """C++ text of the structures that BEGIN_TILING_DATA_DEF ... END_TILING_DATA_DEF define in headers or their text.

    Give it to a kernel's source in front of what includes the kernel.

    Example:
        >>> text = '''
        ... BEGIN_TILING_DATA_DEF(Tiling)
        ... TILING_DATA_FIELD_DEF(uint32_t, length);
        ... END_TILING_DATA_DEF;
        ... '''
        >>> print(tiling_structures(text).splitlines()[-1])
        struct Tiling { uint32_t length; };
    """
    made = ["#include <cstdint>", '#include "kernel_tiling/kernel_tiling.h"']
    for header in headers:
        text = header if isinstance(header, str) and "\n" in header else Path(header).read_text()
        for name, body in re.findall(r"BEGIN_TILING_DATA_DEF\s*\(\s*(\w+)\s*\)(.*?)END_TILING_DATA_DEF", text, re.S):
            members = []
            for kind, arguments in FIELD.findall(re.sub(r"//[^\n]*", "", body)):
                words = [w.strip() for w in arguments.split(",")]
                members.append(f"{words[0]} {words[2]}[{words[1]}];" if kind == "_ARR" else f"{words[0]} {words[1]};")
            made.append(f"struct {name} {{ {' '.join(members)} }};")
    return "\n".join(made) + "\n"
