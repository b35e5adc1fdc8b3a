# SPDX-License-Identifier: BSD-3-Clause
"""Where the tests find the sources: the root of the repository."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
