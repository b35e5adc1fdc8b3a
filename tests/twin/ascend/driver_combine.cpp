#include "driver.h"
#include "kernel/combine.cpp"

TWIN_DRIVER(flash_attn_combine, AttentionArguments)
