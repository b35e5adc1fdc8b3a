// SPDX-License-Identifier: BSD-3-Clause
#include "driver.h"
#include "kernel/convert_kv.cpp"

TWIN_DRIVER(flash_attn_convert_kv, ConvertKvArguments)
