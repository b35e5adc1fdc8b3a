# SPDX-License-Identifier: BSD-3-Clause
"""Puts the build machinery, which is no installed package, on the path."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "kernels-common" / "buildtools"))
