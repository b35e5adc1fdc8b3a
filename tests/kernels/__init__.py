# SPDX-License-Identifier: BSD-3-Clause
"""Tests below the API: the cpu backend's tiles and the Ascend kernels."""
