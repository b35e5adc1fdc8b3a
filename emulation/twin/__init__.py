# SPDX-License-Identifier: BSD-3-Clause
"""The Ascend kernels and their host half, built for the twin."""
