# SPDX-License-Identifier: BSD-3-Clause
"""The operator's schema is the one place of the order of arguments: the extension refuses names it cannot place."""

from __future__ import annotations

import pytest

from tests.support import backend
from tests.support.operators import operator


def test_binding_of_names(api: str) -> None:
    bind = backend.package(api)._C.bind_flash_attn_with_kvcache
    names = tuple(argument.name for argument in operator(api)._schema.arguments)
    bind(names)  # once more is no harm
    with pytest.raises(RuntimeError, match="does not know: sinks"):
        bind((*names, "sinks"))
    with pytest.raises(RuntimeError, match="names an argument twice: softcap"):
        bind((*names, "softcap"))
    with pytest.raises(RuntimeError, match="lacks an argument: num_splits"):
        bind(tuple(name for name in names if name != "num_splits"))
    with pytest.raises(RuntimeError, match="begins with k_cache"):
        bind(("k_cache", "q", *names[2:]))
    with pytest.raises(RuntimeError, match="in another order"):
        bind((*names[:-2], names[-1], names[-2]))
