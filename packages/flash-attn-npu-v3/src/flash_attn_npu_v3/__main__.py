# SPDX-License-Identifier: BSD-3-Clause
"""`python -m flash_attn_npu_v3 info`: see environment.py."""

from . import _C, __version__
from ._common.environment import main

main("flash_attn_npu_v3", __version__, _C)
