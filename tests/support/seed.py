# SPDX-License-Identifier: BSD-3-Clause
"""The one seed of a test run: FLASH_ATTN_NPU_TEST_SEED, printed in pytest's header."""

import os

SEED = int(os.environ.get("FLASH_ATTN_NPU_TEST_SEED", "20260811"))
