# SPDX-License-Identifier: BSD-3-Clause
"""Kernels of serving libraries, unmodified, read in place.

Opt-in: ASCEND_TWIN_SGL_KERNEL and ASCEND_TWIN_VLLM_ASCEND name checkouts of sgl-kernel-npu and vllm-ascend.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
from ascend_twin import build_kernel, load
from ascend_twin.machine import Kernel, Out
from ascend_twin.operator_project import tiling_structures

from .others.reference import from_bf16, to_bf16

pytestmark = pytest.mark.parametrize("mode", ["fast", "check"])
needs_sgl = pytest.mark.skipif(
    "ASCEND_TWIN_SGL_KERNEL" not in os.environ, reason="ASCEND_TWIN_SGL_KERNEL names no checkout"
)

# Left to the compiler's auto-sync; queues whose events are safe by the order in which they are used.
WARNINGS = {"event_reuse", "scalar_sync", "uninitialised_lanes"}
NARROW = {"half": lambda x: x.astype(np.float16), "bfloat16_t": to_bf16}
WIDE = {"half": lambda x: x.astype(np.float64), "bfloat16_t": lambda x: from_bf16(x).astype(np.float64)}


def kernel(folder: str, source: str, name: str) -> Kernel:
    return load(Path(os.environ["ASCEND_TWIN_SGL_KERNEL"]) / "csrc" / folder / "op_kernel" / source, name)


@pytest.fixture(params=["ASCEND_TWIN_SGL_KERNEL", "ASCEND_TWIN_VLLM_ASCEND"])
def lora(request):
    """lora(kernel, dtype): one of the LoRA kernels that both libraries have."""
    if request.param not in os.environ:
        pytest.skip(f"{request.param} names no checkout")
    home = Path(os.environ[request.param]) / "csrc"
    if request.param == "ASCEND_TWIN_SGL_KERNEL":
        return lambda name, dtype: kernel("lora", f"{name}_kernel.cpp", f"{name}_{dtype}")
    return lambda name, dtype: load(home / "kernels" / f"{name}.cpp", f"{name}_{dtype}")


def run(call: Kernel, blocks: int, *args, mode: str) -> set[str]:
    """Kinds of errors that the checker reports."""
    found = call(blocks, *args, mode=mode, expect_clean=False)
    assert {f.kind for f in found if f.severity == "warning"} <= WARNINGS
    return {f.kind for f in found if f.severity == "error"}


@pytest.mark.parametrize("dtype", ["half", "bfloat16_t"])
@pytest.mark.parametrize("hidden", [2048, 12000])
def test_lora_shrink(rng, lora, hidden, dtype, mode):
    """bgmv_shrink: y = scale * W[index] x for each token; no adapter where the index is negative."""
    tokens, rank, adapters = 7, 16, 3
    x, w = (NARROW[dtype](rng.standard_normal(s)) for s in ((tokens, hidden), (adapters, rank, hidden)))
    index = np.array([0, 2, -1, 1, 1, 0, 2])
    y = np.zeros((tokens, rank), np.float32)
    args = (x, w, index, tokens, Out(y), tokens, 2, hidden, rank, 0.5)
    assert not run(lora("bgmv_shrink", dtype), 4, *args, mode=mode)
    for i, adapter in enumerate(index):
        exact = 0.5 * WIDE[dtype](w)[adapter] @ WIDE[dtype](x)[i] if adapter >= 0 else np.zeros(rank)
        assert np.abs(y[i] - exact).max() < 1e-3


@pytest.mark.parametrize("rank", [8, 16, 32, 64])
def test_lora_expand(rng, lora, rank, mode):
    """bgmv_expand: y += W[index] x."""
    tokens, hidden, adapters = 5, 4608, 3
    x = rng.standard_normal((tokens, rank)).astype(np.float32)
    w, before = (rng.standard_normal(s).astype(np.float16) for s in ((adapters, hidden, rank), (tokens, hidden)))
    index, y = np.array([0, 2, -1, 1, 1]), before.copy()
    args = (x, w, index, tokens, before, Out(y), tokens, 2, rank, hidden, 0, hidden)
    assert not run(lora("bgmv_expand", "half"), 3, *args, mode=mode)
    for i, adapter in enumerate(index):
        exact = before[i] + (w[adapter].astype(np.float64) @ x[i] if adapter >= 0 else 0)
        assert np.abs(y[i] - exact).max() < 2e-3 * max(1, np.abs(exact).max())


def test_lora_of_requests(rng, lora, mode):
    """sgmv_shrink and sgmv_expand: the adapters are of requests, which have several tokens each."""
    lengths, adapter_of = np.array([3, 1, 4]), np.array([2, -1, 0])
    tokens, rank, hidden, adapters = int(lengths.sum()), 16, 2048, 3
    x = rng.standard_normal((tokens, hidden)).astype(np.float16)
    a = rng.standard_normal((adapters, rank, hidden)).astype(np.float16)
    b, before = (rng.standard_normal(s).astype(np.float16) for s in ((adapters, hidden, rank), (tokens, hidden)))
    low, y = np.zeros((tokens, rank), np.float32), before.copy()
    requests = (adapter_of, len(adapter_of), lengths, len(lengths))
    args = (x, a, *requests, Out(low), tokens, 3, hidden, rank, 0.25)
    assert not run(lora("sgmv_shrink", "half"), 3, *args, mode=mode)
    args = (low, b, *requests, before, Out(y), tokens, 3, rank, hidden, 0, hidden)
    assert not run(lora("sgmv_expand", "half"), 3, *args, mode=mode)
    for i, adapter in enumerate(np.repeat(adapter_of, lengths)):
        exact = 0.25 * a[adapter].astype(np.float64) @ x[i] if adapter >= 0 else np.zeros(rank)
        assert np.abs(low[i] - exact).max() < 1e-3
        exact = before[i] + (b[adapter].astype(np.float64) @ low[i] if adapter >= 0 else 0)
        assert np.abs(y[i] - exact).max() < 2e-3 * max(1, np.abs(exact).max())


@needs_sgl
@pytest.mark.parametrize("dtype,n", [("fp32", 16), ("fp32", 64), ("fp16", 32)])
def test_triangular_inverse(rng, dtype, n, mode):
    """Inverses of upper triangular matrices with ones on the diagonal, given and returned by columns."""
    kind = np.float32 if dtype == "fp32" else np.float16
    a = (np.triu(0.1 * rng.standard_normal((5, n, n)), 1) + np.eye(n)).astype(kind)
    y = np.zeros_like(a)
    sizes = np.array([len(a), a.size, n], np.uint32)
    call = kernel("tri_inv", "tri_inv_kernel.cpp", f"tri_inv_col_sweep_{dtype}")
    # Its vector instructions depend on each other with no barrier, and on scalar writes: left to auto-sync.
    assert run(call, len(a), a.transpose(0, 2, 1), Out(y), sizes, mode=mode) <= {"missing_pipe_barrier"}
    exact = np.linalg.inv(a.astype(np.float64))
    assert np.abs(y.transpose(0, 2, 1) - exact).max() < (1e-6 if dtype == "fp32" else 3e-3)


@needs_sgl
@pytest.mark.parametrize("dtype", ["fp16", "fp32", "bf16"])
def test_token_bitmask(rng, dtype, mode):
    """Logits of tokens whose bit is 0 become -inf."""
    rows, vocabulary, tile, blocks = 5, 1536, 512, 3
    narrow = {"fp16": NARROW["half"], "fp32": lambda x: x.astype(np.float32), "bf16": to_bf16}[dtype]
    x, minus_inf = narrow(rng.standard_normal((rows, vocabulary))), narrow(np.array([-np.inf]))
    mask = rng.integers(-(2**31), 2**31, (rows, vocabulary // 32)).astype(np.int32)
    mask[1] = -1
    y = x.copy()
    call = kernel("apply_token_bitmask", "apply_token_bitmask.cpp", f"apply_token_bitmask_{dtype}")
    args = (Out(y, initialised=True), mask, rows, vocabulary, vocabulary, vocabulary // 32)
    assert not run(call, blocks, *args, rows // blocks, rows % blocks, tile, blocks, x.itemsize, mode=mode)
    bits = np.unpackbits(mask.view(np.uint8), axis=1, bitorder="little").astype(bool)
    assert np.array_equal(y, np.where(bits, x, minus_inf[0]).astype(x.dtype))


@needs_sgl
@pytest.mark.parametrize("dtype", ["half", "bfloat16_t"])
@pytest.mark.parametrize("length", [1, 3])
def test_causal_convolution(rng, length, dtype, mode):
    """causal_conv1d_update: silu of a short convolution over the state and the new tokens, which it takes in."""
    batch, channels, width, slots = 5, 256, 4, 8
    narrow, wide = NARROW[dtype], WIDE[dtype]
    x, w, state, bias = (
        narrow(rng.standard_normal(s))
        for s in ((batch, length, channels), (width, channels), (slots, width - 1, channels), (channels,))
    )
    where = rng.permutation(slots)[:batch].astype(np.int32)
    y, after, cores = np.zeros_like(x), state.copy(), 3
    per, last = -(-batch // cores), batch - (cores - 1) * -(-batch // cores)
    tiling = np.array([cores, per, last, batch, length, channels, width, width - 1, 1, 1, 0, 0, 1, -1], np.int64)
    unused = np.zeros(8, np.int32)
    call = kernel("causal_conv1d_update", "causal_conv1d_update.cpp", f"causal_conv1d_update_{dtype}")
    args = (x, w, Out(after, initialised=True), where, bias, unused, unused, Out(y), unused, tiling)
    # Barriers are left to auto-sync. The race is true: the next state is loaded over the token that V may still read.
    assert run(call, cores, *args, mode=mode) <= {"missing_pipe_barrier", "pipe_race"}
    history = np.concatenate([wide(state)[where], wide(x)], 1)
    windows = np.lib.stride_tricks.sliding_window_view(history, width, 1)
    exact = np.einsum("btcw,wc->btc", windows, wide(w)) + wide(bias)
    exact = exact / (1 + np.exp(-exact))
    assert np.abs(wide(y) - exact).max() < (4e-3 if dtype == "half" else 3e-2) * np.abs(exact).max()
    expected = state.copy()
    expected[where] = np.concatenate([state[where], x], 1)[:, -(width - 1) :]
    assert np.array_equal(after, expected)


@pytest.mark.skipif("ASCEND_TWIN_VLLM_ASCEND" not in os.environ, reason="ASCEND_TWIN_VLLM_ASCEND names no checkout")
@pytest.mark.parametrize("dtype,key", [("half", 10), ("float", 20), ("bfloat16_t", 30)])
def test_rms_norm(rng, dtype, key, mode):
    """add_rms_norm_bias: x = x1 + x2, y = x * rstd * gamma + beta with rstd of each row."""
    rows, columns, blocks, per_block = 10, 1024, 3, 4
    project = Path(os.environ["ASCEND_TWIN_VLLM_ASCEND"]) / "csrc" / "moe" / "add_rms_norm_bias"
    home = project / "op_kernel"
    structures = tiling_structures(project / "op_host" / "add_rms_norm_bias_tiling.h")
    members = re.findall(r"(?:uint32_t|float) (\w+);", structures)
    source = f'{structures}#include "{home}/add_rms_norm_bias.cpp"\n'
    flags = [f"-I{home}", f"-DTILING_KEY_VAR={key}", "-DTWIN_TILING_DATA=AddRMSNormBiasTilingData"]
    call = Kernel(build_kernel(source, flags), "add_rms_norm_bias")
    narrow, wide = {**NARROW, "float": np.float32}[dtype], {**WIDE, "float": np.float64}[dtype]
    shapes = ((rows, columns), (rows, columns), (columns,), (columns,))
    x1, x2, gamma, beta = (narrow(rng.standard_normal(s)) for s in shapes)
    given = {"num_row": rows, "num_col": columns, "block_factor": per_block, "row_factor": 2, "ub_factor": columns}
    given["epsilon"] = np.float32(1e-6).view(np.uint32)
    tiling = np.array([given.get(m, 0) for m in members], np.uint32)
    y, x, rstd = np.zeros_like(x1), np.zeros_like(x1), np.zeros(rows, np.float32)
    unused = np.zeros(64, np.uint8)
    assert not run(call, blocks, x1, x2, gamma, beta, Out(y), Out(rstd), Out(x), unused, tiling, mode=mode)
    total = wide(x1) + wide(x2)
    exact_rstd = 1 / np.sqrt((total**2).mean(1) + 1e-6)
    exact = total * exact_rstd[:, None] * wide(gamma) + wide(beta)
    bound = {"half": 1e-3, "float": 1e-6, "bfloat16_t": 8e-3}[dtype]
    for got, true in ((wide(y), exact), (wide(x), total), (rstd.astype(np.float64), exact_rstd)):
        assert np.abs(got - true).max() < bound * np.abs(true).max()
