// SPDX-License-Identifier: BSD-3-Clause
// For sources that include it; kernel_operator.h has everything.
#pragma once
#include "kernel_operator.h"
