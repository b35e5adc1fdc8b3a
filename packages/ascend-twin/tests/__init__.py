# SPDX-License-Identifier: BSD-3-Clause
"""Tests of the installed ascend-twin: `cd packages/ascend-twin && python -m pytest tests`."""
