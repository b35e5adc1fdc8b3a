// SPDX-License-Identifier: BSD-3-Clause
// <immintrin.h> without GCC 12's warnings about itself: its headers read an undefined register on purpose.
#pragma once

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop
