# SPDX-License-Identifier: BSD-3-Clause
"""An emulated ACL runtime: the real torch_npu without CANN and without an NPU. `python -m ascend_twin.acl OUT_DIR`."""
