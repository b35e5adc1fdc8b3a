# SPDX-License-Identifier: BSD-3-Clause
"""The kernels of flash-attention-npu, unmodified, read in place.

Opt-in: ASCEND_TWIN_CATLASS and ASCEND_TWIN_PEER name the checkouts.
"""

from __future__ import annotations

import os

import numpy as np
import pytest
from ascend_twin import Machine

from .others.reference import KNOWN_WARNINGS, attention, from_bf16, to_bf16

needs_peer = pytest.mark.skipif(
    not {"ASCEND_TWIN_CATLASS", "ASCEND_TWIN_PEER"} <= os.environ.keys(),
    reason="ASCEND_TWIN_CATLASS and ASCEND_TWIN_PEER name no checkouts",
)

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
