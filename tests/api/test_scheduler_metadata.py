# SPDX-License-Identifier: BSD-3-Clause
"""get_scheduler_metadata: opaque, reusable, and without influence on results."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch

from tests.support import backend
from tests.support.apis import only
from tests.support.call import arguments, call
from tests.support.cases import Case
from tests.support.seed import SEED

pytestmark = only("v3")

CASE = Case("v3", SEED, batch=3, capacity=300, page_size=16, cache_seqlens=(300, 20, 0), heads=8, d=64, causal=True)


def metadata_for(kwargs: dict[str, Any], **changes: Any) -> torch.Tensor:
    wanted = {
        "batch_size": 3,
        "max_seqlen_q": 1,
        "max_seqlen_k": 304,
        "num_heads_q": 8,
        "num_heads_kv": 2,
        "headdim": 64,
        "cache_seqlens": kwargs["cache_seqlens"],
        "qkv_dtype": torch.float16,
        "page_size": 16,
        "causal": True,
    }
    return backend.package("v3").get_scheduler_metadata(**{**wanted, **changes})


def test_is_an_int32_vector() -> None:
    metadata = metadata_for(arguments(CASE))
    assert metadata.dtype == torch.int32 and metadata.dim() == 1 and metadata.device.type == "cpu"


def test_changes_no_result_and_may_be_reused() -> None:
    kwargs = arguments(CASE)
    expected = call("v3", kwargs)
    metadata = metadata_for(kwargs)
    copy = metadata.clone()
    for _ in range(3):
        result = call("v3", {**kwargs, "scheduler_metadata": metadata})
        assert torch.equal(result[0], expected[0]) and torch.equal(result[1], expected[1])
    assert torch.equal(metadata, copy)


def test_depends_on_the_arguments_only() -> None:
    kwargs = arguments(CASE)
    assert torch.equal(metadata_for(kwargs), metadata_for(kwargs))


@pytest.mark.parametrize(
    "changes",
    [
        {"cu_seqlens_q": torch.tensor([0, 1, 2, 3], dtype=torch.int32)},
        {"cache_leftpad": torch.zeros(3, dtype=torch.int32)},
        {"num_splits": 4, "window_size": [5, 0], "has_softcap": True},
        {"max_seqlen_q": torch.tensor(4), "headdim_v": 128, "attention_chunk": 8},
        {"max_seqlen_k_new": 3, "pack_gqa": True, "sm_margin": 2},
    ],
)
def test_takes_all_arguments(changes: dict[str, Any]) -> None:
    assert metadata_for(arguments(CASE), **changes).dtype == torch.int32


def test_has_softcap_is_a_bool_by_position() -> None:
    names = list(inspect.signature(backend.package("v3").get_scheduler_metadata).parameters)
    assert names.index("has_softcap") == 17 and "softcap" not in names and "softmax_scale" not in names


def test_refuses_wrong_lengths() -> None:
    kwargs = arguments(CASE)
    with pytest.raises(TypeError, match="cache_seqlens: got dtype torch.int64, expected torch.int32"):
        metadata_for(kwargs, cache_seqlens=kwargs["cache_seqlens"].long())
    with pytest.raises(ValueError, match=r"cache_seqlens: got shape \(2,\), expected"):
        metadata_for(kwargs, cache_seqlens=kwargs["cache_seqlens"][:2])
