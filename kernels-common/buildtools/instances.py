# SPDX-License-Identifier: BSD-3-Clause
"""The sources of the attention kernels, made from ascend/contract/instances.def and a template per room.

Every kernel is compiled on its own, since each takes its time; what differs between them is a line of instances.def.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

INSTANCES = "contract/instances.def"
TEMPLATE = "instance.cpp.in"
# By q's dtype: what the cube multiplies, what goes out, and whether K and V are converted on their way to the cube.
TYPES = {
    "kFloat16": ("half", "half", False),
    "kBFloat16": ("bfloat16_t", "bfloat16_t", False),
    "kFloat8E4M3": ("half", "bfloat16_t", True),
}


@dataclass(frozen=True)
class Instance:
    """One line of instances.def."""

    room: str
    symbol: str
    dtype: str
    head_dim: int
    head_dim_v: int

    def source(self, ascend: Path) -> str:
        """The Ascend C source. `ascend`: kernels-common/ascend."""
        element, output, staged = TYPES[self.dtype]
        values = {
            "SYMBOL": self.symbol,
            "DTYPE": self.dtype[1:],
            "ELEMENT": element,
            "OUTPUT": output,
            "STAGED": str(staged).lower(),
            "KEYS": "StagedKeys" if staged else "CachedKeys",
            "HEAD_DIM": str(self.head_dim),
            "HEAD_DIM_V": str(self.head_dim_v),
        }
        text = (ascend / self.room / TEMPLATE).read_text(encoding="utf-8")
        return re.sub(r"@(\w+)@", lambda match: values[match.group(1)], text)


def instances(ascend: Path) -> Iterator[Instance]:
    """The lines of instances.def in order.

    Raises:
        ValueError: a line that is neither a comment nor a kernel of a known dtype.
    """
    for number, line in enumerate((ascend / INSTANCES).read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip() or line.startswith("//"):
            continue
        match = re.fullmatch(r"KERNEL\((\w+), (\w+), (\w+), (\d+), (\d+)\)", line.strip())
        if match is None or match.group(3) not in TYPES:
            expected = "KERNEL(room, symbol, dtype, head_dim, head_dim_v)"
            raise ValueError(f"{INSTANCES}:{number}: {line!r}, expected {expected}")
        room, symbol, dtype, head_dim, head_dim_v = match.groups()
        yield Instance(room, symbol, dtype, int(head_dim), int(head_dim_v))
