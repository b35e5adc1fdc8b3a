# SPDX-License-Identifier: BSD-3-Clause
"""Device libraries that stand in for the 910B's: the Ascend kernels on the twin, and the cpu backend as a device."""
