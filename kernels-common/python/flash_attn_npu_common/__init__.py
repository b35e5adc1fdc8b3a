# SPDX-License-Identifier: BSD-3-Clause
"""Python that both wheels share. Each wheel carries its own copy as ``flash_attn_npu_vN._common``."""
