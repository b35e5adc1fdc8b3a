// SPDX-License-Identifier: BSD-3-Clause
// Another name of kernel_operator.h.
#pragma once
#include "kernel_operator.h"
