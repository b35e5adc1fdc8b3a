// SPDX-License-Identifier: BSD-3-Clause
// The decode kernel, fp8.
#include "kernel/decode_fp8.cpp"

#include "decode_driver.h"

DECODE_DRIVER(fp8)
