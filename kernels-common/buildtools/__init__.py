# SPDX-License-Identifier: BSD-3-Clause
"""The build machinery of the wheels and of the device library."""
