// SPDX-License-Identifier: BSD-3-Clause
// assert in kernels: the host's.
#pragma once
#include <cassert>
