// SPDX-License-Identifier: BSD-3-Clause
// Declarations of which template arguments a kernel is built for: the host's business.
#pragma once
#define ASCENDC_TPL_ARGS_DECL(...)
#define ASCENDC_TPL_SEL(...)
