# SPDX-License-Identifier: BSD-3-Clause
"""The cpu backend in the place of a device library."""
