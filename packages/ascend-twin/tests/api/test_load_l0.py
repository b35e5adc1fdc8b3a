# SPDX-License-Identifier: BSD-3-Clause
"""What gets into L1, L0A and L0B: ND -> NZ, runs, LoadData 2D and 3D, LoadDataWithTranspose, InitConstValue.

Images are compared element by element as the documents' formulas place them; what no call writes keeps its background.
Documents: "Cube loads" (LoadData_2D.md, LoadDataWithTranspose.md, LoadData_3D.md with its script load3d.py, Fill.md,
DataCopy with ND2NZ). Columns that fill up the last C0 of an ND2NZ panel are zero.
"""

from __future__ import annotations

import numpy as np
import pytest
from ascend_twin.machine import Out

from .elements import STORAGE, from_values, size_of, to_float64

FILE = "load_l0.cpp"
TYPES = ["half", "bfloat16_t", "float", "int8_t"]
FRACTALS = 32
IMAGE, L1 = 64 * 1024, 68 * 1024
L0 = ["A", "B"]


def numbers(rng, dtype: str, count: int) -> np.ndarray:
    """Storage of small whole numbers: exact in every type."""
    return from_values(rng.integers(-120, 120, count).astype(np.float64), dtype)


def run(kernel, memory: np.ndarray, out: np.ndarray, *words: int) -> np.ndarray:
    params = np.zeros(32, np.int64)
    params[: len(words)] = words
    kernel(1, memory, Out(out), params, mode="check")
    return out


def show(api_kernel, where: str, dtype: str, image: np.ndarray, *words: int) -> np.ndarray:
    """Values of the first fractals of L0A or L0B after a call, 16 x C0 each."""
    c0 = 32 // size_of(dtype)
    n = max(c0, 16)
    unit = np.eye(n, c0)  # both as A (n x C0 in zZ: blocks of 16 rows) and as B (C0 x n in nZ: blocks of 16 columns)
    memory = np.zeros(L1 + 64 * 1024, np.uint8)
    memory[: image.nbytes] = image.view(np.uint8)
    stored = from_values(unit.ravel(), dtype).view(np.uint8)
    memory[IMAGE : IMAGE + stored.size] = stored
    kind = np.int32 if dtype == "int8_t" else np.float32
    shape = (16 * FRACTALS, n) if where == "A" else (n, 16 * FRACTALS)
    got = run(api_kernel(FILE, f"Show{where}_{dtype}"), memory, np.zeros(shape, kind), *words).astype(np.float64)
    rows = got[:, :c0] if where == "A" else got[:c0].T
    return rows.reshape(FRACTALS, 16, c0)


def fractals_of(image: np.ndarray, dtype: str) -> np.ndarray:
    return to_float64(image, dtype).reshape(-1, 16, 32 // size_of(dtype))


def same(got: np.ndarray, expected: np.ndarray, what: str) -> None:
    bad = np.argwhere(got != expected)
    assert not bad.size, (
        f"{what}: {len(bad)} elements differ, first at {bad[0]}: got {got[tuple(bad[0])]}, "
        f"expected {expected[tuple(bad[0])]}"
    )


@pytest.mark.parametrize("transpose", [False, True], ids=["plain", "transpose"])
@pytest.mark.parametrize("source", [0, 3], ids=["L1", "GM"])
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("where", L0)
def test_load_2d(api_kernel, rng, where, dtype, source, transpose):
    """Fractal i: from startIndex +- i * srcStride to i * (dstGap + 1); transposed one by one (2-byte types)."""
    if transpose and (size_of(dtype) != 2 or source == 3):
        transpose = False  # does not exist: the plain form once more, with other numbers
    image = numbers(rng, dtype, IMAGE // size_of(dtype))
    background = fractals_of(image, dtype)
    for down in (0, 1):
        stride, gap = int(rng.integers(0, 6)), int(rng.integers(0, 4))
        repeat = int(rng.integers(1, FRACTALS // (gap + 1) + 1))
        first = int(rng.integers(0, 8)) + (repeat - 1) * stride * down
        at = 512 * int(rng.integers(0, 3)) if source == 0 else 0
        got = show(api_kernel, where, dtype, image, source, at, first, repeat, stride, gap, int(transpose), down)
        expected = background[:FRACTALS].copy()
        for i in range(repeat):
            fractal = background[at // 512 + first + (-i if down else i) * stride]
            expected[i * (gap + 1)] = fractal.T if transpose else fractal
        same(got, expected, f"LoadData repeat {repeat}, stride {stride}, gap {gap}, down {down}")


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("where", L0)
def test_load_with_transpose(api_kernel, rng, where, dtype):
    """Squares of 16 x 16 (2 and 4 bytes) or 32 x 32 (1 byte): joined from fractals, transposed, split again."""
    size = size_of(dtype)
    per = 1 if size == 2 else 2
    image = numbers(rng, dtype, IMAGE // size)
    background = fractals_of(image, dtype)
    for down in (0, 1, 0, 0):
        stride, gap, inner = int(rng.integers(0, 4)), int(rng.integers(0, 3)), int(rng.integers(0, 3)) if per > 1 else 0
        repeat = int(rng.integers(1, 6))
        if per > 1 and inner == 0:
            gap += 1  # the second fractal of a square must not be overwritten by the next square's first
        elif per > 1:
            gap, repeat = 0, min(repeat, inner + 1)
        first = int(rng.integers(0, 4)) + (repeat - 1) * stride * down
        got = show(api_kernel, where, dtype, image, 1, 0, first, repeat, stride, gap, inner, down)
        expected = background[:FRACTALS].copy()
        for i in range(repeat):
            square = first + (-i if down else i) * stride
            parts = background[square * per : (square + 1) * per]
            joined = parts[0] if per == 1 else np.concatenate(parts, axis=1 if size == 4 else 0)
            for j, part in enumerate([joined.T] if per == 1 else np.split(joined.T, 2, axis=1 if size == 4 else 0)):
                expected[i * (gap + 1) + j * (inner + 1)] = part
        same(
            got, expected, f"transpose repeat {repeat}, stride {stride}, dstGap {gap}, dstFracGap {inner}, down {down}"
        )


def im2col(image: np.ndarray, pad, value, stride, kernel, dilation) -> np.ndarray:
    """(M, K) of an image [C1, H, W, C0]: K runs over C1, filter rows, filter columns, C0 (LoadData_3D.md)."""
    c1, _, _, c0 = image.shape
    left, right, top, bottom = pad
    padded = np.pad(image, ((0, 0), (top, bottom), (left, right), (0, 0)), constant_values=value)
    reach = [(kernel[i] - 1) * dilation[i] + 1 for i in (0, 1)]
    rows = range(0, padded.shape[1] - reach[0] + 1, stride[0])
    cols = range(0, padded.shape[2] - reach[1] + 1, stride[1])
    window = [
        padded[:, y : y + reach[0] : dilation[0], x : x + reach[1] : dilation[1]].reshape(-1)
        for y in rows
        for x in cols
    ]
    return np.array(window).reshape(len(rows) * len(cols), c1 * kernel[0] * kernel[1] * c0)


@pytest.mark.parametrize("kind", ["matrix", "convolution"])
@pytest.mark.parametrize(
    ("where", "transpose", "dtype"),
    [("A", 0, t) for t in TYPES] + [("A", 1, t) for t in TYPES[:3]] + [("B", 0, t) for t in TYPES[:3]],
)
def test_load_3d(api_kernel, rng, where, transpose, dtype, kind):
    """Image to column, then a window of it: zZ into L0A, zZ of the transposed matrix with enTranspose, nZ into L0B.

    The sizes come in LoadData3DParamsV2, by SetFmatrix and SetLoadDataPaddingValue, or packed in LoadData3DParamsV2Pro.
    """
    c0 = 32 // size_of(dtype)
    for way in range(3):
        if kind == "matrix":
            h, w, c1 = 1, 16 * int(rng.integers(2, 5)), 48 // c0 if c0 < 32 else 2
            pad, stride, filters, dilation, value = (0, 0, 0, 0), (1, 1), (1, 1), (1, 1), 0
        else:
            h, w, c1 = (int(x) for x in (*rng.integers(7, 10, 2), 1))
            pad = tuple(int(x) for x in rng.integers(0, 3, 4))
            stride, filters, dilation = ((int(a), int(b)) for a, b in rng.integers(1, 3, (3, 2)))
            value = int(rng.integers(-9, 9))
        image = numbers(rng, dtype, IMAGE // size_of(dtype))
        pixels = to_float64(image[: c1 * h * w * c0], dtype).reshape(c1, h, w, c0)
        matrix = im2col(pixels, pad, value, stride, filters, dilation)
        step = 16 if c0 < 16 else c0  # of k
        m_start = int(rng.integers(0, max(1, matrix.shape[0] - 15)))
        k_start = step * int(rng.integers(0, max(1, matrix.shape[1] // step)))
        m = min(16 * int(rng.integers(1, 4)), (matrix.shape[0] - m_start) // 16 * 16)
        k = min(step * int(rng.integers(1, 4)), (matrix.shape[1] - k_start) // step * step)
        if m < 16 or k < step:
            continue
        part = matrix[m_start : m_start + m, k_start : k_start + k]
        bits = int(from_values(np.array([float(value)]), dtype).view(f"u{size_of(dtype)}")[0])
        got = show(
            api_kernel,
            where,
            dtype,
            image,
            2,
            0,
            h,
            w,
            c1 * c0,
            k,
            m,
            k_start,
            m_start,
            stride[1],
            stride[0],
            filters[1],
            filters[0],
            dilation[1],
            dilation[0],
            transpose,
            bits,
            *pad,
            way,
        )
        # Fractals are 16 rows by C0 columns of the matrix as Mmad sees it; B's are 16 columns by C0 rows.
        if where == "B":
            blocks = part.reshape(m // c0, c0, k // 16, 16).transpose(0, 2, 3, 1)
        else:
            seen = part.T if transpose else part
            blocks = seen.reshape(seen.shape[0] // 16, 16, seen.shape[1] // c0, c0).transpose(0, 2, 1, 3)
        expected = fractals_of(image, dtype)[:FRACTALS].copy()
        flat = blocks.reshape(-1, 16, c0)[:FRACTALS]
        expected[: len(flat)] = flat
        same(got, expected, f"LoadData3D {h}x{w}, pad {pad}, filter {filters}, window m {m_start}+{m}, k {k_start}+{k}")


def as_fractals(matrix: np.ndarray, c0: int) -> np.ndarray:
    """zZ: rows of fractals of 16 x C0."""
    rows, cols = matrix.shape
    return matrix.reshape(rows // 16, 16, cols // c0, c0).transpose(0, 2, 1, 3).reshape(-1, 16, c0)


@pytest.mark.parametrize("transpose", [0, 1])
@pytest.mark.parametrize("along_k", [0, 1])
def test_load_3d_repeat(api_kernel, rng, along_k, transpose):
    """Repetitions make one matrix: windows `stride` * 16 rows (or stride * C0 columns) apart (SetLoadDataRepeat.md)."""
    h, w, c1, c0 = 8, 16, 4, 16
    image = numbers(rng, "half", IMAGE // 2)
    pixels = to_float64(image[: c1 * h * w * c0], "half").reshape(c1, h, w, c0)
    matrix = im2col(pixels, (0, 0, 0, 0), 0, (1, 1), (1, 1), (1, 1))  # 128 x 64
    for stride, times in [(1, 2), (2, 2), (1, 1)]:
        m, k = 32, 16
        if along_k:
            part = np.concatenate([matrix[:m, i * stride * c0 :][:, :k] for i in range(times)], axis=1)
        else:
            part = np.concatenate([matrix[i * stride * 16 :][:m, :k] for i in range(times)])
        words = [2, 0, h, w, c1 * c0, k, m, 0, 0, 1, 1, 1, 1, 1, 1, transpose, 0, 0, 0, 0, 0, 0, stride, times, along_k]
        got = show(api_kernel, "A", "half", image, *words)
        expected = fractals_of(image, "half")[:FRACTALS].copy()
        flat = as_fractals(part.T if transpose else part, c0)
        expected[: len(flat)] = flat
        same(got, expected, f"LoadData3D, {times} repetitions {stride} apart, along K {along_k}")


@pytest.mark.parametrize("way", [0, 2])
def test_load_3d_wide_filter(api_kernel, rng, way):
    """filterSizeW adds 256 columns to the filter."""
    w, c0, columns = 300, 16, 259
    image = numbers(rng, "half", IMAGE // 2)
    pixels = to_float64(image[: w * c0], "half").reshape(1, 1, w, c0)
    matrix = im2col(pixels, (0, 0, 0, 0), 0, (1, 1), (1, columns), (1, 1))
    m, k, k_start = 32, 48, 16 * 250
    words = [2, 0, 1, w, c0, k, m, k_start, 0, 1, 1, columns - 256, 1, 1, 1, 0, 0, 0, 0, 0, 0, way, 0, 0, 0, 0, 1]
    got = show(api_kernel, "A", "half", image, *words)
    expected = fractals_of(image, "half")[:FRACTALS].copy()
    flat = as_fractals(matrix[:m, k_start : k_start + k], c0)
    expected[: len(flat)] = flat
    same(got, expected, "LoadData3D, filter of 259 columns")


def test_load_3d_boundary(api_kernel, rng):
    """What lies beyond the boundary is read from the beginning of L1 (SetLoadDataBoundary.md)."""
    w, c0, boundary, start = 64, 16, 1536, 512
    image = numbers(rng, "half", IMAGE // 2)
    wrapped = np.resize(to_float64(image[: boundary // 2], "half"), 4 * boundary)[start // 2 :]
    matrix = im2col(wrapped[: w * c0].reshape(1, 1, w, c0), (0, 0, 0, 0), 0, (1, 1), (1, 1), (1, 1))
    words = [2, start, 1, w, c0, c0, w, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, boundary]
    got = show(api_kernel, "A", "half", image, *words)
    expected = fractals_of(image, "half")[:FRACTALS].copy()
    flat = as_fractals(matrix, c0)
    expected[: len(flat)] = flat
    same(got, expected, "LoadData3D with a boundary")


@pytest.mark.parametrize("dtype", ["half", "bfloat16_t", "float"])
@pytest.mark.parametrize("where", L0)
def test_init_const_value(api_kernel, rng, where, dtype):
    """repeatTimes runs of blockNum fractals, dstGap fractals between them (Fill.md)."""
    image = numbers(rng, dtype, IMAGE // size_of(dtype))
    repeat, blocks, gap = 3, int(rng.integers(1, 5)), int(rng.integers(0, 5))
    bits = int(from_values(np.array([-7.0]), dtype).view(f"u{size_of(dtype)}")[0])
    got = show(api_kernel, where, dtype, image, 4, 0, repeat, blocks, gap, bits)
    expected = fractals_of(image, dtype)[:FRACTALS].copy()
    for i in range(repeat):
        expected[i * (blocks + gap) :][:blocks] = -7
    same(got, expected, "InitConstValue")


def show_l1(api_kernel, rng, dtype: str, *words: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(L1 after the call, L1 before, the source in GM), as storage."""
    memory = numbers(rng, dtype, (L1 + 64 * 1024) // size_of(dtype)).view(np.uint8)
    got = run(api_kernel(FILE, f"ShowL1_{dtype}"), memory, np.zeros(IMAGE, np.uint8), *words)
    kind = STORAGE[dtype]
    return got.view(kind), memory[:IMAGE].view(kind).copy(), memory[L1:].view(kind)


@pytest.mark.parametrize("case", range(6))
@pytest.mark.parametrize("dtype", TYPES)
def test_nd_to_nz(api_kernel, rng, dtype, case):
    """dst(b, n, d) and src(b, n, d) of the documents; rows from nValue on stay, columns up to C0 are 0."""
    c0 = 32 // size_of(dtype)
    nd, n, d = (
        (1, 40, 56)
        if case == 0
        else (int(x) for x in (rng.integers(1, 4), rng.integers(1, 50), rng.integers(1, 4 * c0)))
    )
    src_d = d + int(rng.integers(0, 9))
    rows = 1 if case % 2 == 0 else int(rng.integers(1, 3))
    panel = n * rows + int(rng.integers(0, 5))
    panels = -(-d // c0)
    src_matrix, dst_matrix = n * src_d + int(rng.integers(0, 5)), panels * panel * c0 + c0 * int(rng.integers(0, 3))
    got, expected, source = show_l1(api_kernel, rng, dtype, 0, 64, nd, n, d, src_matrix, src_d, panel, rows, dst_matrix)
    start = 64 // size_of(dtype)
    for b in range(nd):
        for r in range(n):
            for p in range(panels):
                block = np.zeros(c0, expected.dtype)
                piece = source[b * src_matrix + r * src_d + p * c0 :][: min(c0, d - p * c0)]
                block[: len(piece)] = piece
                at = start + b * dst_matrix + (p * panel + r * rows) * c0
                expected[at : at + c0] = block
    assert np.array_equal(got, expected), (nd, n, d, src_d, panel, rows)


def test_nd_to_nz_worked_example(api_kernel, rng):
    """half, 40 x 56 in panels of 48 rows: element (5, 20) goes to 20 / 16 * 48 * 16 + 5 * 16 + 4 = 852."""
    got, _, source = show_l1(api_kernel, rng, "half", 0, 0, 1, 40, 56, 0, 56, 48, 1, 1)
    assert got[852] == source[5 * 56 + 20]


@pytest.mark.parametrize("dtype", TYPES)
def test_runs_to_l1(api_kernel, rng, dtype):
    for _ in range(3):
        count, length, src_gap, dst_gap = (
            int(rng.integers(1, 30)),
            int(rng.integers(1, 20)),
            *map(int, rng.integers(0, 20, 2)),
        )
        got, expected, source = show_l1(api_kernel, rng, dtype, 1, 96, count, length, src_gap, dst_gap)
        after, before = expected.view(np.uint8), source.view(np.uint8)
        for i in range(count):
            after[96 + i * (length + dst_gap) * 32 :][: length * 32] = before[i * (length + src_gap) * 32 :][
                : length * 32
            ]
        assert np.array_equal(got.view(np.uint8), after)


@pytest.mark.parametrize("dtype", TYPES)
def test_count_and_fractals_to_l1(api_kernel, rng, dtype):
    per = 32 // size_of(dtype)
    got, expected, source = show_l1(api_kernel, rng, dtype, 2, 32, 50 * per)
    expected[per : 51 * per] = source[: 50 * per]
    assert np.array_equal(got, expected)
    got, expected, source = show_l1(api_kernel, rng, dtype, 4, 0, 2, 9, 3, 1)
    for i in range(9):
        expected[i * 2 * 16 * per :][: 16 * per] = source[(2 + 3 * i) * 16 * per :][: 16 * per]
    assert np.array_equal(got, expected)


@pytest.mark.parametrize("dtype", ["half", "bfloat16_t", "float"])
def test_init_const_value_in_l1(api_kernel, rng, dtype):
    """In L1 the unit is 32 bytes."""
    per = 32 // size_of(dtype)
    bits = int(from_values(np.array([3.0]), dtype).view(f"u{size_of(dtype)}")[0])
    got, expected, _ = show_l1(api_kernel, rng, dtype, 3, 128, 5, 7, 2, bits)
    for i in range(5):
        expected[(4 + i * 9) * per :][: 7 * per] = from_values(np.array([3.0]), dtype)[0]
    assert np.array_equal(got, expected)


@pytest.mark.parametrize("dtype", TYPES)
def test_runs_from_l1(api_kernel, rng, dtype):
    """DataCopy (L1 to GM, strided): blockLen and both gaps in blocks of 32 bytes; the gaps in GM stay as they are."""
    for _ in range(3):
        count, length = int(rng.integers(1, 30)), int(rng.integers(1, 20))
        src_gap, dst_gap = (int(x) for x in rng.integers(0, 20, 2))
        got, before, _ = show_l1(api_kernel, rng, dtype, 5, 96, count, length, src_gap, dst_gap)
        there, expected = before.view(np.uint8)[96:], np.zeros(IMAGE, np.uint8)
        for i in range(count):
            run_of = there[i * (length + src_gap) * 32 :][: length * 32]
            expected[i * (length + dst_gap) * 32 :][: length * 32] = run_of
        assert np.array_equal(got.view(np.uint8), expected)
