"""The FlashAttention-3 API for Ascend NPUs, with a native CPU backend."""

from ._version import __version__
from .flash_attn_interface import flash_attn_with_kvcache, get_scheduler_metadata

__all__ = ["__version__", "flash_attn_with_kvcache", "get_scheduler_metadata"]
