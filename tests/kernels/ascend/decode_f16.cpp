// SPDX-License-Identifier: BSD-3-Clause
// The decode kernel, fp16.
#include "kernel/decode_f16.cpp"

#include "decode_driver.h"

DECODE_DRIVER(f16)
