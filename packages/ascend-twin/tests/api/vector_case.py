# SPDX-License-Identifier: BSD-3-Clause
"""Cases of vector kernels: random forms and strides, launch, and the lanes they address.

The lane formula is the documents' (high-dimensional slicing): lane l of repeat r of an operand with elements of s bytes
is at base + (r * RepStride + l / (32 / s) * BlkStride) * 32 + l % (32 / s) * s.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from ascend_twin.machine import Out

COUNT, MASK, BITS, KEPT_NORM, KEPT_COUNTER = range(5)
FORM_NAMES = ["count", "mask", "bits", "kept_norm", "kept_counter"]
MASKED_FORMS = [MASK, BITS, KEPT_NORM, KEPT_COUNTER]
WORDS = 24
REGION = 24 * 1024  # bytes for each operand: dst, src0, src1


@dataclass
class Operand:
    """Where an operand is: byte offset, bytes per element, block and repeat stride in 32-byte blocks."""

    at: int = 0
    size: int = 4
    blk: int = 1
    rep: int = 8


@dataclass
class Case:
    """One call of a vector instruction on a UB image."""

    form: int
    image: np.ndarray
    count: int = 0  # elements, for the count form and the counter mode
    mask: int = 0  # 128 lane bits
    repeat: int = 1
    dst: Operand = field(default_factory=Operand)
    src0: Operand = field(default_factory=Operand)
    src1: Operand = field(default_factory=Operand)
    scalar: int = 0
    ctrl48: int = 1
    extra: tuple[int, ...] = ()

    def words(self) -> np.ndarray:
        low = self.count if self.form in (COUNT, KEPT_COUNTER) else self.mask & (2**64 - 1)
        if self.form == MASK:
            low = self.mask.bit_length()  # first lanes
        high = self.mask >> 64 if self.form in (BITS, KEPT_NORM) else 0
        o = [self.dst, self.src0, self.src1]
        numbers = [
            self.form,
            low,
            high,
            self.repeat,
            *(x.at for x in o),
            *(x.blk for x in o),
            *(x.rep for x in o),
            self.scalar,
            self.ctrl48,
            *self.extra,
        ]
        return np.array([n & (2**64 - 1) for n in numbers] + [0] * (WORDS - len(numbers)), np.uint64).view(np.int64)

    def lanes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(repeat, lane, index) of the enabled lanes in order; index counts lanes through all repeats."""
        per = self.per_repeat
        if self.form in (COUNT, KEPT_COUNTER):
            index = np.arange(self.count)
        else:
            enabled = np.array([lane for lane in range(per) if self.mask >> lane & 1], np.int64)
            index = (np.arange(self.repeat)[:, None] * per + enabled).ravel()
        return index // per, index % per, index

    wide: int = 4  # bytes of the widest element: it sets the lanes per repeat

    @property
    def per_repeat(self) -> int:
        return min(256 // self.wide, 128)

    def addresses(self, operand: Operand) -> np.ndarray:
        """Byte address of every enabled lane of an operand."""
        if self.form == COUNT:
            return operand.at + np.arange(self.count) * operand.size
        r, lane, _ = self.lanes()
        per_block = 32 // operand.size
        return operand.at + (r * operand.rep + lane // per_block * operand.blk) * 32 + lane % per_block * operand.size


def read(image: np.ndarray, addresses: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Elements at byte addresses."""
    size = np.dtype(dtype).itemsize
    return image[addresses[:, None] + np.arange(size)].view(dtype).ravel()


def write(image: np.ndarray, addresses: np.ndarray, values: np.ndarray) -> None:
    size = values.dtype.itemsize
    image[addresses[:, None] + np.arange(size)] = np.ascontiguousarray(values).view(np.uint8).reshape(-1, size)


def draw(
    rng: np.random.Generator,
    form: int,
    dst: int,
    src0: int,
    src1: int = 0,
    *,
    image: np.ndarray,
    broadcast: bool = True,
    max_lanes: int = 128,
) -> Case:
    """A random case of a form for operands with elements of `dst`, `src0`, `src1` bytes (src1 0: no such operand).

    Operands lie in regions of their own; strides keep the destination's lanes apart, sources may be re-read (stride 0).
    """
    wide = max(dst, src0, src1)
    case = Case(form, image, wide=wide)
    per = min(case.per_repeat, max_lanes)
    operands = [(case.dst, dst), (case.src0, src0), (case.src1, src1)]
    for i, (operand, size) in enumerate(operands):
        if size:
            operand.at = i * REGION + int(rng.integers(0, 8)) * 32
            operand.size = size
    if form == COUNT:
        case.count = int(rng.integers(1, 4 * per + 1))
        return case
    case.repeat = int(rng.integers(1, 9))
    if form == KEPT_COUNTER:
        case.count = int(rng.integers(1, 6 * per + 1))
        case.repeat = -(-case.count // per)
    elif form == MASK:
        case.mask = (1 << int(rng.integers(1, per + 1))) - 1
    else:
        case.mask = 0
        while not case.mask:
            case.mask = int.from_bytes(rng.bytes(per // 8), "little")
    for i, (operand, size) in enumerate(operands):
        if not size:
            continue
        blocks = 8 * size // wide or 1
        if i and broadcast and rng.random() < 0.2:
            operand.blk, operand.rep = 0, int(rng.integers(0, 4))
        elif i and broadcast and rng.random() < 0.2:
            operand.blk, operand.rep = 1, 0
        elif rng.random() < 0.25:  # repeats interleaved block by block
            operand.blk, operand.rep = max(case.repeat, 2), 1
        else:
            operand.blk = int(rng.integers(1, 4))
            operand.rep = blocks * operand.blk + int(rng.integers(0, 3))
    for operand, size in operands:
        assert not size or operand.at + (case.repeat * operand.rep + 8 * operand.blk) * 32 <= case.image.size
    return case


def launch(kernel, cases: list[Case], mode: str = "check") -> np.ndarray:
    """Run the cases, return the images they leave. The checker must find nothing."""
    images = np.stack([c.image for c in cases])
    head = np.array([len(cases), images.shape[1], WORDS], np.int64)
    out = np.zeros_like(images)
    kernel(1, images, Out(out), np.concatenate([head, *(c.words() for c in cases)]), mode=mode)
    return out


def compare(case: Case, got: np.ndarray, expected: np.ndarray, dtype: np.dtype, what: str, ulp: int = 0) -> None:
    """The whole image is as expected; NaN equals NaN; `ulp`: allowed distance of results of a float type."""
    if np.array_equal(got, expected):
        return
    bad = np.flatnonzero(got != expected)
    lo, hi = int(bad[0]), int(bad[-1])
    start, size = case.dst.at, np.dtype(dtype).itemsize
    assert lo >= start, f"{what}: byte {lo} before the destination at {start} changed: {describe(case)}"
    end = min(start + REGION - case.dst.at % REGION, got.size)
    assert hi < end, f"{what}: byte {hi} after the destination's region changed: {describe(case)}"
    end -= (end - start) % size
    g, e = got[start:end].view(dtype), expected[start:end].view(dtype)
    differ = g != e
    if np.issubdtype(dtype, np.floating):
        differ &= ~(np.isnan(g) & np.isnan(e))
        if ulp:
            with np.errstate(all="ignore"):
                near = np.abs(g.astype(np.float64) - e.astype(np.float64)) <= ulp * np.abs(
                    np.spacing(e).astype(np.float64)
                )
            differ &= ~near
    where = np.flatnonzero(differ)
    assert not where.size, (
        f"{what}: {where.size} elements differ, first at element {where[0]}: got {g[where[:4]]}, "
        f"expected {e[where[:4]]}; "
        f"{describe(case)}"
    )


def describe(case: Case) -> str:
    return (
        f"form {FORM_NAMES[case.form]}, count {case.count}, mask {case.mask:#x}, repeat {case.repeat}, dst {case.dst}, "
        f"src0 {case.src0}, src1 {case.src1}, scalar {case.scalar:#x}, CTRL[48] {case.ctrl48}"
    )
