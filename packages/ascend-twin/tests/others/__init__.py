# SPDX-License-Identifier: BSD-3-Clause
"""How to call kernels of other projects, which are read from their own checkouts."""
