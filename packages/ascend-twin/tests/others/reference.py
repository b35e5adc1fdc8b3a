# SPDX-License-Identifier: BSD-3-Clause
"""What kernels of others are judged by: attention in float64, bits of bfloat16, warnings that working code raises."""

from __future__ import annotations

import numpy as np

# What the checker says about code that works: flags whose reuse is safe only by the order of the queues, scalar reads
# left to the compiler's auto-sync, vector lanes and padding columns nobody looks at.
KNOWN_WARNINGS = {"event_reuse", "scalar_sync", "uninitialised_lanes", "wrong_core"}


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
