# SPDX-License-Identifier: BSD-3-Clause
"""Run by the python of an environment that a wheel was just installed into: does it work?

    python ci/install_check.py v3 0.1.0         one decode step with a partly filled cache, against float64
    python ci/install_check.py twin 0.1.0       the command `ascend-twin` on the example kernel of the package

By its file and not as a module of `ci`: the environment has the wheel and its requirements, and nothing of ours.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

BATCH, HEADS, HEADS_KV, CACHE_LENGTH, HEAD_DIM = 2, 8, 2, 96, 64


def check_attention(module: Any) -> str:
    """One decode step; returns what to print, or ends the program.

    Allowed is twice the error that the same formula makes in bfloat16, and one rounding of the result: its half unit in
    the last place is luck in so small a call.
    """
    import torch

    def formula(q: Any, k: Any, v: Any, seqlens: Any) -> Any:
        q, k, v = (tensor.transpose(1, 2) for tensor in (q, k, v))
        k, v = (tensor.repeat_interleave(HEADS // HEADS_KV, dim=1) for tensor in (k, v))
        scores = q @ k.transpose(-1, -2) / HEAD_DIM**0.5
        beyond = torch.arange(CACHE_LENGTH) >= seqlens[:, None, None, None]
        return (scores.masked_fill(beyond, float("-inf")).softmax(-1) @ v).transpose(1, 2)

    torch.manual_seed(0)
    q = torch.randn(BATCH, 1, HEADS, HEAD_DIM, dtype=torch.bfloat16)
    k, v = (torch.randn(BATCH, CACHE_LENGTH, HEADS_KV, HEAD_DIM, dtype=torch.bfloat16) for _ in range(2))
    seqlens = torch.tensor([70, 33], dtype=torch.int32)
    out = module.flash_attn_with_kvcache(q, k, v, cache_seqlens=seqlens, causal=True)
    exact = formula(q.double(), k.double(), v.double(), seqlens)
    error = (out.double() - exact).abs().max().item()
    rounding = torch.finfo(out.dtype).eps / 2 * exact.abs().max().item()
    bound = 2 * (formula(q, k, v, seqlens).double() - exact).abs().max().item() + rounding
    if not error <= bound:
        sys.exit(f"the largest error against float64 is {error:.2e}, above {bound:.2e}")
    return f"largest error against float64 {error:.2e}"


def check_twin(module: Any) -> str:
    """Checks the package's example kernel as it is, and with its barriers taken out, by the installed command."""
    command = str(Path(sys.executable).with_name("ascend-twin"))
    subprocess.run([command, "info"], check=True)
    subprocess.run([command, "check", module.EXAMPLE], check=True)
    with tempfile.TemporaryDirectory() as directory:
        racing = Path(directory, "racing.cpp")
        lines = Path(module.EXAMPLE).read_text().splitlines(keepends=True)
        racing.write_text("".join(line for line in lines if "Flag<" not in line))
        done = subprocess.run([command, "check", racing, "--json"], text=True, capture_output=True)
        if done.returncode != 1 or "pipe_race" not in json.dumps(json.loads(done.stdout)):
            sys.exit(f"the kernel without its flags was not refused: exit status {done.returncode}\n{done.stdout}")
    return "the example is clean, and refused without its flags"


def main(name: str, expected_version: str) -> None:
    distribution = "ascend-twin" if name == "twin" else f"flash-attn-npu-{name}"
    module = importlib.import_module(distribution.replace("-", "_"))
    installed = importlib.metadata.version(distribution)
    if installed != expected_version:
        sys.exit(f"installed is {installed}, not {expected_version}")
    result = check_twin(module) if name == "twin" else check_attention(module)
    print(f"{module.__file__}: version {expected_version}, {result}")


if __name__ == "__main__":
    main(*sys.argv[1:])
