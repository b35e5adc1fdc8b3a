# SPDX-License-Identifier: BSD-3-Clause
"""The calls whose time is predicted."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Shape:
    """One call; lengths count keys and queries of a sequence.

    Attributes:
        b, h, hk, sq, sk: batch, query heads, kv heads, queries and keys per sequence.
        d, dv: features of q and k, and of v (0: as d).
        page: page size, 0: dense cache.
        causal: 1 or 0.
        splits: num_splits, 0: automatic.
        lengths: keys of each sequence, if they differ (joined by "+" on the command line).
        new: keys appended by the call.
        rotary: features that are rotated; needs new.
        qv: 1: with qv, the part of the queries that meets V (MLA, absorbed).
    """

    b: int = 1
    h: int = 32
    hk: int = 32
    sq: int = 1
    sk: int = 4096
    d: int = 128
    dv: int = 0
    page: int = 0
    dtype: str = "float16"
    causal: int = 0
    splits: int = 0
    lengths: tuple[int, ...] = ()
    new: int = 0
    rotary: int = 0
    qv: int = 0

    @classmethod
    def parse(cls, text: str) -> Shape:
        """From "b=1,sk=4096,...", with the names of the attributes."""
        values: dict[str, Any] = {}
        for item in text.split(","):
            name, _, value = item.partition("=")
            if name not in cls.__dataclass_fields__:
                raise ValueError(f"{text}: {name!r} is not one of {', '.join(cls.__dataclass_fields__)}")
            if name == "lengths":
                values[name] = tuple(int(length) for length in value.split("+"))
            else:
                values[name] = value if name == "dtype" else int(value)
        return cls(**values)

    def __str__(self) -> str:
        changed = {n: v for n, v in asdict(self).items() if v != self.__dataclass_fields__[n].default}
        changed = {"b": self.b, "h": self.h, "hk": self.hk, "sq": self.sq, "sk": self.sk, "d": self.d, **changed}
        text = {n: "+".join(map(str, v)) if isinstance(v, tuple) else v for n, v in changed.items()}
        return ",".join(f"{n}={v}" for n, v in text.items())


PREFILL = tuple(
    Shape(b=1, h=32, hk=32, sq=s, sk=s, d=128, dtype=dtype, causal=causal)
    for s in (8192, 32768)
    for dtype in ("float16", "bfloat16")
    for causal in (1, 0)
) + tuple(Shape(b=1, h=32, hk=32, sq=8192, sk=8192, d=d, dv=dv) for d, dv in ((64, 64), (192, 128), (256, 256)))
_DECODE = Shape(b=32, h=32, hk=8, sq=1, sk=4096, d=128)
DECODE = (
    _DECODE,
    *(replace(_DECODE, page=page) for page in (16, 32, 64, 128, 256)),
    Shape(b=1, h=32, hk=8, sq=1, sk=131072, d=128),
    Shape(b=1, h=32, hk=8, sq=1, sk=131072, d=128, splits=1),
    replace(_DECODE, lengths=(4096, 2048, 1024, 512) * 4 + (256,) * 8 + (64,) * 8, sk=4096),
    *(replace(_DECODE, page=page, dtype="float8_e4m3fn") for page in (0, 16)),
)
GROUPS = {"decode": DECODE, "prefill": PREFILL, "all": (*PREFILL, *DECODE)}
