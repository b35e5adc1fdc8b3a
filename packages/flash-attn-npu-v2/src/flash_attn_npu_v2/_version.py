# SPDX-License-Identifier: BSD-3-Clause
"""The one place of this package's version."""

__version__ = "0.1.0"
