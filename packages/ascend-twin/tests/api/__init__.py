# SPDX-License-Identifier: BSD-3-Clause
"""Unit tests per Ascend C API call, one module per API family.

Expected results come from the documentation's formulas, written here in numpy float64 and integer index arithmetic,
never from the twin's code.
"""
