// SPDX-License-Identifier: BSD-3-Clause
// Prefill, fp8, head dim 128.
#include "kernel/prefill_fp8_d128.cpp"

#include "prefill_driver.h"

PREFILL_DRIVER(fp8_d128)
