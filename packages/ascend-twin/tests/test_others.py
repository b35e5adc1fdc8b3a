# SPDX-License-Identifier: BSD-3-Clause
"""Kernels we did not write, unmodified, read in place.

Opt-in: ASCEND_TWIN_CATLASS and ASCEND_TWIN_PEER name the checkouts.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import numpy as np
import pytest
from ascend_twin import Machine, build_kernel
from ascend_twin.machine import aligned

HERE = Path(__file__).resolve().parent
needs_catlass = pytest.mark.skipif(
    "ASCEND_TWIN_CATLASS" not in os.environ, reason="ASCEND_TWIN_CATLASS names no checkout of CATLASS"
)
needs_peer = pytest.mark.skipif(
    not {"ASCEND_TWIN_CATLASS", "ASCEND_TWIN_PEER"} <= os.environ.keys(),
    reason="ASCEND_TWIN_CATLASS and ASCEND_TWIN_PEER name no checkouts",
)

# What the checker says about code that works: flags whose reuse is safe only by the order of the queues, scalar reads
# left to the compiler's auto-sync, vector lanes and padding columns nobody looks at.
KNOWN_WARNINGS = {"event_reuse", "scalar_sync", "uninitialised_lanes", "wrong_core"}


def catlass_flags() -> list[str]:
    home = os.environ["ASCEND_TWIN_CATLASS"]
    return [f"-I{home}/include", f"-I{home}/examples/common", "-DCATLASS_ARCH=2201"]


@needs_catlass
@pytest.mark.parametrize("mode", ["fast", "check"])
@pytest.mark.parametrize("m,n,k", [(256, 512, 1024), (100, 300, 500), (1, 17, 33), (640, 640, 640)])
def test_catlass_basic_matmul(rng, m, n, k, mode):
    machine = Machine.get()
    lib = ctypes.CDLL(str(build_kernel(HERE / "others" / "catlass_basic_matmul.cpp", catlass_flags()).path))
    machine.configure(mode)
    machine.clear()
    a, b, c = aligned((m, k), np.float16), aligned((k, n), np.float16), aligned((m, n), np.float16)
    a[...], b[...] = rng.standard_normal((m, k)), rng.standard_normal((k, n))
    for array, name, out in ((a, "a", False), (b, "b", False), (c, "c", True)):
        machine.register(array, name, initialised=not out, read_only=not out)
    lib.catlass_basic_matmul(*[ctypes.c_void_p(x.ctypes.data) for x in (a, b, c)], m, n, k, 24)
    for array in (a, b, c):
        machine.unregister(array.ctypes.data)
    assert {f.kind for f in machine.findings()} <= KNOWN_WARNINGS
    exact = a.astype(np.float64) @ b.astype(np.float64)
    bound = 2.0**-11 * np.abs(exact) + (k + 1) * 2.0**-23 * (
        np.abs(a.astype(np.float64)) @ np.abs(b.astype(np.float64))
    )
    assert np.all(np.abs(c - exact) <= bound)


# Whole example programs: they make their data, run, and compare with their own reference.
EXAMPLES = {
    "00_basic_matmul": "300 512 400",
    "01_batched_matmul": "3 100 300 200",
    "02_grouped_matmul_slice_m": "3 150 100 200",
    "03_matmul_add": "300 512 400",
    "04_padding_matmul": "300 512 400",
    "05_grouped_matmul_slice_k": "3 100 150 200",
    "06_optimized_matmul": "300 512 400",
    "07_grouped_matmul_slice_m_per_token_dequant_moe": "3 150 256 256",
    "08_grouped_matmul": "3 150 100 200",
    "09_splitk_matmul": "300 512 400",
    "10_grouped_matmul_slice_m_per_token_dequant": "3 150 256 256",
    "11_grouped_matmul_slice_k_per_token_dequant": "3 150 256 256",
    "12_quant_matmul": "150 300 200",
    "13_basic_matmul_tla": "300 512 400",
    "14_optimized_matmul_tla": "150 300 200",
    "15_gemm": "150 300 200",
    "16_group_gemm": "3 100,150,100 100,120,128 100,256,128",
    "17_gemv_aiv": "300 512",
    "18_gemv_aic": "300 512",
    "20_matmul_bias": "300 512 400",
    "21_basic_matmul_preload_zN": "150 320 208",
    "22_padding_splitk_matmul": "150 300 200",
    "25_matmul_full_loadA": "150 300 200",
    "27_matmul_gelu": "150 300 200",
    "28_matmul_silu": "150 300 200",
    "30_w8a16_matmul": "150 300 200",
    "31_small_matmul": "128 256 128",
    "33_basic_conv2d": "1 9 11 48 40 3 3 2 2 2 2 1 1 1 1",
    "34_single_core_splitk_matmul": "150 300 200",
    "37_streamk_matmul": "150 300 200",
    "42_quant_optimized_matmul_tla": "150 300 200",
    "44_quant_matmul_full_loadA_tla": "150 300 200",
    "45_strided_batched_matmul_tla": "2 100 150 200",
    "52_quant_multi_core_splitk_matmul_tla": "128 128 512",
}
#: What the checker finds in them; packages/ascend-twin/docs/manual.md says what each is.
FOUND = {
    # Filler of padding kernels, stored to their workspace.
    **dict.fromkeys(
        ["06_optimized_matmul", "14_optimized_matmul_tla", "42_quant_optimized_matmul_tla"], {"uninitialised_read"}
    ),
    # Padding columns of the result, stored.
    **dict.fromkeys(["33_basic_conv2d", "34_single_core_splitk_matmul"], {"uninitialised_read"}),
    # Dependent vector instructions left to the compiler's auto-sync; of 44, LoadData into overlapping L0B.
    **dict.fromkeys(["27_matmul_gelu", "28_matmul_silu", "44_quant_matmul_full_loadA_tla"], {"missing_pipe_barrier"}),
    "17_gemv_aiv": {"duplicate_event", "gm_out_of_bounds", "uninitialised_read"},
}


def run_program(source: Path | str, folder: Path, words: list[object], mode: str) -> set[str]:
    """Builds a CATLASS example, runs its main with `words` and returns the kinds of findings."""
    machine = Machine.get()
    lib = ctypes.CDLL(str(build_kernel(source, [*catlass_flags(), f"-I{folder}"]).path))
    machine.configure(mode)
    machine.clear()
    argv = [b"program", *(str(w).encode() for w in words)]
    assert lib.twin_main(len(argv), (ctypes.c_char_p * (len(argv) + 1))(*argv, None)) == 0
    return {f.kind for f in machine.findings()}


@needs_catlass
@pytest.mark.parametrize("mode", ["fast", "check"])
@pytest.mark.parametrize("example", EXAMPLES)
def test_catlass_example(capfd, example, mode):
    folder = Path(os.environ["ASCEND_TWIN_CATLASS"]) / "examples" / example
    (source,) = folder.glob("*.cpp")
    found = run_program(source, folder, [*EXAMPLES[example].split(), 0], mode)
    printed = "".join(capfd.readouterr())
    assert "Compare success" in printed, printed
    assert found <= KNOWN_WARNINGS | FOUND.get(example, set()), [str(f) for f in Machine.get().findings()]


@needs_catlass
@pytest.mark.parametrize("mode", ["fast", "check"])
@pytest.mark.parametrize("example", ["23_flash_attention_infer", "40_flash_attention_infer_tla"])
@pytest.mark.parametrize("b,h,hk,sq,sk,causal", [(2, 4, 2, 70, 300, False), (1, 2, 1, 200, 700, True)])
def test_catlass_flash_attention(rng, capfd, tmp_path, b, h, hk, sq, sk, causal, example, mode):
    """Paged K/V in shuffled pages of 128; the program compares with the golden result written here (float64)."""
    pages, d = -(-sk // 128), 128
    q = rng.uniform(-1, 1, (b, sq, h, d)).astype(np.float16)
    k, v = (rng.uniform(-1, 1, (b * pages, 128, hk, d)).astype(np.float16) for _ in range(2))
    table = rng.permutation(b * pages).reshape(b, pages)
    dense = [x[table].reshape(b, pages * 128, hk, d)[:, :sk] for x in (k, v)]
    files = {
        "q": q,
        "k": k,
        "v": v,
        "block_table": table.astype(np.int32),
        "q_ntokens": np.int32([b * sq]),
        "q_seqlen": np.full(b, sq, np.int64),
        "kv_seqlen": np.full(b, sk, np.int64),
        "mask": np.triu(np.ones((1024, 1024), np.float16), 1),
        "golden": attention(q, *dense, causal)[0].astype(np.float32),
    }
    for name, array in files.items():
        array.tofile(tmp_path / f"{name}.bin")
    folder = Path(os.environ["ASCEND_TWIN_CATLASS"]) / "examples" / example
    words = [b, sq, sk, h, hk, d, 0, int(causal), "--datapath", tmp_path]
    found = run_program(folder / "fai.cpp", folder, words, mode)
    printed = "".join(capfd.readouterr())
    assert "Compare success" in printed, printed
    # It looks one entry past the end of the block table, and stores undefined padding columns of P.
    assert found <= KNOWN_WARNINGS | {"gm_out_of_bounds", "uninitialised_read"}


@needs_catlass
@pytest.mark.parametrize("mode", ["fast", "check"])
@pytest.mark.parametrize("h,queries", [(16, [1, 1]), (16, [2, 3]), (128, [1, 1]), (128, [3, 1])])
def test_catlass_mla(rng, capfd, tmp_path, h, queries, mode):
    """MLA decode: latent 512 + 64, paged; the golden result and the half-precision one are written here."""
    lengths = [200, 300]
    b, pages, rows = len(lengths), -(-max(lengths) // 128), sum(queries)
    q = rng.uniform(-1, 1, (rows, h, 576)).astype(np.float16)
    k = rng.uniform(-1, 1, (b * pages, 128, 1, 576)).astype(np.float16)
    table = rng.permutation(b * pages).reshape(b, pages)
    golden, half = np.zeros((2, rows, h, 512))
    for row, i in enumerate(np.repeat(range(b), queries)):
        keys = k[table[i]].reshape(-1, 576)[: lengths[i]].astype(np.float64)
        scores = q[row].astype(np.float64) @ keys.T * 576**-0.5
        p = np.exp(scores - scores.max(-1, keepdims=True))
        p /= p.sum(-1, keepdims=True)
        golden[row], half[row] = (x.astype(np.float64) @ keys[:, :512] for x in (p, p.astype(np.float16)))
    files = {
        "q": q[..., :512],
        "q_rope": q[..., 512:],
        "k": k[..., :512],
        "k_rope": k[..., 512:],
        "block_table": table.astype(np.int32),
        "q_ntokens": np.int32([rows]),
        "q_seqlen": np.int32(queries),
        "kv_seqlen": np.int32(lengths),
        "golden": golden.astype(np.float32),
        "cpu_low": half.astype(np.float16),
    }
    for name, array in files.items():
        np.ascontiguousarray(array).tofile(tmp_path / f"{name}.bin")
    folder = Path(os.environ["ASCEND_TWIN_CATLASS"]) / "examples" / "19_mla"
    source = f'#include "{folder}/mla.cpp"\n#include "{folder}/mla_tiling.cpp"\n'
    words = [b, ",".join(map(str, queries)), ",".join(map(str, lengths)), h, b * pages, 128, "--datapath", tmp_path]
    found = run_program(source, folder, words, mode)
    printed = "".join(capfd.readouterr())
    assert "Compare success" in printed, printed
    # Rows of padding in L0C. With 128 heads: a flag that is set twice, Duplicate of a value to one block eight times.
    allowed = {"uninitialised_read"} | ({"duplicate_event", "illegal_parameter"} if h == 128 else set())
    assert found <= KNOWN_WARNINGS | allowed, [str(f) for f in Machine.get().findings()]


def packed_int4(x: np.ndarray) -> np.ndarray:
    """Two numbers of the last axis in a byte, the first one low."""
    low, high = (x[..., i::2].astype(np.uint8) & 15 for i in (0, 1))
    return (high << 4 | low).astype(np.uint8)


def data_w4a8(rng, m, n, k):
    a, b = rng.integers(-8, 8, (m, k)), rng.integers(-8, 8, (k, n))
    golden = 1.5 * (a @ b)
    return [m, n, k], {
        "data/inputA.dat": a.astype(np.int8),
        "data/inputB.dat": packed_int4(b),
        "data/expected.dat": golden,
    }


def data_w4a4(rng, m, n, k):
    a, b = rng.integers(-8, 8, (m, k)), rng.integers(-8, 8, (k, n))
    scale, per_token = (0.01 * rng.standard_normal(x).astype(np.float32) for x in (n, m))
    panels = packed_int4(b).reshape(k // 16, 16, n // 64, 32).transpose(2, 0, 1, 3)
    return [m, n, k], {
        "data/inputA.dat": packed_int4(a),
        "data/inputB.dat": panels,
        "data/inputScale.dat": scale.view(np.uint32).astype(np.uint64),
        "data/inputPerTokenScale.dat": per_token,
        "data/expected.dat": (a @ b) * scale.astype(np.float64) * per_token[:, None],
    }


def data_fp8(rng, m, n, k):
    def e4m3(*shape):
        sign, exponent, fraction = rng.integers(0, 2, shape), rng.integers(0, 9, shape), rng.integers(0, 8, shape)
        value = np.where(exponent, (8 + fraction) * 2.0 ** (exponent - 10), fraction * 2.0**-9)
        return (sign << 7 | exponent << 3 | fraction).astype(np.uint8), np.where(sign, -value, value)

    (a, a_value), (b, b_value) = e4m3(m, k), e4m3(k, n)
    return [m, n, k], {"input/a_8.bin": a, "input/b_8.bin": b, "output/expected_data.bin": a_value @ b_value}


def data_conv3d(rng, depth, height, width):
    """Channels in groups of 16: images (n, d, c1, h, w, c0), filters (kd, c1, kh, kw, n1, n0, c0)."""
    cin, cout, kernel, stride, pad = 32, 16, (2, 3, 3), (1, 2, 1), (0, 1, 1)
    x = rng.standard_normal((1, cin, depth, height, width)).astype(np.float16)
    f = rng.standard_normal((cout, cin, *kernel)).astype(np.float16)
    bias = rng.uniform(-0.1, 0.1, cout).astype(np.float16)
    wide = np.pad(x.astype(np.float64), ((0, 0), (0, 0), *[(p, p) for p in pad]))
    windows = np.lib.stride_tricks.sliding_window_view(wide, kernel, (2, 3, 4))[
        :, :, :: stride[0], :: stride[1], :: stride[2]
    ]
    y = np.einsum("ncdhwxyz,ocxyz->nodhw", windows, f.astype(np.float64)) + bias.astype(np.float64)[:, None, None, None]

    def grouped(images):
        n, c, *rest = images.shape
        return images.reshape(n, c // 16, 16, *rest).transpose(0, 3, 1, 4, 5, 2)

    filters = f.reshape(cout // 16, 16, cin // 16, 16, *kernel).transpose(4, 2, 5, 6, 0, 1, 3)
    words = [1, depth, cin // 16, height, width, 16, cout, *kernel, *stride, 1, 1, 1, *pad]
    return words, {
        "data/fmap.bin": grouped(x),
        "data/weight.bin": filters,
        "data/bias.bin": bias,
        "data/golden.bin": grouped(y),
    }


#: Programs that read their data: who writes it, for what sizes, and where they look for it.
WITH_DATA = {
    "24_conv_bias": (data_conv3d, (3, 9, 10), "examples/24_conv_bias"),
    "29_a2_fp8_e4m3_matmul": (data_fp8, (150, 256, 200), "."),
    "32_w4a8_matmul": (data_w4a8, (150, 256, 200), "build/bin"),
    "38_w4a4_matmul_per_token_per_channel_dequant": (data_w4a4, (150, 256, 192), "build/bin"),
}


@needs_catlass
@pytest.mark.parametrize("mode", ["fast", "check"])
@pytest.mark.parametrize("example", WITH_DATA)
def test_catlass_example_with_data(rng, capfd, tmp_path, monkeypatch, example, mode):
    make, sizes, place = WITH_DATA[example]
    words, files = make(rng, *sizes)
    for name, array in files.items():
        path = tmp_path / "examples" / example / name
        path.parent.mkdir(parents=True, exist_ok=True)
        golden = name.startswith(("data/expected", "data/golden", "output/"))
        np.ascontiguousarray(array.astype(np.float32) if golden else array).tofile(path)
    (tmp_path / place).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path / place)
    folder = Path(os.environ["ASCEND_TWIN_CATLASS"]) / "examples" / example
    (source,) = folder.glob("*.cpp")
    found = run_program(source, folder, [*words, 0], mode)
    printed = "".join(capfd.readouterr())
    assert "Compare success" in printed, printed
    allowed = {"duplicate_event"} if example == "24_conv_bias" else set()  # two flags set twice
    assert found <= KNOWN_WARNINGS | allowed, [str(f) for f in Machine.get().findings()]


def attention(
    q: np.ndarray,
    k: np.ndarray,
    v: np.ndarray,
    causal: bool = False,
    window: tuple[int, int] = (-1, -1),
    softcap: float = 0.0,
    dout: np.ndarray | None = None,
) -> tuple[np.ndarray, ...]:
    """float64 attention of (b, s, h, d) tensors: o, lse (b, h, sq); with dout also dq, dk, dv.

    window: keys to the left and right of the diagonal that ends bottom right, -1: all; causal is (-1, 0).
    """
    q, k, v = (x.astype(np.float64).transpose(0, 2, 1, 3) for x in (q, k, v))
    group = q.shape[1] // k.shape[1]
    k, v = (np.repeat(x, group, 1) for x in (k, v))
    scale = q.shape[-1] ** -0.5
    s = q @ k.transpose(0, 1, 3, 2) * scale
    if softcap:
        s = softcap * np.tanh(s / softcap)
    capped = s
    left, right = (-1, 0) if causal else window
    place = np.arange(s.shape[-2])[:, None] + s.shape[-1] - s.shape[-2]
    keys = np.arange(s.shape[-1])
    for outside in ([keys > place + right] if right >= 0 else []) + ([keys < place - left] if left >= 0 else []):
        s = np.where(outside, -np.inf, s)
    top = s.max(-1, keepdims=True)
    p = np.exp(s - top)
    total = p.sum(-1, keepdims=True)
    p, lse = p / total, (top + np.log(total))[..., 0]
    o = p @ v
    if dout is None:
        return o.transpose(0, 2, 1, 3), lse
    dout = dout.astype(np.float64).transpose(0, 2, 1, 3)
    ds = p * (dout @ v.transpose(0, 1, 3, 2) - (dout * o).sum(-1, keepdims=True))
    if softcap:
        ds *= 1 - (capped / softcap) ** 2
    turned = (0, 1, 3, 2)
    grads = [scale * ds @ k, scale * ds.transpose(turned) @ q, p.transpose(turned) @ dout]
    for i in (1, 2):  # heads of a group share their keys
        b, h, *rest = grads[i].shape
        grads[i] = grads[i].reshape(b, h // group, group, *rest).sum(2)
    return o.transpose(0, 2, 1, 3), lse, *(x.transpose(0, 2, 1, 3) for x in grads)


def to_bf16(x: np.ndarray) -> np.ndarray:
    """Bits of bfloat16, as the kernels take them."""
    return ((np.ascontiguousarray(x, np.float32).view(np.uint32) + 0x8000) >> 16).astype(np.uint16)


def from_bf16(bits: np.ndarray) -> np.ndarray:
    return (bits.astype(np.uint32) << 16).view(np.float32)


# The one thing the checker finds in the forward: when the number of keys is no multiple of its tile, the softmax stores
# undefined padding columns of P to the workspace (harmless: PV multiplies by the exact number of keys).
PADDING = {("uninitialised_read", "online_softmax.hpp")}


def errors() -> set[tuple[str, str]]:
    return {(f.kind, f.file.rsplit("/", 1)[-1]) for f in Machine.get().findings() if f.severity == "error"}


def warnings() -> set[str]:
    return {f.kind for f in Machine.get().findings() if f.severity == "warning"}


@needs_peer
@pytest.mark.parametrize("mode", ["fast", "check"])
@pytest.mark.parametrize(
    "b,h,hk,sq,sk,d,how",
    [
        (1, 2, 1, 128, 512, 128, {}),
        (1, 4, 2, 200, 700, 128, {"causal": True}),
        (2, 8, 8, 257, 1300, 64, {}),
        (1, 8, 8, 1024, 1024, 128, {}),
        (1, 8, 8, 1024, 1024, 128, {"causal": True}),
        (1, 4, 2, 200, 700, 128, {"causal": True, "bf16": True}),
        (1, 4, 2, 300, 1100, 128, {"window": (200, 100)}),
        (1, 4, 2, 300, 1100, 128, {"tree": 3, "window": (200, 0)}),
        (1, 4, 2, 200, 700, 128, {"tree": 3, "causal": True, "softcap": 5.0}),
        (2, 4, 2, 130, 700, 64, {"tree": 2, "bf16": True, "softcap": 5.0}),
        (1, 4, 2, 200, 700, 128, {"tree": 2, "causal": True}),
    ],
)
def test_peer_forward(rng, b, h, hk, sq, sk, d, how, mode):
    from .others import peer

    q, k, v = (rng.standard_normal(shape) for shape in ((b, sq, h, d), (b, sk, hk, d), (b, sk, hk, d)))
    bf16 = bool(how.get("bf16"))
    q, k, v = (to_bf16(x) if bf16 else x.astype(np.float16) for x in (q, k, v))
    o, lse = peer.forward(q, k, v, mode=mode, **how)
    if bf16:
        o, q, k, v = (from_bf16(x) for x in (o, q, k, v))
    exact_o, exact_lse = attention(
        q, k, v, how.get("causal", False), how.get("window", (-1, -1)), how.get("softcap", 0)
    )
    assert np.abs(o - exact_o).max() < (1.6e-2 if bf16 else 2e-3)
    assert np.abs(lse - exact_lse).max() < 1e-5
    assert errors() <= (PADDING if sk % 128 else set()), [str(f) for f in Machine.get().findings()]
    assert warnings() <= KNOWN_WARNINGS


@needs_peer
@pytest.mark.parametrize("mode", ["fast", "check"])
@pytest.mark.parametrize("tree", [2, 3, 4])
@pytest.mark.parametrize("causal", [False, True])
def test_peer_forward_paged(rng, causal, tree, mode):
    """K/V in shuffled pages, sequences of different lengths."""
    from .others import peer

    b, h, hk, sq, d, lengths, page = 2, 4, 2, 70, 128, np.array([300, 512]), 128
    per = -(-int(lengths.max()) // page)
    q = rng.standard_normal((b, sq, h, d)).astype(np.float16)
    k, v = (rng.standard_normal((b * per, page, hk, d)).astype(np.float16) for _ in range(2))
    table = rng.permutation(b * per).reshape(b, per)
    o, lse = peer.forward(q, k, v, causal=causal, mode=mode, page_table=table, seqlens_k=lengths, tree=tree)
    for i, n in enumerate(lengths):
        keys, values = (x[table[i]].reshape(1, -1, hk, d)[:, :n] for x in (k, v))
        exact_o, exact_lse = attention(q[i : i + 1], keys, values, causal)
        assert np.abs(o[i] - exact_o[0]).max() < 2e-3 and np.abs(lse[i] - exact_lse[0]).max() < 1e-5
    assert errors() <= PADDING and warnings() <= KNOWN_WARNINGS, [str(f) for f in Machine.get().findings()]


@needs_peer
@pytest.mark.parametrize("mode", ["fast", "check"])
@pytest.mark.parametrize("tree", [3, 4])
@pytest.mark.parametrize("causal", [False, True])
def test_peer_forward_varlen(rng, causal, tree, mode):
    """Packed sequences of different lengths."""
    from .others import peer

    h, hk, d, lengths = 4, 2, 128, ([70, 128, 1, 200], [300, 128, 77, 200])
    q = rng.standard_normal((sum(lengths[0]), h, d)).astype(np.float16)
    k, v = (rng.standard_normal((sum(lengths[1]), hk, d)).astype(np.float16) for _ in range(2))
    o, lse = peer.forward(q, k, v, causal=causal, mode=mode, lengths=lengths, tree=tree)
    at_q, at_k = 0, 0
    for n, m in zip(*lengths):
        exact_o, exact_lse = attention(
            q[None, at_q : at_q + n], k[None, at_k : at_k + m], v[None, at_k : at_k + m], causal
        )
        assert np.abs(o[at_q : at_q + n] - exact_o[0]).max() < 2e-3
        assert np.abs(lse[:, at_q : at_q + n] - exact_lse[0]).max() < 1e-5
        at_q, at_k = at_q + n, at_k + m
    assert errors() <= PADDING and warnings() <= KNOWN_WARNINGS, [str(f) for f in Machine.get().findings()]


@needs_peer
@pytest.mark.parametrize("mode", ["fast", "check"])
@pytest.mark.parametrize(
    "tree,h,sq,splits,causal",
    [(2, 8, 1, -1, False), (3, 8, 1, -1, False), (3, 4, 4, 3, True), (4, 8, 1, 2, False), (4, 4, 4, -1, True)],
)
def test_peer_split_kv(rng, tree, h, sq, splits, causal, mode):
    """Few queries over many paged keys: cores share the keys of a head, then the parts are combined."""
    from .others import peer

    b, hk, d, page, lengths = 2, 1, 128, 128, [3000, 2048]
    per = -(-max(lengths) // page)
    q = rng.standard_normal((b, sq, h, d)).astype(np.float16)
    k, v = (rng.standard_normal((b * per, page, hk, d)).astype(np.float16) for _ in range(2))
    table = rng.permutation(b * per).reshape(b, per)
    how = {"causal": causal, "page_table": table, "splits": splits, "tree": tree, "mode": mode}
    if tree == 2:
        o, lse = peer.forward(q, k, v, seqlens_k=np.array(lengths), **how)
    else:
        o, lse = peer.forward(q.reshape(b * sq, h, d), k, v, lengths=([sq] * b, lengths), **how)
        o, lse = o.reshape(q.shape), lse.reshape(h, b, sq).transpose(1, 0, 2)
    # Tree 4, one query: the combining step stores LSE from places eight apart where it holds them side by side, so only
    # the first head of each vector core is right (trees 2 and 3 spread them first).
    wrong_lse = tree == 4 and sq == 1
    for i, n in enumerate(lengths):
        keys, values = (x[table[i]].reshape(1, -1, hk, d)[:, :n] for x in (k, v))
        exact_o, exact_lse = attention(q[i : i + 1], keys, values, causal)
        assert np.abs(o[i] - exact_o[0]).max() < 2e-3
        right = np.abs(lse[i] - exact_lse[0]).max(-1) < 1e-5
        assert right.tolist() == [True, False, False, False] * 2 if wrong_lse else right.all()
    allowed = PADDING | ({("uninitialised_read", "CombineScale.hpp")} if wrong_lse else set())
    assert errors() <= allowed and warnings() <= KNOWN_WARNINGS, [str(f) for f in Machine.get().findings()]


needs_library = pytest.mark.skipif(
    not {"ASCEND_TWIN_CATLASS", "ASCEND_TWIN_PEER", "ASCEND_TWIN_DEVKIT"} <= os.environ.keys(),
    reason="ASCEND_TWIN_CATLASS, ASCEND_TWIN_PEER and ASCEND_TWIN_DEVKIT name no checkouts",
)

# What the checker finds in the backward kernels; packages/ascend-twin/docs/manual.md says what each is.
BACKWARD = {
    ("duplicate_event", "mmad_fag_dqkv.hpp"),
    ("missing_pipe_barrier", "fag_epilogue_pre.hpp"),
    ("pipe_race", "fag_epilogue_pre.hpp"),
    ("pipe_race", "copy_gm_to_l1.hpp"),
    ("uninitialised_read", "fag_epilogue_op.hpp"),
}


@needs_library
@pytest.mark.parametrize("mode", ["fast", "check"])
@pytest.mark.parametrize(
    "b,h,hk,sq,sk,d,how",
    [
        (1, 2, 1, 256, 384, 128, {}),
        (1, 2, 2, 300, 300, 128, {"window": (-1, 0)}),
        (2, 2, 1, 200, 700, 64, {"window": (-1, 0), "bf16": True, "tree": 4}),
        (1, 2, 2, 300, 600, 128, {"window": (100, 50), "softcap": 5.0}),
        (1, 4, 2, 600, 600, 128, {"deterministic": True}),
    ],
)
def test_peer_backward(rng, b, h, hk, sq, sk, d, how, mode):
    from .others import peer

    shapes = [(b, sq, h, d), (b, sk, hk, d), (b, sk, hk, d), (b, sq, h, d)]
    bf16 = bool(how.get("bf16"))
    narrow = to_bf16 if bf16 else (lambda x: x.astype(np.float16))
    wide = from_bf16 if bf16 else (lambda x: x)
    q, k, v, dout = (narrow(rng.standard_normal(shape)) for shape in shapes)
    o, lse, *exact = attention(
        *map(wide, (q, k, v)), window=how.get("window", (-1, -1)), softcap=how.get("softcap", 0), dout=wide(dout)
    )
    grads = peer.backward(dout, q, k, v, narrow(o), lse, mode=mode, **how)
    for grad, true in zip(grads, exact):
        assert np.abs(wide(grad) - true).max() < (2e-2 if bf16 else 2e-3) * np.abs(true).max()
    # With softcap S is saved while the next block's may already be on its way to the same place.
    allowed = BACKWARD | ({("pipe_race", "fag_epilogue_op.hpp")} if how.get("softcap") else set())
    assert errors() <= allowed and warnings() <= KNOWN_WARNINGS, [str(f) for f in Machine.get().findings()]


@needs_library
@pytest.mark.parametrize("mode", ["fast", "check"])
@pytest.mark.parametrize("tree,causal", [(2, True), (3, False), (3, True)])
def test_peer_backward_varlen(rng, tree, causal, mode):
    """Packed sequences; tree 2 by its own kernel, which takes queries and keys of equal lengths.

    Not causal, tree 2's kernel leaves out the blocks above the diagonal all the same, and reads a mask at address 0.
    """
    from .others import peer

    h, hk, d = 4, 2, 128
    lengths = ([70, 128, 1, 300],) * 2 if tree == 2 else ([70, 128, 1, 300], [300, 128, 77, 310])
    at = [np.cumsum([0, *x]) for x in lengths]
    q, dout = (rng.standard_normal((at[0][-1], h, d)).astype(np.float16) for _ in range(2))
    k, v = (rng.standard_normal((at[1][-1], hk, d)).astype(np.float16) for _ in range(2))
    parts = []
    for i in range(len(lengths[0])):
        of_q, of_k = (slice(a[i], a[i + 1]) for a in at)
        parts.append(attention(q[None, of_q], k[None, of_k], v[None, of_k], causal, dout=dout[None, of_q]))
    o = np.concatenate([p[0][0] for p in parts]).astype(np.float16)
    lse = np.concatenate([p[1][0] for p in parts], axis=-1)
    window = (-1, 0) if causal else (-1, -1)
    grads = peer.backward(dout, q, k, v, o, lse, window=window, lengths=lengths, tree=tree, mode=mode)
    for i, grad in enumerate(grads):
        true = np.concatenate([p[2 + i][0] for p in parts])
        assert np.abs(grad - true).max() < 2e-3 * np.abs(true).max()
    assert errors() <= BACKWARD and warnings() <= KNOWN_WARNINGS, [str(f) for f in Machine.get().findings()]
