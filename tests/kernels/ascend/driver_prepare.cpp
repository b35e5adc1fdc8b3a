// SPDX-License-Identifier: BSD-3-Clause
#include "driver.h"
#include "kernel/prepare.cpp"

TWIN_DRIVER(flash_attn_prepare, PrepareArguments)
