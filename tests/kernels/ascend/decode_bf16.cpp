// SPDX-License-Identifier: BSD-3-Clause
// The decode kernel, bf16.
#include "kernel/decode_bf16.cpp"

#include "decode_driver.h"

DECODE_DRIVER(bf16)
