// SPDX-License-Identifier: BSD-3-Clause
// printf in kernels: the host's.
#pragma once
#include <cstdio>
