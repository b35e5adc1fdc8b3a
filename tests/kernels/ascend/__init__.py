# SPDX-License-Identifier: BSD-3-Clause
"""The Ascend kernels one by one on the twin: python -m pytest tests/kernels/ascend, with ascend-twin installed."""
