# SPDX-License-Identifier: BSD-3-Clause
"""The FlashAttention-2 API for Ascend NPUs, with a native CPU backend."""

from ._version import __version__

try:
    from .flash_attn_interface import flash_attn_with_kvcache
except RuntimeError as error:  # torch loads torch_npu by itself, and that may need a CANN that is not there
    if "torch_npu" not in str(error):
        raise
    from ._common.torch_npu_import import explain

    raise explain(__name__, error) from error

__all__ = ["__version__", "flash_attn_with_kvcache"]
