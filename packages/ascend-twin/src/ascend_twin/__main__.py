# SPDX-License-Identifier: BSD-3-Clause
"""`python -m ascend_twin` is the command `ascend-twin`."""

import sys

from .cli import script

if __name__ == "__main__":
    sys.exit(script())
