"""Data movement and cube calls against index arithmetic and integer or float64 products."""

from __future__ import annotations

import numpy as np
import pytest
from ascend_twin.machine import Out
from formulas import bf16_to_float, round_float

FILE = "movement_api.cpp"


def call(kernel, name: str, data: np.ndarray, out: np.ndarray, *params: int) -> np.ndarray:
    words = np.zeros(16, np.int32)
    words[: len(params)] = params
    kernel(FILE, name)(1, data, Out(out), words, mode="check")
    return out


def runs(rng, total_blocks: int) -> tuple[int, int, int, int]:
    """blockCount, blockLen, srcGap, dstGap that stay inside `total_blocks` blocks of 32 bytes on both sides."""
    count, length = int(rng.integers(1, 40)), int(rng.integers(1, 20))
    gaps = [int(rng.integers(0, 12)) for _ in range(2)]
    while count * (length + max(gaps)) > total_blocks:
        count = count // 2
    return max(count, 1), length, *gaps


@pytest.mark.parametrize("name", ["copy_in", "copy_inside"])
def test_strided_copy(kernel, rng, name):
    count, length, src_gap, dst_gap = runs(rng, 2048)
    data = rng.integers(0, 30000, 32768).astype(np.uint16).view(np.float16)
    want = np.zeros((2048, 16), np.uint16)
    blocks = data.view(np.uint16).reshape(2048, 16)
    for i in range(count):
        want[i * (length + dst_gap) :][:length] = blocks[i * (length + src_gap) :][:length]
    got = call(kernel, name, data, np.zeros(32768, np.float16), count, length, src_gap, dst_gap)
    assert np.array_equal(got.view(np.uint16).reshape(2048, 16), want), (count, length, src_gap, dst_gap)


def test_strided_store(kernel, rng):
    count, length, src_gap, dst_gap = runs(rng, 2048)
    data = rng.integers(0, 30000, 32768).astype(np.uint16).view(np.float16)
    want = np.full((2048, 16), 7, np.uint16)
    for i in range(count):
        want[i * (length + dst_gap) :][:length] = data.view(np.uint16).reshape(2048, 16)[i * (length + src_gap) :][
            :length
        ]
    out = np.full(32768, 7, np.uint16).view(np.float16)
    assert np.array_equal(
        call(kernel, "copy_out", data, out, count, length, src_gap, dst_gap).view(np.uint16).reshape(2048, 16), want
    )


def test_padded_load(kernel, rng):
    """Each run takes ceil32(left + blockLen + right) bytes; the next starts dstStride blocks after it."""
    count, elements = int(rng.integers(1, 30)), int(rng.integers(1, 40))
    left, right = int(rng.integers(0, 9)), int(rng.integers(0, 9))
    # Bytes beyond left + data + right up to the block are undefined: choose right so that there are none.
    right = -(left + elements) % 8
    src_gap, dst_gap = int(rng.integers(0, 50)) * 4, int(rng.integers(0, 4))
    data = rng.integers(-1000, 1000, 16384).astype(np.int32)
    want = np.zeros(16384, np.int32)
    run = (left + elements + right) // 8 * 8 + dst_gap * 8
    for i in range(count):
        row = want[i * run :]
        row[: left + elements + right] = -7
        row[left : left + elements] = data[i * (elements + src_gap // 4) :][:elements]
    got = call(kernel, "pad_in", data, np.zeros(16384, np.int32), count, elements * 4, src_gap, dst_gap, left, right)
    assert np.array_equal(got, want), (count, elements, src_gap, dst_gap, left, right)


def test_byte_exact_store(kernel, rng):
    """DataCopyPad writes exactly blockLen bytes; source runs are ceil32(blockLen) + srcStride blocks apart."""
    count, length = int(rng.integers(1, 30)), int(rng.integers(1, 70)) * 2
    src_gap, dst_gap = int(rng.integers(0, 4)), int(rng.integers(0, 30)) * 2
    data = rng.integers(0, 30000, 32768).astype(np.uint16).view(np.float16)
    raw, want = data.view(np.uint8), np.full(65536, 9, np.uint8)
    for i in range(count):
        want[i * (length + dst_gap) :][:length] = raw[i * (-(-length // 32) + src_gap) * 32 :][:length]
    out = np.full(65536, 9, np.uint8)
    assert np.array_equal(call(kernel, "pad_out", data, out, count, length, src_gap, dst_gap), want)


@pytest.mark.parametrize("operation", range(3))
@pytest.mark.parametrize("dtype", ["float", "half", "int32_t", "int16_t"])
def test_atomics(kernel, rng, dtype, operation):
    np_type = {"float": np.float32, "half": np.float16, "int32_t": np.int32, "int16_t": np.int16}[dtype]
    data, base = (rng.integers(-1000, 1000, 1024).astype(np_type) for _ in range(2))
    out = base.copy()
    words = np.array([operation] + [0] * 15, np.int32)
    # The output starts with numbers the kernel must not find uninitialised: fast mode has no such notion.
    kernel(FILE, f"atomic_{dtype}")(1, data, Out(out), words, mode="fast")
    assert np.array_equal(out, [np.add, np.maximum, np.minimum][operation](base, data))


@pytest.mark.parametrize("case", range(4))
@pytest.mark.parametrize("dtype", ["half", "float"])
def test_nd_to_nz(kernel, rng, dtype, case):
    """dst(b, n, d) = b*dstNzMatrixStride + (d/C0)*dstNzC0Stride*C0 + n*dstNzNStride*C0 + d%C0, zero up to C0."""
    np_type, c0 = {"half": (np.float16, 16), "float": (np.float32, 8)}[dtype]
    n, d = int(rng.integers(1, 40)), int(rng.integers(1, 60))
    nd = 1 if case < 2 else int(rng.integers(2, 4))
    row_blocks = 1 if case % 2 == 0 else 2
    src_row, src_matrix = d + int(rng.integers(0, 20)), 0
    src_matrix = src_row * n + int(rng.integers(0, 50))
    c0_stride = n * row_blocks + int(rng.integers(0, 20))
    panels = -(-d // c0)
    dst_matrix = panels * c0_stride * c0 + c0 * int(rng.integers(0, 3))
    elements = 65536 // np.dtype(np_type).itemsize
    data = rng.integers(1, 2000, elements).astype(np_type)
    want = np.zeros(elements, np_type)
    for b in range(nd):
        for row in range(n):
            for col in range(d):
                want[b * dst_matrix + col // c0 * c0_stride * c0 + row * row_blocks * c0 + col % c0] = data[
                    b * src_matrix + row * src_row + col
                ]
    got = call(
        kernel,
        f"nd2nz_{dtype}",
        data,
        np.zeros(elements, np_type),
        nd,
        n,
        d,
        src_matrix,
        src_row,
        c0_stride,
        row_blocks,
        dst_matrix,
    )
    assert np.array_equal(got, want), (nd, n, d, src_matrix, src_row, c0_stride, row_blocks, dst_matrix)


def test_nd_to_nz_worked_example(kernel):
    """40 x 56 half, panels of 48 rows: element (5, 20) goes to 852."""
    data = np.zeros(32768, np.float16)
    data[5 * 56 + 20] = 3
    got = call(kernel, "nd2nz_half", data, np.zeros(32768, np.float16), 1, 40, 56, 0, 56, 48, 1, 0)
    assert np.flatnonzero(got).tolist() == [852]


def operands(rng, m: int, n: int, k: int, dtype: str, ta: bool, tb: bool):
    """A (m x k) and B (k x n) as float64, and the 512 KiB input image."""
    image = np.zeros(524288, np.uint8)
    parts = []
    for rows, cols, transposed, start in ((m, k, ta, 0), (k, n, tb, 262144)):
        if dtype == "int8":
            x = rng.integers(-128, 128, (rows, cols)).astype(np.int8)
            exact = x.astype(np.float64)
        else:
            f = rng.standard_normal((rows, cols)).astype(np.float32)
            x = f.astype(np.float16) if dtype == "half" else round_float(f, "bf16", 1)
            exact = x.astype(np.float64) if dtype == "half" else bf16_to_float(x).astype(np.float64)
        raw = np.ascontiguousarray(x.T if transposed else x).view(np.uint8).reshape(-1)
        image[start : start + raw.size] = raw
        parts.append(exact)
    return parts[0], parts[1], image


def check_float(got: np.ndarray, a: np.ndarray, b: np.ndarray, scale: float = 1.0, eps: float = 2.0**-24) -> None:
    """Within the bound of float32 accumulation (k roundings) plus one rounding of the output."""
    exact = a @ b * scale
    bound = (a.shape[1] + 2) * 2.0**-24 * (np.abs(a) @ np.abs(b)) * scale + eps * np.abs(exact)
    worst = np.max(np.abs(got - exact) / np.maximum(bound, 1e-30))
    assert worst <= 1, f"error is {worst:.2f} times the bound"


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("ta,tb", [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("dtype", ["half", "bf16"])
def test_product_of_16_bit_floats(kernel, rng, dtype, ta, tb, twice):
    # The stored-transposed A is loaded in whole 16-wide strips of K.
    m, n = int(rng.integers(2, 129)), int(rng.integers(1, 129))
    k = int(rng.integers(1, 9)) * 16 if ta or tb else int(rng.integers(1, 129))
    a, b, image = operands(rng, m, n, k, dtype, ta, tb)
    got = call(kernel, f"product_{dtype}_float", image, np.zeros((m, n), np.float32), m, n, k, ta, tb, twice)
    check_float(got, a, b, scale=2.0 if twice else 1.0)


@pytest.mark.parametrize("relu", [False, True])
def test_fixpipe_to_16_bit(kernel, rng, relu):
    m, n, k = 50, 77, 64
    a, b, image = operands(rng, m, n, k, "half", False, False)
    exact = call(kernel, "product_half_float", image, np.zeros((m, n), np.float32), m, n, k).astype(np.float64)
    if relu:
        exact = np.maximum(exact, 0)
    half = call(kernel, "product_half_half", image, np.zeros((m, n), np.float16), m, n, k, 0, 0, 0, relu)
    assert np.array_equal(half, exact.astype(np.float16))
    bf16 = call(kernel, "product_half_bf16", image, np.zeros((m, n), np.uint16), m, n, k, 0, 0, 0, relu)
    assert np.array_equal(bf16_to_float(bf16), bf16_to_float(round_float(exact, "bf16", 1)))
    assert np.allclose(exact, np.maximum(a @ b, 0) if relu else a @ b, atol=1e-4)


@pytest.mark.parametrize("tb", [False, True])
def test_product_of_int8(kernel, rng, tb):
    """Exact in int32; row-major B goes through LoadDataWithTranspose in squares of 32 x 32."""
    m, n, k = int(rng.integers(2, 100)), 64, 64
    a, b, image = operands(rng, m, n, k, "int8", False, tb)
    got = call(kernel, "product_int8_int32", image, np.zeros((m, n), np.int32), m, n, k, 0, tb)
    assert np.array_equal(got, (a @ b).astype(np.int32))


def test_fixpipe_quantises(kernel, rng):
    """Scales keep 1-8-10 bits of a float; int8 rounds to nearest even and saturates."""
    m, n, k = 40, 64, 64
    a, b, image = operands(rng, m, n, k, "int8", False, True)
    scale = np.float32(1 / 700.0)
    kept = (np.array([scale]).view(np.uint32) & 0xFFFFE000).view(np.float32)[0]
    word = int(np.array([scale]).view(np.int32)[0])
    half = call(kernel, "product_int8_half", image, np.zeros((m, n), np.float16), m, n, k, 0, 1, 0, 0, word)
    assert np.array_equal(half, ((a @ b).astype(np.float32) * kept).astype(np.float16))
    int8 = call(kernel, "product_int8_int8", image, np.zeros((m, n), np.int8), m, n, k, 0, 1, 0, 0, word)
    assert np.array_equal(int8, np.clip(np.rint((a @ b) * np.float64(kept)), -128, 127).astype(np.int8))
    a, b, image = operands(rng, m, n, k, "half", False, False)
    exact = call(kernel, "product_half_float", image, np.zeros((m, n), np.float32), m, n, k)
    word = int(np.array([10.0], np.float32).view(np.int32)[0])
    int8 = call(kernel, "product_half_int8", image, np.zeros((m, n), np.int8), m, n, k, 0, 0, 0, 0, word)
    assert np.array_equal(int8, np.clip(np.rint(exact.astype(np.float64) * 10), -128, 127).astype(np.int8))


@pytest.mark.parametrize("name", ["fixpipe_nz", "fixpipe_to_l1"])
def test_fixpipe_nz(kernel, rng, name):
    """Panels of 16 columns, rows one after another; panels dstStride blocks of 32 bytes apart."""
    m, n, k = 48, 64, 32
    a, b, image = operands(rng, m, n, k, "half", False, False)
    exact = call(kernel, "product_half_half", image, np.zeros((m, n), np.float16), m, n, k)
    stride = m + 5 if name == "fixpipe_nz" else m
    got = call(kernel, name, image, np.zeros(4 * stride * 16, np.float16), m, n, k, stride).reshape(4, stride, 16)
    assert np.array_equal(got[:, :m].transpose(1, 0, 2).reshape(m, n), exact)
